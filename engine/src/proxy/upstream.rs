//! Reaching a session: a connection from the pool or a fresh one, and one request over it.
//!
//! A request that no byte of was sent goes over a fresh connection instead. One that was sent without a
//! byte of an answer is repeated once, and only if repeating it is the same as sending it (GET and HEAD
//! without a body). So a POST reaches at most one process, at most once.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::session_socket::open_session_socket;

use super::body::ToSession;
use super::pool::Lease;
use super::table::Upstream;
use super::thread::Worker;

/// First wait while a session's backlog is full; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(1);

/// Why a session gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreached {
    /// Nobody listens, or the backlog stayed full.
    #[error("cannot connect to the session's socket")]
    Connect(#[source] io::Error),
    /// What is there is not the session: another account, a symlink, no socket.
    #[error("what listens there is not the session")]
    Impostor(#[source] io::Error),
    /// The connection broke before the answer began.
    #[error("the session broke off")]
    Broken(#[source] hyper::Error),
    /// The answer did not begin in time.
    #[error("the session did not answer in time")]
    Late,
}

/// Sends `request`; the answer comes with the connection that its body still needs.
pub(super) async fn send(
    worker: &Rc<Worker>,
    upstream: &Arc<Upstream>,
    request: Request<ToSession>,
) -> Result<(Response<Incoming>, Lease), Unreached> {
    let wait = worker.shared.limits.response_timeout;
    match tokio::time::timeout(wait, send_untimed(worker, upstream, request)).await {
        Ok(sent) => sent,
        Err(_) => Err(Unreached::Late),
    }
}

async fn send_untimed(
    worker: &Rc<Worker>,
    upstream: &Arc<Upstream>,
    mut request: Request<ToSession>,
) -> Result<(Response<Incoming>, Lease), Unreached> {
    let pooled = worker.pool.borrow_mut().take(upstream);
    let mut lease = match pooled {
        Some(lease) => lease,
        None => connect(worker, upstream).await?,
    };
    loop {
        let spare = lease.used.then(|| repeatable(&request)).flatten();
        let stale = match lease.sender.try_send_request(request).await {
            Ok(response) => return Ok((response, lease)),
            Err(stale) => stale,
        };
        let mut stale = stale;
        let unsent = stale.take_message();
        let Some(again) = unsent.or(spare).filter(|_| lease.used) else {
            return Err(Unreached::Broken(stale.into_error()));
        };
        request = again;
        lease = connect(worker, upstream).await?;
    }
}

/// The same request again, where sending it twice is the same as sending it once.
fn repeatable(request: &Request<ToSession>) -> Option<Request<ToSession>> {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if !safe || !matches!(request.body(), ToSession::Empty) {
        return None;
    }
    let mut again = Request::new(ToSession::Empty);
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    Some(again)
}

async fn connect(worker: &Rc<Worker>, upstream: &Arc<Upstream>) -> Result<Lease, Unreached> {
    let stream = open(worker, upstream).await?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(128 * 1_024);
    let (sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(Unreached::Broken)?;
    tokio::task::spawn_local(async move {
        // How a connection ends is told to whoever waits for an answer on it.
        let _ = connection.with_upgrades().await;
    });
    Ok(Lease { sender, upstream: Arc::clone(upstream), used: false })
}

async fn open(worker: &Rc<Worker>, upstream: &Upstream) -> Result<UnixStream, Unreached> {
    let give_up = Instant::now() + worker.shared.limits.connect_timeout;
    let mut wait = FIRST_WAIT;
    loop {
        match open_session_socket(&upstream.dir, &upstream.socket, upstream.uid) {
            Ok(stream) => return UnixStream::from_std(stream).map_err(Unreached::Connect),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < give_up => {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(Duration::from_millis(100));
            }
            Err(error) => return Err(refused(error)),
        }
    }
}

fn refused(error: io::Error) -> Unreached {
    let symlink = error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    let not_dir = error.raw_os_error() == Some(rustix::io::Errno::NOTDIR.raw_os_error());
    match error.kind() {
        // Said by our own check; what the system itself denies is only a failure to connect.
        io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput
            if error.raw_os_error().is_none() =>
        {
            Unreached::Impostor(error)
        }
        _ if symlink || not_dir => Unreached::Impostor(error),
        _ => Unreached::Connect(error),
    }
}
