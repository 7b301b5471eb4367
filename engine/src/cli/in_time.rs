//! Whoever asks a file system that may not answer: on a thread of its own, waited for as long as one has patience.
//!
//! Nothing ends a thread that hangs; it goes with the process.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use grammar::value::Millis;

/// An answer that may come.
pub(super) struct Answer<T>(Receiver<T>);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// It has not come yet.
    Silent,
    /// Whoever was asked has panicked.
    Died,
}

/// Asks.
///
/// # Errors
/// The system gives no thread.
pub(super) fn ask<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Answer<T>> {
    let (tell, told) = channel();
    let work = move || drop(tell.send(work()));
    std::thread::Builder::new().name("asked".to_owned()).spawn(work)?;
    Ok(Answer(told))
}

impl<T> Answer<T> {
    /// The answer, if it comes within `patience`.
    pub(super) fn within(&self, patience: Millis) -> Result<T, NoAnswer> {
        let answer = self.0.recv_timeout(Duration::from_millis(patience.0));
        answer.map_err(|error| match error {
            RecvTimeoutError::Timeout => NoAnswer::Silent,
            RecvTimeoutError::Disconnected => NoAnswer::Died,
        })
    }

    /// The answer, whenever it comes.
    pub(super) fn whenever(&self) -> Result<T, NoAnswer> {
        self.0.recv().map_err(|_| NoAnswer::Died)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_had_in_time_late_or_never() {
        let (open, gate) = channel::<()>();
        let answer = ask(move || gate.recv().is_ok()).unwrap();
        assert_eq!(answer.within(Millis(1)), Err(NoAnswer::Silent));
        open.send(()).unwrap();
        assert_eq!(answer.whenever(), Ok(true));
        let answer = ask(|| panic!("as in a reader that has a mistake")).unwrap();
        assert_eq!(answer.within(Millis(60_000)), Err::<(), _>(NoAnswer::Died));
    }
}
