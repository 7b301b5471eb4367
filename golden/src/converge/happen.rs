//! What happens in the world of a script: sessions end, clusters fall silent, ports are taken.

use engine_core::desired::{Launch, ListenAddress};
use engine_core::ids::{Incarnation, Moment, SessionId};
use engine_core::known::Known;
use engine_core::observed::{
    IncarnationSeen, InstallationSeen, NodeSeen, Phase, PortRefusal, ProgramSeen, Records,
    UserSeen, WorkbenchSeen,
};

use super::run::two;
use super::world::{World, available};

/// What happens in the world.
pub(super) fn happen(world: &mut World, verb: &str, rest: &str) -> Result<(), String> {
    let now = world.now;
    match verb {
        "ready" => world.newest_seen(rest)?.phase = Phase::Ready,
        "ended" => world.exit(rest, 0, true)?,
        "crash" => {
            let (session, code) = rest.split_once(' ').unwrap_or((rest, "1"));
            let code = code.parse().map_err(|_| format!("`{code}` is no exit code"))?;
            world.exit(session, code, false)?;
        }
        "vanish" => {
            let incarnation = world.newest(rest)?;
            world.observed.incarnations.remove(&incarnation);
        }
        "unknown" => {
            let (session, why) = two(rest)?;
            let incarnation = world.newest(session)?;
            let known = world.observed.incarnations.get_mut(&incarnation);
            *known.ok_or("it is gone")? = Known::Unknown { since: now, reason: why.to_owned() };
        }
        "keeper-lost" => world.newest_seen(rest)?.kept = false,
        "at" => {
            let (session, node) = two(rest)?;
            let node = node.parse().map_err(|_| format!("`{node}` is no node"))?;
            world.newest_seen(session)?.node = node;
        }
        "beside" => {
            let seen = world.newest_seen(rest)?.clone();
            let newest = world.newest(rest)?;
            let next = Incarnation::new(newest.session, newest.n + 1);
            world.observed.incarnations.insert(next, Known::Present(seen));
        }
        "foreign" => foreign(world, rest)?,
        "connections" => {
            let (session, count) = two(rest)?;
            let id = SessionId::new(session).map_err(|error| error.to_string())?;
            let count = count.parse().map_err(|_| format!("`{count}` is no number"))?;
            world.observed.connections.insert(id, count);
        }
        "product" => super::incumbent::happen(world, rest)?,
        "reboot" => {
            world.observed.incarnations.clear();
            forget_process(world);
        }
        "restart-engine" => forget_process(world),
        _ => return surroundings(world, verb, rest, now),
    }
    Ok(())
}

/// What is only in the memory of an engine's process.
fn forget_process(world: &mut World) {
    let observed = &mut world.observed;
    observed.listeners.clear();
    observed.routes.clear();
    observed.leads.clear();
    observed.connections.clear();
    observed.refused.clear();
    observed.balancer = None;
    observed.memory = engine_core::observed::Memory::default();
}

fn foreign(world: &mut World, rest: &str) -> Result<(), String> {
    let (session, user) = two(rest)?;
    let text = format!(
        r#"{{"workbench":"rstudio","user":"{user}","cluster":"Local","program":{{"exe":null,"args":[],"env":{{}}}},"env":{{}},"working_dir":null,"resources":{{}},"base":"keep"}}"#
    );
    let launch: Launch = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let session = SessionId::new(session).map_err(|error| error.to_string())?;
    let seen = IncarnationSeen {
        phase: Phase::Ready,
        launch,
        node: world.observed.node.clone(),
        uid: 1001,
        pid: Some(812),
        started_at: Moment(0),
        socket_dir: "/run/rstudio".to_owned(),
        socket: "s".to_owned(),
        ours: false,
        kept: false,
        last_used: None,
        terms: engine_core::observed::Terms::default(),
        generation: None,
    };
    world.observed.incarnations.insert(Incarnation::new(session, 1), Known::Present(seen));
    Ok(())
}

