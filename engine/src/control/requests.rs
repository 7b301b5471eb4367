//! Answers to what commands ask, on the control thread.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use engine_core::desired::{AskedBy, Effect, WantedState};
use engine_core::ids::{Moment, SessionId};
use engine_core::whereabouts::Named;

use super::overrides::{self, Word};
use super::{Control, differences, planning, why, windows};
use crate::admin::protocol::{Answer, Request};
use crate::admin::rights::{self, Peer};
use crate::admin::server::Asked;
use crate::layout::Layout;
use crate::status::StatusView;

/// Makes a one-time sign-in link's path for an account; whether it is an administrator's.
pub type Mint = Box<dyn Fn(&str, bool) -> String + Send>;

/// Gives everything in the store, as text; takes as long as the store is large.
pub type Export = Arc<dyn Fn(Moment) -> Result<String, String> + Send + Sync>;

/// What answering needs besides the loop.
pub struct Services {
    /// The status that everyone reads.
    pub status: Arc<ArcSwap<StatusView>>,
    /// Where things are.
    pub layout: Layout,
    /// Makes a one-time sign-in link for a person; whether an administrator.
    pub mint: Mint,
    /// Writes a moment as people read it here.
    pub when: fn(Moment) -> String,
    /// The directory that is served, for paths in messages.
    pub site_dir: PathBuf,
    /// What `wharf.toml` named when the engine began.
    pub began: Named,
    /// Everything in the store, as text.
    pub export: Export,
}

/// Most bytes of a log that are handed out.
const LOG_MAX: u64 = 1 << 20;

/// Whether who asks may: known before anything is done for it.
pub(super) fn may(control: &Control, peer: &Peer, request: &Request) -> bool {
    let status = control.services.status.load();
    rights::may(peer, request, &|id| status.session(id).map(|session| session.user.clone()))
}

/// Answers one request.
pub fn answer(control: &mut Control, peer: &Peer, request: Request, now: Moment) -> Answer {
    let status = control.services.status.load_full();
    if !may(control, peer, &request) {
        let message = format!("{} may not do this here", peer.name);
        return Answer::Error { message, denied: true };
    }
    let done = match request {
        Request::Status => {
            let mut status = rights::visible(peer, StatusView::clone(&status));
            control.show_looks(&mut status);
            status.change_windows.retain(|window| window.is_open(now));
            Ok(Answer::Status { status: Box::new(status) })
        }
        request @ Request::Plan { .. } => planning::plan(control, request, now),
        Request::Apply { plan, dry_run } => planning::apply(control, plan.as_deref(), dry_run, now),
        Request::Diff { from, to, verbose } => differences::diff(control, from, to, verbose),
        Request::Rounds { after } => Ok(planning::rounds(control, after)),
        Request::Reload => {
            control.intake.look_again(now);
            Ok(Answer::Done { what: "looking at the files".to_owned() })
        }
        Request::Pause { reason, for_ms } => {
            let word = Word::new(peer, &reason, for_ms);
            word.and_then(|word| overrides::pause(control, &word, now))
        }
        Request::Resume => overrides::resume(control),
        Request::NodeTell { node, command, reason, for_ms } => {
            let word = Word::new(peer, &reason, for_ms);
            word.and_then(|word| overrides::node(control, &word, &node, command, now))
        }
        Request::OverrideClear { id } => overrides::clear(control, &id),
        Request::History => Ok(overrides::history(control, now)),
        Request::Pin { generation, reason, for_ms } => {
            let word = Word::new(peer, &reason, for_ms);
            word.and_then(|word| overrides::pin(control, &word, generation, now))
        }
        Request::Unpin => overrides::unpin(control),
        Request::ChangeBegin { id, ttl_ms } => {
            windows::begin(control, peer, id.as_deref(), ttl_ms, now)
        }
        Request::ChangeEnd { id } => windows::end(control, id.as_deref(), now),
        Request::ChangeList => Ok(windows::list(control, now)),
        Request::SessionStart { session, template, user } => {
            start(control, peer, session, template, user, now)
        }
        Request::SessionStop { session, reason, for_ms } => {
            let word = Word::new(peer, &reason, (for_ms > 0).then_some(for_ms));
            word.and_then(|word| stop(control, &word, &session, now))
        }
        Request::SessionLogs { session, bytes } => logs(control, &session, bytes),
        Request::Why { thing } => tell_why(control, &thing, &status),
        Request::Open => {
            let link = (control.services.mint)(&peer.name, true);
            Ok(Answer::Text { text: link })
        }
        Request::Export => Err("a store is exported beside the loop".to_owned()),
        Request::Record => control
            .reconciler
            .recorded(now)
            .map(|record| Answer::Record { record })
            .map_err(|error| error.to_string()),
    };
    done.unwrap_or_else(|message| Answer::Error { message, denied: false })
}

