//! Accounts of the system, by name, through the system's own directory services.
//!
//! An answer is kept for 30 s: a round asks for every session's account, and a directory server may
//! be far. That it did not answer is Unknown, and is kept shorter. Read next: [`crate::ports::Accounts`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use engine_core::ids::{Moment, UserName};
use engine_core::known::Known;
use engine_core::observed::UserSeen;
use nix::errno::Errno;
use nix::unistd::{User, geteuid};

use crate::ports::Accounts;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(30);
/// How long the lack of one is kept.
const UNKNOWN_KEPT: Duration = Duration::from_secs(5);

/// Looks accounts up with getpwnam.
#[derive(Debug, Default)]
pub struct SystemAccounts {
    kept: BTreeMap<UserName, (Instant, Known<UserSeen>)>,
    homes: BTreeMap<UserName, String>,
}

impl SystemAccounts {
    /// With nothing kept yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives an account another home than the system's: that of [`Fallback::needs_home`].
    pub fn set_home(&mut self, user: UserName, home: String) {
        self.kept.remove(&user);
        self.homes.insert(user, home);
    }
}

impl Accounts for SystemAccounts {
    fn look_up(&mut self, user: &UserName, now: Moment) -> Known<UserSeen> {
        let before = self.kept.get(user);
        if let Some((at, known)) = before {
            let kept = if known.is_unknown() { UNKNOWN_KEPT } else { KEPT };
            if at.elapsed() < kept {
                return known.clone();
            }
        }
        let found = match (look_up(user), before) {
            // Since the first time that nobody could say.
            (Known::Unknown { reason, .. }, Some((_, Known::Unknown { since, .. }))) => {
                Known::Unknown { since: *since, reason }
            }
            (Known::Unknown { reason, .. }, _) => Known::Unknown { since: now, reason },
            (found, _) => found.map(|seen| match self.homes.get(user) {
                Some(home) => UserSeen { home: home.clone(), ..seen },
                None => seen,
            }),
        };
        self.kept.insert(user.clone(), (Instant::now(), found.clone()));
        found
    }
}

fn look_up(name: &UserName) -> Known<UserSeen> {
    let unknown = |reason| Known::Unknown { since: Moment::default(), reason };
    if let Some(reason) = crate::name_service::is_blind() {
        return unknown(reason);
    }
    match User::from_name(name.as_str()) {
        Ok(Some(user)) => Known::Present(describe(&user)),
        // POSIX lets a system say "no such account" by these, too (getpwnam(3)).
        Ok(None) | Err(Errno::ENOENT | Errno::ESRCH) => {
            crate::name_service::is_blind().map_or(Known::Absent, unknown)
        }
        Err(errno) => unknown(format!("the directory of accounts does not answer: {errno}")),
    }
}

fn describe(user: &User) -> UserSeen {
    let own = geteuid();
    UserSeen {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        home: user.dir.to_string_lossy().into_owned(),
        shell: user.shell.to_string_lossy().into_owned(),
        reachable: own.is_root() || own == user.uid,
    }
}

/// An account for sessions of an engine that a person has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// Its name.
    pub name: UserName,
    /// Whether it has no home of its own, so that the warden makes one (`Call::MakeHome`).
    pub needs_home: bool,
}

/// Who sessions run as where no file names an account: ourselves; as root whoever called `sudo`, else
/// `nobody` with a home of our making. Never root.
///
/// # Errors
/// There is no such account.
pub fn fallback_user() -> Result<Fallback, String> {
    let sudo_user = std::env::var("SUDO_USER").ok();
    choose_fallback(geteuid().as_raw(), sudo_user.as_deref())
}

fn choose_fallback(uid: u32, sudo_user: Option<&str>) -> Result<Fallback, String> {
    let known = |name: &str| User::from_name(name).ok().flatten();
    let (user, needs_home) = if uid != 0 {
        let own = User::from_uid(uid.into()).ok().flatten();
        (own.ok_or_else(|| format!("uid {uid} has no account"))?, false)
    } else if let Some(user) = sudo_user.and_then(known).filter(|user| !user.uid.is_root()) {
        (user, false)
    } else {
        (known("nobody").ok_or("there is no account `nobody`: name one with `user`")?, true)
    };
    let name = UserName::new(&user.name).map_err(|bad| bad.to_string())?;
    Ok(Fallback { name, needs_home })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_and_a_missing_one_is_absent() {
        let mut accounts = SystemAccounts::new();
        let root = accounts.look_up(&UserName::new("root").unwrap(), Moment(1));
        let root = root.present().unwrap();
        assert_eq!((root.uid, root.reachable), (0, geteuid().is_root()));
        let missing = UserName::new("no-such-account-here").unwrap();
        assert_eq!(accounts.look_up(&missing, Moment(1)), Known::Absent);
        assert_eq!(accounts.look_up(&missing, Moment(2)), Known::Absent);
        accounts.set_home(UserName::new("root").unwrap(), "/made".to_owned());
        let root = accounts.look_up(&UserName::new("root").unwrap(), Moment(3));
        assert_eq!(root.present().unwrap().home, "/made");
    }

    #[test]
    fn root_never_falls_back_to_itself() {
        for sudo_user in [None, Some("root"), Some("no-such-account-here"), Some("../x")] {
            let fallback = choose_fallback(0, sudo_user).unwrap();
            assert_eq!((fallback.name.as_str(), fallback.needs_home), ("nobody", true));
        }
        assert!(!choose_fallback(geteuid().as_raw().max(1), None).is_ok_and(|f| f.needs_home));
    }
}
