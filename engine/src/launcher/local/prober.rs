//! Asks sessions that start, until they answer: one thread for all of them.
//!
//! Ready means an answered HTTP request and nothing less: a socket's file stays after a kill, and a
//! server that listens may not serve yet. Any status below 500 counts (JupyterLab answers 403 to who
//! has not signed in). The keeper is told, so that the next engine knows. Decides no phase.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use engine_core::ids::Incarnation;
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::keeper;
use crate::keeper::protocol::{Request, ask};
use crate::session_socket::open_session_socket;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(1);
/// Between two requests, in the first seconds and later.
const SOON: Duration = Duration::from_millis(10);
const LATER: Duration = Duration::from_millis(500);
/// How long a session counts as just started.
const FRESH: Duration = Duration::from_secs(10);
/// How long the thread looks at answers before it looks for new orders.
const TURN: Duration = Duration::from_millis(20);
/// How long a keeper may take to note that its session is ready.
const NOTE: Duration = Duration::from_millis(500);

/// A session to ask.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which.
    pub incarnation: Incarnation,
    /// The directory of its socket.
    pub socket_dir: PathBuf,
    /// The socket's name.
    pub socket: String,
    /// Who must listen there.
    pub uid: u32,
    /// The path to ask for.
    pub path: String,
    /// Where its keeper is told.
    pub keeper_dir: PathBuf,
}

enum Order {
    Watch(Box<Target>),
    Forget(Incarnation),
}

/// The thread, as its launcher sees it. It ends with this value.
pub struct Prober {
    orders: Sender<Order>,
    ready: Receiver<Incarnation>,
}

impl Prober {
    /// Starts the thread; `wake` is called from it whenever a session has answered.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn start(wake: Box<dyn Fn() + Send>) -> io::Result<Self> {
        let (orders, received) = channel();
        let (tell, ready) = channel();
        std::thread::Builder::new()
            .name("wharf-prober".to_owned())
            .spawn(move || run(&received, &tell, wake.as_ref()))?;
        Ok(Self { orders, ready })
    }

    /// Asks a session until it answers.
    pub fn watch(&self, target: Target) {
        // The thread lives as long as this value; if it does not, nothing becomes ready and that is seen.
        let _ = self.orders.send(Order::Watch(Box::new(target)));
    }

    /// Asks it no more.
    pub fn forget(&self, incarnation: &Incarnation) {
        let _ = self.orders.send(Order::Forget(incarnation.clone()));
    }

    /// Those that have answered since the last time.
    pub fn take_ready(&self) -> impl Iterator<Item = Incarnation> + '_ {
        self.ready.try_iter()
    }
}

struct Asked {
    target: Target,
    since: Instant,
    state: State,
}

enum State {
    Waiting { until: Instant },
    Asking { stream: UnixStream, until: Instant, answer: Vec<u8> },
}

fn run(orders: &Receiver<Order>, ready: &Sender<Incarnation>, wake: &dyn Fn()) {
    let mut asked: BTreeMap<Incarnation, Asked> = BTreeMap::new();
    loop {
        match take_orders(orders, &mut asked) {
            Ok(()) => {}
            Err(Gone) => return,
        }
        let answered: Vec<Incarnation> = asked
            .iter_mut()
            .filter_map(|(incarnation, asked)| asked.step().then(|| incarnation.clone()))
            .collect();
        for incarnation in answered {
            if let Some(asked) = asked.remove(&incarnation) {
                tell_keeper(&asked.target);
            }
            if ready.send(incarnation).is_err() {
                return;
            }
            wake();
        }
        wait_for_answers(&asked);
    }
}

/// The launcher is gone.
struct Gone;

fn take_orders(
    orders: &Receiver<Order>,
    asked: &mut BTreeMap<Incarnation, Asked>,
) -> Result<(), Gone> {
    let asking = asked.values().any(|asked| matches!(asked.state, State::Asking { .. }));
    let first = if asked.is_empty() {
        Some(orders.recv().map_err(|_| Gone)?)
    } else if asking {
        None
    } else {
        let due = asked.values().map(Asked::due).min().unwrap_or_else(Instant::now);
        match orders.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(order) => Some(order),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Err(Gone),
        }
    };
    let mut next = first;
    loop {
        match next {
            Some(Order::Watch(target)) => {
                let now = Instant::now();
                let state = State::Waiting { until: now };
                let incarnation = target.incarnation.clone();
                asked.insert(incarnation, Asked { target: *target, since: now, state });
            }
            Some(Order::Forget(incarnation)) => {
                asked.remove(&incarnation);
            }
            None => {}
        }
        next = match orders.try_recv() {
            Ok(order) => Some(order),
            Err(TryRecvError::Empty) => return Ok(()),
            Err(TryRecvError::Disconnected) => return Err(Gone),
        };
    }
}

