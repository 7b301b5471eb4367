//! Collects the facts of the machine that files are judged by (`engine_core::facts`).
//!
//! Needs no root, no network and no engine: files are looked at with this account's rights, accounts in
//! this machine's own files only (a directory service may be slow, or away). What cannot be looked at is
//! Unknown. Of keys only the label of their first PEM block is kept. Judges nothing.

use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine_core::facts::{
    Account, Certificate, Facts, FileFacts, KeyFile, NamedFile, Ports, StorePlace,
};
use engine_core::ids::Moment;
use engine_core::known::Known;
use engine_core::site::{SiteFiles, Wanted};

use super::certificate;
use super::read::open_to_read;
use super::{Own, SiteDirs, identity, process_env, shown};
use crate::watch::network_file_system;

/// Where the product keeps keys that no file names (files.md §12).
const KEY_DIR: &str = "/var/lib/rstudio-server";
/// The program that `balancer=custom` runs (behaviour.md 1.2).
const BALANCER: &str = "/usr/lib/rstudio-server/bin/rserver-balancer";
/// The kernel's ports for outgoing connections.
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Ports that the kernel leaves out of them.
const RESERVED: &str = "/proc/sys/net/ipv4/ip_local_reserved_ports";
/// A file that should hold one certificate and a few above it is not longer than this.
const LONGEST_CERTIFICATE: u64 = 1024 * 1024;
/// A PEM block's first line stands within so many bytes, or it is no key.
const PEM_LABEL_WITHIN: u64 = 4096;

/// Looks at the machine for what a set of files speaks of, and puts it beside them.
///
/// Not for a copy: its modes are those of a checkout, and the machine that it is meant for is another.
pub(super) fn collect(files: &mut SiteFiles, now: Moment) {
    if !is_this_machines(files) {
        let reason = format!("{} is a copy: its machine is not known", files.workbench_dir);
        let keys = Facts {
            // Keys do not travel with a copy: there is nothing to be looked at, and nothing is skipped.
            cookie_key: Known::Absent,
            launcher_pem: Known::Absent,
            launcher_pub: Known::Absent,
            ..Facts::unknown(&reason, now)
        };
        files.facts = keys;
        return;
    }
    let wanted = Wanted::of(files);
    let look = Look { now };
    let key = |name: &str, named: Option<&String>| look.key(files, name, named);
    files.facts = Facts {
        files: look.sources(files),
        cookie_key: key("secure-cookie-key", wanted.cookie_key.as_ref()),
        launcher_pem: key("launcher.pem", None),
        launcher_pub: key("launcher.pub", None),
        certificate: look.certificate(wanted.certificate.as_deref()),
        certificate_key: look.named(wanted.certificate_key.as_deref()),
        ephemeral_ports: look.ephemeral_ports(),
        reserved_ports: look.reserved_ports(),
        store: look.store(wanted.store.as_deref()),
        server_user: look.account(&wanted.server_user),
        balancer_program: look.file(Path::new(BALANCER)),
        now: Known::Present(now),
    };
}

/// Whether files are those of this machine: they stand where the product looks, or are served from where
/// they are.
fn is_this_machines(files: &SiteFiles) -> bool {
    if files.own_dir == files.workbench_dir {
        return true;
    }
    let own = Own::Optional(PathBuf::from(&*files.own_dir));
    let usual = SiteDirs::find(None, own, &process_env);
    let dir = Path::new(&*files.workbench_dir);
    usual.workbench_dirs().any(|(usual, _)| {
        usual == dir || (identity(dir).is_some() && identity(usual) == identity(dir))
    })
}

/// One look at the machine.
struct Look {
    now: Moment,
}

impl Look {
    fn unknown<T>(&self, what: &Path, error: &io::Error) -> Known<T> {
        let reason = match error.kind() {
            io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        };
        Known::Unknown { since: self.now, reason: format!("{}: {reason}", what.display()) }
    }

