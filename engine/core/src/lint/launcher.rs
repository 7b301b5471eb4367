//! The server and its launcher: whether the one looks where the other listens, and as whom.

use std::net::IpAddr;

use grammar::error::{Code, Severity};
use grammar::source::FileKind::{LauncherConf, RserverConf};

use super::balancing::is_loopback;
use super::{Findings, Need, Rule, Site};

const BOTH: &[Need] = &[Need::File(RserverConf), Need::File(LauncherConf)];

/// The rules about the server and its launcher.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: Code(321),
        title: "rserver.conf looks for the launcher at another port than it listens on",
        severity: Severity::Warning,
        needs: BOTH,
        check: port,
    },
    Rule {
        code: Code(322),
        title: "rserver.conf looks for the launcher at an address that it does not listen on",
        severity: Severity::Warning,
        needs: BOTH,
        check: address,
    },
    Rule {
        code: Code(323),
        title: "sessions come from the launcher, and this machine has no launcher.conf",
        severity: Severity::Warning,
        needs: BOTH,
        check: no_launcher,
    },
    Rule {
        code: Code(324),
        title: "one end of the launcher's connection speaks TLS and the other does not",
        severity: Severity::Warning,
        needs: BOTH,
        check: encryption,
    },
    Rule {
        code: Code(325),
        title: "server and launcher run as different accounts",
        severity: Severity::Warning,
        needs: BOTH,
        check: accounts,
    },
    Rule {
        code: Code(326),
        title: "the server's account is not in the launcher's admin-group",
        severity: Severity::Warning,
        needs: BOTH,
        check: admin_group,
    },
    Rule {
        code: Code(327),
        title: "server and launcher read different cookie keys",
        severity: Severity::Warning,
        needs: BOTH,
        check: cookie_keys,
    },
];

/// The launcher's port unless `port` says otherwise (options.toml).
const PORT: u16 = 5559;
/// The account of both unless `server-user` says otherwise.
const ACCOUNT: &str = "rstudio-server";
/// Where both look for the key unless told otherwise.
const COOKIE_KEY: &str = "/etc/rstudio/secure-cookie-key";

/// Whether the server looks for the launcher of this machine, over TCP.
fn asks_this_machine(site: &Site<'_>) -> bool {
    site.source(LauncherConf).is_some()
        && site.read.text(RserverConf, "launcher-address").is_some_and(is_loopback)
        && !listens_on_socket(site)
}

fn listens_on_socket(site: &Site<'_>) -> bool {
    site.read.text(LauncherConf, "address").is_some_and(|address| address.starts_with('/'))
}

fn port(site: &Site<'_>, out: &mut Findings) {
    let asked = site.read.port(RserverConf, "launcher-port");
    let listened = site.read.port(LauncherConf, "port");
    let (a, b) = (asked.unwrap_or(PORT), listened.unwrap_or(PORT));
    if a == b || !asks_this_machine(site) {
        return;
    }
    let problem = out.problem(format!("the launcher listens on {b}, and is looked for on {a}"));
    let problem = match asked {
        Some(_) => site.at(problem, RserverConf, "launcher-port", "looked for here"),
        None => problem.note(format!("launcher-port is not set in rserver.conf: {PORT}")),
    };
    let problem = match listened {
        Some(_) => site.at(problem, LauncherConf, "port", "listens here"),
        None => problem.note(format!("port is not set in launcher.conf: {PORT}")),
    };
    out.push(problem.help("write the same port in both files"));
}

fn address(site: &Site<'_>, out: &mut Findings) {
    let Some(asked) = site.read.text(RserverConf, "launcher-address") else { return };
    let Some(listened) = site.read.text(LauncherConf, "address") else { return };
    let special = listened.parse::<IpAddr>().ok().filter(|ip| !ip.is_unspecified());
    let elsewhere = is_loopback(asked) && special.is_some_and(|ip| !ip.is_loopback());
    let sockets = asked.starts_with('/') != listened.starts_with('/');
    let other_socket = asked.starts_with('/') && listened.starts_with('/') && asked != listened;
    // A name or another address may be a launcher elsewhere, whose files these are not.
    let here = is_loopback(asked) || asked.starts_with('/');
    if !(elsewhere || (here && sockets) || other_socket) {
        return;
    }
    let problem = out.problem("the launcher does not listen where it is looked for");
    let problem = site.at(problem, RserverConf, "launcher-address", "looked for here");
    let problem = site.at(problem, LauncherConf, "address", "listens here only");
    out.push(problem.help("write the address that launcher.conf listens on into rserver.conf"));
}

