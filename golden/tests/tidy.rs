//! Rules of the project that no compiler holds: which part may know which, what stands where, which promise has
//! its proof. Each failure names the file and what to do; an allowance that nobody needs any more fails too.
//!
//! Reads the project's own files and nothing else (design: engine/ARCHITECTURE.md). Read next: [`golden::sources`];
//! the catalogue has a file of its own, `catalogue.rs`.

use std::collections::BTreeSet;

use golden::sources::{self, Source, check, read, rust};

// ---- who may know whom

/// The names below `[SECTION]` of a manifest.
fn manifest_names(manifest: &str, section: &str) -> BTreeSet<String> {
    let text = read(manifest).text;
    let begin = format!("[{section}]");
    let lines = text.lines().skip_while(|line| *line != begin).skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| Some(line.split_once(['.', ' ', '='])?.0.to_owned()))
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .collect()
}

#[test]
fn a_package_depends_on_what_its_part_may_know() {
    let allowed: [(&str, &[&str]); 2] = [
        // Text: no session, no runtime, no file system of its own.
        ("grammar/Cargo.toml", &["miette", "nom", "serde", "serde_json", "toml", "unicode-width"]),
        // The pure half: ring gives digests only (`ids`), similar tells lines apart (`compare`).
        ("engine/core/Cargo.toml", &["grammar", "ring", "serde", "serde_json", "similar"]),
    ];
    let mut findings = Vec::new();
    for (manifest, names) in allowed {
        for name in manifest_names(manifest, "dependencies") {
            if !names.contains(&name.as_str()) {
                findings.push(format!("{manifest}: {name}"));
            }
        }
    }
    for name in manifest_names("engine/Cargo.toml", "dependencies") {
        if ["golden", "benches"].contains(&name.as_str()) {
            findings.push(format!("engine/Cargo.toml: {name}"));
        }
    }
    check("grammar <- engine-core <- engine <- golden, benches", &findings);
}

/// Where each crate may be named outside of tests: one home each, so that exchanging it is one change.
/// Crates that are a language rather than a tool (serde, thiserror, bytes) are at home everywhere in `engine`.
const HOMES: &[(&str, &[&str])] = &[
    (
        "arc_swap",
        &[
            "engine/src/cli/serve.rs",
            "engine/src/control/",
            "engine/src/identity/",
            "engine/src/proxy/",
            "engine/src/web/",
        ],
    ),
    ("clap", &["engine/src/cli/"]),
    ("clap_complete", &["engine/src/cli/completions.rs"]),
    ("clap_mangen", &["engine/src/cli/man.rs"]),
    ("futures_util", &["engine/src/demo/"]),
    ("http_body_util", &["engine/src/demo.rs", "engine/src/proxy/"]),
    ("hyper", &["engine/src/demo.rs", "engine/src/proxy/", "engine/src/web/"]),
    ("hyper_util", &["engine/src/demo.rs", "engine/src/proxy/"]),
    ("jiff", &["engine/src/cli/", "engine/src/web/"]),
    ("miette", &["grammar/src/report"]),
    ("nom", &["grammar/src/line.rs"]),
    ("notify", &["engine/src/watch/"]),
    (
        "ring",
        &[
            "engine/core/src/ids.rs",
            "engine/src/identity/",
            "engine/src/ledger/seal.rs",
            "engine/src/store/",
            "engine/src/web/layout.rs",
        ],
    ),
    ("similar", &["engine/core/src/compare.rs", "golden/src/"]),
    ("sled", &["engine/src/store/"]),
    ("tar", &["engine/src/cli/support/"]),
    ("tokio", &["engine/src/demo", "engine/src/instance.rs", "engine/src/proxy/"]),
    ("tokio_tungstenite", &["engine/src/demo", "golden/src/real/"]),
    ("toml", &["grammar/build.rs", "grammar/src/own/"]),
    ("tracing_subscriber", &["engine/src/logging.rs"]),
    ("unicode_width", &["grammar/src/report"]),
    ("x509_cert", &["engine/src/load/certificate.rs"]),
];