/// Answers an export on a thread of its own: the loop waits for no large store, and for nobody who reads slowly.
pub(super) fn export(export: &Export, asked: Asked, now: Moment) {
    let (Asked { peer, request, reply }, export) = (asked, Arc::clone(export));
    let answer = move || {
        let text = if rights::may(&peer, &request, &|_| None) {
            export(now)
        } else {
            let message = format!("{} may not do this here", peer.name);
            return Answer::Error { message, denied: true };
        };
        match text {
            Ok(text) => Answer::State { text },
            Err(message) => Answer::Error { message, denied: false },
        }
    };
    let give = move || drop(reply.try_send(answer()));
    if let Err(error) = std::thread::Builder::new().name("export".to_owned()).spawn(give) {
        // Who asked hears that nobody answers.
        tracing::warn!(%error, "the store was not exported");
    }
}

fn start(
    control: &mut Control,
    peer: &Peer,
    session: Option<String>,
    template: Option<String>,
    user: Option<String>,
    now: Moment,
) -> Result<Answer, String> {
    match (session, template) {
        (Some(session), None) => {
            let id = SessionId::new(&session).map_err(|error| error.to_string())?;
            let ledger = control.reconciler.ledger();
            let told = Effect::SessionState { session: id.clone(), state: WantedState::Running };
            ledger.clear_replaced(&told).map_err(|error| crate::chain(&error))?;
            ledger.clear_ends(&id).map_err(|error| crate::chain(&error))?;
            Ok(Answer::Done { what: format!("{id} is to run as its file says") })
        }
        (None, Some(template)) => {
            let user = user.unwrap_or_else(|| peer.name.clone());
            let asked_by = AskedBy::Person { uid: peer.uid, at: now };
            let id = control.reconciler.request(&template, &user, asked_by)?;
            Ok(Answer::Done { what: format!("{id} is to run, from template {template}") })
        }
        _ => Err("name a session, or a template with --template".to_owned()),
    }
}

fn stop(
    control: &mut Control,
    word: &Word<'_>,
    session: &str,
    now: Moment,
) -> Result<Answer, String> {
    let status = control.services.status.load_full();
    let foreign = |s: &&crate::status::SessionView| s.id == session && s.state == "foreign";
    if let Some(foreign) = status.sessions.iter().find(foreign) {
        let why = if foreign.reason.is_empty() { "is not ours" } else { &foreign.reason };
        return Err(format!("{session} {why}: it is shown, and never touched"));
    }
    let ids: Vec<SessionId> = if session.is_empty() {
        let ours = status.sessions.iter().filter(|session| session.state != "foreign");
        ours.filter_map(|session| SessionId::new(&session.id).ok()).collect()
    } else {
        vec![SessionId::new(session).map_err(|error| error.to_string())?]
    };
    let known = |id: &SessionId| status.session(id.as_str()).is_some();
    if let Some(unknown) = ids.iter().find(|id| !known(id)) {
        return Err(format!("there is no session `{unknown}`"));
    }
    let until = word.until(now)?;
    let ledger = control.reconciler.ledger();
    for id in &ids {
        if ledger.end_request(id).map_err(|error| crate::chain(&error))? {
            continue;
        }
        let effect = Effect::SessionState { session: id.clone(), state: WantedState::Stopped };
        let given = word.gives(effect, now, Some(until));
        ledger.put_override(&given).map_err(|error| crate::chain(&error))?;
    }
    let names: Vec<&str> = ids.iter().map(SessionId::as_str).collect();
    let what = if names.is_empty() {
        "no session runs".to_owned()
    } else {
        format!("{} told to stop, for {}", names.join(", "), until.since(now))
    };
    Ok(Answer::Done { what })
}

fn logs(control: &mut Control, session: &str, bytes: u64) -> Result<Answer, String> {
    let id = SessionId::new(session).map_err(|error| error.to_string())?;
    let dir = control.services.layout.sessions().join(id.as_str());
    let newest = std::fs::read_dir(&dir)
        .map_err(|error| format!("{id} has no log: {error}"))?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .max()
        .ok_or_else(|| format!("{id} has no log"))?;
    let path = dir.join(newest.to_string()).join("log");
    let text = tail_of(&path, bytes.min(LOG_MAX)).map_err(|error| format!("{id}: {error}"))?;
    Ok(Answer::Text { text })
}

/// The last bytes of a file, from the beginning of a line.
fn tail_of(path: &std::path::Path, bytes: u64) -> std::io::Result<String> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(bytes);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(bytes).read_to_end(&mut tail)?;
    let text = String::from_utf8_lossy(&tail);
    Ok(match (from, text.split_once('\n')) {
        (0, _) | (_, None) => text.into_owned(),
        (_, Some((_, whole))) => whole.to_owned(),
    })
}

fn tell_why(control: &Control, thing: &str, status: &StatusView) -> Result<Answer, String> {
    let origins = control.reconciler.in_force().map(|site| site.lowered.origins.clone());
    let origins = origins.unwrap_or_default();
    let told =
        why::why(thing, status, &origins, control.reconciler.rounds(), control.services.when);
    let (lines, because) = told.ok_or_else(|| format!("there is nothing called `{thing}`"))?;
    Ok(Answer::Why { lines, because })
}
