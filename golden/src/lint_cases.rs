//! Golden cases of the rules across files: a set that a rule finds something in, and one in which it does not.
//!
//! A case's name begins with its rule's code. It writes files as other scripts do, states facts of the
//! machine (`fact`), and looks (`lint`). Knows no engine and no plan.

use std::collections::BTreeSet;

use engine_core::desired::lower;
use engine_core::explain::Example;
use engine_core::facts::{Account, Certificate, FileFacts, KeyFile, NamedFile, Ports, StorePlace};
use engine_core::ids::Moment;
use engine_core::known::Known;
use engine_core::lint;
use grammar::error::{Code, Problem};
use grammar::report::{Format, Style, render};

use crate::converge::run::run;
use crate::converge::script::{Command, parse, transcribe};
use crate::converge::site::{Disk, sources};
use crate::converge::world::World;

/// One day in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// What the looks of a case found: the codes of each.
pub type Looks = Vec<BTreeSet<Code>>;

/// Runs a case; gives its transcript and what was found.
///
/// # Errors
/// The first command that fails.
pub fn run_case(code: Code, text: &str) -> Result<(String, Looks), String> {
    let mut world = World::default();
    let mut looks = Vec::new();
    let transcript = transcribe(&parse(text), |command: &Command| {
        if command.line == "lint" {
            let (shown, found) = look(&world, code);
            looks.push(found);
            return Ok(shown);
        }
        match command.line.strip_prefix("fact ") {
            Some(fact) => state(&mut world.disk, fact).map(|()| String::new()),
            None => run(&mut world, command),
        }
    })?;
    Ok((transcript, looks))
}

/// The codes of everything that is wrong with the files of an example.
///
/// # Errors
/// It writes a file that nobody reads, or states a fact that there is not.
pub fn problems_of(example: &Example) -> Result<BTreeSet<Code>, String> {
    let mut world = World::default();
    for (name, text) in &example.files {
        world.disk.write(name, text.clone())?;
    }
    for fact in &example.facts {
        // An example names files as people do.
        let fact =
            fact.replacen("mode ", "mode /etc/rstudio/", usize::from(fact.starts_with("mode ")));
        state(&mut world.disk, &fact)?;
    }
    let lowered = lower(&world.disk.read(), &world.ground());
    Ok(lowered.problems.iter().map(|problem| problem.code).collect())
}

/// The code that a case's name begins with.
///
/// # Errors
/// It begins with none.
pub fn code_of(name: &str) -> Result<Code, String> {
    let digits = name.strip_prefix("WH").and_then(|rest| rest.get(..4));
    let number = digits.and_then(|digits| digits.parse().ok());
    number.map(Code).ok_or_else(|| format!("{name} does not begin with a code"))
}

/// Everything that rules across files say, and why this one could not look.
fn look(world: &World, code: Code) -> (String, BTreeSet<Code>) {
    let files = world.disk.read();
    let lowered = lower(&files, &world.ground());
    let of_set = |problem: &&Problem| lint::rule(problem.code).is_some();
    let problems: Vec<Problem> = lowered.problems.iter().filter(of_set).cloned().collect();
    let found = problems.iter().map(|problem| problem.code).collect();
    let style = Style { color: false, width: Some(100) };
    let mut shown = render(&problems, &sources(&files), Format::Human, style);
    for skipped in lowered.skipped.iter().filter(|skipped| skipped.code == code) {
        shown.push_str(&format!("skipped {}: {}\n", skipped.code, skipped.reason));
    }
    if shown.is_empty() {
        shown.push_str("nothing found\n");
    }
    (shown, found)
}

