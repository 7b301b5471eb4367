//! Sessions' files as read. There may be very many, so what was read of a file is kept as long as the file is the
//! same, and what rules across files ask for is found without a look at each.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use grammar::own::{OwnRead, SessionFile, read_session};
use grammar::source::Source;

use crate::known::Known;
use crate::shared_map::SharedMap;
use crate::site::{Managed, is_same_file};

/// A session's file as read.
#[derive(Clone, Debug)]
pub struct ReadSession {
    /// Its text.
    pub source: Source,
    /// What it says, none where it has errors; and all that is wrong inside it.
    pub read: Arc<OwnRead<SessionFile>>,
}

impl Deref for ReadSession {
    type Target = OwnRead<SessionFile>;

    fn deref(&self) -> &OwnRead<SessionFile> {
        &self.read
    }
}

/// The files of `sessions.d`, by name without `.toml`; those that could not be read are not in it. Cheap to copy.
#[derive(Clone, Debug, Default)]
pub struct ReadSessions {
    files: SharedMap<String, Known<Source>>,
    read: SharedMap<String, ReadSession>,
    /// Those of which a rule across files may have something to say.
    notable: Arc<BTreeSet<String>>,
}

impl ReadSessions {
    /// Reads the files that are not those of `earlier`.
    pub(super) fn after(managed: &Managed, earlier: &Self) -> Self {
        let files = managed.shared();
        let (mut read, mut notable) = (earlier.read.clone(), Arc::clone(&earlier.notable));
        for change in files.changes_by(&earlier.files, is_same_file) {
            let now = change.now.and_then(Known::present).map(|source| ReadSession {
                source: source.clone(),
                read: Arc::new(read_session(source)),
            });
            let is_notable = now.as_ref().is_some_and(is_notable);
            match now {
                Some(session) => drop(read.insert(change.key.clone(), session)),
                None => drop(read.remove(change.key)),
            }
            if is_notable {
                Arc::make_mut(&mut notable).insert(change.key.clone());
            } else if notable.contains(change.key) {
                Arc::make_mut(&mut notable).remove(change.key);
            }
        }
        Self { files, read, notable }
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, stem: &str) -> Option<&ReadSession> {
        self.read.get(stem)
    }

    /// Those that are published, that say where they start, or where they may run, in the order of their names.
    pub fn notable(&self) -> impl Iterator<Item = &ReadSession> {
        self.notable.iter().filter_map(|stem| self.read.get(stem))
    }
}

fn is_notable(session: &ReadSession) -> bool {
    session.own.as_ref().is_some_and(|own| {
        let fields = &own.value.fields;
        fields.publish.is_some() || fields.working_dir.is_some() || fields.placement.is_some()
    })
}
