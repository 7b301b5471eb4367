//! The workbenches that are known without a file: what is run, where it answers, what it must be told.
//!
//! Data only. Where the executables are is an observation, made by the launcher.

use std::collections::BTreeMap;

use grammar::value::Millis;

use crate::desired::{BasePath, Program};
use crate::ids::WorkbenchName;

/// A workbench as known without a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Builtin {
    /// What is run.
    pub program: Program,
    /// Whether its server sees the prefix.
    pub base: BasePath,
    /// The path below its base that answers once it is ready.
    pub health_path: &'static str,
    /// How long a start may take.
    pub start_timeout: Millis,
}

/// One row: name, arguments, environment, base, health path, start timeout in seconds.
type Row = (
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
    BasePath,
    &'static str,
    u64,
);

/// Arguments of a Jupyter server behind the proxy (design.md §15): a socket that only its owner and the
/// engine reach, kernels over IPC instead of shared loopback TCP, any Host accepted since the proxy
/// passes the browser's on. No token: whoever reaches the socket is the owner or has been let in by the
/// engine, and a second sign-in would only teach people to paste secrets into URLs.
const JUPYTER: [&str; 8] = [
    "--no-browser",
    "--ServerApp.sock={SOCKET}",
    "--ServerApp.sock_mode=0660",
    "--ServerApp.base_url={BASE}/",
    "--ServerApp.allow_remote_access=True",
    "--ServerApp.root_dir={HOME}",
    "--KernelManager.transport=ipc",
    "--IdentityProvider.token=",
];

/// Kernels' sockets and the files with their keys lie beside the session's socket: below a home their
/// paths can be longer than the 107 bytes that a socket's may have (every kernel then fails to start),
/// and homes are on network file systems without sockets.
const JUPYTER_ENV: [(&str, &str); 1] = [("JUPYTER_RUNTIME_DIR", "{RUNTIME}")];

const ROWS: &[Row] = &[
    ("demo", &["__demo", "--socket", "{SOCKET}"], &[], BasePath::Keep, "/status", 10),
    ("jupyterlab", &JUPYTER, &JUPYTER_ENV, BasePath::Keep, "/api", 90),
    ("jupyter-notebook", &JUPYTER, &JUPYTER_ENV, BasePath::Keep, "/api", 90),
    (
        "vs-code",
        &[
            "--socket={SOCKET}",
            "--socket-mode=660",
            "--auth=none",
            "--disable-telemetry",
            "--disable-update-check",
            "--abs-proxy-base-path={BASE}",
            "{HOME}",
        ],
        &[],
        BasePath::Strip,
        "/healthz",
        60,
    ),
    (
        "rstudio",
        &[
            "--server-daemonize=0",
            "--www-socket={SOCKET}",
            "--www-root-path={BASE}",
            "--auth-none=1",
            "--server-user={USER}",
            "--server-data-dir={HOME}/.local/share/wharf/rstudio-{ID}",
        ],
        &[],
        BasePath::Keep,
        "/",
        60,
    ),
];

/// Every workbench that is known without a file.
///
/// # Panics
/// Never: the names are words of this file.
#[must_use]
pub fn builtins() -> BTreeMap<WorkbenchName, Builtin> {
    ROWS.iter()
        .map(|(name, args, env, base, health_path, seconds)| {
            // `jupyter lab`, `jupyter notebook`: the executable is `jupyter`.
            let verb = name.strip_prefix("jupyter").map(|rest| rest.trim_start_matches('-'));
            let args = verb.into_iter().chain(args.iter().copied());
            let program = Program {
                exe: None,
                args: args.map(str::to_owned).collect(),
                env: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            };
            let name = WorkbenchName::new(name).expect("a word of this file");
            let builtin = Builtin {
                program,
                base: *base,
                health_path,
                start_timeout: Millis(seconds * 1000),
            };
            (name, builtin)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_workbench_is_told_its_socket() {
        for (name, builtin) in builtins() {
            let told = builtin.program.args.iter().any(|arg| arg.contains("{SOCKET}"));
            assert!(told, "{name}");
        }
    }
}
