//! A session's fields as values: words to enums, units to numbers, defaults filled in.

use std::collections::BTreeSet;

use grammar::own::fields;
use grammar::own::form::Plain;

use crate::desired::{Access, OnRemoval, Placement, Resources, Restart, StopSpec};
use crate::ids::{NodeId, UserName};

pub(super) fn restart_of(restart: fields::Restart) -> Restart {
    match restart {
        fields::Restart::Always => Restart::Always,
        fields::Restart::OnFailure => Restart::OnFailure,
        fields::Restart::No => Restart::No,
    }
}

pub(super) fn on_removal_of(on_removal: Option<fields::OnRemoval>) -> OnRemoval {
    match on_removal {
        Some(fields::OnRemoval::Stop) => OnRemoval::Stop,
        Some(fields::OnRemoval::Keep) => OnRemoval::Keep,
        Some(fields::OnRemoval::WhenIdle) | None => OnRemoval::WhenIdle,
    }
}

pub(super) fn stop_of(stop: Option<&fields::Stop>) -> StopSpec {
    let default = StopSpec::default();
    let signal = stop.and_then(|stop| stop.signal);
    // Numbers of Linux on every architecture that it runs sessions on (signal(7)).
    let signal = signal.map(|signal| match signal {
        fields::Signal::Hup => 1,
        fields::Signal::Int => 2,
        fields::Signal::Quit => 3,
        fields::Signal::Kill => 9,
        fields::Signal::Usr1 => 10,
        fields::Signal::Usr2 => 12,
        fields::Signal::Term => 15,
    });
    StopSpec {
        signal: signal.unwrap_or(default.signal),
        grace_ms: stop
            .and_then(|stop| stop.stop_grace_period)
            .map_or(default.grace_ms, |grace| grace.0),
    }
}

pub(super) fn resources_of(resources: Option<&fields::Resources<Plain>>) -> Resources {
    let Some(resources) = resources else { return Resources::default() };
    let request = resources.request.as_ref();
    Resources {
        cpus_milli: resources.cpus.map(|cpus| u64::from(cpus.0)),
        memory_bytes: resources.memory.map(|memory| memory.0),
        request_cpus_milli: request
            .and_then(|request| request.cpus)
            .or(resources.cpus)
            .map(|cpus| u64::from(cpus.0)),
        request_memory_bytes: request
            .and_then(|request| request.memory)
            .or(resources.memory)
            .map(|memory| memory.0),
        profile: resources.profile.clone(),
    }
}

pub(super) fn access_of(access: Option<&fields::Access>, owner: &UserName) -> Access {
    let names = |names: Option<&Vec<String>>| -> BTreeSet<UserName> {
        names.into_iter().flatten().filter_map(|name| UserName::new(name).ok()).collect()
    };
    Access {
        owner: Some(owner.clone()),
        users: names(access.and_then(|access| access.users.as_ref())),
        groups: access
            .and_then(|access| access.groups.clone())
            .map(|groups| groups.into_iter().collect())
            .unwrap_or_default(),
        admins: names(access.and_then(|access| access.admins.as_ref())),
    }
}

pub(super) fn placement_of(placement: Option<&fields::Placement>) -> Placement {
    let Some(placement) = placement else { return Placement::default() };
    let nodes = placement
        .nodes
        .as_ref()
        .map(|nodes| nodes.iter().filter_map(|node| NodeId::new(node).ok()).collect());
    Placement { nodes, require: placement.require.clone().unwrap_or_default() }
}
