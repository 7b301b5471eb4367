//! What all pages share: the frame, the one style, and the headers that keep them safe.
//!
//! No script anywhere; colours follow the reader's light or dark setting; every state is a word
//! before it is a colour.

use std::sync::LazyLock;

use engine_core::ids::Moment;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};

use super::html::Html;

/// The style of every page.
pub(super) const STYLE: &str = include_str!("style.css");

/// A page's frame.
pub(super) struct Frame<'a> {
    /// What stands in the tab.
    pub(super) title: &'a str,
    /// Seconds after which the browser asks again by itself.
    pub(super) refresh_s: Option<u32>,
    /// Whether the page is one short message in the middle.
    pub(super) narrow: bool,
    /// What stands at the right end of the bar.
    pub(super) bar: Html,
    /// The page.
    pub(super) body: Html,
}

impl Frame<'_> {
    /// The whole page.
    pub(super) fn render(self) -> String {
        let mut page = Html::default();
        page.markup("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        page.markup("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.markup("<meta name=\"color-scheme\" content=\"light dark\">\n");
        if let Some(seconds) = self.refresh_s {
            page.markup("<meta http-equiv=\"refresh\" content=\"").text(seconds).markup("\">\n");
        }
        page.markup("<title>").text(self.title).markup("</title>\n<style>");
        page.markup(STYLE).markup("</style>\n</head>\n<body>\n");
        page.markup("<header class=\"bar\"><a class=\"brand\" href=\"/\">Wharfinger</a>");
        page.html(self.bar).markup("</header>\n");
        page.markup(if self.narrow { "<main class=\"narrow\">\n" } else { "<main>\n" });
        page.html(self.body).markup("</main>\n</body>\n</html>\n");
        page.finish()
    }
}

/// A moment, for people and machines.
pub(super) fn time(at: Moment) -> Html {
    let mut html = Html::default();
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(at) => html
            .markup("<time datetime=\"")
            .text(at.strftime("%Y-%m-%dT%H:%M:%SZ"))
            .markup("\">")
            .text(at.strftime("%Y-%m-%d %H:%M:%S UTC"))
            .markup("</time>"),
        Err(_) => html.markup("unknown"),
    };
    html
}

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes());
    let policy = format!(
        "default-src 'self'; script-src 'none'; style-src 'sha256-{}'; object-src 'none'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
        base64(digest.as_ref())
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// Sets the headers that every answer of the engine's own carries.
pub(super) fn set_safe_headers(headers: &mut HeaderMap) {
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
}

/// A short page with a heading and plain paragraphs.
pub(super) fn render_notice(heading: &str, paragraphs: &[&str]) -> String {
    let mut body = Html::default();
    body.markup("<h1>").text(heading).markup("</h1>\n");
    for paragraph in paragraphs {
        body.markup("<p>").text(paragraph).markup("</p>\n");
    }
    let frame = Frame { title: heading, refresh_s: None, narrow: true, bar: Html::default(), body };
    frame.render()
}

/// What a status code means to a person who did nothing wrong.
pub(super) fn words_for(status: StatusCode) -> (&'static str, &'static str) {
    match status.as_u16() {
        403 => ("Not allowed", "You have signed in, but this is not yours to do."),
        404 => ("Not found", "There is nothing here, or it is not yours to see."),
        405 => ("Not here", "This address does not take requests of this kind."),
        413 => ("Too much", "The request is larger than this address takes."),
        502 => (
            "No proper answer",
            "The session broke off or is not what it should be. Please try again.",
        ),
        504 => ("No answer in time", "The session is there, but its answer did not begin in time."),
        400..500 => {
            ("Not understood", "The request was refused because it is ambiguous or malformed.")
        }
        _ => ("Not now", "The engine could not answer this request. Please try again."),
    }
}

/// Standard base64 with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= group.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        // The vectors of RFC 4648.
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, encoded) in vectors {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn the_policy_allows_the_one_style_and_no_script() {
        let policy = POLICY.to_str().unwrap();
        assert!(policy.contains("style-src 'sha256-") && policy.contains("script-src 'none'"));
        assert!(!policy.contains("unsafe"));
    }
}
