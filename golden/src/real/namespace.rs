//! A test that runs once more within namespaces of its own: where it may mount, where the kernel's limits
//! are low, or where it is no root.
//!
//! The test program starts itself there by unshare(1) (util-linux), with the one test; what it does is seen nowhere
//! else, and gone with it. Ordinary users need user namespaces for it. Where neither is to be had the test
//! says so and does nothing.

use std::process::{Command, Stdio};

/// Set within.
const WITHIN: &str = "WHARF_TEST_WITHIN";

/// An account without rights that every system has, for programs that are root outside.
const NOBODY: &str = "65534";

/// Which namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// Mounts: whatever is mounted stays unseen outside.
    Mounts,
    /// Users: limits of the kernel can be lowered, and the account is an ordinary one with all capabilities.
    Limits,
    /// Users: the account is an ordinary one without any capability, whom the modes of files bind.
    Account,
}

impl Own {
    fn word(self) -> &'static str {
        match self {
            Own::Mounts => "mounts",
            Own::Limits => "limits",
            Own::Account => "account",
        }
    }

    fn command(self) -> Command {
        let root = rustix::process::geteuid().is_root();
        let mut command = Command::new("unshare");
        match (self, root) {
            (Own::Mounts, true) => command.arg("--mount"),
            (Own::Mounts, false) => {
                command.args(["--user", "--map-current-user", "--keep-caps", "--mount"])
            }
            (Own::Limits, true) => {
                command.args(["--user", &format!("--map-user={NOBODY}"), "--keep-caps"])
            }
            (Own::Limits, false) => command.args(["--user", "--map-current-user", "--keep-caps"]),
            (Own::Account, _) => command.args(["--user", &format!("--map-user={NOBODY}")]),
        };
        command.stdin(Stdio::null());
        command
    }

    /// Whether this account may.
    fn is_to_be_had(self) -> bool {
        let probe = match self {
            Own::Mounts => "mount -t tmpfs none /mnt",
            Own::Limits => "echo 1000 >/proc/sys/user/max_inotify_watches",
            Own::Account => {
                "file=$(mktemp) && chmod 0 \"$file\" && ! cat \"$file\"; is=$?; rm -f \"$file\"; exit $is"
            }
        };
        let tried = self.command().args(["sh", "-c", probe]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    }
}

/// Runs `body`, the body of `test`, within.
///
/// # Panics
/// It does, or the test program cannot be started there.
pub fn within<T: Fn()>(own: Own, test: T, body: impl FnOnce()) {
    let is_there = own == Own::Account && !rustix::process::geteuid().is_root();
    if is_there || std::env::var(WITHIN).is_ok_and(|within| within == own.word()) {
        body();
        return;
    }
    let whole = std::any::type_name_of_val(&test);
    let (_, name) = whole.split_once("::").expect("a test is in a crate");
    if !own.is_to_be_had() {
        println!(
            "NOT RUN: {name}: needs root, or user namespaces for ordinary users, to have {own:?} of its own"
        );
        return;
    }
    let exe = std::env::current_exe().expect("a running program has a path");
    let output = own
        .command()
        .arg(exe)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(WITHIN, own.word())
        .output()
        .expect("unshare ran before");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "within {own:?} of its own:\n{said}\n{complained}"
    );
}
