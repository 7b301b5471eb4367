//! Accepting: one listening socket per address, shared by all threads, closed only when nobody waits in it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use engine_core::desired::ListenerId;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::web::metrics::Dropped;

use super::connection::Connection;
use super::thread::{Admission, Worker};

/// How long accepting pauses when the system has no descriptor or memory to give.
const OUT_OF_RESOURCES: Duration = Duration::from_millis(50);

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n\
    content-type: text/plain\r\ncontent-length: 21\r\nconnection: close\r\n\r\ntoo many connections\n";

/// How a socket ends.
#[derive(Debug)]
pub(super) struct Retire {
    /// How long it goes on accepting first: clients that know the old address finish coming.
    pub(super) linger: Duration,
    /// Dropped when it is closed.
    pub(super) done: mpsc::Sender<()>,
}

/// Accepts on `socket` until told to retire, then until its queue is empty.
pub(super) async fn accept(
    worker: Rc<Worker>,
    socket: std::net::TcpListener,
    listener: Arc<ListenerId>,
    mut retired: UnboundedReceiver<Retire>,
) {
    let socket = match TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!(%listener, error = %error, "cannot accept on a listener");
            return;
        }
    };
    let told = tokio::select! {
        told = retired.recv() => told,
        never = accept_all(&worker, &socket, &listener) => match never {},
    };
    // Without a word the thread itself ends.
    let Some(mut retire) = told else { return };
    let told_at = Instant::now();
    loop {
        let until = told_at + retire.linger;
        tokio::select! {
            _ = tokio::time::timeout_at(until, accept_all(&worker, &socket, &listener)) => break,
            // Told again: somebody wants the address back sooner.
            hastened = retired.recv() => match hastened {
                Some(again) => retire = again,
                None => break,
            },
        }
    }
    drain(&worker, socket, &listener);
    drop(retire.done);
}

enum Never {}

async fn accept_all(
    worker: &Rc<Worker>,
    socket: &TcpListener,
    listener: &Arc<ListenerId>,
) -> Never {
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => admit(worker, stream, peer, listener),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                worker.counts.drop_one(Dropped::Limit);
                tracing::warn!(%listener, error = %error, "cannot accept a connection");
                tokio::time::sleep(OUT_OF_RESOURCES).await;
            }
        }
    }
}

/// Asks the kernel itself, not the runtime's memory of it, whether somebody still waits.
fn drain(worker: &Rc<Worker>, socket: TcpListener, listener: &Arc<ListenerId>) {
    let Ok(socket) = socket.into_std() else { return };
    loop {
        match socket.accept() {
            Ok((stream, peer)) => {
                let stream =
                    stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                if let Ok(stream) = stream {
                    admit(worker, stream, peer, listener);
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(_) => return,
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

fn admit(worker: &Rc<Worker>, stream: TcpStream, peer: SocketAddr, listener: &Arc<ListenerId>) {
    let peer: IpAddr = peer.ip().to_canonical();
    let Some(admission) = Admission::new(&worker.shared) else {
        worker.counts.drop_one(Dropped::Limit);
        tokio::task::spawn_local(refuse(stream));
        return;
    };
    // Small answers must not wait for the peer's acknowledgement; without it they are only slower.
    let _ = stream.set_nodelay(true);
    let connection = Connection::new(Rc::clone(worker), Arc::clone(listener), peer);
    tokio::task::spawn_local(connection.serve(stream, admission));
}

/// Says that it is full, without reading and without waiting.
async fn refuse(mut stream: TcpStream) {
    let _ = tokio::time::timeout(OUT_OF_RESOURCES, stream.write_all(FULL)).await;
}
