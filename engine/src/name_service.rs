//! Whether this program can ask the machine's directory of accounts at all.
//!
//! glibc asks LDAP, SSSD and their like through libraries that it loads (nsswitch.conf(5)); a static program cannot load
//! them and reads `/etc/passwd` and `/etc/group`, or asks nscd where that runs. On a machine that names more sources it
//! would take people for strangers and leave groups out: so accounts are Unknown there, and starts are held.
//!
//! Looked at anew with each question: nscd may have died and left its socket, or be started later.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Where nscd listens; musl asks it for what the files do not have.
const NSCD: &str = "var/run/nscd/socket";

/// Directories of records that nss-systemd(8) knows people from (systemd.io, User/Group Record Lookup API): not
/// `/usr/lib/userdb`, where nobody but the vendor writes.
const RECORDS: [&str; 3] = ["etc/userdb", "run/userdb", "run/host/userdb"];

/// The sockets of services that nss-systemd(8) asks.
const SERVICES: &str = "run/systemd/userdb";

/// Services that know no people of their own: of services and containers, or of what other sources have.
const NO_PEOPLE: [&str; 6] = [
    "io.systemd.DropIn",
    "io.systemd.DynamicUser",
    "io.systemd.Machine",
    "io.systemd.Multiplexer",
    "io.systemd.NameServiceSwitch",
    "io.systemd.NamespaceResource",
];

/// Why accounts and groups cannot be known here and now; none = they can.
///
/// An answer "no such account" holds only if this says none behind it, too: nscd may have gone in between.
#[must_use]
pub fn is_blind() -> Option<String> {
    let is_static = cfg!(any(target_env = "musl", target_feature = "crt-static"));
    is_static.then(|| blind(Path::new("/"))).flatten()
}

/// The same for a program that reads files and asks nscd, on a machine with this root directory.
fn blind(root: &Path) -> Option<String> {
    let why = match beyond_files(root) {
        Ok(beyond) if beyond.is_empty() => return None,
        Ok(beyond) => format!("/etc/nsswitch.conf also names {}", beyond.join(", ")),
        Err(why) => why,
    };
    let nscd = UnixStream::connect(root.join(NSCD)).err()?;
    Some(format!(
        "the static build of wharf knows accounts of /etc/passwd and /etc/group, others by way of nscd only; {why}, and \
         nscd does not answer ({nscd}): install the build for glibc, or start nscd"
    ))
}

/// The sources of accounts and groups that have more than the files, in their order.
///
/// # Errors
/// A file that says so is there and cannot be read.
fn beyond_files(root: &Path) -> Result<Vec<String>, String> {
    // Without the file glibc goes by its own default, which is the files.
    let text = read(root, "etc/nsswitch.conf")?;
    let mut beyond = Vec::new();
    for (database, source) in sources(&text) {
        let is_beyond = match source {
            "files" => false,
            "compat" => is_included(&read(root, file_of(database))?),
            "systemd" => has_records(root)?,
            _ => true,
        };
        if is_beyond && !beyond.iter().any(|of| of == source) {
            beyond.push(source.to_owned());
        }
    }
    Ok(beyond)
}

/// The databases of accounts and groups with each source that `nsswitch.conf` names for them.
fn sources(text: &str) -> Vec<(&str, &str)> {
    let mut named = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some((database, sources)) = line.split_once(':') else { continue };
        let database = database.trim();
        if !["passwd", "group", "initgroups"].contains(&database) {
            continue;
        }
        // `[NOTFOUND=return !UNAVAIL=continue]` says what follows of an answer, and is no source.
        let mut in_action = false;
        for word in sources.split_whitespace() {
            in_action |= word.starts_with('[');
            if !in_action {
                named.push((database, word));
            }
            in_action &= !word.ends_with(']');
        }
    }
    named
}

fn file_of(database: &str) -> &'static str {
    if database == "passwd" { "etc/passwd" } else { "etc/group" }
}

/// Whether a file of accounts includes those of another source: `+` at the start of a line, which `compat` follows.
fn is_included(text: &str) -> bool {
    text.lines().any(|line| line.starts_with('+'))
}