/// What is around sessions: clusters, the store, ports, accounts, workbenches, nodes.
fn surroundings(world: &mut World, verb: &str, rest: &str, now: Moment) -> Result<(), String> {
    let unknown = |why: &str| (now, why.to_owned());
    match verb {
        "silent" => {
            let (cluster, why) = two(rest)?;
            world.observed.silent_clusters.insert(cluster.to_owned(), unknown(why));
        }
        "answers" => drop(world.observed.silent_clusters.remove(rest)),
        "store" => store(world, rest)?,
        "refuse-port" => {
            let (port, who) = two(rest)?;
            let address = address(port)?;
            let refusal = PortRefusal { reason: who.to_owned(), at: now };
            world.observed.refused.insert(address, refusal);
        }
        "free-port" => drop(world.observed.refused.remove(&address(rest)?)),
        "user" => {
            let (user, how) = two(rest)?;
            let id = user.parse().map_err(|_| format!("`{user}` is no user"))?;
            let seen = UserSeen {
                uid: 1001,
                gid: 1001,
                home: format!("/home/{user}"),
                shell: "/bin/bash".to_owned(),
                reachable: how != "unreachable",
            };
            let known = match how {
                "absent" => Known::Absent,
                "unreachable" | "present" => Known::Present(seen),
                why => Known::Unknown { since: now, reason: why.to_owned() },
            };
            world.observed.users.insert(id, known);
        }
        "workbench" => workbench(world, rest)?,
        "node" => {
            let (node, how) = two(rest)?;
            let id = node.parse().map_err(|_| format!("`{node}` is no node"))?;
            let load = how.strip_prefix("load ").map(|load| load.replace('.', ""));
            let known = match (how, load) {
                ("online", _) => Known::Present(NodeSeen { cores: 4, ..NodeSeen::default() }),
                (_, Some(centi)) => {
                    let centi: u32 = centi.parse().map_err(|_| format!("`{how}` is no load"))?;
                    let load5_milli = centi * 10;
                    Known::Present(NodeSeen { cores: 4, load5_milli, ..NodeSeen::default() })
                }
                (why, _) => Known::Unknown { since: now, reason: why.to_owned() },
            };
            world.observed.nodes.insert(id, known);
        }
        _ => return Err("there is no such command".to_owned()),
    }
    Ok(())
}

fn address(port: &str) -> Result<ListenAddress, String> {
    let port = port.parse().map_err(|_| format!("`{port}` is no port"))?;
    Ok(ListenAddress { ip: std::net::Ipv4Addr::UNSPECIFIED.into(), port })
}

fn store(world: &mut World, rest: &str) -> Result<(), String> {
    let (what, why) = rest.split_once(' ').unwrap_or((rest, "it does not answer"));
    match what {
        "lost" => world.observed.records = Known::Present(Records::default()),
        "unreachable" => {
            let unknown = Known::Unknown { since: world.now, reason: why.to_owned() };
            let before = std::mem::replace(&mut world.observed.records, unknown);
            world.out_of_reach = before.present().cloned();
        }
        "back" => {
            let records = world.out_of_reach.take().ok_or("it was not out of reach")?;
            world.observed.records = Known::Present(records);
        }
        _ => return Err(format!("a store cannot be {what}")),
    }
    Ok(())
}

fn workbench(world: &mut World, rest: &str) -> Result<(), String> {
    let (name, how) = two(rest)?;
    let id = name.parse().map_err(|_| format!("`{name}` is no workbench"))?;
    let (word, more) = how.split_once(' ').unwrap_or((how, ""));
    let seen = match word {
        "missing" => {
            let found = ProgramSeen::Missing { help: "apt install it".to_owned() };
            WorkbenchSeen { found, ours: None }
        }
        "available" => available(&id),
        "asked" | "silent" => found_beside_ours(word, more),
        "not-installed" => WorkbenchSeen::of_ours(InstallationSeen::NotInstalled),
        "failed" => WorkbenchSeen::of_ours(InstallationSeen::Failed { reason: more.to_owned() }),
        "installing" => {
            let (done, total) = two(more)?;
            let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is no number"));
            let (done, total) = (number(done)?, number(total)?);
            WorkbenchSeen::of_ours(InstallationSeen::Installing { done, total })
        }
        "unknown" => {
            let unknown = Known::Unknown { since: world.now, reason: more.to_owned() };
            world.observed.workbenches.insert(id, unknown);
            return Ok(());
        }
        _ => return Err(format!("a workbench cannot be {word}")),
    };
    world.observed.workbenches.insert(id, Known::Present(seen));
    Ok(())
}

/// A program that says nothing, yet or at all; beside nothing (`only`) or an installation that was not begun.
fn found_beside_ours(word: &str, more: &str) -> WorkbenchSeen {
    let exe = "/opt/found".to_owned();
    let found =
        if word == "asked" { ProgramSeen::Asked { exe } } else { ProgramSeen::Silent { exe } };
    let ours = (more != "only").then_some(InstallationSeen::NotInstalled);
    WorkbenchSeen { found, ours }
}
