//! Whether a request that changes something comes from a page of the engine itself.
//!
//! Sessions share the engine's origin (design.md §10), so the browser's own same-origin rule does not
//! tell them apart. A change is accepted only as the submission of a form (a navigation, which `fetch`
//! cannot imitate), from this origin, from a page that is not a session's; the form's token comes on top.
//! A session's page that renames its own address first can still pass; only host names of their own,
//! one a session, close that.

use hyper::HeaderMap;
use hyper::header;

/// Whether the headers of a state-changing request are those of a form on a page of the engine.
///
/// # Errors
/// What speaks against it, in words.
pub fn check_change(headers: &HeaderMap) -> Result<(), &'static str> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text("host").ok_or("the request names no host")?;
    for (name, allowed) in [
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ] {
        if text(name).is_some_and(|value| value != allowed) {
            return Err("it is not a form of this page");
        }
    }
    let origin = text(header::ORIGIN.as_str()).ok_or("the request names no origin")?;
    if after_scheme(origin).is_none_or(|authority| !authority.eq_ignore_ascii_case(host)) {
        return Err("it comes from another origin");
    }
    let referer = text(header::REFERER.as_str()).ok_or("the request names no page")?;
    let (authority, path) = after_scheme(referer)
        .map(|rest| rest.split_at(rest.find('/').unwrap_or(rest.len())))
        .ok_or("the request names no page")?;
    if !authority.eq_ignore_ascii_case(host) {
        return Err("it comes from another origin");
    }
    if path == "/s" || path.starts_with("/s/") {
        return Err("it comes from a session's page");
    }
    Ok(())
}

fn after_scheme(url: &str) -> Option<&str> {
    url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn check(changed: &[(&'static str, Option<&'static str>)]) -> Result<(), &'static str> {
        let form = [
            ("host", "hub:8787"),
            ("origin", "http://hub:8787"),
            ("referer", "http://hub:8787/"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        let mut headers: HeaderMap = form
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        for (name, value) in changed {
            headers.remove(*name);
            value.map(|value| headers.insert(*name, HeaderValue::from_static(value)));
        }
        check_change(&headers)
    }

    #[test]
    fn a_form_of_the_engines_page_is_accepted() {
        assert_eq!(check(&[]), Ok(()));
        let old_browser =
            [("sec-fetch-site", None), ("sec-fetch-mode", None), ("sec-fetch-dest", None)];
        assert_eq!(check(&old_browser), Ok(()));
        assert_eq!(check(&[("origin", Some("https://HUB:8787"))]), Ok(()), "TLS ends before us");
    }

    #[test]
    fn everything_else_is_refused() {
        let cases: &[&[(&str, Option<&str>)]] = &[
            &[("host", None)],
            &[("origin", None)],
            &[("origin", Some("null"))],
            &[("origin", Some("http://evil:8787"))],
            &[("origin", Some("http://hub:8787.evil"))],
            &[("referer", None)],
            &[("referer", Some("http://hub:8787/s/demo/"))],
            &[("referer", Some("http://hub:8787/s"))],
            &[("referer", Some("http://evil/"))],
            &[("referer", Some("hub:8787"))],
            &[("sec-fetch-site", Some("cross-site"))],
            &[("sec-fetch-site", Some("same-site"))],
            &[("sec-fetch-mode", Some("cors"))],
            &[("sec-fetch-mode", Some("no-cors"))],
            &[("sec-fetch-dest", Some("empty"))],
            &[("sec-fetch-dest", Some("iframe"))],
        ];
        for case in cases {
            assert!(check(case).is_err(), "{case:?}");
        }
    }
}
