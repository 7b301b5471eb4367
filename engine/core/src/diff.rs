//! What differs between what a session was started from and what is asked for now.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::{EnvValue, LaunchSpec};
use crate::plan::{LaunchChange, shown};

/// The differences, in a fixed order; empty if and only if the digests are equal.
#[must_use]
pub fn launch_changes(from: &LaunchSpec, to: &LaunchSpec) -> Vec<LaunchChange> {
    let mut changes = Vec::new();
    let all = &mut changes;
    field(all, "workbench", &from.workbench, &to.workbench, ToString::to_string);
    field(all, "user", &from.user, &to.user, ToString::to_string);
    field(all, "cluster", &from.cluster, &to.cluster, ToString::to_string);
    let (before, after) = (&from.program, &to.program);
    field(all, "exe", &before.exe, &after.exe, text);
    field(all, "args", &before.args, &after.args, |args| args.join(" "));
    field(all, "workbench-env", &before.env, &after.env, pairs);
    field(all, "working-dir", &from.working_dir, &to.working_dir, text);
    // Limits are not among them: nothing enforces those yet.
    field(all, "base", &from.base, &to.base, |base| format!("{base:?}"));
    env_changes(from, to, all);
    if let Some(args) = changes.iter_mut().find(|change| change.from == change.to) {
        // Two argument lists may print alike and differ.
        args.from = format!("{:?}", from.program.args);
        args.to = format!("{:?}", to.program.args);
    }
    changes
}

/// Adds a difference; what is the same, and that is nearly everything, is not written out.
fn field<T: PartialEq>(
    changes: &mut Vec<LaunchChange>,
    what: &str,
    from: &T,
    to: &T,
    show: impl Fn(&T) -> String,
) {
    if from != to {
        changes.push(LaunchChange { what: what.to_owned(), from: show(from), to: show(to) });
    }
}

fn text(value: &Option<String>) -> String {
    value.clone().unwrap_or_else(|| "none".to_owned())
}

fn pairs(env: &BTreeMap<String, String>) -> String {
    let pairs = env.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join(" ")
}

