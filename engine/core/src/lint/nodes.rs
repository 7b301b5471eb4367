//! Nodes: whether there is one for what asks for it.

use std::collections::BTreeSet;

use grammar::error::{Code, Severity};

use super::finding::at_field;
use super::{Findings, Need, Rule, Site};
use crate::site::{DropIn, Managed};

/// The rules about nodes.
pub(super) const RULES: &[Rule] = &[Rule {
    code: Code(362),
    title: "a session requires a label that no node has",
    severity: Severity::Warning,
    needs: &[Need::Dir(DropIn::Nodes), Need::Dir(DropIn::Sessions), Need::Dir(DropIn::Templates)],
    check: label_nowhere,
}];

/// Labels come from `nodes.d` and from nowhere else.
fn label_nowhere(site: &Site<'_>, out: &mut Findings) {
    let Managed::Managed(files) = site.read.files.managed(DropIn::Nodes) else { return };
    let read = site.read.nodes.values().filter_map(|read| read.own.as_ref());
    if read.clone().count() != files.len() {
        // A file that says nothing may be the one that has it.
        return;
    }
    let labels: BTreeSet<(&String, &String)> =
        read.filter_map(|own| own.value.labels.as_ref()).flatten().collect();
    let sessions = site.read.sessions.notable().filter_map(|read| {
        let own = read.own.as_ref()?;
        Some((&read.source, &own.lines, own.value.fields.placement.as_ref()?))
    });
    let templates = site.read.templates.values().filter_map(|read| {
        let own = read.own.as_ref()?;
        Some((read.source, &own.lines, own.value.fields.placement.as_ref()?))
    });
    for (source, lines, placement) in sessions.chain(templates) {
        for (label, value) in placement.require.iter().flatten() {
            if labels.contains(&(label, value)) {
                continue;
            }
            let problem = out.problem(format!("no node has the label {label} = \"{value}\""));
            let field = format!("placement.require.{label}");
            let problem = at_field(problem, source, lines, &field, "required here");
            let has: Vec<&str> = labels
                .iter()
                .filter(|(name, _)| *name == label)
                .map(|(_, value)| value.as_str())
                .collect();
            let problem = match has[..] {
                [] => problem.note(format!("no file of nodes.d has a label `{label}`")),
                _ => problem.note(format!("nodes have {label} = {}", has.join(", "))),
            };
            out.push(problem.help("such a session waits until a node has it"));
        }
    }
}
