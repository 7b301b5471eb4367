//! What lowering keeps for the next one: what each session's file came to, what all of them come to together, and
//! what that rests on.
//!
//! A session depends on its own file and on the files of the site as a whole. While those are the same, only what
//! changed below `sessions.d` is looked at; a property test holds this against lowering in full.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use grammar::error::Problem;
use grammar::source::Source;

use super::Ground;
use super::kinds::Kinds;
use super::sessions::Piece;
use crate::desired::{Secrets, SessionOrigins, SessionSpec};
use crate::ids::SessionId;
use crate::known::Known;
use crate::read_site::ReadSessions;
use crate::settings::FileSettings;
use crate::shared_map::SharedMap;
use crate::site::{Managed, SiteFiles, is_same_directory, is_same_file};

/// See the module. Cheap to copy.
#[derive(Clone, Default)]
pub struct Pieces {
    basis: Option<Arc<Basis>>,
    pub(super) read: ReadSessions,
    pub(super) sessions: Sessions,
    /// What sessions have in common: one that is lowered by itself shares it with all others.
    pub(super) kinds: Kinds,
}

/// What the files of `sessions.d` come to.
#[derive(Clone, Default)]
pub(super) struct Sessions {
    files: SharedMap<String, Known<Source>>,
    pieces: SharedMap<String, Arc<Piece>>,
    pub(super) wanted: SharedMap<SessionId, Known<Arc<SessionSpec>>>,
    pub(super) origins: SharedMap<SessionId, Arc<SessionOrigins>>,
    pub(super) settings: SharedMap<Arc<str>, Arc<FileSettings>>,
    /// Those with something wrong.
    troubled: Arc<BTreeSet<String>>,
    /// Those with secrets of their own.
    secret: Arc<BTreeSet<String>>,
}

impl Sessions {
    /// Follows the files: `piece` makes of one what there is to make, where it is not what it was.
    pub(super) fn follow(
        &mut self,
        files: &SharedMap<String, Known<Source>>,
        mut piece: impl FnMut(&str, &Known<Source>) -> Piece,
    ) {
        let before = std::mem::replace(&mut self.files, files.clone());
        for change in files.changes_by(&before, is_same_file) {
            self.remove(change.key);
            if let Some(file) = change.now.filter(|file| !matches!(file, Known::Absent)) {
                self.add(change.key, piece(change.key, file));
            }
        }
    }

    fn add(&mut self, stem: &str, piece: Piece) {
        if let Some(id) = &piece.id {
            self.wanted.insert(id.clone(), piece.wanted.clone());
            if let Some(origins) = &piece.origins {
                self.origins.insert(id.clone(), Arc::clone(origins));
            }
        }
        if let Some((file, settings)) = &piece.settings {
            self.settings.insert(Arc::clone(file), Arc::clone(settings));
        }
        if piece.has_problems() {
            Arc::make_mut(&mut self.troubled).insert(stem.to_owned());
        }
        if !piece.secrets.is_empty() {
            Arc::make_mut(&mut self.secret).insert(stem.to_owned());
        }
        self.pieces.insert(stem.to_owned(), Arc::new(piece));
    }

    fn remove(&mut self, stem: &str) {
        let Some(piece) = self.pieces.remove(stem) else { return };
        if let Some(id) = &piece.id {
            self.wanted.remove(id);
            self.origins.remove(id);
        }
        if let Some((file, _)) = &piece.settings {
            self.settings.remove(file);
        }
        for some in [&mut self.troubled, &mut self.secret] {
            if some.contains(stem) {
                Arc::make_mut(some).remove(stem);
            }
        }
    }

    /// What is wrong with them, in the order of their names.
    pub(super) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.of(&self.troubled).flat_map(Piece::problems)
    }

    /// The secrets of those that have some.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secrets> {
        self.of(&self.secret).map(|piece| &piece.secrets)
    }

    fn of<'s>(&'s self, stems: &'s BTreeSet<String>) -> impl Iterator<Item = &'s Piece> {
        stems.iter().filter_map(|stem| self.pieces.get(stem).map(|piece| &**piece))
    }
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
        Self { basis: Some(Arc::new(basis)), ..Self::default() }
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
            && self.files.iter().zip(&other.files).all(|(a, b)| is_same_file(a, b))
            && is_same_directory(&self.gateways, &other.gateways)
    }
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
        write!(f, "Pieces({})", self.sessions.pieces.len())
    }
}

#[cfg(test)]
mod tests;
