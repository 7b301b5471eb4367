//! `launcher-env`: which variables reach which session.

use std::collections::BTreeMap;
use std::sync::Arc;

use grammar::document::{Document, Section};
use grammar::secret;
use grammar::source::FileKind;

use super::Lowering;
use crate::desired::{EnvValue, Origin, Secrets, for_user};
use crate::ids::{ClusterName, UserName, WorkbenchName};
use crate::settings::{Setting, SettingKey, Takes};

/// Whether a value is a secret: its name says so, or there is one in it (`postgresql://user:password@host`).
#[must_use]
pub fn is_secret(name: &str, value: &str) -> bool {
    secret::is_name(name) || secret::in_value(value).is_some()
}

/// What a session is, as far as selectors of records go.
pub(super) struct Selected<'a> {
    pub(super) workbench: &'a WorkbenchName,
    pub(super) cluster: &'a ClusterName,
    pub(super) user: &'a UserName,
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

impl Lowering<'_> {
    /// The variables that `launcher-env` gives to a session, each with its origin. A later record wins.
    pub(super) fn env_of(
        &mut self,
        selected: &Selected<'_>,
    ) -> BTreeMap<String, (EnvValue, Origin)> {
        let mut env = BTreeMap::new();
        let Some(document) = self.read.documents.get(&FileKind::LauncherEnv) else { return env };
        for record in document.sections.iter().filter(|record| selected.matches(record)) {
            let entries = record.entries.iter().filter(|entry| &*entry.name == "Environment");
            for part in entries.flat_map(|entry| &entry.parts) {
                let Some((name, value)) = part.text.split_once('=') else { continue };
                let name = name.trim();
                let value = for_user(value, selected.user);
                let origin = self.origin(FileKind::LauncherEnv, part.line, name);
                let value = sealed(&mut self.out.secrets, name, value);
                env.insert(name.to_owned(), (value, origin));
            }
        }
        env
    }

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
pub(super) fn record_env(lowering: &mut Lowering<'_>, file: &Arc<str>, document: &Document) {
    for record in &document.sections {
        let scope = super::section_scope(record);
        let entries = record.entries.iter().filter(|entry| &*entry.name == "Environment");
        for part in entries.flat_map(|entry| &entry.parts) {
            let (name, value) = part.text.split_once('=').unwrap_or((&part.text, ""));
            let secret = is_secret(name, value);
            // At hand also for sessions that somebody asks for later.
            let digest = secret.then(|| lowering.out.secrets.keep(value.to_owned()));
            let setting = Setting {
                line: part.line,
                value: if secret { "(secret)".to_owned() } else { value.to_owned() },
                secret: digest,
                effect: Takes::NextStart,
                row: None,
            };
            let key = SettingKey {
                file: Arc::clone(file),
                scope: scope.clone(),
                option: name.trim().to_owned(),
            };
            lowering.out.settings.add(key, setting);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_name_or_by_what_it_is() {
        assert!(is_secret("MODEL_KEY", "x") && is_secret("DATABASE_URL", "postgresql://u:p@h/d"));
        assert!(!is_secret("LC_ALL", "C.UTF-8") && !is_secret("DOCS_URL", "https://h:8787/d"));
    }

    #[test]
    fn spellings_of_one_workbench_are_one() {
        assert_eq!(normal("VS Code"), normal("vs-code"));
        assert_eq!(normal("Jupyter Notebook"), normal("jupyter-notebook"));
    }
}
