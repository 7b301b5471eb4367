//! Several nodes: whether what they share is shared.

use grammar::error::{Code, Severity};
use grammar::source::FileKind::{DatabaseConf, RserverConf};

use super::{Findings, Need, Rule, Site};

/// The rules about several nodes.
pub(super) const RULES: &[Rule] = &[Rule {
    code: Code(311),
    title: "load balancing is on and the store is not shared",
    severity: Severity::Warning,
    needs: &[Need::File(RserverConf), Need::File(DatabaseConf)],
    check: store_not_shared,
}];

fn store_not_shared(site: &Site<'_>, out: &mut Findings) {
    let shared = site
        .read
        .text(DatabaseConf, "provider")
        .is_some_and(|word| word.eq_ignore_ascii_case("postgresql"));
    if shared || site.read.switch(RserverConf, "load-balancing-enabled") != Some(true) {
        return;
    }
    let problem = out.problem("load balancing is on but the store is not shared");
    let problem = site.at(problem, RserverConf, "load-balancing-enabled", "");
    let problem = match site.read.entry(DatabaseConf, "provider") {
        Some(_) => site.at(problem, DatabaseConf, "provider", ""),
        None => problem.note("without provider in database.conf each node keeps its own store"),
    };
    out.push(problem.help("set provider=postgresql in database.conf, or turn load balancing off"));
}
