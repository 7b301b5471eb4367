//! Commands that ask the engine one thing.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;

use super::{CHANGES, FAILED, Global, OK, Place, UNAVAILABLE, complain, print, when};
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
    match wait_for_verdict(global, &before, Duration::from_secs(args.timeout)) {
        Ok(now) => {
            let code = if args.json { verdict_as_json(&now) } else { verdict(&now) };
            let new = args.detailed_exitcode && now.generation > before.generation;
            if code == OK && new { CHANGES } else { code }
        }
        Err(code) => code,
    }
}

/// Waits until a set of files has been accepted or refused since `before`: the status as of then.
pub(super) fn wait_for_verdict(
    global: &Global,
    before: &StatusView,
    patience: Duration,
) -> Result<StatusView, u8> {
    let deadline = Instant::now() + patience;
    let mut windows = Vec::new();
    while Instant::now() < deadline {
        match status(global) {
            Ok(now) if now.decided_at > before.decided_at => return Ok(now),
            Ok(now) => windows = now.change_windows,
            Err(code) => return Err(code),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let windows = windows.iter().map(|window| {
        format!("; change window \"{}\" is open until {}", window.id, when(window.until))
    });
    complain(&format!("no verdict within {} s{}", patience.as_secs(), windows.collect::<String>()));
    Err(FAILED)
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
    print(&format!("{verdict:#}\n"));
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