fn env_changes(from: &LaunchSpec, to: &LaunchSpec, changes: &mut Vec<LaunchChange>) {
    if from.env == to.env {
        return;
    }
    let both = from.env.iter().chain(&to.env);
    let names: BTreeSet<&String> = both.map(|(name, _)| name).collect();
    for name in names {
        let (before, after) = (from.env.get(name), to.env.get(name));
        if before == after {
            continue;
        }
        let secret = [before, after].iter().any(|v| matches!(v, Some(EnvValue::Secret(_))));
        let show = |value: Option<&EnvValue>| value.map_or_else(|| "none".to_owned(), shown);
        let (from, to) = if secret && before.is_some() && after.is_some() {
            ("(secret)".to_owned(), "(secret, changed)".to_owned())
        } else {
            (show(before), show(after))
        };
        changes.push(LaunchChange { what: format!("env {name}"), from, to });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::desired::{BasePath, Environment, Program, Resources};
    use crate::ids::Digest;

    fn spec() -> LaunchSpec {
        LaunchSpec {
            workbench: "demo".parse().unwrap(),
            user: "alice".parse().unwrap(),
            cluster: "Local".parse().unwrap(),
            program: Program { exe: None, args: vec!["a b".into()], env: BTreeMap::new() },
            env: Environment::default(),
            working_dir: None,
            resources: Resources::default(),
            base: BasePath::Keep,
        }
    }

    fn whats(from: &LaunchSpec, to: &LaunchSpec) -> Vec<String> {
        launch_changes(from, to).into_iter().map(|change| change.what).collect()
    }

    #[test]
    fn equal_specs_have_no_changes() {
        assert!(launch_changes(&spec(), &spec()).is_empty());
        assert_eq!(spec().digest(), spec().digest());
    }

    #[test]
    fn arguments_that_print_alike_still_differ() {
        let mut other = spec();
        other.program.args = vec!["a".into(), "b".into()];
        assert_ne!(spec().digest(), other.digest());
        assert_eq!(whats(&spec(), &other), ["args"]);
    }

    #[test]
    fn a_changed_secret_shows_that_it_changed_and_nothing_else() {
        let (mut from, mut to) = (spec(), spec());
        from.env.insert("KEY".into(), EnvValue::Secret(Digest::of(b"1")));
        to.env.insert("KEY".into(), EnvValue::Secret(Digest::of(b"2")));
        let changes = launch_changes(&from, &to);
        assert_eq!(changes[0].what, "env KEY");
        assert_eq!((&*changes[0].from, &*changes[0].to), ("(secret)", "(secret, changed)"));
    }

    #[test]
    fn a_secret_that_comes_or_goes_is_said_to() {
        let (without, mut with) = (spec(), spec());
        with.env.insert("KEY".into(), EnvValue::Secret(Digest::of(b"1")));
        let one = |from: &LaunchSpec, to: &LaunchSpec| {
            let change = launch_changes(from, to).remove(0);
            (change.from, change.to)
        };
        let (none, secret) = ("none".to_owned(), "(secret)".to_owned());
        assert_eq!(one(&without, &with), (none.clone(), secret.clone()));
        assert_eq!(one(&with, &without), (secret.clone(), none));
        let (mut plain, mut other) = (spec(), spec());
        plain.env.insert("LANG".into(), EnvValue::Plain("C".into()));
        other.env.insert("LANG".into(), EnvValue::Plain("C.UTF-8".into()));
        assert_eq!(one(&plain, &other), ("C".to_owned(), "C.UTF-8".to_owned()));
    }

    #[test]
    fn limits_that_nothing_enforces_make_no_difference() {
        let mut limited = spec();
        limited.resources.cpus_milli = Some(4_000);
        assert_eq!(whats(&spec(), &limited), [""; 0]);
        assert_eq!(spec().digest(), limited.digest());
        limited.working_dir = Some("/w".to_owned());
        assert_ne!(spec().digest(), limited.digest());
    }

    #[test]
    fn each_field_is_named_by_its_own_change() {
        let base = spec();
        let change = |f: fn(&mut LaunchSpec)| {
            let mut to = base.clone();
            f(&mut to);
            whats(&base, &to)
        };
        assert_eq!(change(|s| s.workbench = "x".parse().unwrap()), ["workbench"]);
        assert_eq!(change(|s| s.user = "bob".parse().unwrap()), ["user"]);
        assert_eq!(change(|s| s.cluster = "B".parse().unwrap()), ["cluster"]);
        assert_eq!(change(|s| s.program.exe = Some("/x".into())), ["exe"]);
        assert_eq!(change(|s| s.program.args.push("c".into())), ["args"]);
        assert_eq!(
            change(|s| drop(s.program.env.insert("A".into(), "b".into()))),
            ["workbench-env"]
        );
        assert_eq!(change(|s| s.working_dir = Some("/w".into())), ["working-dir"]);
        assert_eq!(change(|s| s.base = BasePath::Strip), ["base"]);
        assert_eq!(change(|s| s.env.insert("A".into(), EnvValue::Plain("b".into()))), ["env A"]);
    }

    #[test]
    fn each_field_is_shown_as_it_was_and_is() {
        let base = spec();
        let one = |f: fn(&mut LaunchSpec)| {
            let mut to = base.clone();
            f(&mut to);
            let change = launch_changes(&base, &to).remove(0);
            (change.from, change.to)
        };
        let row = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(one(|s| s.program.exe = Some("/x".into())), row("none", "/x"));
        assert_eq!(one(|s| s.working_dir = Some("/w".into())), row("none", "/w"));
        let env = one(|s| {
            s.program.env.insert("A".into(), "b".into());
            s.program.env.insert("C".into(), "d".into());
        });
        assert_eq!(env, row("", "A=b C=d"));
    }
}
