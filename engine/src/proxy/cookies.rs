//! Cookies between browsers and sessions: the engine's never passes, and a session's stays below its path.

use hyper::header::{self, HeaderMap, HeaderValue};

use crate::identity::cookie::is_engine_cookie;

/// The values of a cookie among a request's headers.
pub(super) fn values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    pairs(headers).filter_map(move |pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(';'))
}

/// Takes the cookies of this engine and of its sisters out of a request. A line that cannot be read as
/// text goes whole: what cannot be read cannot be searched.
pub(super) fn strip_engine_cookies(headers: &mut HeaderMap) {
    let engines = |text: &str| text.split(';').any(|pair| is_engine_cookie(name_of(pair)));
    let lines = headers.get_all(header::COOKIE);
    if lines.iter().all(|line| line.to_str().is_ok_and(|text| !engines(text))) {
        return;
    }
    let kept: Vec<&str> =
        pairs(headers).map(str::trim).filter(|pair| !is_engine_cookie(name_of(pair))).collect();
    let kept = kept.join("; ");
    headers.remove(header::COOKIE);
    if let Some(kept) = HeaderValue::try_from(kept).ok().filter(|kept| !kept.is_empty()) {
        headers.insert(header::COOKIE, kept);
    }
}

fn name_of(pair: &str) -> &str {
    pair.split('=').next().unwrap_or(pair).trim()
}

/// Rewrites what a session sets: below its own path, for this host only, never under an engine's name.
pub(super) fn scope_set_cookies(headers: &mut HeaderMap, prefix: &str, stripped: bool) {
    if !headers.contains_key(header::SET_COOKIE) {
        return;
    }
    let scoped: Vec<HeaderValue> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|line| {
            HeaderValue::try_from(scope(line.to_str().ok()?, prefix, stripped)?).ok()
        })
        .collect();
    headers.remove(header::SET_COOKIE);
    for line in scoped {
        headers.append(header::SET_COOKIE, line);
    }
}

/// One `Set-Cookie` line; none if the session may not set it.
fn scope(line: &str, prefix: &str, stripped: bool) -> Option<String> {
    let mut parts = line.split(';');
    let pair = parts.next()?.trim();
    if is_engine_cookie(name_of(pair)) {
        return None;
    }
    let mut scoped = pair.to_owned();
    let mut path = None;
    for attribute in parts.map(str::trim) {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case("path") {
            path = Some(value.trim());
        } else if !name.eq_ignore_ascii_case("domain") && !name.is_empty() {
            scoped.push_str("; ");
            scoped.push_str(attribute);
        }
    }
    scoped.push_str("; Path=");
    scoped.push_str(prefix);
    scoped.push_str(&below(path.unwrap_or("/"), prefix, stripped));
    Some(scoped)
}

/// The part of a cookie's path below the session's.
fn below(path: &str, prefix: &str, stripped: bool) -> String {
    let rest = match path.strip_prefix(prefix) {
        Some(rest) if rest.starts_with('/') => rest,
        _ if stripped && path.starts_with('/') => path,
        _ => "/",
    };
    // Browsers compare cookie paths as text; `..` in one would only confuse a reader.
    if rest.contains("..") { "/".to_owned() } else { rest.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(lines: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_static(line));
        }
        strip_engine_cookies(&mut headers);
        headers.get(header::COOKIE).map(|line| line.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_engines_cookie_goes_and_the_others_stay() {
        assert_eq!(stripped(&["a=1; wharf-main-id=x; b=2"]).as_deref(), Some("a=1; b=2"));
        assert_eq!(stripped(&["a=1", "wharf-other-id=x"]).as_deref(), Some("a=1"));
        assert_eq!(stripped(&["wharf-main-id=x"]), None);
        assert_eq!(stripped(&[" wharf-main-id =x;a=1"]).as_deref(), Some("a=1"));
        assert_eq!(stripped(&["a=wharf-main-id"]).as_deref(), Some("a=wharf-main-id"));
        assert_eq!(stripped(&[]), None);
    }

    #[test]
    fn a_line_that_is_no_text_is_not_passed_on() {
        let mut headers = HeaderMap::new();
        let odd = HeaderValue::from_bytes(b"\xff=1; wharf-main-id=x").unwrap();
        headers.insert(header::COOKIE, odd);
        strip_engine_cookies(&mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn a_sessions_cookie_stays_below_its_path_and_on_this_host() {
        let cases = [
            ("a=1", "a=1; Path=/s/demo/"),
            ("a=1; Path=/", "a=1; Path=/s/demo/"),
            ("a=1; path=/s/demo/lab; HttpOnly", "a=1; HttpOnly; Path=/s/demo/lab"),
            ("a=1; Path=/s/demo", "a=1; Path=/s/demo/"),
            ("a=1; Path=/s/demo2/", "a=1; Path=/s/demo/"),
            ("a=1; Path=/s/other/", "a=1; Path=/s/demo/"),
            ("a=1; Path=/s/demo/../other/", "a=1; Path=/s/demo/"),
            (
                "a=1; Domain=example.org; Secure; SameSite=None",
                "a=1; Secure; SameSite=None; Path=/s/demo/",
            ),
            ("a=1;DOMAIN=.x ;Path=relative; ;", "a=1; Path=/s/demo/"),
            ("a=1; Path=/; Path=/s/demo/x/", "a=1; Path=/s/demo/x/"),
        ];
        for (line, wanted) in cases {
            assert_eq!(scope(line, "/s/demo", false).as_deref(), Some(wanted), "{line}");
        }
        assert_eq!(scope("a=1; Path=/lab", "/s/demo", true).unwrap(), "a=1; Path=/s/demo/lab");
    }

    #[test]
    fn a_session_cannot_set_the_cookie_of_an_engine() {
        for line in ["wharf-main-id=x", " wharf-main-id =x; Path=/", "wharf-other-id=; Max-Age=0"] {
            assert_eq!(scope(line, "/s/demo", false), None, "{line}");
        }
    }

    #[test]
    fn every_value_of_a_name_is_found() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("x=1; y=2"));
        headers.append(header::COOKIE, HeaderValue::from_static("x=3; xx=4"));
        assert_eq!(values(&headers, "x").collect::<Vec<_>>(), ["1", "3"]);
    }
}
