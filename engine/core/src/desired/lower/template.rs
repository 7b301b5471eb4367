//! A template as the session that it becomes where nobody chooses anything.

use grammar::own::fields::{self, SessionFields};
use grammar::own::form::{Field, Offered, Plain};

/// A template's fields with every choice at its default, or at its first option.
pub(super) fn resolved(fields: SessionFields<Offered>) -> SessionFields<Plain> {
    let resources = fields.resources.map(|resources| fields::Resources {
        cpus: resources.cpus.and_then(pick),
        memory: resources.memory.and_then(pick),
        profile: resources.profile.and_then(pick),
        request: resources.request.map(|request| fields::Request {
            cpus: request.cpus.and_then(pick),
            memory: request.memory.and_then(pick),
        }),
    });
    let env = fields.env.map(|env| {
        env.into_iter().filter_map(|(name, value)| Some((name, pick(value)?))).collect()
    });
    SessionFields {
        workbench: pick(fields.workbench).unwrap_or_default(),
        display_name: fields.display_name,
        cluster: fields.cluster.and_then(pick),
        restart: fields.restart,
        on_removal: fields.on_removal,
        working_dir: fields.working_dir.and_then(pick),
        args: fields.args,
        access: fields.access,
        resources,
        env,
        health: fields.health,
        idle: fields.idle.map(|idle| fields::Idle {
            timeout: idle.timeout.and_then(pick),
            action: idle.action.and_then(pick),
        }),
        stop: fields.stop,
        update: fields.update,
        publish: fields.publish,
        placement: fields.placement,
    }
}

fn pick<T>(field: Field<T>) -> Option<T> {
    match field {
        Field::Fixed(value) => Some(value),
        Field::Choose { options, default, .. } => default.or_else(|| options.into_iter().next()),
    }
}
