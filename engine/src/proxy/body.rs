//! Bodies on their way: streamed with back-pressure, never collected.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use super::pool::Lease;
use super::table::InUse;
use super::thread::Worker;

/// What is sent to a session.
pub(super) enum ToSession {
    /// No body.
    Empty,
    /// What the browser sends.
    Stream(Incoming),
}

impl HttpBody for ToSession {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            ToSession::Empty => Poll::Ready(None),
            ToSession::Stream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ToSession::Empty => true,
            ToSession::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ToSession::Empty => SizeHint::with_exact(0),
            ToSession::Stream(body) => body.size_hint(),
        }
    }
}

/// What is sent to a browser.
pub(super) enum ToBrowser {
    /// A text of ours.
    Whole(Bytes),
    /// What a session sends.
    Stream(FromSession),
}

/// A session's body. Once it has ended, its connection goes back to the pool.
pub(super) struct FromSession {
    body: Incoming,
    lease: Option<(Rc<Worker>, Lease)>,
    in_use: InUse,
}

impl FromSession {
    /// A body over `lease`.
    pub(super) fn new(body: Incoming, worker: Rc<Worker>, lease: Lease, in_use: InUse) -> Self {
        let mut from = Self { body, lease: Some((worker, lease)), in_use };
        if from.body.is_end_stream() {
            from.give_back();
        }
        from
    }

    fn give_back(&mut self) {
        if let Some((worker, lease)) = self.lease.take() {
            self.in_use.slot.touch(worker.shared.clock.now());
            worker.pool.borrow_mut().give_back(lease);
        }
    }
}

impl HttpBody for ToBrowser {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            ToBrowser::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            ToBrowser::Stream(from) => {
                let polled = Pin::new(&mut from.body).poll_frame(cx);
                match &polled {
                    Poll::Ready(None) => from.give_back(),
                    Poll::Ready(Some(Ok(_))) if from.body.is_end_stream() => from.give_back(),
                    // A broken body: what is left of its connection is not used again.
                    Poll::Ready(Some(Err(_))) => drop(from.lease.take()),
                    _ => {}
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ToBrowser::Whole(bytes) => bytes.is_empty(),
            ToBrowser::Stream(from) => from.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ToBrowser::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            ToBrowser::Stream(from) => from.body.size_hint(),
        }
    }
}
