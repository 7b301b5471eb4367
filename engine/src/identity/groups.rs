//! Groups of accounts, asked of the system off the data path and remembered for a while.
//!
//! A directory service that does not answer is Unknown: it lets nobody in and is asked again soon.

use std::collections::{BTreeSet, HashMap};
use std::ffi::CString;
use std::sync::Arc;

use arc_swap::ArcSwap;
use engine_core::ids::{Moment, UserName};
use engine_core::known::Known;
use grammar::value::Millis;

/// How long what is known of a person's groups is used.
const FRESH: Millis = Millis(60_000);
/// How long it is used that nothing is known.
const UNKNOWN_FRESH: Millis = Millis(5_000);
/// Most people remembered.
const MOST_REMEMBERED: usize = 10_000;

/// Asks for a person's groups; may block.
pub trait GroupLookup: Send + Sync {
    /// The names of all groups of `user`.
    fn look_up(&self, user: &UserName, now: Moment) -> Known<BTreeSet<String>>;
}

/// What is known of one person's groups.
pub type Membership = Arc<Known<BTreeSet<String>>>;

/// Groups, remembered for a minute.
pub struct Groups {
    lookup: Box<dyn GroupLookup>,
    remembered: ArcSwap<HashMap<UserName, (Moment, Membership)>>,
}

impl Groups {
    /// Asks `lookup`.
    #[must_use]
    pub fn new(lookup: Box<dyn GroupLookup>) -> Self {
        Self { lookup, remembered: ArcSwap::default() }
    }

    /// What is remembered and fresh. Never blocks.
    #[must_use]
    pub fn remembered(&self, user: &UserName, now: Moment) -> Option<Membership> {
        let remembered = self.remembered.load();
        let (at, groups) = remembered.get(user)?;
        let fresh = if groups.is_unknown() { UNKNOWN_FRESH } else { FRESH };
        (now.since(*at) < fresh && now >= *at).then(|| Arc::clone(groups))
    }

    /// Asks, and remembers the answer. May block.
    pub fn look_up(&self, user: &UserName, now: Moment) -> Membership {
        let groups = Arc::new(self.lookup.look_up(user, now));
        self.remembered.rcu(|remembered| {
            let mut remembered: HashMap<_, _> = remembered.as_ref().clone();
            if remembered.len() >= MOST_REMEMBERED {
                remembered.retain(|_, (at, _)| now.since(*at) < FRESH);
            }
            remembered.insert(user.clone(), (now, Arc::clone(&groups)));
            Arc::new(remembered)
        });
        groups
    }
}

/// Groups as the system's name service knows them.
pub struct SystemGroups;

impl GroupLookup for SystemGroups {
    fn look_up(&self, user: &UserName, now: Moment) -> Known<BTreeSet<String>> {
        let unknown = |reason: String| Known::Unknown { since: now, reason };
        if let Some(reason) = crate::name_service::is_blind() {
            return unknown(reason);
        }
        let account = match nix::unistd::User::from_name(user.as_str()) {
            Ok(Some(account)) => account,
            Ok(None) => return crate::name_service::is_blind().map_or(Known::Absent, unknown),
            Err(error) => return unknown(format!("account {user}: {error}")),
        };
        let Ok(name) = CString::new(user.as_str()) else { return Known::Absent };
        let gids = match nix::unistd::getgrouplist(&name, account.gid) {
            Ok(gids) => gids,
            Err(error) => return unknown(format!("groups of {user}: {error}")),
        };
        let mut names = BTreeSet::new();
        for gid in gids {
            match nix::unistd::Group::from_gid(gid) {
                Ok(group) => names.extend(group.map(|group| group.name)),
                Err(error) => return unknown(format!("group {gid}: {error}")),
            }
        }
        // Groups that nobody could be asked for are missing from the answer without a word.
        crate::name_service::is_blind().map_or(Known::Present(names), unknown)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    struct Counting(Arc<AtomicU32>, bool);

    impl GroupLookup for Counting {
        fn look_up(&self, _: &UserName, now: Moment) -> Known<BTreeSet<String>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            if self.1 {
                Known::Present(BTreeSet::from(["genomics".to_owned()]))
            } else {
                Known::Unknown { since: now, reason: "no answer".to_owned() }
            }
        }
    }

    #[test]
    fn an_answer_is_used_for_a_minute_and_no_answer_for_five_seconds() {
        let user: UserName = "alice".parse().unwrap();
        for (answers, fresh_ms) in [(true, 60_000), (false, 5_000)] {
            let groups = Groups::new(Box::new(Counting(Arc::default(), answers)));
            assert!(groups.remembered(&user, Moment(0)).is_none());
            groups.look_up(&user, Moment(0));
            assert!(groups.remembered(&user, Moment(fresh_ms - 1)).is_some());
            assert!(groups.remembered(&user, Moment(fresh_ms)).is_none());
            assert!(groups.remembered(&user, Moment(-1)).is_none(), "the clock went back");
        }
    }

    #[test]
    fn the_system_knows_the_groups_of_root_and_that_nobody_is_called_so() {
        let root = SystemGroups.look_up(&"root".parse().unwrap(), Moment(0));
        assert!(root.present().is_some_and(|groups| groups.contains("root")));
        let stranger: UserName = "no-such-account-here".parse().unwrap();
        assert!(SystemGroups.look_up(&stranger, Moment(0)).present().is_none());
    }
}