    /// A failure as knowledge: no such file is knowledge, any other is none.
    fn found<T>(&self, path: &Path, result: io::Result<T>) -> Known<T> {
        match result {
            Ok(found) => Known::Present(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Known::Absent,
            Err(error) => self.unknown(path, &error),
        }
    }

    fn file(&self, path: &Path) -> Known<FileFacts> {
        self.found(path, std::fs::metadata(path)).map(|meta| file_facts(&meta))
    }

    /// The mode and owner of each file of the set as a whole. Of things' own files, of which there may be very many,
    /// no rule asks.
    fn sources(&self, files: &SiteFiles) -> std::collections::BTreeMap<Arc<str>, Known<FileFacts>> {
        let sources = files.of_the_set().filter_map(Known::present);
        sources
            .map(|source| (Arc::clone(&source.file), self.file(Path::new(&*source.file))))
            .collect()
    }

    /// A key where a value names it, else in the first place of those that the product searches.
    fn key(&self, files: &SiteFiles, name: &str, named: Option<&String>) -> Known<KeyFile> {
        let dirs = [&files.workbench_dir].into_iter().chain(&files.searched);
        let searched = dirs.map(|dir| Path::new(&**dir)).chain(std::iter::once(Path::new(KEY_DIR)));
        let places: Vec<PathBuf> = match named {
            Some(path) => vec![PathBuf::from(path)],
            None => searched.map(|dir| dir.join(name)).collect(),
        };
        for path in &places {
            match self.file(path) {
                Known::Absent => {}
                found => return found.map(|file| self.key_of(path, file)),
            }
        }
        Known::Absent
    }

    fn key_of(&self, path: &Path, file: FileFacts) -> KeyFile {
        KeyFile { path: shown(path), file, pem: self.pem_label(path) }
    }

    fn pem_label(&self, path: &Path) -> Known<String> {
        match read_up_to(path, PEM_LABEL_WITHIN).map(|bytes| pem_label(&bytes)) {
            Ok(Some(label)) => Known::Present(label),
            Ok(None) => Known::Absent,
            Err(error) => self.unknown(path, &error),
        }
    }

    fn named(&self, path: Option<&str>) -> Known<NamedFile<FileFacts>> {
        let Some(path) = path else { return Known::Absent };
        match self.file(Path::new(path)) {
            Known::Absent => Known::Present(NamedFile::Missing),
            found => found.map(NamedFile::There),
        }
    }

    fn certificate(&self, path: Option<&str>) -> Known<NamedFile<Certificate>> {
        let Some(path) = path else { return Known::Absent };
        let path = Path::new(path);
        match read_up_to(path, LONGEST_CERTIFICATE) {
            Ok(bytes) => Known::Present(match certificate::read(&bytes) {
                Ok(certificate) => NamedFile::There(certificate),
                Err(wrong) => NamedFile::Odd(wrong),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Known::Present(NamedFile::Missing)
            }
            Err(error) => self.unknown(path, &error),
        }
    }

    fn ephemeral_ports(&self) -> Known<Ports> {
        let path = Path::new(EPHEMERAL);
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.unknown(path, &error),
        };
        let mut ports = text.split_whitespace().map(str::parse);
        match (ports.next(), ports.next()) {
            (Some(Ok(first)), Some(Ok(last))) => Known::Present(Ports { first, last }),
            _ => self.unknown(path, &io::Error::other("holds no range")),
        }
    }

    /// `8080,9000-9100`, or nothing.
    fn reserved_ports(&self) -> Known<Vec<Ports>> {
        let path = Path::new(RESERVED);
        self.found(path, std::fs::read_to_string(path)).map(|text| reserved_ports(&text))
    }

    /// The file system of the nearest directory of a path that is there.
    fn store(&self, path: Option<&str>) -> Known<StorePlace> {
        let Some(path) = path else { return Known::Absent };
        let there = Path::new(path).ancestors().find(|dir| dir.is_dir());
        let Some(dir) = there else { return Known::Absent };
        let network = network_file_system(dir).map(str::to_owned);
        Known::Present(StorePlace { dir: shown(dir), network })
    }

    /// An account of `/etc/passwd`; one that is not there may be a directory service's.
    fn account(&self, name: &str) -> Known<Account> {
        let path = Path::new("/etc/passwd");
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.unknown(path, &error),
        };
        let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
        match account(&text, &groups, name) {
            Some(account) => Known::Present(account),
            None => self.unknown(path, &io::Error::other(format!("has no account `{name}`"))),
        }
    }
}

fn file_facts(meta: &Metadata) -> FileFacts {
    FileFacts { mode: meta.mode() & 0o7777, uid: meta.uid(), gid: meta.gid(), length: meta.len() }
}

/// The beginning of a regular file.
fn read_up_to(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let file = std::fs::File::from(open_to_read(path)?);
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The label of the first PEM block.
fn pem_label(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, _) = rest.split_once("-----")?;
    let plain = label.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' ');
    (plain && label.len() < 40).then(|| label.to_owned())
}

/// Ranges and single ports between commas; what is neither is left out.
fn reserved_ports(text: &str) -> Vec<Ports> {
    let range = |item: &str| {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        Some(Ports { first: first.parse().ok()?, last: last.parse().ok()? })
    };
    text.trim().split(',').filter_map(range).collect()
}

