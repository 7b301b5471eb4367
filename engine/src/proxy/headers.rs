//! Headers at the two edges: what belongs to one connection only, what says who asks, and what a
//! session may tell the browser about an origin that is not its alone.

use std::net::IpAddr;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::cookies;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Who asks, as sessions are told. Made once for a connection.
pub(super) struct Via {
    address: HeaderValue,
    forwarded_for: String,
    proto: &'static str,
}

impl Via {
    /// For connections from `ip`.
    pub(super) fn new(ip: IpAddr, secure: bool) -> Self {
        let ip = ip.to_canonical();
        let forwarded_for = match ip {
            IpAddr::V4(ip) => format!("for={ip}"),
            IpAddr::V6(ip) => format!("for=\"[{ip}]\""),
        };
        let unknown = HeaderValue::from_static("unknown");
        let address = HeaderValue::try_from(ip.to_string()).unwrap_or(unknown);
        Self { address, forwarded_for, proto: if secure { "https" } else { "http" } }
    }
}

/// Whether the request asks for another protocol on its connection.
pub(super) fn asks_for_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE)
        && tokens(headers, &header::CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let texts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',').map(str::trim))
}

/// Takes out what belongs to one connection only (RFC 9110 7.6.1), and what `Connection` names.
fn drop_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = tokens(headers, &header::CONNECTION)
            .filter(|token| !token.eq_ignore_ascii_case("keep-alive"))
            .filter_map(|token| HeaderName::try_from(token).ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    for name in [
        KEEP_ALIVE,
        PROXY_CONNECTION,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ] {
        headers.remove(name);
    }
}

/// Whether a header is dropped whoever sends it: it says who asks, which only we know, or its name can be
/// taken for another's by servers that turn `-` into `_` (as nginx does by default).
fn is_dropped(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "forwarded" | "x-real-ip" | "expect")
        || name.starts_with("x-forwarded-")
        || name.contains('_')
}

