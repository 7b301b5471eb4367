//! The commands' side of the admin socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::protocol::{Answer, Envelope, PROTOCOL, Request};

/// How long an answer may take before the engine counts as not answering.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No engine listens there.
    #[error("no engine listens at {}", socket.display())]
    NoEngine {
        /// Where.
        socket: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The engine is there and does not answer.
    #[error("the engine at {} does not answer", socket.display())]
    Silent {
        /// Where.
        socket: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The answer is none that this program understands.
    #[error("the engine at {} answered something that this program does not understand", socket.display())]
    Garbled {
        /// Where.
        socket: PathBuf,
        /// How so.
        #[source]
        source: serde_json::Error,
    },
}

/// Asks the engine at `socket`.
///
/// # Errors
/// There is none, it does not answer within half a minute, or not in words that are understood.
pub fn ask(socket: &Path, request: Request) -> Result<Answer, ClientError> {
    let stream = UnixStream::connect(socket)
        .map_err(|source| ClientError::NoEngine { socket: socket.to_owned(), source })?;
    let silent = |source| ClientError::Silent { socket: socket.to_owned(), source };
    stream.set_read_timeout(Some(PATIENCE)).map_err(silent)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(silent)?;
    let garbled = |source| ClientError::Garbled { socket: socket.to_owned(), source };
    let mut line =
        serde_json::to_vec(&Envelope { protocol: PROTOCOL, request }).map_err(garbled)?;
    line.push(b'\n');
    (&stream).write_all(&line).map_err(silent)?;
    let mut answer = String::new();
    let read = BufReader::new(&stream).read_line(&mut answer).map_err(silent)?;
    if read == 0 {
        let source = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        return Err(ClientError::Silent { socket: socket.to_owned(), source });
    }
    serde_json::from_str(&answer).map_err(garbled)
}
