//! One GET on the loopback, of a server that nobody trusts: short time, bounded answer, no redirection.
//!
//! By hand: it is asked for three plain pages, from a thread of its own, and hyper is at home in the
//! proxy.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_millis(500);
/// How long everything may take.
const WHOLE: Duration = Duration::from_secs(3);
/// So much of an answer is read.
const MOST: u64 = 1 << 20;

/// Asks this machine for a page; its text.
///
/// # Errors
/// Why there is none, in words: nobody listens, no answer in time, another status than 200.
pub(super) fn get(port: u16, path: &str) -> Result<String, String> {
    let bytes = ask(port, path).map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("nobody listens at 127.0.0.1:{port}"),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("127.0.0.1:{port} gave no answer within {} s", WHOLE.as_secs())
        }
        _ => format!("127.0.0.1:{port}: {error}"),
    })?;
    let (status, body) =
        answer(&bytes).ok_or_else(|| format!("127.0.0.1:{port} speaks no HTTP"))?;
    match status {
        200 => Ok(String::from_utf8_lossy(&body).into_owned()),
        301 | 302 | 303 | 307 | 308 | 401 | 403 => {
            Err(format!("{path} asks for a sign-in ({status})"))
        }
        status => Err(format!("{path} answers {status}")),
    }
}

fn ask(port: u16, path: &str) -> io::Result<Vec<u8>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let until = Instant::now() + WHOLE;
    let mut stream = TcpStream::connect_timeout(&address, CONNECT)?;
    stream.set_write_timeout(Some(CONNECT))?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: wharf\r\nAccept: text/plain\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 << 10];
    while (bytes.len() as u64) < MOST {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk)? {
            0 => break,
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    }
    Ok(bytes)
}

/// Status and body of an answer; none if it is none.
fn answer(bytes: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let fields = lines.filter_map(|line| line.split_once(':'));
    let chunked = fields.into_iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("transfer-encoding")
            && value.trim().eq_ignore_ascii_case("chunked")
    });
    let body = &bytes[end + 4..];
    Some((status, if chunked { unchunked(body) } else { body.to_vec() }))
}

/// The chunks of a body, as far as they came.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).ok();
        let size = size.and_then(|size| size.split(';').next()).map(str::trim);
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok()).unwrap_or(0);
        let Some(chunk) = rest[end + 2..].get(..size).filter(|chunk| !chunk.is_empty()) else {
            break;
        };
        body.extend_from_slice(chunk);
        rest = rest[end + 2 + size..].strip_prefix(b"\r\n").unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one request with `bytes`; the port.
    fn server(bytes: &'static [u8]) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            if let Ok((mut stream, _)) = listener.accept() {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request);
                let _ = stream.write_all(bytes);
            }
        });
        port
    }

    #[test]
    fn a_page_is_its_body_in_one_piece_or_in_chunks() {
        let whole = server(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello");
        assert_eq!(get(whole, "/"), Ok("hello".to_owned()));
        let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x\r\nlo\r\n0\r\n\r\n";
        assert_eq!(get(server(chunks), "/"), Ok("hello".to_owned()));
    }

    #[test]
    fn whatever_else_comes_is_a_reason() {
        let of = |bytes| get(server(bytes), "/x").unwrap_err();
        assert!(of(b"HTTP/1.1 302 Found\r\nLocation: /auth-sign-in\r\n\r\n").contains("sign-in"));
        assert_eq!(of(b"HTTP/1.1 404 Not Found\r\n\r\n"), "/x answers 404");
        assert!(of(b"SSH-2.0-OpenSSH_9.2\r\n").contains("speaks no HTTP"));
        assert!(of(b"HTTP/1.1 200").contains("speaks no HTTP"));
        assert!(of(b"").contains("speaks no HTTP"));
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        assert!(get(closed.port(), "/").unwrap_err().contains("nobody listens"));
    }

    #[test]
    fn an_answer_without_an_end_has_one() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            if let Ok((mut stream, _)) = listener.accept() {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
                while stream.write_all(&[b'x'; 4096]).is_ok() {}
            }
        });
        let text = get(port, "/").unwrap();
        assert!(text.len() as u64 <= MOST + (16 << 10));
    }

    #[test]
    fn torn_chunks_end_where_they_are_torn() {
        for (torn, whole) in [("5\r\nhel", ""), ("zz\r\nhel", ""), ("3\r\nhel", "hel"), ("", "")] {
            assert_eq!(unchunked(torn.as_bytes()), whole.as_bytes());
        }
        assert_eq!(unchunked(b"ffffffffffffffff\r\nx"), b"");
    }
}
