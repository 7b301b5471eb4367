//! Commands against files: what contradicts a file becomes an override; what does not takes earlier ones away.

use engine_core::desired::{Effect, Override, check_reason};
use engine_core::ids::{Generation, Moment, NodeId};
use grammar::value::Millis;

use super::Control;
use crate::admin::protocol::{Answer, GenerationView, NodeCommand};
use crate::admin::rights::Peer;

/// How long a command's word lasts against a file's unless it says otherwise (product.md §5): 8 h.
const OVERRIDE_MS: u64 = 8 * 3_600_000;
/// A word that lasts longer than this, in milliseconds, would outlive who remembers it: a year.
const LONGEST_MS: u64 = 365 * 86_400_000;

/// Why, and for how long, a person says something.
pub(super) struct Word<'a> {
    peer: &'a Peer,
    reason: &'a str,
    for_ms: Option<u64>,
}

impl<'a> Word<'a> {
    /// What `peer` says; `for_ms` in milliseconds, none = as long as usual.
    ///
    /// # Errors
    /// The reason cannot be shown to others.
    pub(super) fn new(
        peer: &'a Peer,
        reason: &'a str,
        for_ms: Option<u64>,
    ) -> Result<Self, String> {
        check_reason(reason)?;
        Ok(Self { peer, reason, for_ms })
    }

    /// The override that it gives.
    pub(super) fn gives(&self, effect: Effect, now: Moment, until: Option<Moment>) -> Override {
        Override::new(effect, &self.peer.name, self.reason, now, until)
    }

    /// When it is over that begins now, where it usually lasts 8 h.
    pub(super) fn until(&self, now: Moment) -> Result<Moment, String> {
        match self.for_ms.unwrap_or(OVERRIDE_MS) {
            0 => Err("--for: more than nothing is needed".to_owned()),
            ms if ms > LONGEST_MS => Err("--for: a year is the longest".to_owned()),
            ms => Ok(now.plus(Millis(ms))),
        }
    }
}

/// Puts an override, or takes away what it would replace if no file says otherwise.
fn tell(
    control: &mut Control,
    word: &Word<'_>,
    effect: Effect,
    until: Option<Moment>,
    now: Moment,
) -> Result<Answer, String> {
    let words = effect.words();
    let contradicts = effect.contradicts(&control.reconciler.files_ask());
    let ledger = control.reconciler.ledger();
    let what = if contradicts {
        let given = word.gives(effect, now, until);
        ledger.put_override(&given).map_err(|error| crate::chain(&error))?;
        let end = match until {
            Some(until) => format!(" until {}", (control.services.when)(until)),
            None => String::new(),
        };
        format!("{words}{end}; end it with: wharf override clear {}", given.id)
    } else {
        ledger.clear_replaced(&effect).map_err(|error| crate::chain(&error))?;
        format!("{words}, as the files say")
    };
    Ok(Answer::Done { what })
}

pub(super) fn node(
    control: &mut Control,
    word: &Word<'_>,
    node: &str,
    command: NodeCommand,
    now: Moment,
) -> Result<Answer, String> {
    let node = NodeId::new(node).map_err(|error| error.to_string())?;
    let declared = control.reconciler.files_ask().nodes.things.contains_key(&node);
    let found = control.services.status.load().nodes.contains_key(node.as_str());
    if !declared && !found {
        return Err(format!("there is no node `{node}`"));
    }
    let effect = match command {
        NodeCommand::Cordon => Effect::Schedulable { node, schedulable: false },
        NodeCommand::Uncordon => Effect::Schedulable { node, schedulable: true },
        NodeCommand::Drain => Effect::Drain { node },
        NodeCommand::Weight(weight) => Effect::Weight { node, weight },
    };
    let until = word.until(now)?;
    tell(control, word, effect, Some(until), now)
}

pub(super) fn pause(control: &mut Control, word: &Word<'_>, now: Moment) -> Result<Answer, String> {
    let until = word.until(now)?;
    tell(control, word, Effect::Pause, Some(until), now)?;
    let until = (control.services.when)(until);
    Ok(Answer::Done { what: format!("paused until {until}: traffic goes on, nothing else does") })
}

pub(super) fn resume(control: &mut Control) -> Result<Answer, String> {
    let ledger = control.reconciler.ledger();
    ledger.clear_replaced(&Effect::Pause).map_err(|error| crate::chain(&error))?;
    Ok(Answer::Done { what: "reconciling again".to_owned() })
}

pub(super) fn clear(control: &mut Control, id: &str) -> Result<Answer, String> {
    let ledger = control.reconciler.ledger();
    if ledger.clear_override(id).map_err(|error| crate::chain(&error))? {
        return Ok(Answer::Done { what: format!("{id} hides nothing any more") });
    }
    Err(format!("there is no override `{id}`; `wharf override list` has them"))
}

pub(super) fn pin(
    control: &mut Control,
    word: &Word<'_>,
    generation: Generation,
    now: Moment,
) -> Result<Answer, String> {
    if !control.reconciler.can_pin(generation) {
        return Err(format!(
            "generation {generation} is not kept, or cannot act; `wharf history` has those that are"
        ));
    }
    let until = word.for_ms.map(|_| word.until(now)).transpose()?;
    tell(control, word, Effect::Pin { generation }, until, now)
}

pub(super) fn unpin(control: &mut Control) -> Result<Answer, String> {
    let ledger = control.reconciler.ledger();
    let any = Effect::Pin { generation: Generation(0) };
    match ledger.clear_replaced(&any).map_err(|error| crate::chain(&error))? {
        0 => Err("no generation is pinned".to_owned()),
        _ => Ok(Answer::Done { what: "the newest generation acts again".to_owned() }),
    }
}

/// The generations that are kept.
pub(super) fn history(control: &mut Control, now: Moment) -> Answer {
    let site = control.reconciler.in_force();
    let (newest, acting) =
        site.map_or_else(Default::default, |site| (site.mark.generation, site.mark.acts()));
    let ledger = control.reconciler.ledger();
    let pinned = ledger.pinned(now);
    let view = |mark: engine_core::observed::InForce| GenerationView {
        generation: mark.generation,
        since: mark.since,
        digest: mark.digest.map(|digest| digest.0.to_string()).unwrap_or_default(),
        in_force: mark.generation == newest,
        acts: mark.generation == pinned.unwrap_or(acting),
        pinned: pinned == Some(mark.generation),
    };
    Answer::History { generations: ledger.history().into_iter().map(view).collect() }
}