/// An account by passwd(5) and group(5).
fn account(passwd: &str, groups: &str, name: &str) -> Option<Account> {
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let entry = passwd.lines().map(fields).find(|entry| entry[0] == name)?;
    let uid = entry.get(2)?.parse().ok()?;
    let gid: u32 = entry.get(3)?.parse().ok()?;
    let groups: Vec<Vec<String>> = groups.lines().map(fields).filter(|g| g.len() > 3).collect();
    let is_primary = |group: &&Vec<String>| group[2].parse() == Ok(gid);
    let lists = |group: &&Vec<String>| group[3].split(',').any(|member| member == name);
    Some(Account {
        name: name.to_owned(),
        uid,
        gid,
        group: groups.iter().find(is_primary).map(|group| group[0].clone()),
        member_of: groups.iter().filter(lists).map(|group| group[0].clone()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::load::load;

    /// The facts of a directory with these files.
    fn facts(files: &[(&str, &str, u32)]) -> (tempfile::TempDir, Facts) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text, mode) in files {
            let path = dir.path().join(name);
            let text = text.replace("{DIR}", &dir.path().to_string_lossy());
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(*mode)).unwrap();
        }
        let dirs = SiteDirs::find(Some(dir.path()), Own::SelfContained, &|_| None);
        let facts = load(&dirs, &[], &open_to_read, Moment(7)).files.facts;
        (dir, facts)
    }

    #[test]
    fn files_have_their_modes_and_keys_their_length_and_label() {
        let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n";
        let (dir, facts) = facts(&[
            ("wharf.toml", "", 0o644),
            ("rserver.conf", "secure-cookie-key-file={DIR}/key\n", 0o640),
            ("key", "0123456789", 0o600),
            ("launcher.pem", pem, 0o644),
        ]);
        let rserver = format!("{}/rserver.conf", dir.path().display());
        assert_eq!(facts.file(&rserver).present().unwrap().mode, 0o640);
        let key = facts.cookie_key.present().unwrap();
        assert_eq!((key.file.length, key.file.mode), (10, 0o600));
        assert_eq!(key.pem, Known::Absent);
        let pem = facts.launcher_pem.present().unwrap();
        assert_eq!(pem.pem, Known::Present("RSA PRIVATE KEY".to_owned()));
        assert_eq!(facts.refusing().count(), 2);
        assert_eq!(facts.certificate, Known::Absent);
    }

    #[test]
    fn what_a_value_names_is_there_or_missing_or_odd() {
        let (_dir, facts) = facts(&[
            ("wharf.toml", "[store]\npath = \"/\"\n", 0o644),
            ("rserver.conf", "ssl-certificate={DIR}/x\nssl-certificate-key=/none\n", 0o644),
            ("x", "no certificate", 0o644),
        ]);
        assert!(matches!(facts.certificate, Known::Present(NamedFile::Odd(_))));
        assert_eq!(facts.certificate_key, Known::Present(NamedFile::Missing));
        assert_eq!(&*facts.store.present().unwrap().dir, "/");
    }

    #[test]
    fn of_a_copy_nothing_is_known() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("rserver.conf"), "").unwrap();
        let own = Own::Optional(dir.path().join("wharf"));
        let dirs = SiteDirs::find(Some(dir.path()), own, &|_| None);
        let facts = load(&dirs, &[], &open_to_read, Moment(7)).files.facts;
        assert!(facts.ephemeral_ports.is_unknown());
        assert_eq!(facts.cookie_key, Known::Absent);
        assert!(facts.files.is_empty());
    }

    #[test]
    fn a_label_is_one_of_pem_or_none() {
        assert_eq!(pem_label(b"x\n-----BEGIN PUBLIC KEY-----\nA"), Some("PUBLIC KEY".to_owned()));
        assert_eq!(pem_label(b"-----BEGIN secret-----"), None);
        assert_eq!(pem_label(&[0xff; 64]), None);
    }

    #[test]
    fn an_account_has_its_groups() {
        let passwd = "root:x:0:0::/:/bin/sh\nrstudio-server:x:998:997::/:/bin/false\nbroken\n";
        let groups = "staff:x:50:a,rstudio-server\nrs:x:997:\nbroken:x\n";
        let found = account(passwd, groups, "rstudio-server").unwrap();
        assert_eq!((found.uid, found.group.as_deref()), (998, Some("rs")));
        assert_eq!(found.member_of, ["staff"]);
        assert_eq!(account(passwd, groups, "nobody"), None);
    }
}
