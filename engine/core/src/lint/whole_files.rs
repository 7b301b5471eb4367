//! Files that count as a whole: those that a value names and that are not there, and those that change
//! the proxy or who gets in, and do not act here.

use grammar::error::{Code, Severity};
use grammar::kind::FileKind;
use grammar::own::wharf::Mode;
use grammar::text::says_anything;

use super::finding::at_field;
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
        code: Code(309),
        title: "config-dir is not heeded in a directory that is self-contained",
        severity: Severity::Warning,
        needs: &[Need::Wharf],
        check: config_dir_unheeded,
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

/// A directory that holds a `wharf.toml` has all of the site's files (product.md §4, rule 4).
fn config_dir_unheeded(site: &Site<'_>, out: &mut Findings) {
    let (Some(read), Some(own)) = (&site.read.wharf, site.read.wharf()) else { return };
    let files = site.read.files;
    let named = own.value.site.as_ref().and_then(|site| site.config_dir.as_deref());
    let Some(named) = named.filter(|_| files.own_dir == files.workbench_dir) else { return };
    if named.trim_end_matches('/') == files.workbench_dir.trim_end_matches('/') {
        return;
    }
    let problem =
        out.problem(format!("Workbench's files are read beside this one, not in `{named}`"));
    let field = "site.config-dir";
    let problem = at_field(problem, read.source, &own.lines, field, "not heeded here");
    out.push(
        problem
            .note("the directory that was given holds a wharf.toml, and so all of the site's files")
            .help("leave it out, or keep wharf.toml in a directory of its own, such as /etc/wharf"),
    );
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
