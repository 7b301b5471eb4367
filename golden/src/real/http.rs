//! A browser as small as the tests need: GET with cookies, and a WebSocket; by hand, so that what the proxy does
//! to a request is not hidden by a library.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

use super::LIMIT;

/// Somebody with cookies.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    cookies: BTreeMap<String, String>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case; of several with one name the last.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: String,
}

impl Browser {
    /// Somebody who has these cookies already, by name.
    #[must_use]
    pub fn with_cookies(cookies: BTreeMap<String, String>) -> Self {
        Self { cookies }
    }

    /// Asks for `path`; takes cookies up, follows no redirection.
    ///
    /// # Errors
    /// Nobody listens there, or what came is no answer: in words.
    pub fn get(&mut self, port: u16, path: &str) -> Result<Page, String> {
        let mut stream = connect(port)?;
        let cookie = self.cookie_header();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/html,*/*\r\n{cookie}\
             Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).map_err(|error| format!("{path}: {error}"))?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).map_err(|error| format!("{path}: {error}"))?;
        self.answer(&bytes)
            .ok_or_else(|| format!("{path}: no answer in {:?}", String::from_utf8_lossy(&bytes)))
    }

    /// Opens a WebSocket.
    ///
    /// # Errors
    /// It is refused: in words.
    pub fn web_socket(&self, port: u16, path: &str) -> Result<Socket, String> {
        let stream = connect(port)?;
        let mut request = format!("ws://127.0.0.1:{port}{path}")
            .into_client_request()
            .map_err(|error| error.to_string())?;
        let cookie = self.cookie_header();
        if let Some(value) = cookie.strip_prefix("Cookie: ") {
            let value = value.trim_end().parse().expect("what a server sets, it takes");
            request.headers_mut().insert("cookie", value);
        }
        let origin = format!("http://127.0.0.1:{port}").parse().expect("a plain origin");
        request.headers_mut().insert("origin", origin);
        let (socket, _) = client(request, stream).map_err(|error| error.to_string())?;
        Ok(Socket { socket, echoes: 0 })
    }

    fn cookie_header(&self) -> String {
        if self.cookies.is_empty() {
            return String::new();
        }
        let pairs: Vec<String> = self.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
        format!("Cookie: {}\r\n", pairs.join("; "))
    }

    fn answer(&mut self, bytes: &[u8]) -> Option<Page> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let mut headers = BTreeMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            if name == "set-cookie"
                && let Some((cookie, content)) =
                    value.split(';').next().and_then(|pair| pair.split_once('='))
            {
                self.cookies.insert(cookie.to_owned(), content.to_owned());
            }
            headers.insert(name, value.to_owned());
        }
        let body = &bytes[end + 4..];
        let chunked = headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked");
        let body = if chunked { unchunked(body)? } else { body.to_vec() };
        Some(Page { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

fn connect(port: u16) -> Result<TcpStream, String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .map_err(|error| format!("port {port}: {error}"))?;
    stream.set_read_timeout(Some(LIMIT)).map_err(|error| error.to_string())?;
    stream.set_write_timeout(Some(LIMIT)).map_err(|error| error.to_string())?;
    Ok(stream)
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 4 + size..)?;
    }
}

/// A WebSocket of the demo session: it sends back what it is sent.
#[derive(Debug)]
pub struct Socket {
    socket: WebSocket<TcpStream>,
    echoes: u32,
}

impl Socket {
    /// Sends something and waits until it comes back.
    ///
    /// # Errors
    /// The connection is gone: in words.
    pub fn echo(&mut self) -> Result<(), String> {
        self.echoes += 1;
        let sent = format!("echo {}", self.echoes);
        self.socket.send(Message::text(sent.clone())).map_err(|error| error.to_string())?;
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) if text.as_str() == sent => return Ok(()),
                Ok(Message::Close(frame)) => return Err(format!("closed: {frame:?}")),
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    return Err("nothing came back".to_owned());
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_in_chunks_is_put_together_and_its_cookie_is_kept() {
        let mut browser = Browser::default();
        let answer =
            b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nTransfer-Encoding: chunked\r\n\r\n\
                       3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
        let page = browser.answer(answer).expect("it is one");
        assert_eq!((page.status, page.body.as_str()), (200, "abcde"));
        assert_eq!(browser.cookie_header(), "Cookie: a=b\r\n");
    }
}
