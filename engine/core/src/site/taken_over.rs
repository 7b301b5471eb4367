//! What a reading shares with an earlier one: a text that is the same is one allocation, and what shares its
//! allocation is known to be the same without a look.

use std::sync::Arc;

use grammar::source::Source;

use super::{DropIn, Managed, SiteFiles};
use crate::known::Known;
use crate::shared_map::SharedMap;

impl SiteFiles {
    /// Takes over what did not change since an earlier reading: the same text in the same
    /// allocation, and the moment since when an unreadable file has been so.
    pub fn take_over(&mut self, earlier: &SiteFiles) {
        for (kind, file) in &mut self.workbench {
            take_over_file(file, earlier.workbench.get(kind));
        }
        for (named, file) in &mut self.cluster_files {
            take_over_file(file, earlier.cluster_files.get(named));
        }
        take_over_file(&mut self.wharf, Some(&earlier.wharf));
        for drop_in in DropIn::ALL {
            match (self.managed_mut(drop_in), earlier.managed(drop_in)) {
                (Managed::Managed(files), Managed::Managed(before)) => take_over(files, before),
                (Managed::Unknown { since, .. }, Managed::Unknown { since: before, .. }) => {
                    *since = *before.min(since);
                }
                _ => {}
            }
        }
    }
}

/// See [`SiteFiles::take_over`]: things of a directory.
fn take_over(
    files: &mut SharedMap<String, Known<Source>>,
    before: &SharedMap<String, Known<Source>>,
) {
    let others = files.changes_by(before, is_one_reading);
    let both = others.filter(|other| other.before.is_some());
    let others: Vec<String> = both.filter_map(|both| both.now.map(|_| both.key.clone())).collect();
    for stem in &others {
        if let Some(file) = files.get_mut(stem) {
            take_over_file(file, before.get(stem));
        }
    }
    files.share(before, is_one_reading);
}

/// Whether two readings of a file say the same: the same text, or the same lack of one.
pub(crate) fn is_same_file(a: &Known<Source>, b: &Known<Source>) -> bool {
    match (a, b) {
        (Known::Present(a), Known::Present(b)) => a.is(b),
        _ => is_one_reading(a, b),
    }
}

/// Whether two readings of a directory say the same.
pub(crate) fn is_same_directory(a: &Managed, b: &Managed) -> bool {
    match (a, b) {
        (Managed::NotManaged, Managed::NotManaged) => true,
        (Managed::Managed(a), Managed::Managed(b)) => {
            a.changes_by(b, is_same_file).next().is_none()
        }
        (Managed::Unknown { since, reason }, Managed::Unknown { since: before, reason: then }) => {
            since == before && reason == then
        }
        _ => false,
    }
}

/// Whether both are one: the same text in the same allocation, or unknown since the same moment.
fn is_one_reading(a: &Known<Source>, b: &Known<Source>) -> bool {
    match (a, b) {
        (Known::Present(a), Known::Present(b)) => {
            Arc::ptr_eq(&a.text, &b.text) && Arc::ptr_eq(&a.file, &b.file)
        }
        (Known::Absent, Known::Absent) => true,
        (Known::Unknown { since, reason }, Known::Unknown { since: before, reason: then }) => {
            since == before && reason == then
        }
        _ => false,
    }
}

/// See [`SiteFiles::take_over`].
fn take_over_file(file: &mut Known<Source>, before: Option<&Known<Source>>) {
    match (file, before) {
        (Known::Present(source), Some(Known::Present(before))) if source.is(before) => {
            *source = before.clone();
        }
        (Known::Unknown { since, .. }, Some(Known::Unknown { since: before, .. })) => {
            *since = *before.min(since);
        }
        _ => {}
    }
}
