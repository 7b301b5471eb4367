//! Every option that a site sets, flat: what two sites are compared by, and what plans list first.
//!
//! Made by lowering beside `Desired`; knows nothing of sessions.

use std::cmp::Ordering;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use grammar::catalogue;
use serde::{Deserialize, Serialize};

use crate::ids::Digest;
use crate::plan::Because;
use crate::shared_map::SharedMap;

/// What an option is told apart by. In the order of file, scope and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingKey {
    /// The file's short name.
    pub file: Arc<str>,
    /// What it applies to, in the file's words: `JobType session`, `cluster Slurm`; empty = everything.
    pub scope: Arc<str>,
    /// The option's name.
    pub option: String,
}

impl Ord for SettingKey {
    fn cmp(&self, other: &Self) -> Ordering {
        // Those of one file and of one record share these texts.
        let shared = |a: &Arc<str>, b: &Arc<str>| {
            if Arc::ptr_eq(a, b) { Ordering::Equal } else { a.cmp(b) }
        };
        shared(&self.file, &other.file)
            .then_with(|| shared(&self.scope, &other.scope))
            .then_with(|| self.option.cmp(&other.option))
    }
}

impl PartialOrd for SettingKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One option as set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its line, from 1.
    pub line: u32,
    /// The value as it may be shown.
    pub value: String,
    /// What a secret value is compared by.
    pub secret: Option<Digest>,
    /// When a change of it takes effect here.
    pub effect: Takes,
    /// Its row in the catalogue; none for options of our own files and names that it does not have.
    pub row: Option<&'static catalogue::OptionRow>,
}

/// When a change of an option takes effect here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Takes {
    /// At once.
    Live,
    /// For sessions that start later.
    NextStart,
    /// By a restart of sessions.
    SessionRestart,
    /// By a restart of the engine.
    DaemonRestart,
    /// Not in this version, or not at all.
    No,
}

impl std::fmt::Display for Takes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Takes::Live => "live",
            Takes::NextStart => "next-start",
            Takes::SessionRestart => "session-restart",
            Takes::DaemonRestart => "daemon-restart",
            Takes::No => "no effect",
        })
    }
}

impl From<&catalogue::OptionRow> for Takes {
    fn from(row: &catalogue::OptionRow) -> Self {
        takes(row.state, row.effect)
    }
}

/// When a change of an option takes effect that is in this state: one that does not act has no effect.
fn takes(state: catalogue::State, effect: catalogue::Effect) -> Takes {
    match effect {
        _ if !matches!(state, catalogue::State::Acts { .. }) => Takes::No,
        catalogue::Effect::Live => Takes::Live,
        catalogue::Effect::NextStart => Takes::NextStart,
        catalogue::Effect::SessionRestart => Takes::SessionRestart,
        catalogue::Effect::DaemonRestart => Takes::DaemonRestart,
    }
}

/// Every option that a site sets, file by file: what did not change is not compared again. Cheap to
/// copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    files: SharedMap<Arc<str>, Arc<FileSettings>>,
}

/// Every option that one file sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSettings {
    map: BTreeMap<SettingKey, Setting>,
    /// How often an option was added beyond the first time.
    repeated: BTreeMap<SettingKey, u32>,
}

/// An option that two sites set differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OptionChange {
    /// The file's short name.
    pub file: Arc<str>,
    /// The line: of the new value, or of the old one where it is gone.
    pub line: u32,
    /// The option.
    pub option: String,
    /// What it applies to; empty = everything.
    pub scope: String,
    /// The old value as it may be shown; none = it was not set.
    pub from: Option<String>,
    /// The new value as it may be shown; none = it is not set any more.
    pub to: Option<String>,
    /// When it takes effect here.
    pub effect: Takes,
}