#[test]
fn every_crate_has_one_home() {
    let mut all = rust();
    // Measured with the same tools, from outside.
    all.retain(|source| !source.path.starts_with("benches/"));
    let mut findings = Vec::new();
    for (name, homes) in HOMES {
        let users: Vec<&Source> = all.iter().filter(|source| source.names_crate(name)).collect();
        let stray =
            users.iter().filter(|source| !homes.iter().any(|home| source.path.starts_with(home)));
        findings.extend(stray.map(|source| format!("{} names {name}", source.path)));
        let empty =
            homes.iter().filter(|home| !users.iter().any(|source| source.path.starts_with(*home)));
        findings
            .extend(empty.map(|home| format!("{name} is allowed in {home}, and not used there")));
    }
    check("a crate is named at its home only", &findings);
}

#[test]
fn the_pure_half_knows_no_time_no_file_and_no_chance() {
    let banned = [
        "std::fs",
        "std::env",
        "std::net::Tcp",
        "std::net::Udp",
        "std::os::",
        "std::process",
        "std::thread",
        "Instant",
        "SystemTime",
        "HashMap",
        "HashSet",
        "thread_local!",
        "ring::rand",
        "println!",
        "eprintln!",
        "static mut",
    ];
    let mut findings = Vec::new();
    for source in rust().iter().filter(|source| source.path.starts_with("engine/core/src/")) {
        let code = source.production();
        let named = banned.iter().filter(|name| code.contains(*name));
        findings.extend(named.map(|name| format!("{}: {name}", source.path)));
    }
    check("engine-core decides from values alone", &findings);
}

/// Modules of the pure half, each above what it may name; inside a module anything goes.
const LAYERS: [&str; 32] = [
    "ids",
    "shared_map",
    "known",
    "pairs",
    "sockets",
    "heard",
    "accept",
    "window",
    "facts",
    "site",
    "settings",
    "read_site",
    "whereabouts",
    "lint",
    "explain",
    "desired",
    "check",
    "effective",
    "compare",
    "incumbent",
    "observed",
    "plan",
    "pace",
    "approval",
    "diff",
    "planner",
    "predict",
    "proof",
    "forecast",
    "report",
    "doctor",
    "uninstall",
];

/// What the pure half names upwards.
const UPWARDS: [(&str, &str, &str); 4] = [
    ("desired", "plan::Because", "an origin becomes a cause, and causes are part of plans"),
    ("settings", "plan::Because", "a changed option is a cause"),
    (
        "observed",
        "plan",
        "what a hold remembers is keyed by the plan's resources, and routes are seen as planned",
    ),
    ("observed", "approval", "what a person has approved is remembered from round to round"),
];

#[test]
fn the_pure_half_is_layered() {
    let rank = |module: &str| LAYERS.iter().position(|layer| *layer == module);
    let mut used = BTreeSet::new();
    let mut findings = Vec::new();
    for source in rust().iter().filter(|source| source.path.starts_with("engine/core/src/")) {
        let own = source.module().expect("it is in src");
        let Some(own_rank) = rank(own) else {
            if own != "lib" {
                findings.push(format!("{}: `{own}` has no layer in tidy.rs", source.path));
            }
            continue;
        };
        for path in source.crate_paths() {
            let to = path.split("::").next().unwrap_or_default();
            if rank(to).is_none_or(|rank| rank <= own_rank) {
                continue;
            }
            let allowed =
                UPWARDS.iter().position(|(from, to, _)| *from == own && path.starts_with(to));
            match allowed {
                Some(at) => {
                    used.insert(at);
                }
                None => findings.push(format!("{} names crate::{path}", source.path)),
            }
        }
    }
    let unused = (0..UPWARDS.len()).filter(|at| !used.contains(at));
    findings.extend(unused.map(|at| format!("no longer needed: {:?}", UPWARDS[at])));
    check("inside engine-core a module names those below it", &findings);
}

/// The modules of `engine` that touch the world, each one thing of it.
const ADAPTERS: [&str; 9] =
    ["identity", "incumbent", "keeper", "launcher", "proxy", "store", "warden", "watch", "web"];

