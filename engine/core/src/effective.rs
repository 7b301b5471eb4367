//! The configuration that is in effect: every option of the whole family of files with its value, and
//! where that stands (`wharf dump`).
//!
//! What is set comes from lowering, so that what is dumped is what counts: of several lines for one
//! option the one that the file's reader lets win. Defaults are the catalogue's; one that is not
//! established is not made up. Secrets are covered already. Prints nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use grammar::catalogue::{self, OptionRow};
use grammar::own::OwnKind;
use grammar::source::FileKind;

use crate::accept::{POLL, Settle};
use crate::desired::{
    BackOff, EngineSettings, Ground, HISTORY_KEEP, Mode, Policy, lower, own_takes,
};
use crate::known::Known;
use crate::settings::{Setting, SettingKey, Settings, Takes};
use crate::site::{SiteFiles, WHARF_TOML};

/// One option in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The file's short name.
    pub file: Arc<str>,
    /// What it applies to, in the file's words; empty = everything.
    pub scope: String,
    /// The option's name.
    pub option: String,
    /// The value as it may be shown.
    pub value: String,
    /// Its line, from 1; none = the product's default.
    pub line: Option<u32>,
    /// When a change of it takes effect here.
    pub takes: Takes,
}

/// What a site's configuration comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration {
    /// Options by file, in the order of lines; defaults behind those that are set.
    pub options: Vec<Effective>,
    /// What it says of the engine itself.
    pub engine: EngineSettings,
    /// Files that could not be read: their options are not known.
    pub unknown: Vec<Arc<str>>,
    /// How many options have no default that is established.
    pub without_default: usize,
}

/// Every option that is set, and with `defaults` also those that are not.
#[must_use]
pub fn configuration(files: &SiteFiles, ground: &Ground, defaults: bool) -> Configuration {
    let lowered = lower(files, ground);
    let set = lowered.settings.iter();
    // A table's header and the presence of a directory are no options.
    let tables = tables(&lowered.settings);
    let is_table = |key: &SettingKey| tables.contains(&(&*key.file, &*key.option));
    let set = set.filter(|(key, setting)| setting.line > 0 && !is_table(key));
    let mut out = Configuration {
        options: set.map(effective).collect(),
        engine: lowered.engine,
        ..Configuration::default()
    };
    if defaults && !files.wharf.is_unknown() {
        add_own_defaults(&mut out, ground);
    }
    for (kind, file) in &files.workbench {
        match file {
            Known::Unknown { .. } => out.unknown.push(kind.file_name().into()),
            _ if defaults => add_defaults(&mut out, *kind),
            _ => {}
        }
    }
    out.options.sort_by(|a, b| {
        let place =
            |option: &Effective| (Arc::clone(&option.file), option.line.unwrap_or(u32::MAX));
        place(a).cmp(&place(b)).then_with(|| a.option.cmp(&b.option))
    });
    out
}

/// The tables of our own files that hold options: file and dotted path; the whole file's is empty.
fn tables(settings: &Settings) -> BTreeSet<(&str, &str)> {
    let ours = settings.iter().map(|(key, _)| key).filter(|key| key.file.ends_with(".toml"));
    ours.flat_map(|key| {
        let dots = key.option.match_indices('.').map(|(at, _)| at);
        std::iter::once(0).chain(dots).map(|end| (&*key.file, &key.option[..end]))
    })
    .collect()
}

fn effective((key, setting): (&SettingKey, &Setting)) -> Effective {
    Effective {
        file: Arc::clone(&key.file),
        scope: key.scope.to_string(),
        option: key.option.clone(),
        value: setting.value.clone(),
        line: Some(setting.line),
        takes: setting.effect,
    }
}

/// The defaults of a flat file. What a record or a section leaves out is no option of its own.
fn add_defaults(out: &mut Configuration, kind: FileKind) {
    let file: Arc<str> = kind.file_name().into();
    let rows = catalogue::rows(kind.file_name()).iter();
    let rows =
        rows.filter(|row| row.section.is_empty() && !row.command_line && row.deprecated.is_none());
    let of_file = out.options.iter().filter(|option| option.file == file);
    let set: BTreeSet<String> = of_file.map(|option| option.option.clone()).collect();
    for row in rows.filter(|row| !set.contains(row.name)) {
        match row.default {
            Some(default) => out.options.push(default_of(row, &file, default)),
            None => out.without_default += 1,
        }
    }
}

