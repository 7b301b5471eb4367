//! What comes of an approval: each step as it is taken, until nothing is left to do.

use std::time::Instant;

use serde_json::{Value, json};

use super::{PAUSE, line};
use crate::admin::protocol::{Answer, Request, RoundView};
use crate::cli::{FAILED, Global, OK, ask, complain, print, print_json};
use crate::status::{HoldView, StatusView};
use engine_core::ids::{Generation, SiteDigest};
use engine_core::report::json::FORMAT_VERSION;

/// So many things are named; of more, the rest is counted.
const NAMED: usize = 12;

/// The set of files that an approval is of.
pub(super) struct Set {
    pub(super) generation: Generation,
    pub(super) site: Option<SiteDigest>,
}

impl Set {
    /// `generation 4, files 3f9c1a2b4d5e`: its number on this node, and the beginning of what names it on each.
    fn words(&self) -> String {
        let files = |site: SiteDigest| {
            let digest: String = site.0.to_string().chars().take(12).collect();
            format!(", files {digest}")
        };
        format!("generation {}{}", self.generation, self.site.map(files).unwrap_or_default())
    }
}

/// Where events go: a line of JSON each, or words.
pub(super) struct Events {
    json: bool,
    quiet: bool,
    begun: bool,
}

impl Events {
    pub(super) fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet, begun: false }
    }

    /// What goes on.
    pub(super) fn approved(&mut self, set: &Set, let_go: &[HoldView], dry_run: bool) {
        let event = if dry_run { "would-approve" } else { "approved" };
        let Set { generation, site } = set;
        let event =
            json!({ "event": event, "generation": generation, "site": site, "let_go": let_go });
        self.event(event);
        let of = set.words();
        let text = match (let_go.is_empty(), dry_run) {
            (true, _) => "nothing waits for harm-delay or approval".to_owned(),
            (false, true) => listed(&format!("would be let go ({of})"), let_go),
            (false, false) => listed(&format!("let go ({of})"), let_go),
        };
        self.say(&text);
    }

    /// What the approved plan does not have.
    pub(super) fn refused(&mut self, generation: Generation, new: &[HoldView]) {
        self.event(json!({ "event": "refused", "generation": generation, "new": new }));
        if !self.json {
            let text = "not in the approved plan, so nothing was let go";
            print(&format!("{}\n", listed(text, new)));
        }
    }

    fn round(&mut self, round: &RoundView) {
        for (step, error) in &round.steps {
            let at = round.at;
            let event = json!({ "event": "step", "round": round.number, "at": at, "step": step, "error": error });
            self.event(event);
            match error {
                Some(error) => complain(&format!("{step} failed, and is tried again: {error}")),
                None => self.say(&format!("  {step}")),
            }
        }
    }

    fn settled(&mut self, status: &StatusView) {
        let holds = held(status).count();
        let generation = status.generation;
        self.event(json!({ "event": "settled", "generation": generation, "held": holds }));
        let rest = if holds > 0 { format!(", {holds} held") } else { String::new() };
        self.say(&format!("settled: generation {generation}{rest}"));
    }

    fn late(&mut self, status: &StatusView) {
        let left: Vec<HoldView> = held(status).cloned().collect();
        let generation = status.generation;
        self.event(json!({ "event": "timeout", "generation": generation, "held": left }));
        complain(&listed("not done in time; still waiting", &left));
    }

    /// The first event says the version of its form, so that whoever reads the stream knows it.
    fn event(&mut self, mut event: Value) {
        if !self.json {
            return;
        }
        if let (false, Value::Object(fields)) = (self.begun, &mut event) {
            fields.insert("format_version".to_owned(), FORMAT_VERSION.into());
            self.begun = true;
        }
        print_json(format!("{event}\n"));
    }

    fn say(&self, text: &str) {
        if !self.json && !self.quiet {
            print(&format!("{text}\n"));
        }
    }
}

/// `let go:` with a line for each, or the number of those that are too many.
fn listed(title: &str, holds: &[HoldView]) -> String {
    let mut text = format!("{title}:");
    for hold in holds.iter().take(NAMED) {
        text.push_str("\n  ");
        text.push_str(&line(hold));
    }
    if holds.len() > NAMED {
        text.push_str(&format!("\n  and {} more", holds.len() - NAMED));
    }
    text
}

/// What is held: a session that waits for its next start is outdated, and not held.
fn held(status: &StatusView) -> impl Iterator<Item = &HoldView> {
    status.holds.iter().filter(|hold| !hold.outdated)
}

/// Tells of every step after `round` until nothing is left to do; with `all` until nothing is held.
pub(super) fn follow(
    global: &Global,
    all: bool,
    mut round: u64,
    deadline: Instant,
    events: &mut Events,
) -> u8 {
    let first = round;
    loop {
        let (status, rounds) = match look(global, round) {
            Ok(seen) => seen,
            Err(code) => return code,
        };
        for round in &rounds {
            events.round(round);
        }
        round = rounds.last().map_or(round, |last| last.number);
        let done = status.settled && (!all || held(&status).next().is_none());
        if round > first && done && status.rounds == round {
            events.settled(&status);
            return OK;
        }
        if Instant::now() >= deadline {
            events.late(&status);
            return FAILED;
        }
        std::thread::sleep(PAUSE);
    }
}

fn look(global: &Global, after: u64) -> Result<(StatusView, Vec<RoundView>), u8> {
    let status = ask::status(global)?;
    match ask::engine(global, None, Request::Rounds { after })? {
        Answer::Rounds { rounds } => Ok((status, rounds)),
        _ => {
            complain("the engine answered something else than was asked");
            Err(FAILED)
        }
    }
}
