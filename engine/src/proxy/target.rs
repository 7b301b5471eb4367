//! What a request's target means: a path of the engine, or a path of one session.
//!
//! Nothing is decoded and nothing is normalised: a path is either spelled plainly or it is not that path.
//! So no two programs in a row can disagree about which session it names.

use hyper::header::{self, HeaderMap};
use hyper::{Method, Request, Version};

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// `/s/<id>/<rest>`.
    Session {
        /// The id as it stands there.
        id: &'a str,
        /// What follows the prefix, from its `/` on.
        rest: &'a str,
    },
    /// `/s/<id>` without the last `/`.
    Bare {
        /// The id as it stands there.
        id: &'a str,
    },
    /// Anything else: the engine's.
    Own,
}

/// Reads a path.
pub(super) fn parse_target(path: &str) -> Target<'_> {
    let Some(tail) = path.strip_prefix("/s/").filter(|tail| !tail.is_empty()) else {
        return Target::Own;
    };
    match tail.find('/') {
        Some(end) => Target::Session { id: &tail[..end], rest: &tail[end..] },
        None => Target::Bare { id: tail },
    }
}

/// Whether the dot segments of a path, plain or encoded, climb above its beginning.
pub(super) fn climbs(path: &str) -> bool {
    let mut depth = 0_usize;
    for segment in path.split('/').skip(1) {
        match dots(segment) {
            Some(1) => {}
            Some(2) if depth == 0 => return true,
            Some(2) => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

/// How many dots a segment is, if it is nothing else.
fn dots(segment: &str) -> Option<usize> {
    let mut rest = segment;
    let mut count = 0;
    while !rest.is_empty() {
        rest = rest
            .strip_prefix('.')
            .or_else(|| rest.strip_prefix("%2e"))
            .or_else(|| rest.strip_prefix("%2E"))?;
        count += 1;
    }
    Some(count)
}

/// Why a request is not looked at any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// Checks what HTTP leaves open and what proxies in a row could read differently.
///
/// hyper has refused before: bad chunk sizes, unequal or unreadable Content-Length, a last transfer
/// coding that is not chunked, folded lines, blanks before a colon, control characters. A message with
/// both framings it takes as chunked, drops the length, and closes the connection (RFC 9112 6.3).
pub(super) fn check_request<B>(request: &Request<B>) -> Result<(), Malformed> {
    let (uri, headers) = (request.uri(), request.headers());
    if request.method() == Method::CONNECT {
        return Err(Malformed("CONNECT"));
    }
    if uri.scheme().is_some() || uri.authority().is_some() || !uri.path().starts_with('/') {
        return Err(Malformed("the target is not a path"));
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_authority(host.as_bytes()) => {}
        (None, None) if request.version() == Version::HTTP_10 => {}
        _ => return Err(Malformed("Host")),
    }
    if headers.contains_key(header::CONTENT_LENGTH)
        && headers.contains_key(header::TRANSFER_ENCODING)
    {
        return Err(Malformed("two framings"));
    }
    // Stacked codings would have to be understood to know what the body is; nobody sends them.
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let plain = |coding: &header::HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if codings.next().is_some_and(|coding| !plain(coding)) || codings.next().is_some() {
        return Err(Malformed("transfer coding"));
    }
    names_no_framing(headers)
}

/// `Connection` may not declare away what others rely on.
fn names_no_framing(headers: &HeaderMap) -> Result<(), Malformed> {
    const KEPT: [&str; 6] =
        ["host", "content-length", "cookie", "authorization", "origin", "forwarded"];
    for value in headers.get_all(header::CONNECTION) {
        let text = value.to_str().map_err(|_| Malformed("Connection"))?;
        for token in text.split(',').map(str::trim) {
            let forwarded =
                token.len() > 12 && token.as_bytes()[..12].eq_ignore_ascii_case(b"x-forwarded-");
            if forwarded || KEPT.iter().any(|kept| token.eq_ignore_ascii_case(kept)) {
                return Err(Malformed("Connection"));
            }
        }
    }
    Ok(())
}

/// Whether a Host is a name or address with a port perhaps: nothing that could end a quoted string or a line.
fn is_authority(host: &[u8]) -> bool {
    !host.is_empty()
        && host.len() <= 255
        && host.iter().all(|b| b.is_ascii_alphanumeric() || b"-._:[]%~".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_spelled_plainly_or_it_is_another() {
        let demo = |rest| Target::Session { id: "demo", rest };
        assert_eq!(parse_target("/s/demo/"), demo("/"));
        assert_eq!(parse_target("/s/demo/a%2fb/../c"), demo("/a%2fb/../c"));
        assert_eq!(parse_target("/s/demo//x"), demo("//x"));
        assert_eq!(parse_target("/s/demo"), Target::Bare { id: "demo" });
        assert_eq!(parse_target("/s/../demo/"), Target::Session { id: "..", rest: "/demo/" });
        assert_eq!(parse_target("/s/de%6do/"), Target::Session { id: "de%6do", rest: "/" });
        for own in
            ["/", "/s", "/s/", "/S/demo/", "//s/demo/", "/%73/demo/", "/s%2fdemo/", "/x/s/demo/"]
        {
            assert_eq!(parse_target(own), Target::Own, "{own}");
        }
    }

    #[test]
    fn dots_may_not_climb_out_of_a_session() {
        for fine in
            ["/", "/a/../b", "/a/./../b", "/...", "/a..b/..", "/.well-known/x", "/a/%2e%2e/b"]
        {
            assert!(!climbs(fine), "{fine}");
        }
        for out in ["/..", "/../other/", "/a/../../b", "/%2e%2E/x", "/.%2e/x", "/./../x"] {
            assert!(climbs(out), "{out}");
        }
    }
}
