//! Who speaks to a keeper: few connections, each line by line, none of them able to hold the keeper up.
//!
//! Only root, the keeper's own account and the engine's are listened to. Knows no verb.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::event::{PollFd, PollFlags};

use super::protocol::{self, Answer, LONGEST_LINE, Request};

/// More connections than this at once are closed again.
const MOST: usize = 16;

struct Client {
    id: u64,
    stream: UnixStream,
    /// What came and is no whole line yet.
    pending: Vec<u8>,
    over: bool,
}

/// The listener with its connections.
pub(super) struct Clients {
    listener: UnixListener,
    engine_uid: u32,
    clients: Vec<Client>,
    next_id: u64,
}

impl Clients {
    pub(super) fn new(listener: UnixListener, engine_uid: u32) -> Self {
        Self { listener, engine_uid, clients: Vec::new(), next_id: 0 }
    }

    pub(super) fn fds(&self) -> impl Iterator<Item = PollFd<'_>> {
        let listener = PollFd::new(&self.listener, PollFlags::IN);
        let clients = self.clients.iter().map(|client| PollFd::new(&client.stream, PollFlags::IN));
        std::iter::once(listener).chain(clients)
    }

    /// Every whole line that has come, understood or with the answer to give instead.
    pub(super) fn requests(&mut self) -> Vec<(u64, Result<Request, Answer>)> {
        self.accept();
        let mut requests = Vec::new();
        for client in &mut self.clients {
            client.read();
            while let Some(line) = client.take_line() {
                requests.push((client.id, protocol::parse_request(&line)));
            }
            if client.pending.len() > LONGEST_LINE {
                requests.push((client.id, Err(Answer::refused("the line is too long"))));
                client.pending.clear();
                client.over = true;
            }
        }
        if requests.is_empty() {
            self.clients.retain(|client| !client.over);
        }
        requests
    }

    /// Answers; who does not take the answer is dropped.
    pub(super) fn answer(&mut self, id: u64, answer: &Answer) {
        let Some(client) = self.clients.iter_mut().find(|client| client.id == id) else { return };
        let mut line = serde_json::to_vec(answer).unwrap_or_default();
        line.push(b'\n');
        client.over |= client.stream.write_all(&line).is_err();
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.clients.len() < MOST
                && self.may_speak(&stream)
                && stream.set_nonblocking(true).is_ok()
            {
                self.next_id += 1;
                let (id, pending, over) = (self.next_id, Vec::new(), false);
                self.clients.push(Client { id, stream, pending, over });
            }
        }
    }

    fn may_speak(&self, stream: &UnixStream) -> bool {
        let own = nix::unistd::geteuid().as_raw();
        rustix::net::sockopt::socket_peercred(stream)
            .is_ok_and(|peer| [0, own, self.engine_uid].contains(&peer.uid.as_raw()))
    }
}

impl Client {
    fn read(&mut self) {
        let mut bytes = [0; 4096];
        while !self.over && self.pending.len() <= LONGEST_LINE {
            match self.stream.read(&mut bytes) {
                Ok(0) => {
                    self.over = true;
                    return;
                }
                Ok(n) => self.pending.extend_from_slice(&bytes[..n]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.over = true;
                    return;
                }
            }
        }
    }

    fn take_line(&mut self) -> Option<String> {
        let end = self.pending.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.pending.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}
