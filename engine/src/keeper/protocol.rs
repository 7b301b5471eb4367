//! Keeper protocol 1: one JSON object a line, asked and answered over `keeper.sock`.
//!
//! Frozen. Every later engine works with every earlier keeper, because a session outlives both: a
//! field that is not known is passed over, a verb that is not known is answered with an error, and
//! neither ends the connection. Answers only ever gain fields. The recorded transcripts in
//! `golden/cases/keeper` are the contract. Knows no process. Read next: [`super::monitor`].
//!
//! | asked | answered |
//! |---|---|
//! | `{"verb":"status"}` | `{"ok":true,"protocol":1,"incarnation":"demo#3","phase":"running","pid":7,"ready":false}` |
//! | `{"verb":"stop","signal":15,"grace_ms":30000}` | `{"ok":true,"phase":"ending"}`; again: the same, and the earlier end of both graces |
//! | `{"verb":"kill"}` | `{"ok":true,"phase":"ending"}` |
//! | `{"verb":"ready"}` | `{"ok":true}` |
//! | `{"verb":"log-tail","bytes":4096}` | `{"ok":true,"text":"..."}` |
//! | anything else | `{"ok":false,"error":"unknown verb `dance`"}` |

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The protocol's number.
pub const PROTOCOL: u32 = 1;

/// The longest line either side reads.
pub const LONGEST_LINE: usize = 64 << 10;

/// What is asked of a keeper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verb")]
pub enum Request {
    /// How is it?
    Status,
    /// End it: the signal, and after the grace time the kill.
    Stop {
        /// Signal number.
        signal: i32,
        /// Milliseconds until the kill.
        grace_ms: u64,
    },
    /// End it at once.
    Kill,
    /// It answered an HTTP request; write that down.
    Ready,
    /// The end of its log.
    LogTail {
        /// At most this many bytes.
        bytes: u64,
    },
}

/// What a keeper answers. Absent fields say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it was done.
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// See [`PROTOCOL`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u32>,
    /// Which incarnation this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<String>,
    /// `running` or `ending`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Pid of the session's leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Whether it answered once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// Text of its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Answer {
    /// Done.
    #[must_use]
    pub fn done() -> Self {
        Self { ok: true, ..Self::default() }
    }

    /// Not done.
    #[must_use]
    pub fn refused(error: impl Into<String>) -> Self {
        Self { ok: false, error: Some(error.into()), ..Self::default() }
    }

    /// Done, and this is the phase now.
    #[must_use]
    pub fn in_phase(phase: &str) -> Self {
        Self { phase: Some(phase.to_owned()), ..Self::done() }
    }
}

/// Understands one line; what it does not understand it can answer.
///
/// # Errors
/// The answer to give instead.
pub fn parse_request(line: &str) -> Result<Request, Answer> {
    // Read by hand and not by a tagged enum: the error texts are part of the frozen protocol and
    // must not be serde's of some version.
    let value: serde_json::Value =
        serde_json::from_str(line).map_err(|_| Answer::refused("the line is not JSON"))?;
    let Some(object) = value.as_object() else {
        return Err(Answer::refused("the line is not a JSON object"));
    };
    let Some(verb) = object.get("verb").and_then(serde_json::Value::as_str) else {
        return Err(Answer::refused("`verb` is missing"));
    };
    let number = |field: &str| {
        object
            .get(field)
            .and_then(serde_json::Value::as_u64)
            .ok_or_else(|| Answer::refused(format!("`{field}` must be a whole number")))
    };
    match verb {
        "status" => Ok(Request::Status),
        "kill" => Ok(Request::Kill),
        "ready" => Ok(Request::Ready),
        "stop" => {
            let signal = i32::try_from(number("signal")?).unwrap_or(0);
            if rustix::process::Signal::from_named_raw(signal).is_none() {
                return Err(Answer::refused("`signal` is no signal"));
            }
            Ok(Request::Stop { signal, grace_ms: number("grace_ms")? })
        }
        "log-tail" => Ok(Request::LogTail { bytes: number("bytes")? }),
        other => {
            let shown: String = other.chars().take(60).collect();
            Err(Answer::refused(format!("unknown verb `{shown}`")))
        }
    }
}

/// Asks a keeper one thing.
///
/// # Errors
/// It does not answer within `limit`, or with something that is no answer.
pub fn ask(stream: UnixStream, request: &Request, limit: Duration) -> io::Result<Answer> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    (&stream).write_all(&line)?;
    let mut answer = String::new();
    // An answer may hold a log's end, in which every byte can take six in JSON.
    BufReader::new(stream.take(6 * LONGEST_LINE as u64)).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&answer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_reads_back_what_it_writes() {
        for request in [
            Request::Status,
            Request::Kill,
            Request::Ready,
            Request::Stop { signal: 15, grace_ms: 30_000 },
            Request::LogTail { bytes: 10 },
        ] {
            let line = serde_json::to_string(&request).unwrap();
            assert_eq!(parse_request(&line), Ok(request), "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_is_answered() {
        for (line, error) in [
            ("", "the line is not JSON"),
            ("[]", "the line is not a JSON object"),
            ("{}", "`verb` is missing"),
            (r#"{"verb":7}"#, "`verb` is missing"),
            (r#"{"verb":"dance"}"#, "unknown verb `dance`"),
            (r#"{"verb":"stop","signal":15}"#, "`grace_ms` must be a whole number"),
            (r#"{"verb":"stop","signal":-1,"grace_ms":1}"#, "`signal` must be a whole number"),
            (r#"{"verb":"stop","signal":9999999999,"grace_ms":1}"#, "`signal` is no signal"),
        ] {
            assert_eq!(parse_request(line), Err(Answer::refused(error)), "{line}");
        }
        let known = parse_request(r#"{"verb":"status","since":"2031","deep":{"x":[1]}}"#);
        assert_eq!(known, Ok(Request::Status));
    }
}
