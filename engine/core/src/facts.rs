//! Facts of the machine that files are judged by: modes and owners of files, keys, a certificate, ports.
//!
//! Plain values, each [`Known`]: what nobody could say makes a rule skipped, never failed. The shell
//! collects them after reading (`load` in the engine); no root, no network and no engine is needed. The bytes
//! of keys never come here. Read next: [`crate::lint`].

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::Moment;
use crate::known::Known;

/// Bytes that a `secure-cookie-key` needs at least; with less the product does not start (files.md §12).
pub const COOKIE_KEY_BYTES: u64 = 32;

/// Everything that is known of the machine around a set of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Files that were read, by path as shown; those that are not here were not looked at.
    pub files: BTreeMap<Arc<str>, Known<FileFacts>>,
    /// `secure-cookie-key`, where the product looks for it.
    pub cookie_key: Known<KeyFile>,
    /// `launcher.pem`, likewise.
    pub launcher_pem: Known<KeyFile>,
    /// `launcher.pub`, likewise.
    pub launcher_pub: Known<KeyFile>,
    /// What `ssl-certificate` names; absent where it names nothing.
    pub certificate: Known<NamedFile<Certificate>>,
    /// What `ssl-certificate-key` names; absent where it names nothing.
    pub certificate_key: Known<NamedFile<FileFacts>>,
    /// The kernel's range of ports for outgoing connections (`ip_local_port_range`).
    pub ephemeral_ports: Known<Ports>,
    /// Ports that the kernel leaves out of it (`ip_local_reserved_ports`).
    pub reserved_ports: Known<Vec<Ports>>,
    /// The directory of our embedded store, or what of its path there is.
    pub store: Known<StorePlace>,
    /// The account `server-user`, from this machine's own files; a directory service is not asked.
    pub server_user: Known<Account>,
    /// Whether the program that `balancer=custom` runs is there.
    pub balancer_program: Known<FileFacts>,
    /// When this was looked at.
    pub now: Known<Moment>,
}

/// A file as a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Its permissions, the lowest twelve bits of its mode.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its length in bytes.
    pub length: u64,
}

impl FileFacts {
    /// Whether everybody may read it.
    #[must_use]
    pub fn everybody_reads(&self) -> bool {
        self.mode & 0o004 != 0
    }

    /// Whether its group may read it.
    #[must_use]
    pub fn group_reads(&self) -> bool {
        self.mode & 0o040 != 0
    }

    /// Its permissions as people write them: `0640`.
    #[must_use]
    pub fn octal(&self) -> String {
        format!("{:04o}", self.mode)
    }
}

/// A key that the product looks for by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// Where it was found, as shown.
    pub path: Arc<str>,
    /// It as a file.
    pub file: FileFacts,
    /// The label of its first PEM block, such as `RSA PRIVATE KEY`; absent in a file without one.
    pub pem: Known<String>,
}

/// A file that a value names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedFile<T> {
    /// It is there.
    There(T),
    /// There is no such file.
    Missing,
    /// It is there and not what it should be, in words for a person.
    Odd(String),
}

/// A certificate: whom it stands for and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its DNS names and addresses; its common name where it has none, in lower case.
    pub names: Vec<String>,
    /// When it begins to be valid.
    pub from: Moment,
    /// When it ends.
    pub until: Moment,
}

/// Ports from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

/// Where the embedded store lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorePlace {
    /// The directory that was looked at.
    pub dir: Arc<str>,
    /// The network file system that it is on, if on one that is known.
    pub network: Option<String>,
}

/// An account of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Its primary group's number.
    pub gid: u32,
    /// Its primary group's name, if this machine's own files have one.
    pub group: Option<String>,
    /// Groups of this machine's own files that list it as a member.
    pub member_of: Vec<String>,
}

impl Default for Facts {
    /// Nobody looked.
    fn default() -> Self {
        Self::unknown("the machine was not looked at", Moment::default())
    }
}

impl Facts {
    /// Nothing is known, for one reason.
    #[must_use]
    pub fn unknown(reason: &str, since: Moment) -> Self {
        fn unseen<T>(reason: &str, since: Moment) -> Known<T> {
            Known::Unknown { since, reason: reason.to_owned() }
        }
        Self {
            files: BTreeMap::new(),
            cookie_key: unseen(reason, since),
            launcher_pem: unseen(reason, since),
            launcher_pub: unseen(reason, since),
            certificate: unseen(reason, since),
            certificate_key: unseen(reason, since),
            ephemeral_ports: unseen(reason, since),
            reserved_ports: unseen(reason, since),
            store: unseen(reason, since),
            server_user: unseen(reason, since),
            balancer_program: unseen(reason, since),
            now: unseen(reason, since),
        }
    }

    /// A file that was read, as a file.
    #[must_use]
    pub fn file(&self, path: &str) -> Known<FileFacts> {
        self.files.get(path).cloned().unwrap_or_else(|| Known::Unknown {
            since: Moment::default(),
            reason: "its mode was not looked at".to_owned(),
        })
    }

    /// Whether the cookie key is known to be too short for the product to start.
    #[must_use]
    pub fn short_cookie_key(&self) -> Option<&KeyFile> {
        self.cookie_key.present().filter(|key| key.file.length < COOKIE_KEY_BYTES)
    }

    /// Whether the launcher's key is known to be readable by more than its owner, which the product
    /// rejects (files.md §13).
    #[must_use]
    pub fn open_launcher_key(&self) -> Option<&KeyFile> {
        self.launcher_pem.present().filter(|key| key.file.mode & 0o077 != 0)
    }

    /// The facts that refuse a set of files, by name: they belong to its digest. All others do not, nor
    /// does any that is well: a set without facts, a stored one, is the same set.
    pub fn refusing(&self) -> impl Iterator<Item = &'static str> {
        let short = self.short_cookie_key().map(|_| "short secure-cookie-key");
        let open = self.open_launcher_key().map(|_| "open launcher.pem");
        short.into_iter().chain(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(mode: u32, length: u64) -> Known<KeyFile> {
        let file = FileFacts { mode, uid: 0, gid: 0, length };
        Known::Present(KeyFile { path: "/k".into(), file, pem: Known::Absent })
    }

    #[test]
    fn who_reads_a_file_is_told_by_its_mode() {
        for (mode, everybody, group) in [
            (0o600, false, false),
            (0o640, false, true),
            (0o604, true, false),
            (0o733, false, false),
            (0o644, true, true),
        ] {
            let file = FileFacts { mode, uid: 0, gid: 0, length: 0 };
            assert_eq!(
                (file.everybody_reads(), file.group_reads()),
                (everybody, group),
                "{mode:o}"
            );
        }
    }

    #[test]
    fn keys_that_the_product_rejects_refuse_and_say_which() {
        let refusing = |cookie: Known<KeyFile>, pem: Known<KeyFile>| {
            let facts =
                Facts { cookie_key: cookie, launcher_pem: pem, ..Facts::unknown("", Moment(1)) };
            facts.refusing().collect::<Vec<_>>()
        };
        assert!(refusing(key(0o600, COOKIE_KEY_BYTES), key(0o600, 1)).is_empty());
        let short = key(0o600, COOKIE_KEY_BYTES - 1);
        assert_eq!(refusing(short.clone(), Known::Absent), ["short secure-cookie-key"]);
        assert_eq!(refusing(Known::Absent, key(0o640, 9)), ["open launcher.pem"]);
        let both = ["short secure-cookie-key", "open launcher.pem"];
        assert_eq!(refusing(short, key(0o601, 9)), both);
    }
}
