//! `launcher-env`: which variables reach which session.

use std::collections::BTreeMap;
use std::sync::Arc;

use grammar::document::{Document, Part, Section};

use super::Lowering;
use crate::desired::{EnvValue, Secrets};
use crate::ids::{ClusterName, WorkbenchName};
use crate::read_site::{SecretPlaces, is_secret};
use crate::settings::{Setting, SettingKey, Takes};

/// What a session is, as far as selectors of records go.
pub(super) struct Selected<'a> {
    pub(super) workbench: &'a WorkbenchName,
    pub(super) cluster: &'a ClusterName,
    /// `session` or `adhoc`.
    pub(super) job_type: &'a str,
}

impl Selected<'_> {
    /// Whether a record applies to a session or job of this kind.
    pub(super) fn matches(&self, record: &Section) -> bool {
        let says = |field: &str, wanted: &str| {
            record.get(field).is_none_or(|entry| {
                let value = entry.value.trim();
                value.eq_ignore_ascii_case("any")
                    || value.is_empty()
                    || normal(value) == normal(wanted)
            })
        };
        let cluster = record
            .get("Cluster")
            .is_none_or(|entry| entry.value.is_empty() || *entry.value == *self.cluster.as_str());
        says("JobType", self.job_type) && says("Workbench", self.workbench.as_str()) && cluster
    }
}

/// A workbench's name as files may write it: `VS Code`, `vs-code` and `vs code` are one.
fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace([' ', '_'], "-")
}

/// A record with its variables. Every session asks for them, so what costs is done once.
#[derive(Debug)]
pub(super) struct EnvRecord<'a> {
    section: &'a Section,
    pairs: Vec<EnvPair<'a>>,
}

impl EnvRecord<'_> {
    /// The record's selectors.
    pub(super) fn section(&self) -> &Section {
        self.section
    }

    /// Its lines, in order.
    pub(super) fn pairs(&self) -> &[EnvPair<'_>] {
        &self.pairs
    }
}

/// One line of a record's environment.
#[derive(Debug)]
pub(super) struct EnvPair<'a> {
    pub(super) name: &'a str,
    /// None where the line is no pair.
    pub(super) value: Option<&'a str>,
    pub(super) line: u32,
    pub(super) is_secret: bool,
}

/// The records of `launcher-env`, in file order.
pub(super) fn records_of<'a>(document: &'a Document, places: &SecretPlaces) -> Vec<EnvRecord<'a>> {
    document
        .sections
        .iter()
        .map(|section| {
            let entries = section.entries.iter().filter(|entry| &*entry.name == "Environment");
            let pairs =
                entries.flat_map(|entry| &entry.parts).map(|part| pair_of(part, places)).collect();
            EnvRecord { section, pairs }
        })
        .collect()
}

fn pair_of<'a>(part: &'a Part, places: &SecretPlaces) -> EnvPair<'a> {
    let (name, value) = match part.text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (&*part.text, None),
    };
    let is_secret = places.contain(part.span.start);
    EnvPair { name: name.trim(), value, line: part.line, is_secret }
}

impl Lowering<'_> {
    /// Keeps the secrets of variables that only sessions of later will have: of templates and workbenches.
    pub(super) fn keep_secrets(&mut self, env: &BTreeMap<String, String>) {
        for (name, value) in env {
            self.sealed(name, value.clone());
        }
    }

    /// A value as it may be compared and stored.
    pub(super) fn sealed(&mut self, name: &str, value: String) -> EnvValue {
        sealed(&mut self.out.secrets, name, value)
    }
}

/// See [`Lowering::sealed`]; for where something else of the lowering is borrowed.
pub(super) fn sealed(secrets: &mut Secrets, name: &str, value: String) -> EnvValue {
    if is_secret(name, &value) {
        EnvValue::Secret(secrets.keep(value))
    } else {
        EnvValue::Plain(value)
    }
}

/// Each variable of `launcher-env` as an option of its own, under its record's selectors.
pub(super) fn record_env(lowering: &mut Lowering<'_>, file: &Arc<str>) {
    let mut scope: Arc<str> = Arc::default();
    for record in &lowering.env_records {
        // Records that apply to the same share the words for it: they are compared often.
        let of_record = super::section_scope(record.section);
        if of_record != scope {
            scope = of_record;
        }
        for pair in &record.pairs {
            let value = pair.value.unwrap_or_default();
            // At hand also for sessions that somebody asks for later.
            let digest = pair.is_secret.then(|| lowering.out.secrets.keep(value.to_owned()));
            let setting = Setting {
                line: pair.line,
                value: if pair.is_secret { "(secret)".to_owned() } else { value.to_owned() },
                secret: digest,
                effect: Takes::NextStart,
                row: None,
            };
            let key = SettingKey {
                file: Arc::clone(file),
                scope: Arc::clone(&scope),
                option: pair.name.to_owned(),
            };
            lowering.out.settings.add(key, setting);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_workbench_are_one() {
        assert_eq!(normal("VS Code"), normal("vs-code"));
        assert_eq!(normal("Jupyter Notebook"), normal("jupyter-notebook"));
    }
}
