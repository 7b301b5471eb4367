//! Commands that ask the engine one thing.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;

use super::{CHANGES, FAILED, Global, OK, Place, UNAVAILABLE, complain, print, print_json, when};
use crate::admin::client::{self, ClientError};
use crate::admin::protocol::{Answer, Request};
use crate::control::narrate;
use crate::status::StatusView;

/// Asks the engine that `global` means; complains and gives the exit code if there is no answer.
pub(super) fn engine(global: &Global, dir: Option<&Path>, request: Request) -> Result<Answer, u8> {
    let socket = Place::here().find_engine(global, dir).map_err(|message| {
        complain(&message);
        UNAVAILABLE
    })?;
    match client::ask(&socket, request) {
        Ok(Answer::Error { message, .. }) => {
            complain(&message);
            Err(FAILED)
        }
        Ok(answer) => Ok(answer),
        Err(error @ (ClientError::NoEngine { .. } | ClientError::Silent { .. })) => {
            complain(&crate::chain(&error));
            Err(UNAVAILABLE)
        }
        Err(error @ ClientError::Garbled { .. }) => {
            complain(&crate::chain(&error));
            Err(FAILED)
        }
    }
}

/// A request whose answer is one line.
pub(super) fn simple(global: &Global, request: Request) -> u8 {
    match engine(global, None, request) {
        Ok(Answer::Done { what }) => {
            if !global.quiet {
                print(&format!("{what}\n"));
            }
            OK
        }
        Ok(Answer::Text { text }) => {
            print(&format!("{}\n", text.trim_end()));
            OK
        }
        Ok(_) => {
            complain("the engine answered something else than was asked");
            FAILED
        }
        Err(code) => code,
    }
}

/// `wharf open`: a one-time sign-in link, as a browser on this machine opens it.
pub(super) fn open(global: &Global) -> u8 {
    let status = match status(global) {
        Ok(status) => status,
        Err(code) => return code,
    };
    match engine(global, None, Request::Open) {
        Ok(Answer::Text { text }) if text.starts_with('/') => {
            print(&format!("{}{text}\n", narrate::base_url(&status)));
            OK
        }
        Ok(_) => {
            complain("the engine cannot make a link now");
            FAILED
        }
        Err(code) => code,
    }
}

/// The engine's status.
pub(super) fn status(global: &Global) -> Result<StatusView, u8> {
    match engine(global, None, Request::Status)? {
        Answer::Status { status } => Ok(*status),
        _ => {
            complain("the engine answered something else than was asked");
            Err(FAILED)
        }
    }
}

/// `wharf reload`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 told, with --wait: the files are in force; 1 refused, or no verdict in time; with\n\
    --detailed-exitcode 2 a new generation is in force; 64 usage; 69 the engine does not answer.\n\n\
    Examples:\n  wharf reload --wait      # what `systemctl reload` runs"
)]
pub(super) struct ReloadArgs {
    /// Wait for the verdict: 0 = in force, 1 = refused
    #[arg(long)]
    wait: bool,
    /// With --wait: 2 instead of 0 where a new generation has come into force
    #[arg(long, requires = "wait")]
    detailed_exitcode: bool,
    /// How long to wait, in seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    timeout: u64,
    /// With --wait: the verdict as JSON
    #[arg(long, requires = "wait")]
    json: bool,
}

pub(super) fn reload(global: &Global, args: &ReloadArgs) -> u8 {
    let before = match status(global) {
        Ok(status) => status,
        Err(code) => return code,
    };
    if !args.wait {
        return simple(global, Request::Reload);
    }
    if let Err(code) = engine(global, None, Request::Reload) {
        return code;
    }
    match verdict_on_look(global, Duration::from_secs(args.timeout)) {
        Ok(now) => {
            let code = if args.json { verdict_as_json(&now) } else { verdict(&now) };
            let new = args.detailed_exitcode && now.generation > before.generation;
            if code == OK && new { CHANGES } else { code }
        }
        Err(code) => code,
    }
}

/// The look at the files that an engine has just been asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pid: u32,
    look: u64,
}

impl Asked {
    /// The one that was asked for last, as a status has it.
    pub(super) fn in_status(status: &StatusView) -> Self {
        Self { pid: status.pid, look: status.looks.asked }
    }

    /// Whether there is a verdict upon it, or upon a later one; an engine that was started meanwhile looks anew.
    pub(super) fn has_verdict(self, status: &StatusView) -> bool {
        let look = if status.pid == self.pid { self.look } else { 1 };
        status.looks.decided >= look
    }
}

/// Waits until the files that the engine was asked to look at have been accepted or refused: the status as of then.
pub(super) fn verdict_on_look(global: &Global, patience: Duration) -> Result<StatusView, u8> {
    let deadline = Instant::now() + patience;
    let mut last = status(global)?;
    let asked = Asked::in_status(&last);
    while !asked.has_verdict(&last) {
        if Instant::now() >= deadline {
            complain(&no_verdict(&last, patience));
            return Err(FAILED);
        }
        std::thread::sleep(Duration::from_millis(50));
        last = status(global)?;
    }
    Ok(last)
}

/// Why there is none, as far as it shows.
fn no_verdict(status: &StatusView, patience: Duration) -> String {
    let windows = status.change_windows.iter().map(|window| {
        format!("; change window \"{}\" is open until {}", window.id, when(window.until))
    });
    let refused = status.refused.iter().flat_map(|refusal| &refusal.problems);
    let unknown = refused.filter(|_| status.reading_since.is_some());
    let unknown = unknown.map(|problem| format!("\n{problem}"));
    let reading = status.reading_since.filter(|_| status.change_windows.is_empty());
    let reading = reading.map(|since| format!("; the files are being read since {}", when(since)));
    let why: String = windows.chain(reading).chain(unknown).collect();
    format!("no verdict within {} s{why}", patience.as_secs())
}

fn verdict_as_json(status: &StatusView) -> u8 {
    let refused = status.refused.as_ref();
    let problems = refused.map_or(&[][..], |refusal| &refusal.problems);
    let verdict = serde_json::json!({
        "format_version": "1.0",
        "accepted": refused.is_none(),
        "generation": status.generation,
        "problems": problems,
    });
    print_json(format!("{verdict:#}\n"));
    if refused.is_none() { OK } else { FAILED }
}

pub(super) fn verdict(status: &StatusView) -> u8 {
    match &status.refused {
        None => {
            print(&format!("generation {} is in force\n", status.generation));
            OK
        }
        Some(refusal) => {
            for problem in &refusal.problems {
                complain(problem);
            }
            complain(&format!("refused; generation {} stays in force", status.generation));
            FAILED
        }
    }
}
