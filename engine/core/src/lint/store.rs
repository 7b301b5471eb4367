//! Where state is kept: whether it can be kept there.

use grammar::error::{Code, Severity};
use grammar::own::wharf::Mode;
use grammar::source::FileKind::DatabaseConf;

use super::finding::at_field;
use super::{Findings, Need, Rule, Site};

/// The rules about the store.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: Code(312),
        title: "database.conf names a store that this version cannot open",
        severity: Severity::Error,
        needs: &[Need::File(DatabaseConf), Need::Wharf],
        check: cannot_be_opened,
    },
    Rule {
        code: Code(641),
        title: "the embedded store lies on a network file system",
        severity: Severity::Warning,
        needs: &[Need::Wharf],
        check: on_network,
    },
];

fn cannot_be_opened(site: &Site<'_>, out: &mut Findings) {
    let provider = site.read.entry(DatabaseConf, "provider");
    let Some(entry) = provider.filter(|_| site.mode == Mode::Serve) else { return };
    if !entry.value.eq_ignore_ascii_case("postgresql") {
        return;
    }
    out.push(
        out.problem("a PostgreSQL store cannot be used by this version")
            .label(
                &site.read.shown(DatabaseConf),
                Some(entry.value_span),
                "arrives with several nodes",
            )
            .help("serve in mode \"beside\" with [store] path, or keep mode \"observe\""),
    );
}

/// Locks and syncs there are another machine's word: the store refuses to open (design.md §7).
fn on_network(site: &Site<'_>, out: &mut Findings) {
    let (Some(read), Some(own)) = (&site.read.wharf, site.read.wharf()) else { return };
    if own.lines.written("store.path").is_none() {
        return;
    }
    let Some(place) = out.known(&site.facts().store) else { return };
    let Some(network) = &place.network else { return };
    let problem = out.problem(format!("the store would lie on {network}"));
    let label = format!("{} is on {network}", place.dir);
    let problem = at_field(problem, read.source, &own.lines, "store.path", label);
    out.push(
        problem
            .note("locks and syncs there are kept by another machine; the store refuses to open")
            .help("choose a directory on a disk of this machine"),
    );
}