impl OptionChange {
    /// The line as a cause.
    #[must_use]
    pub fn as_cause(&self) -> Because {
        let (file, line, option) = (Arc::clone(&self.file), self.line, self.option.clone());
        match self.to {
            Some(_) => Because::Line { file, line, option },
            None => Because::LineRemoved { file, line, option },
        }
    }
}

impl FileSettings {
    /// Adds an option; further ones under the same key are told apart by their number.
    pub fn add(&mut self, key: SettingKey, setting: Setting) {
        let key = match self.map.entry(key) {
            Entry::Vacant(slot) => {
                slot.insert(setting);
                return;
            }
            Entry::Occupied(slot) => slot.key().clone(),
        };
        let number =
            *self.repeated.entry(key.clone()).and_modify(|number| *number += 1).or_insert(1);
        let scope = match number {
            1 => format!("{} again", key.scope),
            _ => format!("{} again {number}", key.scope),
        };
        self.map.insert(SettingKey { scope: scope.into(), ..key }, setting);
    }
}

impl Settings {
    /// Adds an option; further ones under the same key are told apart by their number.
    pub fn add(&mut self, key: SettingKey, setting: Setting) {
        let file = self.files.get_or_insert_with(&key.file, Arc::default);
        Arc::make_mut(file).add(key, setting);
    }

    /// Takes all options of a file of which there are none yet.
    pub fn add_file(&mut self, file: Arc<str>, settings: Arc<FileSettings>) {
        self.files.insert(file, settings);
    }

    /// Takes all options of files of which there are none yet: many, of which most are those of another set.
    pub fn add_files(&mut self, mut many: SharedMap<Arc<str>, Arc<FileSettings>>) {
        for (file, settings) in &self.files {
            many.insert(Arc::clone(file), Arc::clone(settings));
        }
        self.files = many;
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, key: &SettingKey) -> Option<&Setting> {
        self.files.get(&key.file)?.map.get(key)
    }

    /// The value of an option that applies to everything, as it may be shown.
    #[must_use]
    pub fn value(&self, file: &str, option: &str) -> Option<&str> {
        let (scope, option) = (Arc::default(), option.to_owned());
        let key = SettingKey { file: Arc::from(file), scope, option };
        self.get(&key).map(|setting| setting.value.as_str())
    }

    /// How many options are set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.values().map(|file| file.map.len()).sum()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, by file, scope and name.
    pub fn iter(&self) -> impl Iterator<Item = (&SettingKey, &Setting)> {
        self.files.values().flat_map(|file| &file.map)
    }

    /// What `to` sets differently, by file and line.
    #[must_use]
    pub fn changes(&self, to: &Settings) -> Vec<OptionChange> {
        let none = FileSettings::default();
        let mut changes = Vec::new();
        for file in to.files.changes_since(&self.files) {
            let from = file.before.map_or(&none, |from| &**from);
            changes_of(from, file.now.map_or(&none, |to| &**to), &mut changes);
        }
        changes.sort_by(|a, b| (&a.file, a.line, &a.option).cmp(&(&b.file, b.line, &b.option)));
        changes
    }
}

/// What one file sets differently.
fn changes_of(from: &FileSettings, to: &FileSettings, changes: &mut Vec<OptionChange>) {
    let keys: BTreeSet<&SettingKey> = from.map.keys().chain(to.map.keys()).collect();
    changes.extend(keys.into_iter().filter_map(|key| change(key, from, to)));
}