/// The defaults of `wharf.toml`: of what has one, and was not set.
fn add_own_defaults(out: &mut Configuration, ground: &Ground) {
    let set: BTreeSet<String> = out
        .options
        .iter()
        .filter(|option| &*option.file == WHARF_TOML)
        .map(|option| option.option.clone())
        .collect();
    for (path, value) in own_defaults(ground).into_iter().filter(|(path, _)| !set.contains(*path)) {
        out.options.push(Effective {
            file: WHARF_TOML.into(),
            scope: String::new(),
            option: path.to_owned(),
            value,
            line: None,
            takes: own_takes(OwnKind::Wharf, path),
        });
    }
}

/// What counts where `wharf.toml` says nothing (product.md §4).
fn own_defaults(ground: &Ground) -> Vec<(&'static str, String)> {
    let (settle, policy, back_off) = (Settle::default(), Policy::default(), BackOff::default());
    let mode = if ground.self_contained { Mode::Serve } else { Mode::Observe };
    vec![
        ("mode", mode.to_string()),
        ("site.settle.quiet", settle.quiet.to_string()),
        ("site.settle.invalid", settle.invalid.to_string()),
        ("site.settle.max", settle.max.to_string()),
        ("site.poll", POLL.to_string()),
        ("policy.apply", "auto".to_owned()),
        ("policy.session-restart", "next-start".to_owned()),
        ("policy.harm-delay", policy.harm_delay.to_string()),
        ("policy.max-harmed", policy.max_harmed.to_string()),
        ("policy.concurrent-starts", "cores".to_owned()),
        ("policy.back-off.first", back_off.first.to_string()),
        ("policy.back-off.max", back_off.max.to_string()),
        ("policy.back-off.give-up-after", back_off.give_up_after.to_string()),
        ("policy.back-off.within", back_off.within.to_string()),
        ("history.keep", HISTORY_KEEP.to_string()),
    ]
}

fn default_of(row: &OptionRow, file: &Arc<str>, default: &str) -> Effective {
    Effective {
        file: Arc::clone(file),
        scope: String::new(),
        option: row.name.to_owned(),
        value: default.to_owned(),
        line: None,
        takes: Takes::from(row),
    }
}

#[cfg(test)]
mod tests {

    use grammar::value::Millis;

    use super::*;
    use crate::check::tests::{ground, site};

    fn options(text: &str, defaults: bool) -> Vec<(String, String, Option<u32>)> {
        let files = site(&[(FileKind::RserverConf, text)]);
        let found = configuration(&files, &ground(), defaults).options;
        let found = found.into_iter().filter(|option| &*option.file == "rserver.conf");
        found.map(|option| (option.option, option.value, option.line)).collect()
    }

    #[test]
    fn what_is_set_has_its_line_and_the_one_that_wins_counts() {
        let found = options("www-port=1\nwww-address=::1 # x\n", false);
        let row = |name: &str, value: &str, line| (name.to_owned(), value.to_owned(), Some(line));
        assert_eq!(found, [row("www-port", "1", 1), row("www-address", "::1", 2)]);
    }

    #[test]
    fn the_defaults_of_our_own_file_are_those_that_count_without_it() {
        let all = own_defaults(&ground());
        assert!(
            all.iter().all(|(path, _)| own_takes(OwnKind::Wharf, path) != Takes::No),
            "{all:?}"
        );
        let text: String = all
            .iter()
            .filter(|(path, _)| *path != "mode")
            .map(|(path, value)| match value.parse::<u64>() {
                Ok(number) => format!("{path} = {number}\n"),
                Err(_) => format!("{path} = \"{value}\"\n"),
            })
            .collect();
        let mut written = site(&[]);
        let source = grammar::source::Source::new("wharf.toml", text);
        written.wharf = Known::Present(source);
        let (with, without) = (lower(&written, &ground()), lower(&site(&[]), &ground()));
        assert_eq!(with.problems, []);
        assert_eq!(with.desired, without.desired);
        assert_eq!(with.engine.settle, without.engine.settle);
        assert_eq!(with.engine.history_keep, without.engine.history_keep);
        assert_eq!(with.engine.poll, Some(POLL));
    }

