//! What is done to a site while its engine dies: each way with its way back, so that they can be gone again and again.
//!
//! A way may be gone twice: half of it may have been done before the engine died.

use engine::status::StatusView;
use golden::real::Port;
use golden::real::engine::session;

use crate::mortal::Mortal;

/// One way.
pub(crate) struct Way {
    /// What is done, in words.
    pub(crate) name: &'static str,
    /// Does it; the engine may be dead by then, or die of it.
    pub(crate) go: fn(&Mortal),
    /// Whether it has come to its end.
    pub(crate) reached: fn(&Mortal, &StatusView) -> bool,
}

const fn way(
    name: &'static str,
    go: fn(&Mortal),
    reached: fn(&Mortal, &StatusView) -> bool,
) -> Way {
    Way { name, go, reached }
}

/// Whether a session runs.
fn runs(status: &StatusView, id: &str) -> bool {
    session(status, id).is_some_and(|session| session.state == "running")
}

/// Whether a session runs with this value of `WORD` in its environment.
fn runs_with(status: &StatusView, id: &str, word: &str) -> bool {
    let pid = session(status, id).and_then(|session| session.pid);
    let environ = pid.and_then(|pid| std::fs::read(format!("/proc/{pid}/environ")).ok());
    let text = environ.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let wanted = format!("WORD={word}");
    runs(status, id) && text.is_some_and(|text| text.split('\0').any(|pair| pair == wanted))
}

fn is_gone(status: &StatusView, id: &str) -> bool {
    session(status, id).is_none()
}

/// A session that ends with its file.
const ENDS: &str = "workbench = \"demo\"\non-removal = \"stop\"\n";

fn several() -> impl Iterator<Item = String> {
    (1..=4).map(|n| format!("many-{n}"))
}

/// No way: the engine starts, and that is all.
pub(crate) fn nothing() -> Way {
    way("it starts", |_| {}, |_, _| true)
}

/// Takes a file away, if nobody has yet.
fn remove(m: &Mortal, name: &str) {
    let _ = std::fs::remove_file(m.site().path(name));
}

fn rename(m: &Mortal, from: &str, to: &str) {
    let _ = std::fs::rename(m.site().path(from), m.site().path(to));
}

fn node_file(m: &Mortal) -> String {
    format!("nodes.d/{}.toml", m.node())
}

/// Ways of files, in circles.
pub(crate) fn files() -> Vec<Vec<Way>> {
    vec![
        vec![
            way(
                "a session's file comes",
                |m| m.site().replace("sessions.d/comes.toml", ENDS),
                |_, status| runs(status, "comes"),
            ),
            way(
                "it goes, and the session after harm-delay",
                |m| remove(m, "sessions.d/comes.toml"),
                |_, status| is_gone(status, "comes"),
            ),
        ],
        vec![
            way(
                "a session comes that is renewed by edits",
                |m| m.site().replace("sessions.d/edited.toml", &with_word("one")),
                |_, status| runs_with(status, "edited", "one"),
            ),
            way(
                "it restarts by an edit",
                |m| m.site().replace("sessions.d/edited.toml", &with_word("two")),
                |_, status| runs_with(status, "edited", "two"),
            ),
            way(
                "its file is renamed",
                |m| rename(m, "sessions.d/edited.toml", "sessions.d/renamed.toml"),
                |_, status| is_gone(status, "edited") && runs_with(status, "renamed", "two"),
            ),
            way(
                "its file says stopped",
                |m| {
                    let text = format!("{}state = \"stopped\"\n", with_word("two"));
                    m.site().replace("sessions.d/renamed.toml", &text);
                },
                |_, status| session(status, "renamed").is_some_and(|s| s.state == "stopped"),
            ),
            way(
                "its file goes",
                |m| remove(m, "sessions.d/renamed.toml"),
                |_, status| is_gone(status, "renamed"),
            ),
        ],
        vec![
            way(
                "several files come at once",
                |m| {
                    several()
                        .for_each(|id| m.site().replace(&format!("sessions.d/{id}.toml"), ENDS));
                },
                |_, status| several().all(|id| runs(status, &id)),
            ),
            way(
                "they go at once",
                |m| several().for_each(|id| remove(m, &format!("sessions.d/{id}.toml"))),
                |_, status| several().all(|id| is_gone(status, &id)),
            ),
        ],
        vec![
            way(
                "a session comes that never answers",
                |m| {
                    let text = "workbench = \"slow\"\nrestart = \"no\"\nhealth.start-timeout = \"100ms\"\n";
                    m.site().replace("sessions.d/mute.toml", text);
                },
                |_, status| {
                    let mute = session(status, "mute");
                    mute.is_some_and(|session| session.reason.contains("did not answer"))
                },
            ),
            way(
                "it goes",
                |m| remove(m, "sessions.d/mute.toml"),
                |_, status| is_gone(status, "mute"),
            ),
        ],
    ]
}