/// Whether systemd knows people that the files do not have.
fn has_records(root: &Path) -> Result<bool, String> {
    for dir in RECORDS {
        if !names(root, dir)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(names(root, SERVICES)?.iter().any(|name| !NO_PEOPLE.contains(&name.as_str())))
}

/// A file's text; empty where it does not exist.
fn read(root: &Path, name: &str) -> Result<String, String> {
    let bytes = or_default(std::fs::read(root.join(name)), name)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The names in a directory; none where it does not exist.
fn names(root: &Path, dir: &str) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(root.join(dir));
    let names = entries.and_then(|entries| {
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    });
    or_default(names, dir)
}

fn or_default<T: Default>(read: io::Result<T>, name: &str) -> Result<T, String> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(format!("/{name} cannot be read ({error})")),
        Ok(read) => Ok(read),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use tempfile::TempDir;

    use super::*;

    /// A machine with these files.
    fn machine(files: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("it is ours");
            std::fs::write(path, text).expect("it is ours");
        }
        root
    }

    #[track_caller]
    fn has_beyond(files: &[(&str, &str)], beyond: &[&str]) {
        let root = machine(files);
        assert_eq!(beyond_files(root.path()).expect("all is readable"), beyond, "{files:?}");
        assert_eq!(blind(root.path()).is_some(), !beyond.is_empty(), "{files:?}");
    }

    const SWITCH: &str = "etc/nsswitch.conf";

    #[test]
    fn sources_beyond_files_are_named_once() {
        let text = "# sss here\npasswd: files sss systemd # ldap\ngroup:\tcompat [NOTFOUND=return UNAVAIL=continue] sss ldap\n\
                    hosts: files dns\n";
        has_beyond(&[(SWITCH, text)], &["sss", "ldap"]);
        has_beyond(&[(SWITCH, "passwd: files\ngroup: files systemd\nhosts: dns\n")], &[]);
        has_beyond(&[(SWITCH, "passwd\n:\n")], &[]);
        has_beyond(&[(SWITCH, "initgroups: files sss\n")], &["sss"]);
        has_beyond(&[(SWITCH, "passwd: db files\n")], &["db"]);
        has_beyond(&[], &[]);
    }

    #[test]
    fn compat_is_more_than_files_where_a_line_includes_more() {
        let switch = (SWITCH, "passwd: compat\ngroup: compat\n");
        let people = ("etc/passwd", "ada:x:7:7::/:/bin/sh\n");
        has_beyond(&[switch, people, ("etc/group", "root:x:0:\n")], &[]);
        has_beyond(&[switch, people, ("etc/group", "root:x:0:\n+:::\n")], &["compat"]);
        has_beyond(&[switch, ("etc/passwd", "+@staff::::::\n")], &["compat"]);
        has_beyond(&[(SWITCH, "passwd: files\n"), ("etc/passwd", "+::::::\n")], &[]);
    }

    #[test]
    fn systemd_is_more_than_files_where_it_knows_people() {
        let switch = (SWITCH, "passwd: files systemd\n");
        has_beyond(&[switch, ("run/systemd/userdb/io.systemd.DynamicUser", "")], &[]);
        has_beyond(&[switch, ("run/systemd/userdb/io.systemd.Home", "")], &["systemd"]);
        has_beyond(&[switch, ("etc/userdb/ada.user", "{}")], &["systemd"]);
        has_beyond(&[(SWITCH, "passwd: files\n"), ("etc/userdb/ada.user", "{}")], &[]);
    }

    #[test]
    fn nscd_counts_only_while_it_answers() {
        let root = machine(&[(SWITCH, "passwd: files sss\n"), ("var/run/nscd/pid", "")]);
        let said = blind(root.path()).expect("no nscd");
        assert!(said.contains("also names sss, and nscd does not answer"), "{said}");
        let listener = UnixListener::bind(root.path().join(NSCD)).expect("a short path");
        assert_eq!(blind(root.path()), None);
        drop(listener);
        assert!(root.path().join(NSCD).exists());
        assert!(blind(root.path()).is_some(), "a socket that was left behind");
        std::fs::remove_file(root.path().join(NSCD)).expect("it is ours");
        let _later = UnixListener::bind(root.path().join(NSCD)).expect("a short path");
        assert_eq!(blind(root.path()), None);
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_files_only() {
        let root = machine(&[("etc/nsswitch.conf/x", "")]);
        let said = blind(root.path()).expect("a directory cannot be read");
        assert!(said.contains("/etc/nsswitch.conf cannot be read"), "{said}");
    }

    #[test]
    fn a_program_that_can_ask_is_not_blind() {
        // The tests themselves run with glibc, or where files are all there is.
        assert_eq!(is_blind(), None);
    }
}