fn wait_for_answers(asked: &BTreeMap<Incarnation, Asked>) {
    let mut fds: Vec<PollFd<'_>> = asked
        .values()
        .filter_map(|asked| match &asked.state {
            State::Asking { stream, .. } => Some(PollFd::new(stream, PollFlags::IN)),
            State::Waiting { .. } => None,
        })
        .collect();
    if !fds.is_empty() {
        let turn = Timespec { tv_sec: 0, tv_nsec: i64::from(TURN.subsec_nanos()) };
        // An error here shows again when the stream is read.
        let _ = rustix::event::poll(&mut fds, Some(&turn));
    }
}

fn tell_keeper(target: &Target) {
    // Best effort: without the note the next engine asks the session again.
    if let Ok(stream) = keeper::connect(&target.keeper_dir) {
        let _ = ask(stream, &Request::Ready, NOTE);
    }
}

impl Asked {
    fn due(&self) -> Instant {
        match &self.state {
            State::Waiting { until } | State::Asking { until, .. } => *until,
        }
    }

    /// Goes on as far as it can without waiting; true once it has answered.
    fn step(&mut self) -> bool {
        let now = Instant::now();
        match &mut self.state {
            State::Waiting { until } if *until <= now => {
                self.state = match self.target.ask() {
                    Ok(stream) => State::Asking { stream, until: now + LIMIT, answer: Vec::new() },
                    Err(_) => self.again(now),
                };
            }
            State::Waiting { .. } => {}
            State::Asking { stream, until, answer } => match read_status(stream, answer) {
                Ok(Some(status)) if (100..500).contains(&status) => return true,
                Ok(None) if *until > now => {}
                Ok(_) | Err(_) => self.state = self.again(now),
            },
        }
        false
    }

    fn again(&self, now: Instant) -> State {
        let pause = if now.duration_since(self.since) < FRESH { SOON } else { LATER };
        State::Waiting { until: now + pause }
    }
}

impl Target {
    fn ask(&self) -> io::Result<UnixStream> {
        let mut stream = open_session_socket(&self.socket_dir, &self.socket, self.uid)?;
        // A request this short fits into the socket's buffer: the stream need not be waited for.
        let path = &self.path;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        Ok(stream)
    }
}

/// The status of the answer; none = not there yet.
fn read_status(stream: &mut UnixStream, answer: &mut Vec<u8>) -> io::Result<Option<u16>> {
    let mut bytes = [0; 64];
    while answer.len() < 12 {
        match stream.read(&mut bytes) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => answer.extend_from_slice(&bytes[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    parse_status(answer).map(Some).ok_or_else(|| ErrorKind::InvalidData.into())
}

fn parse_status(answer: &[u8]) -> Option<u16> {
    let rest = answer.strip_prefix(b"HTTP/1.")?;
    std::str::from_utf8(rest.get(2..5)?).ok()?.parse().ok()
}

/// Whether a health path can stand in a request line.
#[must_use]
pub fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_and_what_is_no_http_has_none() {
        assert_eq!(parse_status(b"HTTP/1.1 403 Forbidden"), Some(403));
        assert_eq!(parse_status(b"HTTP/1.0 200"), Some(200));
        for bad in [&b"SSH-2.0-OpenSSH_9"[..], b"HTTP/1.1 x", b"", b"HTTP/2 200  "] {
            assert_eq!(parse_status(bad), None);
        }
    }

    #[test]
    fn a_health_path_cannot_smuggle_a_second_request() {
        assert!(is_path("/api/status?x=%20"));
        for bad in ["", "api", "/a b", "/a\r\nHost: x", "/é"] {
            assert!(!is_path(bad), "{bad:?}");
        }
    }
}
