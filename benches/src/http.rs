//! A client for one connection that stays open: asks, waits, asks again. Understands what it needs to.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// One connection.
pub struct Client<S> {
    stream: S,
    /// Header lines that go with each request, each ended by CR LF.
    headers: String,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Its status code.
    pub status: u16,
    /// Its head as text.
    pub head: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl Client<TcpStream> {
    /// Connects to a port of this machine; `cookie` goes with each request unless it is empty.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn connect(port: u16, cookie: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let cookie =
            if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
        // As a browser asks: people get pages, tools get a line.
        let accept = "Accept: text/html\r\n";
        Ok(Self::over(stream, &format!("Host: 127.0.0.1:{port}\r\n{accept}{cookie}")))
    }
}

impl<S: Read + Write> Client<S> {
    /// Speaks over a stream that is connected already.
    pub fn over(stream: S, headers: &str) -> Self {
        Self { stream, headers: headers.to_owned(), buffer: Vec::new() }
    }

    /// Asks for a path.
    ///
    /// # Errors
    /// The connection broke, or the answer is none.
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\n{}\r\n", self.headers);
        self.stream.write_all(request.as_bytes())?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = end_of_head(&self.buffer) {
                break end;
            }
            self.read_more()?;
        };
        let text = String::from_utf8_lossy(&self.buffer[..head]).into_owned();
        let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| garbled("no status line"))?;
        let mut answer = Answer { status, head: text, body: Vec::new() };
        let length = answer.header("content-length").and_then(|text| text.parse::<usize>().ok());
        let length = length.ok_or_else(|| garbled("an answer without a length"))?;
        while self.buffer.len() < head + length {
            self.read_more()?;
        }
        answer.body = self.buffer.split_off(head);
        Ok(answer)
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        let read = self.stream.read(&mut piece)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.buffer.extend_from_slice(&piece[..read]);
        Ok(())
    }
}

/// Where the body begins, if the head is complete.
#[must_use]
pub fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

/// An answer that is none.
#[must_use]
pub fn garbled(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}
