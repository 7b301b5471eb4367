//! Where the secrets of a file stand: found once for everybody who covers or judges them.

use grammar::document::Document;
use grammar::secret;
use grammar::source::FileKind;

/// The places of names whose values are secret, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct SecretPlaces(Vec<u32>);

impl SecretPlaces {
    /// There are none.
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Those of a file. Each variable of a `launcher-env` is one of its own.
    #[must_use]
    pub fn of(kind: FileKind, document: &Document) -> Self {
        let mut places = Vec::new();
        for entry in document.sections.iter().flat_map(|section| &section.entries) {
            if kind == FileKind::LauncherEnv && &*entry.name == "Environment" {
                let variables = entry.parts.iter().filter(|part| is_secret_line(&part.text));
                places.extend(variables.map(|part| part.span.start));
            } else if is_secret(&entry.name, &entry.joined()) {
                places.push(entry.name_span.start);
            }
        }
        places.sort_unstable();
        Self(places)
    }

    /// Whether what is named at `at` is secret.
    #[must_use]
    pub fn contain(&self, at: u32) -> bool {
        self.0.binary_search(&at).is_ok()
    }
}

/// Whether a value is a secret: its name says so, or there is one in it (`postgresql://user:password@host`).
#[must_use]
pub fn is_secret(name: &str, value: &str) -> bool {
    secret::is_name(name) || secret::in_value(value).is_some()
}

/// The same of a line `NAME=VALUE`.
fn is_secret_line(line: &str) -> bool {
    let (name, value) = line.split_once('=').unwrap_or((line, ""));
    is_secret(name, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_name_or_by_what_it_is() {
        assert!(is_secret("MODEL_KEY", "x") && is_secret("DATABASE_URL", "postgresql://u:p@h/d"));
        assert!(!is_secret("LC_ALL", "C.UTF-8") && !is_secret("DOCS_URL", "https://h:8787/d"));
    }

    /// Which of these names of a file are those of secrets.
    fn secret_names(kind: FileKind, text: &str) -> Vec<String> {
        let source = grammar::source::Source::new("f", text);
        let document = grammar::read::read_file(kind, &source).document;
        let places = SecretPlaces::of(kind, &document);
        let entries = document.sections.iter().flat_map(|section| &section.entries);
        let secret = entries.filter(|entry| places.contain(entry.name_span.start));
        secret.map(|entry| entry.name.to_string()).collect()
    }

    #[test]
    fn a_secret_that_stands_where_nobody_looks_for_one_is_covered_all_the_same() {
        let text = "Cluster: Local\nPassword: hunter2\nEnvironment: A=1\n";
        assert_eq!(secret_names(FileKind::LauncherEnv, text), ["Password"]);
        let text = "MountType: NFS\nEnvironment: DB_PASSWORD=hunter2\n";
        assert_eq!(secret_names(FileKind::LauncherMounts, text), ["Environment"]);
    }
}