    #[test]
    fn defaults_stand_behind_what_is_set_and_none_is_made_up() {
        let found = options("www-port=1\n", true);
        assert_eq!(found[0].2, Some(1));
        assert!(found[1..].iter().all(|(name, _, line)| name != "www-port" && line.is_none()));
        assert!(found.iter().any(|(name, ..)| name == "www-address"));
        let files = site(&[(FileKind::RserverConf, "")]);
        assert!(configuration(&files, &ground(), true).without_default > 0);
    }

    /// Every option of the whole configuration: file, name, value and line.
    fn all(files: &SiteFiles, defaults: bool) -> Vec<(String, String, String, Option<u32>)> {
        let found = configuration(files, &ground(), defaults).options.into_iter();
        let row =
            |option: Effective| (option.file.to_string(), option.option, option.value, option.line);
        found.map(row).collect()
    }

    fn with_wharf(text: &str) -> SiteFiles {
        let mut files = site(&[]);
        files.wharf = Known::Present(grammar::source::Source::new("/etc/wharf/wharf.toml", text));
        files
    }

    #[test]
    fn tables_and_directories_are_no_options_and_what_stands_in_them_is() {
        let mut files = with_wharf("mode = \"observe\"\n[site.settle]\nquiet = \"3s\"\n");
        files.nodes = crate::site::Managed::Managed([].into());
        let row = |name: &str, value: &str, line| {
            (WHARF_TOML.to_owned(), name.to_owned(), value.to_owned(), Some(line))
        };
        let wanted = [row("mode", "observe", 1), row("site.settle.quiet", "3s", 3)];
        assert_eq!(all(&files, false), wanted);
        assert_eq!(configuration(&files, &ground(), false).engine.settle.quiet, Millis(3000));
    }

    #[test]
    fn our_own_defaults_stand_for_what_is_not_set_and_for_nothing_else() {
        let files = with_wharf("[site.settle]\nquiet = \"3s\"\n");
        let ours = |files: &SiteFiles| -> Vec<(String, Option<u32>)> {
            let ours = all(files, true).into_iter().filter(|(file, ..)| file == WHARF_TOML);
            ours.map(|(_, name, _, line)| (name, line)).collect()
        };
        let found = ours(&files);
        assert_eq!(found.len(), own_defaults(&ground()).len(), "{found:?}");
        assert!(found.contains(&("site.settle.quiet".to_owned(), Some(2))));
        assert!(found.contains(&("site.settle.max".to_owned(), None)));
        // What cannot be read may say anything: there are no defaults of it.
        let mut unreadable = files;
        unreadable.wharf = unknown();
        assert_eq!(ours(&unreadable), []);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_and_has_no_defaults() {
        let mut files = site(&[(FileKind::RserverConf, "www-port=1\n")]);
        files.workbench.insert(FileKind::RserverConf, unknown());
        let found = configuration(&files, &ground(), true);
        assert_eq!(found.unknown, [Arc::from("rserver.conf")]);
        assert!(found.options.iter().all(|option| &*option.file != "rserver.conf"));
    }

    #[test]
    fn defaults_are_of_options_that_may_stand_in_the_file_and_do_not() {
        let files = site(&[(FileKind::RserverConf, "www-address=::1\n")]);
        let found = configuration(&files, &ground(), true).options;
        let of_file = found.iter().filter(|option| &*option.file == "rserver.conf");
        let named: Vec<_> = of_file.filter(|option| option.option == "www-address").collect();
        assert_eq!(named.len(), 1, "{named:?}");
        let defaults = found.iter().filter(|option| option.line.is_none());
        for option in defaults.filter(|option| &*option.file != WHARF_TOML) {
            let row = catalogue::find(&option.file, "", &option.option).expect("it has a row");
            assert!(!row.command_line && row.deprecated.is_none(), "{option:?}");
        }
    }

    fn unknown() -> Known<grammar::source::Source> {
        let reason = "permission denied".to_owned();
        Known::Unknown { since: crate::ids::Moment(0), reason }
    }
}