fn with_word(word: &str) -> String {
    format!("{ENDS}env.WORD = \"{word}\"\nupdate.apply = \"now\"\n")
}

/// The port that a gateway's file names, if there is one.
fn gateway_port(m: &Mortal) -> Option<u16> {
    let text = std::fs::read_to_string(m.site().path("gateways.d/lab.toml")).ok()?;
    text.split("port-range = \"").nth(1)?.split('-').next()?.parse().ok()
}

fn publish(m: &Mortal) {
    if gateway_port(m).is_none() {
        let port = Port::free().number();
        let text = format!("address = \"127.0.0.1\"\nport-range = \"{port}-{port}\"\n");
        m.site().replace("gateways.d/lab.toml", &text);
    }
    let text = format!("{ENDS}publish.gateway = \"lab\"\n");
    m.site().replace("sessions.d/public.toml", &text);
}

fn is_published(m: &Mortal, status: &StatusView) -> bool {
    let Some(port) = gateway_port(m) else { return false };
    let leads = status.gateways.get("lab").is_some_and(|lab| lab.ports.contains_key(&port));
    let listens = status.listeners.values().any(|at| *at == format!("127.0.0.1:{port}"));
    runs(status, "public") && leads && listens
}

/// The port that `rserver.conf` names.
fn www_port(m: &Mortal) -> u16 {
    let text = std::fs::read_to_string(m.site().path("rserver.conf")).expect("it is there");
    let port = text.lines().find_map(|line| line.strip_prefix("www-port="));
    port.and_then(|port| port.parse().ok()).expect("it says so")
}

/// Ways of listeners, gateways, nodes, and of sessions that end by themselves.
pub(crate) fn places() -> Vec<Vec<Way>> {
    vec![
        vec![
            way("a gateway comes with a session on it", publish, is_published),
            way(
                "both go",
                |m| {
                    remove(m, "sessions.d/public.toml");
                    remove(m, "gateways.d/lab.toml");
                },
                |_, status| {
                    let only_www = status.listeners.keys().eq(["listener"]);
                    is_gone(status, "public") && status.gateways.is_empty() && only_www
                },
            ),
        ],
        vec![
            way(
                "the listener moves",
                |m| {
                    let text = m.site().rserver_conf(Port::free().number());
                    m.site().replace("rserver.conf", &text);
                },
                |m, status| {
                    let at = format!("127.0.0.1:{}", www_port(m));
                    www_port(m) != m.site().port() && status.listeners.values().eq([&at])
                },
            ),
            way(
                "it moves back",
                |m| m.site().replace("rserver.conf", &m.site().rserver_conf(m.site().port())),
                |m, status| {
                    let at = format!("127.0.0.1:{}", m.site().port());
                    www_port(m) == m.site().port() && status.listeners.values().eq([&at])
                },
            ),
        ],
        vec![
            way(
                "a generation touches nobody",
                |m| m.site().replace("load-balancer", "balancer=user-hash\n"),
                |_, status| status.balancer == "user-hash",
            ),
            way(
                "and the next one",
                |m| remove(m, "load-balancer"),
                |_, status| status.balancer == "sessions",
            ),
        ],
        vec![way("a session's process is killed", Mortal::kill_frail, |m, status| {
            runs(status, "frail") && !m.is_killed(status)
        })],
        vec![
            way(
                "a node is cordoned by its file",
                |m| m.site().replace(&node_file(m), "schedulable = false\n"),
                |_, status| {
                    status.nodes.get(&status.node).is_some_and(|node| node.state == "cordoned")
                },
            ),
            way(
                "and no longer",
                |m| remove(m, &node_file(m)),
                |_, status| {
                    status.nodes.get(&status.node).is_some_and(|node| node.state == "online")
                },
            ),
        ],
    ]
}