/// What an adapter, a port or the loop may name of an adapter.
const EDGES: &[(&str, &str, &str)] = &[
    (
        "launcher",
        "keeper",
        "a keeper writes the records that the launcher reads, and answers what it asks",
    ),
    ("launcher", "warden::protocol", "the values of the port Warden"),
    (
        "warden",
        "keeper",
        "a keeper begins as the warden's child, from its spec, and is told to end",
    ),
    (
        "ports",
        "warden::protocol",
        "the values of the port Warden stand with the role that answers them",
    ),
    ("proxy", "identity", "who asks is known before a request goes on"),
    ("proxy", "warden::protocol", "the values of the port Warden: listeners are bound there"),
    ("proxy", "web", "what is not a session's is a page; connections are counted for them"),
    ("web", "identity", "pages know who looks at them"),
    ("ledger", "store::keys", "how records are named in any store"),
    (
        "reconcile",
        "identity::random",
        "the letters of a requested session's id: chance, not a port's answer",
    ),
];

/// Modules that put adapters together, or stand for them.
const MAKERS: [&str; 3] = ["cli", "lab", "lib"];

#[test]
fn an_adapter_knows_no_other_and_the_loop_knows_ports_only() {
    let mut used = BTreeSet::new();
    let mut findings = Vec::new();
    for source in rust().iter().filter(|source| source.path.starts_with("engine/src/")) {
        let own = source.module().expect("it is in src");
        if MAKERS.contains(&own) {
            continue;
        }
        for path in source.crate_paths() {
            let to = path.split("::").next().unwrap_or_default();
            let is_watched = ADAPTERS.contains(&own)
                || ["ports", "reconcile", "execute", "observe", "ledger"].contains(&own);
            if !is_watched || to == own || !ADAPTERS.contains(&to) {
                continue;
            }
            match EDGES.iter().position(|(from, to, _)| *from == own && path.starts_with(to)) {
                Some(at) => {
                    used.insert(at);
                }
                None => findings.push(format!("{} names crate::{path}", source.path)),
            }
        }
    }
    let unused = (0..EDGES.len()).filter(|at| !used.contains(at));
    findings.extend(unused.map(|at| format!("no longer needed: {:?}", EDGES[at])));
    check("adapters meet in cli/serve.rs, behind ports", &findings);
}

// ---- what stands in files

#[test]
fn every_rust_file_says_first_what_it_is_for() {
    let findings: Vec<String> = rust()
        .iter()
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| source.path.clone())
        .collect();
    check("a file begins with //!", &findings);
}

/// Lines above which a file hides a second noun.
const LONG: usize = 500;

/// Files that are longer, how long at most, and the second noun that they hide.
const LONG_FILES: &[(&str, usize, &str)] = &[];

#[test]
fn no_file_grows_beyond_one_noun() {
    let mut findings = Vec::new();
    let all = rust();
    for source in &all {
        let lines = source.text.lines().count();
        let allowed = LONG_FILES.iter().find(|(path, ..)| *path == source.path);
        match allowed {
            Some((_, most, noun)) if lines > *most => {
                findings.push(format!(
                    "{}: {lines} lines, {most} allowed: move out {noun}",
                    source.path
                ));
            }
            Some(_) if lines <= LONG => {
                findings.push(format!("{}: short by now; take it off the list", source.path));
            }
            None if lines > LONG => {
                findings.push(format!("{}: {lines} lines: which second noun is it?", source.path));
            }
            _ => {}
        }
    }
    let gone =
        LONG_FILES.iter().filter(|(path, ..)| !all.iter().any(|source| source.path == *path));
    findings.extend(gone.map(|(path, ..)| format!("{path}: gone; take it off the list")));
    check("a file has at most 500 lines", &findings);
}

#[test]
fn nothing_is_left_open_switched_off_or_unsafe() {
    let banned = ["todo!", "unimplemented!", "#[ignore", "unsafe ", "unsafe{", "dbg!", "#[allow("];
    let mut findings = Vec::new();
    for source in rust() {
        let code = source.code();
        for (number, line) in code.lines().enumerate() {
            let found = banned.iter().filter(|word| contains_word(line, word));
            findings.extend(found.map(|word| format!("{}:{}: {word}", source.path, number + 1)));
        }
    }
    check("finished code, and `expect` with a reason instead of `allow`", &findings);
}

