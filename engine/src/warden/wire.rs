//! The warden behind a socket: the same calls and answers, so that it can be a process of its own.
//!
//! A message is its length (four bytes, little-endian) and that much JSON; descriptors travel with
//! the first byte of an answer (`SCM_RIGHTS`). One call at a time: the warden's acts are quick. Both
//! ends are of the same build, so there is no format here. Knows no act. Read next: [`super::protocol`].

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::protocol::{Answer, Call};
use crate::ports::{Warden, WardenError};

/// A longer message is none of ours.
const LONGEST: u32 = 8 << 20;
/// No answer has more descriptors.
const MOST_DESCRIPTORS: usize = 4;

/// An answer or an error, as it is sent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply {
    Done(Answer),
    Refused { what: String, reason: String },
    Exists { what: String },
    System { what: String, errno: Option<i32>, message: String },
}

impl From<&WardenError> for Reply {
    fn from(error: &WardenError) -> Self {
        match error {
            WardenError::Refused { what, reason } => {
                Reply::Refused { what: what.clone(), reason: reason.clone() }
            }
            WardenError::Exists { what } => Reply::Exists { what: what.clone() },
            WardenError::System { what, source } => Reply::System {
                what: what.clone(),
                errno: source.raw_os_error(),
                message: source.to_string(),
            },
            WardenError::Gone { source } => Reply::System {
                what: "reach the warden".to_owned(),
                errno: source.raw_os_error(),
                message: source.to_string(),
            },
        }
    }
}

impl Reply {
    fn into_result(self) -> Result<Answer, WardenError> {
        match self {
            Reply::Done(answer) => Ok(answer),
            Reply::Refused { what, reason } => Err(WardenError::Refused { what, reason }),
            Reply::Exists { what } => Err(WardenError::Exists { what }),
            Reply::System { what, errno, message } => {
                let source = match errno {
                    Some(errno) => io::Error::from_raw_os_error(errno),
                    None => io::Error::other(message),
                };
                Err(WardenError::System { what, source })
            }
        }
    }
}

/// Answers calls until the other end closes.
///
/// # Errors
/// The connection broke, or what came was no call: whoever it is, nothing more is done for it.
pub fn serve(stream: &UnixStream, warden: &impl Warden) -> io::Result<()> {
    loop {
        let (call, _): (Call, _) = match receive(stream) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        match warden.call(&call) {
            Ok((answer, fds)) => {
                let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
                send(stream, &Reply::Done(answer), &fds)?;
            }
            Err(error) => send(stream, &Reply::from(&error), &[])?,
        }
    }
}

/// A warden at the other end of a socket.
#[derive(Debug)]
pub struct Client {
    // Locked for one whole call: answers come in the order of calls.
    stream: Mutex<UnixStream>,
}

impl Client {
    /// Speaks to the warden that serves the other end.
    #[must_use]
    pub fn new(stream: UnixStream) -> Self {
        Self { stream: Mutex::new(stream) }
    }
}

impl Warden for Client {
    fn call(&self, call: &Call) -> Result<(Answer, Vec<OwnedFd>), WardenError> {
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = |source| WardenError::Gone { source };
        send(&stream, call, &[]).map_err(gone)?;
        let (reply, fds): (Reply, _) = receive(&stream).map_err(gone)?;
        reply.into_result().map(|answer| (answer, fds))
    }
}

fn send(stream: &UnixStream, message: &impl Serialize, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len()).ok().filter(|length| *length <= LONGEST);
    let length = length.ok_or_else(|| io::Error::other("the message is too long"))?.to_le_bytes();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("too many descriptors"));
    }
    let first = [IoSlice::new(&length)];
    let sent = loop {
        match rustix::net::sendmsg(stream, &first, &mut control, SendFlags::NOSIGNAL) {
            Err(rustix::io::Errno::INTR) => {}
            sent => break sent?,
        }
    };
    let mut stream = stream;
    stream.write_all(&length[sent..])?;
    stream.write_all(&body)
}

fn receive<T: DeserializeOwned>(stream: &UnixStream) -> io::Result<(T, Vec<OwnedFd>)> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut first = [IoSliceMut::new(&mut length)];
        match rustix::net::recvmsg(stream, &mut first, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            received => break received?,
        }
    };
    if received.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    let mut stream = stream;
    stream.read_exact(&mut length[received.bytes..])?;
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(io::Error::other("the message is too long"));
    }
    let mut body = Vec::new();
    // Grown as it comes: a length alone makes nobody allocate.
    stream.take(u64::from(length)).read_to_end(&mut body)?;
    Ok((serde_json::from_slice(&body)?, fds))
}
