//! Who may use a route. Groups are asked of the system off the data threads.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use engine_core::desired::Access;
use engine_core::known::Known;

use crate::identity::Person;
use crate::identity::groups::Membership;

use super::thread::Shared;

/// How long a request waits for a directory service before it counts as silent.
const GROUPS_TIMEOUT: Duration = Duration::from_secs(5);

/// What names alone say.
fn is_named(access: &Access, person: &Person) -> bool {
    person.admin
        || access.owner.as_ref() == Some(&person.user)
        || access.users.contains(&person.user)
        || access.admins.contains(&person.user)
}

fn is_member(access: &Access, groups: &Known<BTreeSet<String>>) -> bool {
    groups.present().is_some_and(|groups| !groups.is_disjoint(&access.groups))
}

/// Whether `person` may use what has `access`, by names and by the groups that are remembered. Never blocks.
pub(super) fn may_now(shared: &Shared, access: &Access, person: &Person) -> bool {
    is_named(access, person)
        || (!access.groups.is_empty()
            && shared
                .identity
                .groups
                .remembered(&person.user, shared.clock.now())
                .is_some_and(|groups| is_member(access, &groups)))
}

/// Whether `person` may use what has `access`. Groups that nobody can tell let nobody in.
pub(super) async fn may(shared: &Arc<Shared>, access: &Access, person: &Person) -> bool {
    is_named(access, person)
        || (!access.groups.is_empty()
            && groups_of(shared, person).await.is_some_and(|groups| is_member(access, &groups)))
}

/// Whether it is certain that `person` may not use what has `access`. Silence shuts nobody out who is in.
pub(super) async fn is_shut_out(shared: &Arc<Shared>, access: &Access, person: &Person) -> bool {
    if is_named(access, person) {
        return false;
    }
    if access.groups.is_empty() {
        return true;
    }
    let groups = groups_of(shared, person).await;
    groups.is_some_and(|groups| !groups.is_unknown() && !is_member(access, &groups))
}

/// The groups of `person`, asked for where they are not remembered; none if nobody answers in time.
pub(super) async fn groups_of(shared: &Arc<Shared>, person: &Person) -> Option<Membership> {
    let now = shared.clock.now();
    if let Some(groups) = shared.identity.groups.remembered(&person.user, now) {
        return Some(groups);
    }
    let (asking, user) = (Arc::clone(shared), person.user.clone());
    let lookup = tokio::task::spawn_blocking(move || asking.identity.groups.look_up(&user, now));
    tokio::time::timeout(GROUPS_TIMEOUT, lookup).await.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_let_in_and_everybody_else_is_left_out() {
        let access = Access {
            owner: Some("alice".parse().unwrap()),
            users: BTreeSet::from(["bob".parse().unwrap()]),
            groups: BTreeSet::from(["genomics".to_owned()]),
            admins: BTreeSet::from(["carol".parse().unwrap()]),
        };
        let person = |user: &str, admin| Person { user: user.parse().unwrap(), admin };
        for (user, admin, wanted) in [
            ("alice", false, true),
            ("bob", false, true),
            ("carol", false, true),
            ("dan", false, false),
            ("dan", true, true),
        ] {
            assert_eq!(is_named(&access, &person(user, admin)), wanted, "{user}");
        }
        assert!(!is_named(&Access::default(), &person("dan", false)));
    }

    #[test]
    fn groups_let_in_only_when_they_are_known() {
        let access = Access { groups: BTreeSet::from(["g".to_owned()]), ..Access::default() };
        let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert!(is_member(&access, &Known::Present(groups(&["f", "g"]))));
        assert!(!is_member(&access, &Known::Present(groups(&["f"]))));
        assert!(!is_member(&access, &Known::Absent));
        let silent = Known::Unknown { since: Default::default(), reason: "silent".to_owned() };
        assert!(!is_member(&access, &silent));
    }
}