/// Ways of commands: what people tell the engine itself.
pub(crate) fn commands() -> Vec<Vec<Way>> {
    vec![
        vec![
            way(
                "a session is asked for",
                |m| {
                    let user = ["--user", m.user()];
                    let _ = m
                        .admin(&[&["session", "start", "--template", "small"], &user[..]].concat());
                },
                |m, status| {
                    requested(m, status).len() == 1 && runs(status, &requested(m, status)[0])
                },
            ),
            way(
                "it is ended",
                |m| {
                    let Ok(status) = m.status() else { return };
                    for id in requested(m, &status) {
                        let _ = m.admin(&["session", "stop", &id]);
                    }
                },
                |m, status| requested(m, status).is_empty(),
            ),
        ],
        vec![
            way(
                "a declared session is stopped by command",
                |m| drop(m.admin(&["session", "stop", "told"])),
                |_, status| {
                    session(status, "told").is_some_and(|session| session.state == "stopped")
                },
            ),
            way(
                "and started",
                |m| drop(m.admin(&["session", "start", "told"])),
                |_, status| runs(status, "told"),
            ),
        ],
        vec![
            way(
                "an edit waits, and is let go by apply",
                |m| {
                    m.site().replace("sessions.d/frail.toml", &with_word("one"));
                    let _ = m.admin(&["reload", "--wait"]);
                    let _ = m.admin(&["apply"]);
                },
                |_, status| runs_with(status, "frail", "one"),
            ),
            way(
                "the edit back",
                |m| {
                    m.site().replace("sessions.d/frail.toml", &with_word("two"));
                    let _ = m.admin(&["reload", "--wait"]);
                    let _ = m.admin(&["apply"]);
                },
                |_, status| runs_with(status, "frail", "two"),
            ),
        ],
        vec![
            way(
                "a node is cordoned by command",
                |m| drop(m.admin(&["node", "cordon", m.node()])),
                |_, status| {
                    status.nodes.get(&status.node).is_some_and(|node| node.state == "cordoned")
                },
            ),
            way(
                "the override is cleared",
                |m| drop(m.admin(&["override", "clear", &format!("cordon-{}", m.node())])),
                |_, status| {
                    status.nodes.get(&status.node).is_some_and(|node| node.state == "online")
                },
            ),
        ],
        vec![
            way(
                "files come into force together",
                |m| {
                    let _ = m.admin(&["change", "begin", "--id", "kills", "--ttl", "5m"]);
                    m.site().replace("load-balancer", "balancer=user-hash\n");
                    let _ = m.admin(&["change", "end", "kills"]);
                },
                |_, status| status.balancer == "user-hash" && status.change_windows.is_empty(),
            ),
            way(
                "and go",
                |m| {
                    let _ = m.admin(&["change", "begin", "--id", "kills", "--ttl", "5m"]);
                    remove(m, "load-balancer");
                    let _ = m.admin(&["change", "end", "kills"]);
                },
                |_, status| status.balancer == "sessions" && status.change_windows.is_empty(),
            ),
        ],
        vec![
            way(
                "a generation is pinned",
                |m| {
                    if let Ok(status) = m.status() {
                        let _ = m.admin(&["history", "pin", &status.generation.0.to_string()]);
                    }
                },
                |_, status| status.overrides.iter().any(|given| given.id == "pin"),
            ),
            way(
                "and unpinned",
                |m| drop(m.admin(&["history", "unpin"])),
                |_, status| status.overrides.iter().all(|given| given.id != "pin"),
            ),
        ],
        vec![
            way(
                "reconciliation is paused",
                |m| drop(m.admin(&["pause"])),
                |_, status| status.paused,
            ),
            way("and goes on", |m| drop(m.admin(&["resume"])), |_, status| !status.paused),
        ],
    ]
}

/// The sessions that were asked for by people.
fn requested(m: &Mortal, status: &StatusView) -> Vec<String> {
    let prefix = format!("{}-", m.user());
    let ids = status.sessions.iter().map(|session| session.id.clone());
    ids.filter(|id| id.starts_with(&prefix)).collect()
}
