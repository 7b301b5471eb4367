//! What the last start of an instance has put on record, and how it is found again without looking at any file of the
//! site: by what it was told.
//!
//! It says where things are and nothing of what the files ask for: that is in the store.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use engine_core::known::Known;
use engine_core::whereabouts::{Earlier, Found, Named, last};
use serde::{Deserialize, Serialize};

use super::Start;
use crate::cli::{Global, Place};
use crate::layout::Layout;
use crate::load::{Own, SearchDir, SiteDirs, Workbench};
use crate::whole_file;

/// The format of the record.
const FORMAT: u32 = 1;

/// As it is from every directory that a process is in.
fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// By what a start is found again: what it was told, without looking at any file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Key {
    /// The directory that was given.
    given: Option<PathBuf>,
    /// What goes before absolute paths.
    root: Option<PathBuf>,
    /// Variables that name directories, as far as they say anything beside that.
    #[serde(default)]
    env: BTreeMap<String, String>,
}

impl Key {
    pub(super) fn of(global: &Global, dir: Option<&Path>) -> Self {
        let given = dir.or(global.config.as_deref()).map(whole);
        let env = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self::told(given, global.root.as_deref().map(whole), &env)
    }

    fn told(
        given: Option<PathBuf>,
        root: Option<PathBuf>,
        env: &dyn Fn(&str) -> Option<OsString>,
    ) -> Self {
        let search: &[&str] =
            if given.is_some() { &[] } else { &["RSTUDIO_CONFIG_DIR", "XDG_CONFIG_DIRS"] };
        let names = search.iter().chain(&["WHARF_OWN_DIR"]);
        let set = |name: &&str| {
            let value = env(name)?;
            // A list of directories, or one that begins with a name that is filled in, is no path yet.
            let is_path = *name != "XDG_CONFIG_DIRS"
                && !matches!(value.as_encoded_bytes().first(), Some(b'~' | b'$'));
            let value = if is_path { whole(Path::new(&value)).into_os_string() } else { value };
            Some(((*name).to_owned(), value.to_string_lossy().into_owned()))
        };
        Self { given, root, env: names.filter_map(set).collect() }
    }

    /// Whose files they are, in words.
    pub(super) fn site(&self) -> String {
        self.given.as_ref().map_or("this machine".to_owned(), |dir| dir.display().to_string())
    }
}

/// Where things of an instance were at its last start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Record {
    format: u32,
    #[serde(flatten)]
    key: Key,
    pub(super) instance: String,
    pub(super) self_contained: bool,
    pub(super) store: Option<PathBuf>,
    /// What `wharf.toml` named; none = there was none. One that does not say is taken for one of a start that had one.
    #[serde(default = "PolicyRecord::unsaid")]
    policy: Option<PolicyRecord>,
    workbench: WorkbenchRecord,
    own: OwnRecord,
    dirs_root: PathBuf,
}

/// What `wharf.toml` named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PolicyRecord {
    instance: Option<String>,
    store: Option<String>,
    config_dir: Option<String>,
}

impl PolicyRecord {
    fn unsaid() -> Option<Self> {
        Some(Self::default())
    }
}

/// What each version's record says first.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// Where Workbench's files were looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WorkbenchRecord {
    Explicit(PathBuf),
    /// Each with whether it was there.
    Search(Vec<(PathBuf, bool)>),
}

/// Where ours were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OwnRecord {
    SelfContained,
    Required(PathBuf),
    Optional(PathBuf),
}

impl Record {
    pub(super) fn of(key: Key, start: &Start) -> Self {
        let workbench = match &start.dirs.workbench {
            Workbench::Explicit(dir) => WorkbenchRecord::Explicit(whole(dir)),
            Workbench::Search(dirs) => WorkbenchRecord::Search(
                dirs.iter().map(|dir| (whole(&dir.path), dir.required)).collect(),
            ),
        };
        let own = match &start.dirs.own {
            Own::SelfContained => OwnRecord::SelfContained,
            Own::Required(dir) => OwnRecord::Required(whole(dir)),
            Own::Optional(dir) => OwnRecord::Optional(whole(dir)),
        };
        let policy = start.named.clone().map(|named| PolicyRecord {
            instance: named.instance,
            store: named.store,
            config_dir: named.config_dir,
        });
        Self {
            format: FORMAT,
            key,
            instance: start.instance.clone(),
            self_contained: start.ground.self_contained,
            store: start.store.as_deref().map(whole),
            policy,
            workbench,
            own,
            dirs_root: whole(&start.dirs.root),
        }
    }