/// Whether `line` has `word` where a word begins.
fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Where a path below root's home, or a place of packages, is meant as what it is.
const MEANT: [(&str, &str); 7] = [
    ("golden/bare", "the root of the chroot that it makes"),
    ("engine/core/explain/WH0611.txt", "the home of containers that run as root"),
    ("engine/core/src/lint/containers.rs", "the same"),
    ("golden/cases/lint/WH0611-home-not-mounted.txt", "the same, mounted"),
    ("engine/core/src/report/mod.rs", "an example of a staged directory"),
    ("engine/src/admin/protocol.rs", "the same example"),
    ("engine/src/cli/plan.rs", "the same, in the help"),
];

#[test]
fn no_file_names_the_machine_that_it_was_written_on() {
    // Put together, so that this file does not name them.
    let homes = [["/wo", "rk"].concat(), ["/ro", "ot"].concat(), ["/ho", "me/"].concat()];
    let settings = [
        ["replace-", "with"].concat(),
        ["--index", "-url"].concat(),
        ["extra-index", "-url"].concat(),
    ];
    let mut used = BTreeSet::new();
    let mut findings = Vec::new();
    for source in sources::all() {
        for (number, line) in source.text.lines().enumerate() {
            let home = homes[..2].iter().any(|home| names_path(line, home));
            if !home && !settings.iter().any(|setting| line.contains(setting)) {
                continue;
            }
            match MEANT.iter().position(|(path, _)| *path == source.path) {
                Some(at) => {
                    used.insert(at);
                }
                None => findings.push(format!("{}:{}: {}", source.path, number + 1, line.trim())),
            }
        }
        if ["config.toml", "pip.conf", ".npmrc", "sources.list"]
            .iter()
            .any(|name| source.path.ends_with(name))
        {
            findings.push(format!("{}: settings of one machine", source.path));
        }
    }
    let unused = (0..MEANT.len()).filter(|at| !used.contains(at));
    findings.extend(unused.map(|at| format!("no longer needed: {:?}", MEANT[at])));
    check("a checkout works anywhere", &findings);
}

/// Whether `line` has a path that is `dir` or below it.
fn names_path(line: &str, dir: &str) -> bool {
    line.match_indices(dir).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + dir.len()..].chars().next();
        let begins = before.is_none_or(|c| !c.is_alphanumeric() && !"_-.}$/".contains(c));
        begins && after.is_none_or(|c| c == '/' || c.is_whitespace() || "\"'`:;,)".contains(c))
    })
}

#[test]
fn every_package_comes_from_the_public_registry_with_its_checksum() {
    let lock = read("Cargo.lock").text;
    let findings: Vec<String> = lock
        .split("[[package]]")
        .skip(1)
        .filter(|package| package.contains("\nsource = "))
        .filter(|package| {
            !package
                .contains("\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"")
                || !package.contains("\nchecksum = ")
        })
        .map(|package| package.trim().lines().next().unwrap_or_default().to_owned())
        .collect();
    check("Cargo.lock", &findings);
}

// ---- golden cases

/// Whether a runner's code reads a directory of cases.
fn reads(code: &str, directory: &str) -> bool {
    code.contains(&format!("cases/{directory}\""))
        || code.contains(&format!("read(\"{directory}\""))
}

#[test]
fn every_directory_of_cases_is_read_by_a_runner() {
    let all = sources::all();
    let directories: BTreeSet<&str> = all
        .iter()
        .filter_map(|source| source.path.strip_prefix("golden/cases/")?.split_once('/'))
        .map(|(directory, _)| directory)
        .collect();
    assert!(directories.len() >= 3, "{directories:?}");
    let runners: Vec<String> = all
        .iter()
        .filter(|source| source.is_rust() && !source.path.ends_with("/tidy.rs"))
        .map(Source::code_and_strings)
        .collect();
    let findings: Vec<String> = directories
        .iter()
        .filter(|directory| !runners.iter().any(|code| reads(code, directory)))
        .map(|directory| format!("golden/cases/{directory}"))
        .collect();
    check("a case that nothing runs proves nothing", &findings);
}
