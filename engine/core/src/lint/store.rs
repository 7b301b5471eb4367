//! Where state is kept: whether it can be kept there.

use grammar::error::{Code, Severity};
use grammar::own::wharf::Mode;
use grammar::source::FileKind::DatabaseConf;

use super::{Findings, Need, Rule, Site};

/// The rules about the store.
pub(super) const RULES: &[Rule] = &[Rule {
    code: Code(312),
    title: "database.conf names a store that this version cannot open",
    severity: Severity::Error,
    needs: &[Need::File(DatabaseConf), Need::Wharf],
    check: cannot_be_opened,
}];

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
