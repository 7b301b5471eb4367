//! What lowering keeps for the next one: what each session's file came to, and what all of that rests on.
//!
//! A session depends on its own file and on the files of the site as a whole. While those are the same,
//! only what changed below `sessions.d` is made anew; a property test holds this against lowering in full.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use grammar::source::Source;

use super::Ground;
use super::sessions::Piece;
use crate::known::Known;
use crate::site::{Managed, SiteFiles};

/// See the module. Cheap to copy.
#[derive(Clone, Default)]
pub struct Pieces {
    basis: Option<Arc<Basis>>,
    sessions: Arc<BTreeMap<String, Arc<Piece>>>,
}

/// Everything that every session rests on.
struct Basis {
    dirs: Vec<Arc<str>>,
    ground: Ground,
    files: Vec<Known<Source>>,
    gateways: Managed,
}

impl Pieces {
    /// None yet, for a site.
    pub(super) fn of(files: &SiteFiles, ground: &Ground) -> Self {
        let dirs = [&files.workbench_dir, &files.own_dir, &files.root].into_iter();
        let basis = Basis {
            dirs: dirs.chain(&files.searched).cloned().collect(),
            ground: ground.clone(),
            files: files.of_the_set().cloned().collect(),
            gateways: files.gateways.clone(),
        };
        Self { basis: Some(Arc::new(basis)), sessions: Arc::default() }
    }

    /// What was made of the file of a session.
    pub(super) fn piece(&self, stem: &str) -> Option<&Arc<Piece>> {
        self.sessions.get(stem)
    }

    /// Keeps what was made of the file of a session.
    pub(super) fn keep(&mut self, stem: &str, piece: Arc<Piece>) {
        Arc::make_mut(&mut self.sessions).insert(stem.to_owned(), piece);
    }

    /// Whether both rest on the same.
    pub(super) fn rest_on_the_same(&self, other: &Pieces) -> bool {
        matches!((&self.basis, &other.basis), (Some(a), Some(b)) if a.is(b))
    }
}

impl Basis {
    fn is(&self, other: &Basis) -> bool {
        self.dirs == other.dirs
            && self.ground == other.ground
            && self.files.len() == other.files.len()
            && self.files.iter().zip(&other.files).all(|(a, b)| is_same(a, b))
            && are_same(&self.gateways, &other.gateways)
    }
}

/// Whether two files are known to say the same. What is unknown is the same as nothing.
fn is_same(a: &Known<Source>, b: &Known<Source>) -> bool {
    match (a, b) {
        (Known::Present(a), Known::Present(b)) => a.is(b),
        (Known::Absent, Known::Absent) => true,
        _ => false,
    }
}

fn are_same(a: &Managed, b: &Managed) -> bool {
    let same_kind = std::mem::discriminant(a) == std::mem::discriminant(b);
    let mut pairs = a.files().zip(b.files());
    same_kind
        && a.files().count() == b.files().count()
        && pairs.all(|((stem, file), (other, then))| stem == other && is_same(file, then))
}

impl PartialEq for Pieces {
    /// What is kept for later tells nothing of what is asked for.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Pieces {
    /// Tells how many there are: texts of secrets are among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pieces({})", self.sessions.len())
    }
}