fn change(key: &SettingKey, from: &FileSettings, to: &FileSettings) -> Option<OptionChange> {
    let (old, new) = (from.map.get(key), to.map.get(key));
    let same = match (old, new) {
        (Some(old), Some(new)) => old.value == new.value && old.secret == new.secret,
        _ => false,
    };
    if same {
        return None;
    }
    let current = new.or(old)?;
    let secret = current.secret.is_some();
    let to = match (secret, old, new) {
        (true, Some(_), Some(_)) => Some("(secret, changed)".to_owned()),
        (_, _, new) => new.map(|setting| setting.value.clone()),
    };
    Some(OptionChange {
        file: Arc::clone(&key.file),
        line: current.line,
        option: key.option.clone(),
        scope: key.scope.to_string(),
        from: old.map(|setting| setting.value.clone()),
        to,
        effect: current.effect,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(rows: &[(&str, u32, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (option, line, value) in rows {
            let key = SettingKey {
                file: "rserver.conf".into(),
                scope: Arc::default(),
                option: (*option).to_owned(),
            };
            let setting = Setting {
                line: *line,
                value: (*value).to_owned(),
                secret: None,
                effect: Takes::Live,
                row: None,
            };
            settings.add(key, setting);
        }
        settings
    }

    #[test]
    fn an_option_that_is_repeated_very_often_is_added_as_often() {
        let settings = settings(&vec![("www-allow-origin", 1, "a.example"); 50_000]);
        assert_eq!(settings.len(), 50_000);
    }

    #[test]
    fn moving_an_option_to_another_line_is_no_change() {
        let (a, b) = (settings(&[("x", 1, "1")]), settings(&[("x", 9, "1")]));
        assert!(a.changes(&b).is_empty());
    }

    #[test]
    fn changes_come_by_file_and_line_with_both_values() {
        let a = settings(&[("x", 1, "1"), ("gone", 3, "v")]);
        let b = settings(&[("x", 7, "2"), ("new", 2, "n")]);
        let shown: Vec<_> =
            a.changes(&b).into_iter().map(|c| (c.line, c.option, c.from, c.to)).collect();
        let text = |s: &str| Some(s.to_owned());
        assert_eq!(
            shown,
            [
                (2, "new".to_owned(), None, text("n")),
                (3, "gone".to_owned(), text("v"), None),
                (7, "x".to_owned(), text("1"), text("2")),
            ]
        );
    }

    #[test]
    fn an_option_is_found_by_file_and_name_unless_it_applies_to_a_part_only() {
        let mut settings = settings(&[("x", 1, "1"), ("empty", 2, "")]);
        assert_eq!(settings.value("rserver.conf", "x"), Some("1"));
        assert_eq!(settings.value("rserver.conf", "empty"), Some(""));
        assert_eq!(settings.value("rserver.conf", "y"), None);
        assert_eq!(settings.value("rsession.conf", "x"), None);
        let (key, setting) = settings.iter().next().expect("one is set");
        let (key, setting) = (key.clone(), setting.clone());
        settings.add(SettingKey { scope: "@staff".into(), option: "z".to_owned(), ..key }, setting);
        assert_eq!(settings.value("rserver.conf", "z"), None);
    }

    #[test]
    fn settings_are_empty_where_no_file_sets_an_option() {
        assert!(Settings::default().is_empty());
        assert!(!settings(&[("x", 1, "1")]).is_empty());
    }

    #[test]
    fn an_option_that_stands_again_is_told_apart_by_how_often() {
        let settings = settings(&[("x", 1, "1"), ("x", 2, "2"), ("x", 3, "3")]);
        let scopes: Vec<_> = settings.iter().map(|(key, of)| (&*key.scope, of.line)).collect();
        assert_eq!(scopes, [("", 1), (" again", 2), (" again 2", 3)]);
    }

    #[test]
    fn an_option_takes_effect_when_the_catalogue_says_unless_it_does_not_act() {
        use catalogue::{Effect, State};

        for (effect, wanted) in [
            (Effect::Live, Takes::Live),
            (Effect::NextStart, Takes::NextStart),
            (Effect::SessionRestart, Takes::SessionRestart),
            (Effect::DaemonRestart, Takes::DaemonRestart),
        ] {
            assert_eq!(takes(State::Acts { test: "t" }, effect), wanted, "{effect:?}");
            assert_eq!(takes(State::Arrives { issue: "i" }, effect), Takes::No, "{effect:?}");
        }
    }
}
