//! Load: connections that each ask, wait for the whole answer, and ask again (a closed loop, no pipelining).
//!
//! Everything on one thread, so that what is left of the machine belongs to the proxy and its upstream.
//! A latency is from the first byte written to the last byte read; queueing before that, which a closed
//! loop hides (coordinated omission), is not in it: compare latencies at equal connections only.

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::LocalSet;

use crate::http::{end_of_head, garbled};
use crate::samples::Samples;

/// Whom to ask.
#[derive(Clone, Debug)]
pub enum Target {
    /// A port of this machine.
    Port(u16),
    /// A Unix socket.
    Socket(PathBuf),
}

/// What each connection does.
#[derive(Clone, Debug)]
pub enum Task {
    /// This request again and again; each answer is a 200 with a body of so many bytes.
    Get {
        /// The request, byte for byte.
        request: Vec<u8>,
        /// The length of the body.
        body: usize,
    },
    /// This handshake once, answered with 101; then this frame, which comes back.
    Echo {
        /// The handshake, byte for byte.
        handshake: Vec<u8>,
        /// The frame.
        frame: Vec<u8>,
    },
}

/// What one run gave.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Answers in the measured time.
    pub answers: u64,
    /// The measured time in seconds.
    pub seconds: f64,
    /// Latencies in microseconds.
    pub latencies_us: Samples,
}

/// When measuring begins and ends.
#[derive(Clone, Copy)]
struct Times {
    from: Instant,
    until: Instant,
}

/// Runs `connections` against `target`: `warm_up` first, then `measured`. `at_begin` is called in between
/// and `at_end` afterwards, to read the clocks of processes.
///
/// # Errors
/// A connection broke, or an answer was not the one expected: such a run says nothing.
pub fn run(
    target: &Target,
    task: &Task,
    connections: usize,
    warm_up: Duration,
    measured: Duration,
    mut at_begin: impl FnMut(),
    mut at_end: impl FnMut(),
) -> io::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sum = Rc::new(RefCell::new(Measured::default()));
    LocalSet::new().block_on(&runtime, async {
        let from = Instant::now() + warm_up;
        let times = Times { from, until: from + measured };
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                let (target, task, sum) = (target.clone(), task.clone(), Rc::clone(&sum));
                tokio::task::spawn_local(
                    async move { connection(&target, &task, times, &sum).await },
                )
            })
            .collect();
        tokio::time::sleep_until(times.from.into()).await;
        at_begin();
        tokio::time::sleep_until(times.until.into()).await;
        at_end();
        for task in tasks {
            task.await.map_err(io::Error::other)??;
        }
        Ok::<_, io::Error>(())
    })?;
    let mut sum = sum.take();
    sum.seconds = measured.as_secs_f64();
    Ok(sum)
}

async fn connection(
    target: &Target,
    task: &Task,
    times: Times,
    sum: &RefCell<Measured>,
) -> io::Result<()> {
    match target {
        Target::Port(port) => {
            let stream = TcpStream::connect(("127.0.0.1", *port)).await?;
            stream.set_nodelay(true)?;
            speak(stream, task, times, sum).await
        }
        Target::Socket(path) => speak(UnixStream::connect(path).await?, task, times, sum).await,
    }
}

async fn speak(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    task: &Task,
    times: Times,
    sum: &RefCell<Measured>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    if let Task::Echo { handshake, .. } = task {
        stream.write_all(handshake).await?;
        let head = read_head(&mut stream, &mut buffer).await?.0;
        if !buffer[..head].starts_with(b"HTTP/1.1 101") {
            return Err(garbled(&String::from_utf8_lossy(&buffer[..head])));
        }
    }
    loop {
        let began = Instant::now();
        if began >= times.until {
            return Ok(());
        }
        match task {
            Task::Get { request, body } => {
                stream.write_all(request).await?;
                read_answer(&mut stream, &mut buffer, *body).await?;
            }
            Task::Echo { frame, .. } => {
                stream.write_all(frame).await?;
                stream.read_exact(&mut buffer[..frame.len()]).await?;
            }
        }
        let ended = Instant::now();
        if began >= times.from && ended <= times.until {
            let mut sum = sum.borrow_mut();
            sum.answers += 1;
            sum.latencies_us.add((ended - began).as_secs_f64() * 1e6);
        }
    }
}

/// Reads until a head is complete: its length, and how many bytes there are.
async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut [u8],
) -> io::Result<(usize, usize)> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        if let Some(head) = end_of_head(&buffer[..filled]) {
            return Ok((head, filled));
        }
    }
}

async fn read_answer(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut [u8],
    body: usize,
) -> io::Result<()> {
    let (head, mut filled) = read_head(stream, buffer).await?;
    if !buffer.starts_with(b"HTTP/1.1 200") {
        return Err(garbled(&String::from_utf8_lossy(&buffer[..head])));
    }
    while filled < head + body {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
    }
    if filled > head + body {
        return Err(garbled("more bytes than the body has"));
    }
    Ok(())
}
