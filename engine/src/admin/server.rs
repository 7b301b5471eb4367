//! The engine's side of the admin socket: takes requests in, tells who asks, hands them to the loop.
//!
//! Answers nothing itself. Each connection has a short-lived thread; there are few, and a slow peer
//! holds up only itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::protocol::{Answer, Envelope, PROTOCOL, REQUEST_MAX};
use super::rights::Peer;

/// Connections at once; more are closed at once.
const CONNECTIONS_MAX: usize = 64;
/// How long a peer may take to send its request or to read its answer.
const PEER_PATIENCE: Duration = Duration::from_secs(30);

/// A request on its way to the loop.
#[derive(Debug)]
pub struct Asked {
    /// Who asks.
    pub peer: Peer,
    /// What.
    pub request: super::protocol::Request,
    /// Where the answer goes.
    pub reply: mpsc::SyncSender<Answer>,
}

/// The listening socket; its file is removed when this is dropped.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
}

impl Server {
    /// Listens at `path`, replacing a socket that nobody listens on, and hands each request to `sink`.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn start(
        path: &Path,
        sink: impl Fn(Asked) -> bool + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        if UnixStream::connect(path).is_err() {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        let listener = UnixListener::bind(path)?;
        // Everyone may connect: the peer's uid decides what it may ask (interface.md §6).
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
        let sink = Arc::new(sink);
        std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
            let open = Arc::new(AtomicUsize::new(0));
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                if open.fetch_add(1, Ordering::AcqRel) >= CONNECTIONS_MAX {
                    open.fetch_sub(1, Ordering::AcqRel);
                    continue;
                }
                let (sink, counter) = (Arc::clone(&sink), Arc::clone(&open));
                let served =
                    std::thread::Builder::new().name("admin-peer".to_owned()).spawn(move || {
                        serve_peer(&stream, &*sink);
                        counter.fetch_sub(1, Ordering::AcqRel);
                    });
                if served.is_err() {
                    open.fetch_sub(1, Ordering::AcqRel);
                }
            }
        })?;
        Ok(Self { path: path.to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A socket file that stays behind is replaced at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn serve_peer(stream: &UnixStream, sink: &dyn Fn(Asked) -> bool) {
    let answer = read_request(stream).and_then(|(peer, envelope)| {
        let (reply, answer) = mpsc::sync_channel(1);
        if !sink(Asked { peer, request: envelope.request, reply }) {
            return Err("the engine is stopping".to_owned());
        }
        answer.recv().map_err(|_| "the engine is stopping".to_owned())
    });
    let answer = answer.unwrap_or_else(|message| Answer::Error { message, denied: false });
    let Ok(mut line) = serde_json::to_vec(&answer) else { return };
    line.push(b'\n');
    // A peer that is gone has no use for its answer.
    let _ = (&*stream).write_all(&line);
}

fn read_request(stream: &UnixStream) -> Result<(Peer, Envelope), String> {
    let plain = |error: std::io::Error| error.to_string();
    stream.set_read_timeout(Some(PEER_PATIENCE)).map_err(plain)?;
    stream.set_write_timeout(Some(PEER_PATIENCE)).map_err(plain)?;
    let credentials =
        rustix::net::sockopt::socket_peercred(stream).map_err(|error| error.to_string())?;
    let uid = credentials.uid.as_raw();
    let own = rustix::process::geteuid().as_raw();
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
    let peer = Peer {
        uid,
        name: user.map_or_else(|| uid.to_string(), |user| user.name),
        admin: uid == 0 || uid == own,
    };
    let mut line = String::new();
    BufReader::new(stream.take(REQUEST_MAX)).read_line(&mut line).map_err(plain)?;
    let version: Version = serde_json::from_str(&line).map_err(|error| error.to_string())?;
    if version.protocol != PROTOCOL {
        return Err(format!(
            "this engine speaks protocol {PROTOCOL}, the command protocol {}",
            version.protocol
        ));
    }
    let envelope = serde_json::from_str(&line).map_err(|error| error.to_string())?;
    Ok((peer, envelope))
}

/// The part of a request that every version has.
#[derive(serde::Deserialize)]
struct Version {
    protocol: u32,
}
