//! Whether this program can ask the machine's directory of accounts at all.
//!
//! glibc asks LDAP, SSSD and their like through libraries that it loads (nsswitch.conf(5)); a static program cannot load
//! them and reads `/etc/passwd` and `/etc/group`, or asks nscd where that runs. On a machine that names more sources it
//! would take people for strangers and leave groups out: so accounts are Unknown there, and starts are held.

use std::path::Path;
use std::sync::OnceLock;

/// Where nscd listens; musl asks it for what the files do not have.
const NSCD: &str = "/var/run/nscd/socket";

/// Sources that are files, or make up what the files would have.
const FILES: [&str; 4] = ["files", "compat", "systemd", "db"];

/// Why accounts and groups cannot be known here; none = they can.
#[must_use]
pub fn is_blind() -> Option<&'static str> {
    static BLIND: OnceLock<Option<String>> = OnceLock::new();
    let look = || {
        let is_static = cfg!(any(target_env = "musl", target_feature = "crt-static"));
        // Without the file glibc goes by its own default, which is the files.
        let text = std::fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
        blind(is_static && !Path::new(NSCD).exists(), &text)
    };
    BLIND.get_or_init(look).as_deref()
}

fn blind(files_only: bool, nsswitch: &str) -> Option<String> {
    let beyond = beyond_files(nsswitch);
    (files_only && !beyond.is_empty()).then(|| {
        format!(
            "the static build of wharf knows accounts of /etc/passwd and /etc/group only, and nsswitch.conf also \
             names {}: install the build for glibc",
            beyond.join(", ")
        )
    })
}

/// The sources of accounts and groups that are no files, in their order.
fn beyond_files(nsswitch: &str) -> Vec<&str> {
    let mut beyond = Vec::new();
    for line in nsswitch.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some((database, sources)) = line.split_once(':') else { continue };
        if !["passwd", "group", "initgroups"].contains(&database.trim()) {
            continue;
        }
        // `[NOTFOUND=return !UNAVAIL=continue]` says what follows of an answer, and is no source.
        let mut in_action = false;
        for word in sources.split_whitespace() {
            in_action |= word.starts_with('[');
            if !in_action && !FILES.contains(&word) && !beyond.contains(&word) {
                beyond.push(word);
            }
            in_action &= !word.ends_with(']');
        }
    }
    beyond
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_beyond_files_are_named_once() {
        let text = "# sss here\npasswd: files sss systemd # ldap\ngroup:\tcompat [NOTFOUND=return UNAVAIL=continue] sss ldap\n\
                    hosts: files dns\n";
        assert_eq!(beyond_files(text), ["sss", "ldap"]);
        assert!(beyond_files("passwd: files\ngroup: files systemd\nhosts: dns\n").is_empty());
        assert!(beyond_files("passwd\n:\n").is_empty());
    }

    #[test]
    fn only_a_program_that_cannot_ask_is_blind_and_only_where_there_is_more_to_ask() {
        let sss = "passwd: files sss\n";
        assert_eq!(blind(false, sss), None);
        assert_eq!(blind(true, "passwd: files\n"), None);
        assert!(blind(true, sss).is_some_and(|why| why.contains("also names sss: install")));
        // The tests themselves run with glibc, or where files are all there is.
        assert_eq!(is_blind(), None);
    }
}