/// States a fact: `mode PATH 0640`, `key launcher.pem length=1700 mode=0600`, `ephemeral 32768-60999` ...
fn state(disk: &mut Disk, fact: &str) -> Result<(), String> {
    let facts = &mut disk.facts;
    let (what, rest) = fact.split_once(' ').ok_or("write `fact WHAT VALUE`")?;
    let words: Vec<&str> = rest.split(' ').collect();
    match what {
        "directory" => disk.self_contained = rest == "self-contained",
        "mode" => {
            let (path, mode) = rest.split_once(' ').ok_or("write `fact mode PATH MODE`")?;
            facts.files.insert(path.into(), Known::Present(file(mode)?));
        }
        "key" => {
            let (name, rest) = rest.split_once(' ').ok_or("write `fact key NAME VALUE`")?;
            let key = key(name, rest)?;
            match name {
                "secure-cookie-key" => facts.cookie_key = key,
                "launcher.pem" => facts.launcher_pem = key,
                "launcher.pub" => facts.launcher_pub = key,
                _ => return Err(format!("no key is called {name}")),
            }
        }
        "certificate" => facts.certificate = certificate(&words, rest)?,
        "certificate-key" => {
            facts.certificate_key = match rest {
                "missing" => Known::Present(NamedFile::Missing),
                "absent" => Known::Absent,
                mode => Known::Present(NamedFile::There(file(mode)?)),
            };
        }
        "ephemeral" => {
            let (first, last) = rest.split_once('-').ok_or("write `fact ephemeral A-B`")?;
            let port = |text: &str| text.parse().map_err(|_| format!("{text} is no port"));
            facts.ephemeral_ports =
                Known::Present(Ports { first: port(first)?, last: port(last)? });
        }
        "reserved" => {
            let (first, last) = rest.split_once('-').ok_or("write `fact reserved A-B`")?;
            let port = |text: &str| text.parse().map_err(|_| format!("{text} is no port"));
            let ports = Ports { first: port(first)?, last: port(last)? };
            facts.reserved_ports = Known::Present(vec![ports]);
        }
        "store" => {
            let network = words.get(1).filter(|word| **word != "local");
            let dir = words[0].into();
            let network = network.map(|word| (*word).to_owned());
            facts.store = Known::Present(StorePlace { dir, network });
        }
        "account" => facts.server_user = account(&words),
        "balancer-program" => {
            facts.balancer_program =
                if rest == "absent" { Known::Absent } else { Known::Present(file(rest)?) };
        }
        _ => return Err(format!("no fact is called {what}")),
    }
    facts.now = Known::Present(Moment(0));
    Ok(())
}

/// A file of root's with these permissions.
fn file(mode: &str) -> Result<FileFacts, String> {
    let mode = u32::from_str_radix(mode, 8).map_err(|_| format!("{mode} is no mode"))?;
    Ok(FileFacts { mode, uid: 0, gid: 0, length: 100 })
}

fn key(name: &str, rest: &str) -> Result<Known<KeyFile>, String> {
    if rest == "absent" {
        return Ok(Known::Absent);
    }
    let unread = Known::Unknown { since: Moment(0), reason: "permission denied".to_owned() };
    let mut key =
        KeyFile { path: format!("/etc/rstudio/{name}").into(), file: file("0600")?, pem: unread };
    for word in rest.split(' ') {
        match word.split_once('=').ok_or_else(|| format!("{word}: write NAME=VALUE"))? {
            ("length", length) => key.file.length = length.parse().map_err(|_| "no length")?,
            ("mode", mode) => key.file.mode = file(mode)?.mode,
            ("pem", "none") => key.pem = Known::Absent,
            ("pem", label) => key.pem = Known::Present(label.replace('_', " ")),
            _ => return Err(format!("a key has no {word}")),
        }
    }
    Ok(Known::Present(key))
}

/// `a.example.org,b.example.org -10d +30d`, or `missing`, `absent`, `odd WORDS`.
fn certificate(words: &[&str], rest: &str) -> Result<Known<NamedFile<Certificate>>, String> {
    let days = |text: &str| {
        let days = text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok());
        days.map(|days| Moment(days * DAY_MS)).ok_or_else(|| format!("{text} is no day"))
    };
    Ok(match words {
        ["absent"] => Known::Absent,
        ["missing"] => Known::Present(NamedFile::Missing),
        ["odd", ..] => Known::Present(NamedFile::Odd(rest.trim_start_matches("odd ").to_owned())),
        [names, from, until] => {
            let names = names.split(',').map(str::to_owned).collect();
            let certificate = Certificate { names, from: days(from)?, until: days(until)? };
            Known::Present(NamedFile::There(certificate))
        }
        _ => return Err("write `fact certificate NAMES FROM UNTIL`".to_owned()),
    })
}

/// `rstudio-server PRIMARY-GROUP OTHER-GROUP ...`, or `absent`.
fn account(words: &[&str]) -> Known<Account> {
    match words {
        [name, group, others @ ..] => Known::Present(Account {
            name: (*name).to_owned(),
            uid: 998,
            gid: 998,
            group: Some((*group).to_owned()),
            member_of: others.iter().map(|group| (*group).to_owned()).collect(),
        }),
        _ => Known::Absent,
    }
}
