//! A set of files in parts: what two generations have in common is stored once.
//!
//! The things of our directories (`sessions.d` and its like) are cut into the runs of a
//! [`SharedMap`], so that a file that comes or goes changes one run and moves no
//! other; everything else is one part. A part is named by a keyed digest of what is in it, which tells nobody what that is.

use std::collections::BTreeMap;

use engine_core::ids::Digest;
use engine_core::known::Known;
use engine_core::shared_map::SharedMap;
use engine_core::site::{DropIn, Managed, SiteFiles};
use grammar::source::Source;
use serde::{Deserialize, Serialize};

use super::Seal;
use crate::saved::{SavedError, SavedSite, SavedThings, text_of};

/// A part as it is sealed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Stored {
    Set(SavedSite),
    Things(SavedThings),
}

/// A part of a set: its name and, on demand, its text.
pub(super) enum Part<'a> {
    Set { name: Digest, text: Vec<u8> },
    Things { name: Digest, dir: &'static str, files: &'a [(String, Known<Source>)] },
}

impl Part<'_> {
    pub(super) fn name(&self) -> Digest {
        match self {
            Part::Set { name, .. } | Part::Things { name, .. } => *name,
        }
    }

    pub(super) fn into_text(self) -> serde_json::Result<Vec<u8>> {
        match self {
            Part::Set { text, .. } => Ok(text),
            Part::Things { dir, files, .. } => {
                let files = files.iter().map(|(stem, file)| (stem.clone(), text_of(file)));
                let things = SavedThings::from([(dir.to_owned(), files.collect())]);
                serde_json::to_vec(&Stored::Things(things))
            }
        }
    }
}

/// Names of the runs that were looked at last, by where they are. That says what is in them, since those maps are
/// kept and their runs never change.
#[derive(Default)]
pub(super) struct RunNames {
    of: BTreeMap<DropIn, (Files, BTreeMap<usize, Digest>)>,
}

type Files = SharedMap<String, Known<Source>>;

/// A set's parts, the one with everything but things first.
pub(super) fn parts<'a>(
    files: &'a SiteFiles,
    seal: &Seal,
    known: &mut RunNames,
) -> serde_json::Result<Vec<Part<'a>>> {
    let text = serde_json::to_vec(&Stored::Set(SavedSite::without_things(files)))?;
    let mut parts = vec![Part::Set { name: seal.name(&text), text }];
    for drop_in in DropIn::ALL {
        let Managed::Managed(files) = files.managed(drop_in) else { continue };
        let mut names = BTreeMap::new();
        for run in files.runs() {
            let (at, files) = (std::ptr::from_ref(run).addr(), run.entries());
            let before = known.of.get(&drop_in).and_then(|(_, names)| names.get(&at)).copied();
            let name = before.unwrap_or_else(|| seal.name(&what_is_in(drop_in, files)));
            names.insert(at, name);
            parts.push(Part::Things { name, dir: drop_in.dir_name(), files });
        }
        known.of.insert(drop_in, (files.clone(), names));
    }
    Ok(parts)
}

/// A set made of its parts again, in any order; none if one is not what was stored.
pub(super) fn joined(parts: impl Iterator<Item = Option<Vec<u8>>>) -> Option<SiteFiles> {
    let mut set = None;
    let mut things = Vec::new();
    for part in parts {
        match serde_json::from_slice(&part?).ok()? {
            Stored::Set(saved) => set = Some(saved),
            Stored::Things(some) => things.push(some),
        }
    }
    let mut set = set?;
    things.into_iter().for_each(|some| set.add(some));
    set.into_files().map_err(|SavedError::Newer { .. }| ()).ok()
}

/// What a run's name is made of: everything that its text will hold, texts by their digests.
fn what_is_in(drop_in: DropIn, files: &[(String, Known<Source>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut frame = |part: &[u8]| {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part);
    };
    frame(drop_in.dir_name().as_bytes());
    for (stem, file) in files {
        frame(stem.as_bytes());
        match file {
            Known::Present(source) => {
                frame(source.file.as_bytes());
                frame(Digest::of_source(source).bytes());
            }
            Known::Absent => frame(b"absent"),
            Known::Unknown { since, reason } => {
                frame(&since.0.to_le_bytes());
                frame(reason.as_bytes());
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn set(stems: impl Iterator<Item = u32>, text: impl Fn(u32) -> String) -> SiteFiles {
        let mut files = SiteFiles::nothing("/etc/rstudio", "/etc/wharf");
        let file = |n| {
            let stem = format!("s{n:05}");
            let file = Source::new(format!("/etc/wharf/sessions.d/{stem}.toml"), text(n));
            (stem, Known::Present(file))
        };
        files.sessions = Managed::Managed(stems.map(file).collect());
        files
    }

    fn names(files: &SiteFiles) -> BTreeSet<Digest> {
        parts(files, &Seal::new(&[7; 32]), &mut RunNames::default())
            .unwrap()
            .iter()
            .map(Part::name)
            .collect()
    }

    #[test]
    fn a_file_that_comes_goes_or_changes_is_one_part_more() {
        let text = |n: u32| format!("user = \"u{n}\"\n");
        let all = names(&set(0..5_000, text));
        assert!((40..160).contains(&all.len()), "{}", all.len());
        let others = [
            set((0..5_000).filter(|n| *n != 2_345), text),
            set(0..5_001, text),
            set(0..5_000, |n| if n == 17 { "x = 1\n".to_owned() } else { text(n) }),
        ];
        for other in others {
            let new = names(&other).difference(&all).count();
            assert_eq!(new, 1, "of {}", all.len());
        }
    }

    #[test]
    fn parts_are_joined_to_the_same_set() {
        let mut files = set(0..300, |n| format!("n = {n}\n"));
        files.gateways = Managed::Managed(SharedMap::new());
        let unknown = Known::Unknown {
            since: engine_core::ids::Moment(5),
            reason: "permission denied".to_owned(),
        };
        files.nodes = Managed::Managed(SharedMap::from([("a".to_owned(), unknown)]));
        let texts = || {
            let parts = parts(&files, &Seal::new(&[7; 32]), &mut RunNames::default()).unwrap();
            parts.into_iter().rev().map(|part| Some(part.into_text().unwrap()))
        };
        assert_eq!(joined(texts()).unwrap().digest(), files.digest());
        assert!(joined(texts().take(2)).is_none(), "without the set itself there is none");
        assert!(joined(texts().chain([None])).is_none(), "a part that is gone");
    }
}