    /// Where that of an instance is.
    pub(super) fn path(layout: &Layout) -> PathBuf {
        layout.state.join("start.json")
    }

    /// Where there is a file that this version cannot make sense of, there was a start of which nothing is known.
    pub(super) fn read(path: &Path) -> Known<Self> {
        let unknown = |why: String| {
            let reason = format!("{} {why}", path.display());
            Known::Unknown { since: crate::cli::now(), reason }
        };
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Known::Absent,
            Err(error) => return unknown(format!("cannot be read: {error}")),
        };
        match serde_json::from_slice(&text) {
            Ok(Version { format }) if format != FORMAT => {
                unknown(format!("is of another version of wharf (format {format})"))
            }
            Ok(_) => serde_json::from_slice(&text)
                .map_or_else(|error| unknown(format!("makes no sense: {error}")), Known::Present),
            Err(error) => unknown(format!("makes no sense: {error}")),
        }
    }

    /// Writes it in its instance's state, so that it is the last one of those that were told the same, and the only one:
    /// an instance whose files were given another name has another state.
    ///
    /// # Errors
    /// It cannot be written, or an earlier one of another instance stays.
    pub(super) fn put(&self, here: &Place, layout: &Layout) -> io::Result<()> {
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        whole_file::put(&Self::path(layout), &text)?;
        // By their instance: the same file may have two names.
        for found in Self::all_of(here, &self.key) {
            if let Found::Same { lies_in, instance, .. } = found
                && lies_in == instance
                && instance != self.instance
            {
                std::fs::remove_file(Self::path(&here.layout(&instance)))?;
            }
        }
        Ok(())
    }

    /// The last start that was told the same.
    pub(super) fn find(here: &Place, key: &Key) -> Known<Self> {
        last(Self::all_of(here, key), crate::cli::now())
    }

    /// Of every instance that was told this, or of which it cannot be read what it was told.
    fn all_of(here: &Place, key: &Key) -> Vec<Found<Self>> {
        let found = here.instances().into_keys().filter_map(|lies_in| {
            let path = Self::path(&here.layout(&lies_in));
            match Self::read(&path) {
                Known::Present(record) if record.key == *key => {
                    let (path, instance) = (path.display().to_string(), record.instance.clone());
                    Some(Found::Same { path, lies_in, instance, record })
                }
                Known::Unknown { reason, .. } => Some(Found::Unreadable(reason)),
                Known::Present(_) | Known::Absent => None,
            }
        });
        found.collect()
    }

    /// What it says of the policy, for deciding whether the files are believed.
    pub(super) fn earlier(&self) -> Earlier {
        Earlier {
            policy: self.policy.is_some(),
            self_contained: self.self_contained,
            instance: self.instance.clone(),
            is_named: self.policy.as_ref().is_some_and(|policy| policy.instance.is_some()),
        }
    }

    /// What `wharf.toml` named.
    pub(super) fn named(&self) -> Option<Named> {
        self.policy.clone().map(|policy| Named {
            instance: policy.instance,
            store: policy.store,
            config_dir: policy.config_dir,
        })
    }

    pub(super) fn site_dirs(&self) -> SiteDirs {
        let workbench = match &self.workbench {
            WorkbenchRecord::Explicit(dir) => Workbench::Explicit(dir.clone()),
            WorkbenchRecord::Search(dirs) => Workbench::Search(
                dirs.iter()
                    .map(|(path, required)| SearchDir { path: path.clone(), required: *required })
                    .collect(),
            ),
        };
        let own = match &self.own {
            OwnRecord::SelfContained => Own::SelfContained,
            OwnRecord::Required(dir) => Own::Required(dir.clone()),
            OwnRecord::Optional(dir) => Own::Optional(dir.clone()),
        };
        SiteDirs { workbench, own, root: self.dirs_root.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One as it is written, of a site at `/srv/site`.
    fn text(instance: &str) -> String {
        format!(
            r#"{{"format":1,"given":"/srv/site","root":null,"env":{{}},"instance":"{instance}","self-contained":true,
            "store":null,"policy":null,"workbench":{{"explicit":"/srv/site"}},"own":"self-contained","dirs-root":""}}"#
        )
    }

    fn key() -> Key {
        Key::told(Some("/srv/site".into()), None, &|_| None)
    }

    #[test]
    fn a_record_is_put_and_stays_where_its_directory_is_reached_by_another_name() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, link) = (dir.path().join("disk"), dir.path().join("link"));
        std::fs::create_dir(&disk).unwrap();
        std::os::unix::fs::symlink("disk", &link).unwrap();
        let here = Place::below(&link);
        for instance in ["u", "t"] {
            let layout = here.layout(instance);
            std::fs::create_dir_all(&layout.state).unwrap();
            std::fs::write(layout.state.join("key"), "").unwrap();
            let state = layout.state.canonicalize().unwrap();
            let record: Record = serde_json::from_str(&text(instance)).unwrap();
            record.put(&here, &Layout { state, ..layout }).unwrap();
            assert_eq!(Record::find(&here, &key()), Known::Present(record));
        }
        assert!(!Record::path(&here.layout("u")).exists());
        // Two of them, and one that lies elsewhere.
        std::fs::write(Record::path(&here.layout("u")), text("u")).unwrap();
        let found = Record::find(&here, &key());
        let why = found.unknown_reason().unwrap();
        assert!(why.contains("/t/start.json") && why.contains("/u/start.json"), "{why}");
        std::fs::write(Record::path(&here.layout("u")), text("t")).unwrap();
        assert_eq!(
            Record::find(&here, &key()).map(|record| record.instance),
            Known::Present("t".to_owned())
        );
    }

    #[test]
    fn what_cannot_be_read_is_an_earlier_start_of_which_nothing_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("start.json");
        assert_eq!(Record::read(&path), Known::Absent);
        for (text, why) in [
            ("{\"format\":2,\"all\":\"new\"}".to_owned(), "another version of wharf (format 2)"),
            (text("t")[..40].to_owned(), "makes no sense"),
            ("{}".to_owned(), "makes no sense"),
            (text("t").replace("\"instance\"", "\"i\""), "makes no sense"),
        ] {
            std::fs::write(&path, &text).unwrap();
            let read = Record::read(&path);
            let reason = read.unknown_reason().expect(&text);
            assert!(reason.contains(why) && reason.contains("start.json"), "{text}: {reason}");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(
            Record::read(&path).unknown_reason().is_some_and(|why| why.contains("cannot be read"))
        );
    }

    #[test]
    fn a_record_that_does_not_say_whether_there_was_a_policy_is_of_a_start_that_had_one() {
        let record: Record = serde_json::from_str(&text("t")).unwrap();
        assert!(!record.earlier().policy);
        let before = text("t").replace("\"policy\":null,", "");
        let record: Record = serde_json::from_str(&before).unwrap();
        let (policy, is_named) = (record.earlier().policy, record.earlier().is_named);
        assert_eq!((policy, is_named, record.instance.as_str()), (true, false, "t"));
    }

    #[test]
    fn a_start_is_found_again_from_every_directory() {
        let here = std::env::current_dir().unwrap();
        let env = |name: &str| match name {
            "RSTUDIO_CONFIG_DIR" => Some(OsString::from("conf")),
            "WHARF_OWN_DIR" => Some(OsString::from("~/wharf")),
            _ => None,
        };
        let env = Key::told(None, None, &env).env;
        assert_eq!(env["RSTUDIO_CONFIG_DIR"], here.join("conf").display().to_string());
        assert_eq!(env["WHARF_OWN_DIR"], "~/wharf");
    }
}
