//! Bytes between a browser and a session after a 101, whatever protocol they speak.
//!
//! A tunnel holds no buffer while nothing flows: a thread reads into one buffer of its own, and only what
//! the other side does not take at once is kept. It outlives every change that does not concern its own
//! session; when its session's route goes, leads elsewhere or is closed to its person, it ends.

use std::cell::RefCell;
use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use rustix::net::Shutdown;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

use crate::identity::SignedIn;
use crate::web::metrics::Dropped;

use super::access;
use super::pool::Lease;
use super::table::{InUse, Upstream};
use super::thread::{Admission, Worker};

/// How much one read takes at the most.
const BUFFER_BYTES: usize = 64 * 1_024;
/// Reads after which other tasks get their turn.
const TURN: u32 = 16;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_BYTES].into_boxed_slice());
}

/// What a tunnel is for.
pub(super) struct Tunnel {
    /// Its thread.
    pub(super) worker: Rc<Worker>,
    /// Its session; counted as in use while it lives.
    pub(super) in_use: InUse,
    /// The incarnation behind it.
    pub(super) upstream: std::sync::Arc<Upstream>,
    /// Who opened it.
    pub(super) signed_in: SignedIn,
    /// The connection over which it was asked for; held until the session has switched.
    pub(super) lease: Lease,
    /// Its place among the connections that may be open.
    pub(super) admission: Admission,
}

impl Tunnel {
    /// Waits until both sides have switched, then passes bytes on until one side or the route ends.
    pub(super) async fn run(self, browser: OnUpgrade, session: OnUpgrade) {
        let Tunnel { worker, in_use, upstream, signed_in, lease, admission: _admission } = self;
        let _open = worker.counts.tunnel();
        let stay =
            Stay { worker: &worker, in_use: &in_use, upstream: &upstream, signed_in: &signed_in };
        let switched = tokio::try_join!(browser, session);
        drop(lease);
        let Ok((browser, session)) = switched else { return };
        let (Some((browser, sent)), Some((session, received))) =
            (into_tcp(browser), into_unix(session))
        else {
            return;
        };
        let flow = async {
            // What came in the same packet as the last head.
            write_all(&session, &sent).await?;
            write_all(&browser, &received).await?;
            let used = || in_use.slot.touch(worker.shared.clock.now());
            tokio::try_join!(pump(&browser, &session, &used), pump(&session, &browser, &|| {}))
        };
        tokio::select! {
            // A broken side ends both: dropping the sockets is how the other one learns of it.
            _ = flow => {}
            () = stay.revoked() => worker.counts.drop_one(Dropped::Route),
        }
        in_use.slot.touch(worker.shared.clock.now());
    }
}

/// Whether a tunnel may stay.
struct Stay<'a> {
    worker: &'a Rc<Worker>,
    in_use: &'a InUse,
    upstream: &'a Upstream,
    signed_in: &'a SignedIn,
}

impl Stay<'_> {
    /// Ends when this tunnel may not stay.
    async fn revoked(&self) {
        loop {
            let mut changed = std::pin::pin!(self.in_use.slot.changed.notified());
            // From here on no change is missed; then look.
            changed.as_mut().enable();
            if !self.may_stay().await {
                return;
            }
            changed.await;
        }
    }

    async fn may_stay(&self) -> bool {
        let Some(route) = self.in_use.slot.route() else { return false };
        route.upstream.key == self.upstream.key
            && !access::is_shut_out(&self.worker.shared, &route.spec.access, &self.signed_in.person)
                .await
    }
}

/// hyper's buffers are given up here: from now on there are only the two sockets.
fn into_tcp(upgraded: Upgraded) -> Option<(TcpStream, bytes::Bytes)> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf))
}

fn into_unix(upgraded: Upgraded) -> Option<(UnixStream, bytes::Bytes)> {
    let parts = upgraded.downcast::<TokioIo<UnixStream>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf))
}

/// A stream that can be waited for without a buffer.
trait Side: AsFd {
    async fn ready(&self, interest: Interest) -> io::Result<()>;
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
}

macro_rules! side {
    ($stream:ty) => {
        impl Side for $stream {
            async fn ready(&self, interest: Interest) -> io::Result<()> {
                <$stream>::ready(self, interest).await.map(|_| ())
            }
            fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                <$stream>::try_read(self, buffer)
            }
            fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                <$stream>::try_write(self, bytes)
            }
        }
    };
}
side!(TcpStream);
side!(UnixStream);

enum Moved {
    Nothing,
    All,
    /// This is left: the other side takes no more now.
    Part(Vec<u8>),
    End,
}

/// Passes bytes on until the side they come from has ended, then says so to the other side.
async fn pump(from: &impl Side, to: &impl Side, used: &impl Fn()) -> io::Result<()> {
    let mut turns = 0;
    loop {
        from.ready(Interest::READABLE).await?;
        match move_once(from, to)? {
            Moved::Nothing => continue,
            Moved::All => used(),
            Moved::Part(rest) => {
                used();
                write_all(to, &rest).await?;
            }
            Moved::End => {
                rustix::net::shutdown(to, Shutdown::Write)?;
                return Ok(());
            }
        }
        turns += 1;
        if turns % TURN == 0 {
            tokio::task::yield_now().await;
        }
    }
}

fn move_once(from: &impl Side, to: &impl Side) -> io::Result<Moved> {
    BUFFER.with_borrow_mut(|buffer| {
        let read = match from.try_read(buffer) {
            Ok(0) => return Ok(Moved::End),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Moved::Nothing),
            Err(error) => return Err(error),
        };
        let written = match to.try_write(&buffer[..read]) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let rest = &buffer[written..read];
        Ok(if rest.is_empty() { Moved::All } else { Moved::Part(rest.to_vec()) })
    })
}

async fn write_all(to: &impl Side, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                to.ready(Interest::WRITABLE).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