fn no_launcher(site: &Site<'_>, out: &mut Findings) {
    let enabled = site.read.switch(RserverConf, "launcher-sessions-enabled") == Some(true);
    let address = site.read.text(RserverConf, "launcher-address");
    let here = address.is_some_and(|address| is_loopback(address) || address.starts_with('/'));
    if !enabled || !here || site.source(LauncherConf).is_some() {
        return;
    }
    let problem = out.problem("sessions come from a launcher that has no launcher.conf");
    let problem = site.at(problem, RserverConf, "launcher-sessions-enabled", "");
    let problem = site.at(problem, RserverConf, "launcher-address", "on this machine");
    out.push(problem.help("write launcher.conf, or name the machine whose launcher it is"));
}

fn encryption(site: &Site<'_>, out: &mut Findings) {
    let asks = site.read.switch(RserverConf, "launcher-use-ssl").unwrap_or(false);
    let speaks = site.read.switch(LauncherConf, "enable-ssl").unwrap_or(false);
    if asks == speaks || !asks_this_machine(site) {
        return;
    }
    let message = if speaks {
        "the launcher speaks TLS, and the server does not expect it"
    } else {
        "the server expects TLS of the launcher, which does not speak it"
    };
    let problem = site.at(out.problem(message), RserverConf, "launcher-use-ssl", "the server");
    let problem = site.at(problem, LauncherConf, "enable-ssl", "the launcher");
    out.push(
        problem.help("set launcher-use-ssl (rserver.conf) and enable-ssl (launcher.conf) alike"),
    );
}

fn accounts(site: &Site<'_>, out: &mut Findings) {
    if site.source(LauncherConf).is_none() {
        return;
    }
    let server = site.read.text(RserverConf, "server-user").unwrap_or(ACCOUNT);
    let launcher = site.read.text(LauncherConf, "server-user").unwrap_or(ACCOUNT);
    if server == launcher {
        return;
    }
    let message = format!("the server runs as `{server}`, its launcher as `{launcher}`");
    let problem = site.at(out.problem(message), RserverConf, "server-user", "the server");
    let problem = site.at(problem, LauncherConf, "server-user", "the launcher");
    let unset = site.read.text(RserverConf, "server-user").is_none()
        || site.read.text(LauncherConf, "server-user").is_none();
    let note = format!("server-user is {ACCOUNT} where it is not set");
    let problem = if unset { problem.note(note) } else { problem };
    out.push(problem.help("write the same server-user in both files"));
}

fn admin_group(site: &Site<'_>, out: &mut Findings) {
    let Some(group) = site.read.text(LauncherConf, "admin-group") else { return };
    let Some(account) = out.known(&site.facts().server_user) else { return };
    let Some(primary) = &account.group else { return };
    if primary == group || account.member_of.iter().any(|of| of == group) {
        return;
    }
    let message = format!("`{}` is not in the group `{group}`", account.name);
    let problem = site.at(out.problem(message), LauncherConf, "admin-group", "");
    let problem = site.at(problem, RserverConf, "server-user", "the account");
    out.push(
        problem
            .note(format!("its primary group is `{primary}`; it may then not act for other users"))
            .help(format!("write admin-group={primary}")),
    );
}

fn cookie_keys(site: &Site<'_>, out: &mut Findings) {
    const OPTION: &str = "secure-cookie-key-file";
    if site.source(LauncherConf).is_none() {
        return;
    }
    let server = site.read.text(RserverConf, OPTION);
    let launcher = site.read.text(LauncherConf, OPTION);
    if server.unwrap_or(COOKIE_KEY) == launcher.unwrap_or(COOKIE_KEY) {
        return;
    }
    let problem = out.problem("server and launcher are told different cookie keys");
    let problem = site.at(problem, RserverConf, OPTION, "the server's");
    let problem = site.at(problem, LauncherConf, OPTION, "the launcher's");
    let problem = if server.is_none() || launcher.is_none() {
        problem.note(format!("the other one looks for {COOKIE_KEY}"))
    } else {
        problem
    };
    out.push(
        problem
            .note("they prove themselves to each other with this key: it must be the same, byte for byte")
            .help(format!("write the same {OPTION} in both files")),
    );
}
