//! Who gets in: options that keep people out and do not act, listeners that let everybody reach them.

use grammar::catalogue::State;
use grammar::error::{Code, Severity};
use grammar::own::wharf::Mode;
use grammar::source::FileKind::RserverConf;

use super::{Findings, Need, Rule, Site};

/// The code of [`narrows`], which may be accepted although it is an error.
pub(super) const NARROWS: Code = Code(401);

/// The rules about access.
pub(super) const RULES: &[Rule] = &[Rule {
    code: NARROWS,
    title: "an option that restricts who gets in is set and does not act here",
    severity: Severity::Error,
    needs: &[Need::File(RserverConf), Need::Wharf],
    check: narrows,
}];

/// Never a warning (design.md §5), unless `[accept]` says that somebody has looked.
fn narrows(site: &Site<'_>, out: &mut Findings) {
    if site.mode == Mode::Observe {
        return;
    }
    // A file that narrows as a whole is spoken of as a whole.
    let documents = site.read.documents.iter().filter(|(kind, _)| !kind.facts().narrows);
    for (kind, document) in documents {
        for entry in document.sections.iter().flat_map(|section| &section.entries) {
            let Some(row) = entry.row else { continue };
            let acts = matches!(row.state, State::Acts { .. });
            let set = row.default.is_none_or(|default| default != &*entry.value);
            if !row.narrows_access || acts || !set {
                continue;
            }
            let message = format!("`{}` restricts who gets in, and does not act here", entry.name);
            out.push(
                out.problem(message)
                    .label(&site.read.shown(*kind), Some(entry.name_span), "set here")
                    .note("serving without it could let in people whom these files keep out")
                    .help(
                        "serve in mode \"observe\", or accept it in wharf.toml: \
                         [accept] codes = { WH0401 = \"why\" }",
                    ),
            );
        }
    }
}
