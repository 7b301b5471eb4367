//! Files that count as a whole: those that a value names and that are not there, and those that change
//! the proxy or who gets in, and do not act here.

use grammar::error::{Code, Severity};
use grammar::kind::FileKind;
use grammar::own::wharf::Mode;
use grammar::text::says_anything;

use super::{Findings, Need, Rule, Site};
use crate::known::Known;

/// The code of [`unheeded`], which may be accepted although it is an error.
pub(super) const UNHEEDED: Code = Code(402);

/// The rules about whole files.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: Code(308),
        title: "a file is named that is not there",
        severity: Severity::Error,
        needs: &[Need::File(FileKind::LauncherConf)],
        check: missing,
    },
    Rule {
        code: UNHEEDED,
        title: "a file that changes the proxy, or who gets in, does not act here",
        severity: Severity::Error,
        needs: &[Need::Wharf],
        check: unheeded,
    },
];

/// A file that belongs elsewhere on the machine may be missing where a copy of the files is checked.
fn missing(site: &Site<'_>, out: &mut Findings) {
    let files = site.read.files;
    for named in site.read.named_cluster_files() {
        if !matches!(files.cluster_files.get(&named.file), Some(Known::Absent)) {
            continue;
        }
        let place = files.locate(&named.file.path);
        let inside = files.short_name(&place) != place;
        let mut problem = out
            .problem(format!("the file that `{}` names is not there", named.option))
            .label(&named.by, Some(named.span), format!("no {place}"))
            .help(format!("create {place}, or remove `{}`", named.option));
        if !inside {
            problem.severity = Severity::Warning;
            problem.notes.push("it lies outside of the site's directory".to_owned());
        }
        out.push(problem);
    }
}

/// Never a warning where the engine serves (design.md §5), unless `[accept]` says that somebody has looked.
fn unheeded(site: &Site<'_>, out: &mut Findings) {
    let accepted = site.read.wharf().and_then(|own| own.value.accept.as_ref());
    let accepted = accepted.and_then(|accept| accept.files.as_deref()).unwrap_or_default();
    for (kind, file) in &site.read.files.workbench {
        let Known::Present(source) = file else { continue };
        if !kind.facts().narrows || !says_anything(&source.text) {
            continue;
        }
        let name = kind.file_name();
        let mut problem = out
            .problem(format!("{name} does not act here"))
            .label(&source.file, None, meaning(*kind))
            .note(
                "the proxy is the engine's own: what this file does has to be done in front of it",
            )
            .help(format!(
                "look at it, then accept it in wharf.toml: [accept] files = [\"{name}\"]"
            ));
        if accepted.iter().any(|accepted| **accepted == *name) {
            problem.severity = Severity::Note;
            problem.notes.push("accepted in wharf.toml".to_owned());
        } else if site.mode == Mode::Observe {
            problem.severity = Severity::Warning;
        }
        out.push(problem);
    }
}

/// What a file is for, as part of a sentence.
fn meaning(kind: FileKind) -> String {
    let meaning = kind.meaning().trim_end_matches('.');
    let mut letters = meaning.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().collect::<String>() + letters.as_str()
    })
}