/// Makes a request's headers those that go to a session. `chunked` = it has a body without a length.
pub(super) fn to_session(headers: &mut HeaderMap, via: &Via, upgrade: bool, chunked: bool) {
    let protocol = headers.get(header::UPGRADE).filter(|_| upgrade).cloned();
    let trailers = tokens(headers, &header::TE).any(|token| token.eq_ignore_ascii_case("trailers"));
    drop_hop_by_hop(headers);
    if headers.keys().any(is_dropped) {
        let dropped: Vec<HeaderName> =
            headers.keys().filter(|name| is_dropped(name)).cloned().collect();
        for name in dropped {
            headers.remove(name);
        }
    }
    cookies::strip_engine_cookies(headers);
    headers.insert(X_FORWARDED_FOR, via.address.clone());
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(via.proto));
    let mut forwarded = via.forwarded_for.clone();
    if let Some(host) = headers.get(header::HOST).cloned() {
        // The request's check has left no quote in it.
        if let Ok(host) = host.to_str() {
            forwarded.push_str(";host=\"");
            forwarded.push_str(host);
            forwarded.push('"');
        }
        headers.insert(X_FORWARDED_HOST, host);
    }
    forwarded.push_str(";proto=");
    forwarded.push_str(via.proto);
    if let Ok(forwarded) = HeaderValue::try_from(forwarded) {
        headers.insert(header::FORWARDED, forwarded);
    }
    if let Some(protocol) = protocol {
        headers.insert(header::UPGRADE, protocol);
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    } else if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
    }
    if chunked {
        // Said outright, because hyper's client would otherwise leave out the body of a GET.
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// Makes a response's headers those that go to a browser. `prefix` = `/s/<id>`; `stripped` = the session
/// does not know it.
pub(super) fn to_browser(headers: &mut HeaderMap, prefix: &str, stripped: bool, upgraded: bool) {
    let protocol = headers.get(header::UPGRADE).filter(|_| upgraded).cloned();
    drop_hop_by_hop(headers);
    if let Some(protocol) = protocol {
        headers.insert(header::UPGRADE, protocol);
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    // These speak for the whole origin, which is not the session's.
    for name in ["clear-site-data", "alt-svc", "nel", "report-to"] {
        headers.remove(name);
    }
    headers.remove(header::STRICT_TRANSPORT_SECURITY);
    if headers.contains_key("service-worker-allowed") {
        let below = HeaderValue::try_from(format!("{prefix}/"));
        if let Ok(below) = below {
            headers.insert("service-worker-allowed", below);
        }
    }
    cookies::scope_set_cookies(headers, prefix, stripped);
    if stripped && let Some(location) = headers.get(header::LOCATION) {
        let path = location.to_str().ok().filter(|to| to.starts_with('/') && !to.starts_with("//"));
        if let Some(Ok(moved)) = path.map(|to| HeaderValue::try_from(format!("{prefix}{to}"))) {
            headers.insert(header::LOCATION, moved);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    fn via() -> Via {
        Via::new("192.0.2.7".parse().unwrap(), false)
    }

    #[test]
    fn what_belongs_to_one_connection_is_not_passed_on() {
        let mut request = headers(&[
            ("host", "hub"),
            ("connection", "close, X-One"),
            ("connection", "x-two"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-three", "3"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("upgrade", "h2c"),
            ("te", "gzip"),
        ]);
        to_session(&mut request, &via(), false, false);
        let mut left: Vec<_> = request.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        let wanted = [
            "forwarded",
            "host",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-three",
        ];
        assert_eq!(left, wanted);
    }

    #[test]
    fn who_asks_is_said_by_us_alone() {
        let mut request = headers(&[
            ("host", "hub:8787"),
            ("forwarded", "for=6.6.6.6"),
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-user", "root"),
            ("x_forwarded_for", "6.6.6.6"),
            ("x-real-ip", "6.6.6.6"),
        ]);
        to_session(&mut request, &via(), false, false);
        assert_eq!(request["forwarded"], "for=192.0.2.7;host=\"hub:8787\";proto=http");
        assert_eq!(request["x-forwarded-for"], "192.0.2.7");
        assert_eq!(request["x-forwarded-host"], "hub:8787");
        assert!(
            !request.iter().any(|(_, value)| value.as_bytes().windows(7).any(|w| w == b"6.6.6.6"))
        );
        assert!(
            !request.contains_key("x-forwarded-user") && !request.contains_key("x_forwarded_for")
        );
    }

    #[test]
    fn an_address_of_version_6_is_quoted_and_a_mapped_one_is_version_4() {
        let mut request = headers(&[]);
        to_session(&mut request, &Via::new("2001:db8::1".parse().unwrap(), true), false, false);
        assert_eq!(request["forwarded"], "for=\"[2001:db8::1]\";proto=https");
        to_session(
            &mut request,
            &Via::new("::ffff:192.0.2.7".parse().unwrap(), false),
            false,
            false,
        );
        assert_eq!(request["x-forwarded-for"], "192.0.2.7");
    }

    #[test]
    fn trailers_and_upgrades_are_asked_for_anew() {
        let mut request = headers(&[("te", "trailers, deflate"), ("connection", "te")]);
        to_session(&mut request, &via(), false, false);
        assert_eq!(
            (&request["te"], &request["connection"]),
            (&"trailers".parse().unwrap(), &"te".parse().unwrap())
        );
        let mut request =
            headers(&[("upgrade", "websocket"), ("connection", "keep-alive, Upgrade")]);
        assert!(asks_for_upgrade(&request));
        to_session(&mut request, &via(), true, false);
        assert_eq!(request["upgrade"], "websocket");
        assert_eq!(request["connection"], "upgrade");
    }

    #[test]
    fn a_session_does_not_speak_for_the_whole_origin() {
        let mut response = headers(&[
            ("clear-site-data", "\"cookies\""),
            ("alt-svc", "h3=\":443\""),
            ("strict-transport-security", "max-age=9"),
            ("service-worker-allowed", "/"),
            ("location", "/s/demo/lab"),
        ]);
        to_browser(&mut response, "/s/demo", false, false);
        assert_eq!(response.len(), 2);
        assert_eq!(response["service-worker-allowed"], "/s/demo/");
        assert_eq!(response["location"], "/s/demo/lab");
    }

    #[test]
    fn a_session_that_does_not_know_its_prefix_is_sent_below_it() {
        for (to, seen) in [
            ("/lab", "/s/demo/lab"),
            ("lab", "lab"),
            ("//x/lab", "//x/lab"),
            ("http://x/", "http://x/"),
        ] {
            let mut response = HeaderMap::new();
            response.insert("location", HeaderValue::from_static(to));
            to_browser(&mut response, "/s/demo", true, false);
            assert_eq!(response["location"], seen);
        }
    }
}
