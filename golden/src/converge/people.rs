//! What people do in scripts: commands that hide a line, requests, approvals, change windows.
//!
//! | overrides | `override stop\|run X`, `override cordon\|uncordon\|drain NODE`, `override weight NODE N`, `override pin N`, each with `until SPAN` or without an end; `override clear ID` |
//! |---|---|
//! | requests | `request X from T by USER`, `request-end X` |
//! | approvals | `apply [KEPT]` |
//! | change windows | `change begin X for SPAN`, `change end [X]` |

use engine_core::desired::{AskedBy, Effect, Override, Request, WantedState, lower_request};
use engine_core::ids::{Generation, NodeId, SessionId};
use grammar::value::Millis;

use super::clock::span_ms;
use super::world::World;

/// Opens or ends a change window.
pub(super) fn change(world: &mut World, rest: &str) -> Result<String, String> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    match words[..] {
        ["begin", id, "for", span] => {
            let ttl = Millis(span_ms(span)?);
            let window = world.windows.begin(id, "root", ttl, world.now);
            world.windows.insert(window.map_err(|error| error.to_string())?);
        }
        ["end", ..] => match world.windows.end(words.get(1).copied(), world.now) {
            Ok(window) => {
                let id = window.id.clone();
                world.windows.remove(&id);
            }
            Err(error) => return Ok(format!("{error}\n")),
        },
        _ => return Err("write `change begin X for SPAN` or `change end [X]`".to_owned()),
    }
    Ok(String::new())
}

/// Lets go what waits for a person; with `KEPT` no more than the plan has that was kept.
pub(super) fn apply(world: &mut World, which: &str) -> Result<String, String> {
    let kept = if which == "KEPT" {
        let (digest, matters) = world.kept.clone().ok_or("no plan was kept")?;
        let in_force = world.force.as_ref().and_then(|force| force.mark.digest);
        if in_force != Some(digest) {
            return Ok("the files in force are not those that were planned for\n".to_owned());
        }
        Some(matters)
    } else {
        None
    };
    let (title, holds) = match world.apply(kept.as_deref())? {
        Ok(let_go) if let_go.is_empty() => {
            return Ok("nothing waits for harm-delay or approval\n".to_owned());
        }
        Ok(let_go) => ("let go", let_go),
        Err(new) => ("not in the approved plan, so nothing was let go", new),
    };
    let names: Vec<String> =
        holds.iter().map(|hold| format!("{} {}", hold.resource, hold.wanted)).collect();
    Ok(format!("{title}: {}\n", names.join(", ")))
}

/// Gives an override, as the engine does: one that contradicts no file only takes earlier ones away.
pub(super) fn tell(world: &mut World, rest: &str) -> Result<String, String> {
    let (rest, until) = match rest.split_once(" until ") {
        Some((rest, span)) => (rest, Some(world.now.plus(Millis(span_ms(span)?)))),
        None => (rest, None),
    };
    let words: Vec<&str> = rest.split_whitespace().collect();
    if let ["clear", id] = words[..] {
        let before = world.overrides.len();
        world.overrides.retain(|given| given.id != id);
        let there = world.overrides.len() < before;
        return if there { Ok(String::new()) } else { Err(format!("there is no override {id}")) };
    }
    let effect = effect(&words)?;
    world.overrides.retain(|given| !effect.replaces(&given.effect));
    if !effect.contradicts(&world.files_ask()) {
        return Ok("no file says otherwise\n".to_owned());
    }
    world.overrides.push(Override::new(effect, "root", "", world.now, until));
    Ok(String::new())
}

fn effect(words: &[&str]) -> Result<Effect, String> {
    let node = |id: &str| NodeId::new(id).map_err(|error| error.to_string());
    let session = |id: &str| SessionId::new(id).map_err(|error| error.to_string());
    let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is no number"));
    Ok(match *words {
        ["stop", id] => Effect::SessionState { session: session(id)?, state: WantedState::Stopped },
        ["run", id] => Effect::SessionState { session: session(id)?, state: WantedState::Running },
        ["cordon", id] => Effect::Schedulable { node: node(id)?, schedulable: false },
        ["uncordon", id] => Effect::Schedulable { node: node(id)?, schedulable: true },
        ["drain", id] => Effect::Drain { node: node(id)? },
        ["weight", id, weight] => Effect::Weight { node: node(id)?, weight: number(weight)? },
        ["pin", n] => Effect::Pin { generation: Generation(number(n)?.into()) },
        _ => return Err(format!("there is no override `{}`", words.join(" "))),
    })
}

/// Marks a request as ending.
pub(super) fn end_request(world: &mut World, id: &str) -> Result<(), String> {
    let found = world.requests.iter_mut().find(|request| request.spec.id.as_str() == id);
    found.map(|request| request.ending = true).ok_or_else(|| format!("nobody asked for {id}"))
}

pub(super) fn request(world: &mut World, rest: &str) -> Result<(), String> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [id, "from", template, "by", user] = words[..] else {
        return Err("write `request X from TEMPLATE by USER`".to_owned());
    };
    let id = SessionId::new(id).map_err(|error| error.to_string())?;
    let user = user.parse().map_err(|_| format!("`{user}` is no user"))?;
    let asked_by = AskedBy::Person { uid: 1001, at: world.now };
    let files = world.disk.read();
    let (spec, template_spec) =
        lower_request(&files, &world.ground(), template, id, user, asked_by)?;
    world.requests.push(Request {
        spec: spec.into(),
        template: template.to_owned(),
        template_version: template_spec.version,
        ending: false,
    });
    Ok(())
}
