//! What the same edit would do with this engine serving the site: the forecast of it, in mode `serve`.
//!
//! Made as any plan is: both sets are lowered as if `wharf.toml` said `mode = "serve"`, the world is one in
//! which the old set has come to rest, and the new one is forecast in it. A set that would be refused in that
//! mode says so. The product's own sessions are not in that world: an engine never ends a session that
//! nobody's file asks for.

use std::sync::Arc;

use grammar::source::Source;
use serde::Serialize;

use super::super::{About, Report, Summary};
use crate::desired::{Ground, Lowered, lower};
use crate::forecast::forecast;
use crate::ids::Moment;
use crate::known::Known;
use crate::observed::Observed;
use crate::settings::Takes;
use crate::site::{SiteFiles, WHARF_TOML};

/// What the same edit would do with this engine serving.
#[derive(Clone, Debug, PartialEq)]
pub enum Serving {
    /// The new set would be refused.
    Refused {
        /// The first of its errors, in one line: `WH0401 rserver.conf:12: ...`.
        first: String,
        /// How many there are.
        errors: usize,
    },
    /// It would come into force.
    Accepted {
        /// What it would do.
        summary: Summary,
        /// Things that would hurt somebody and wait for their time: idle, a window, approval.
        later: usize,
        /// Changed options that sessions take up when they start next.
        next_start: usize,
        /// Changed options that do nothing in this version.
        no_effect: usize,
    },
}

/// The same files as a site that serves.
#[must_use]
pub fn as_serving(files: &SiteFiles) -> SiteFiles {
    const SERVE: &str = "mode = \"serve\"\n";
    let mut files = files.clone();
    files.wharf = match files.wharf {
        Known::Present(source) => {
            let read = grammar::own::read_wharf(&source);
            let mut lines = read.own.iter().flat_map(|own| own.lines.iter());
            let place = lines.find_map(|(path, place)| (path == "mode").then_some(place));
            let text = match place {
                Some(place) => with_line(&source.text, place.line, SERVE),
                // Keys of the file itself stand before its first table.
                None => format!("{SERVE}{}", source.text),
            };
            Known::Present(Source::new(source.file.to_string(), text))
        }
        Known::Absent => {
            Known::Present(Source::new(format!("{}/{WHARF_TOML}", files.own_dir), SERVE))
        }
        unknown @ Known::Unknown { .. } => unknown,
    };
    files
}

/// A text with one of its lines, from 1, in another wording.
fn with_line(text: &str, line: u32, wording: &str) -> String {
    let lines = text.split_inclusive('\n').zip(1..);
    lines.map(|(old, number)| if number == line { wording } else { old }).collect()
}

/// Forecasts the edit from `old` to `new` as if this engine were serving the site.
#[must_use]
pub fn serving(
    old: &SiteFiles,
    new: &SiteFiles,
    ground: &Ground,
    observed: &Observed,
    now: Moment,
) -> Serving {
    let before = lower(&as_serving(old), ground);
    let after = lower(&as_serving(new), ground);
    if let Some(refused) = refused(new, &after) {
        return refused;
    }
    let mut world = observed.clone();
    world.in_force.digest.get_or_insert(new.digest());
    world.refused.clear();
    world.incumbent = Known::Absent;
    let world = forecast(&before.desired, &before.origins, &world, now).world;
    let ahead = forecast(&after.desired, &after.origins, &world, now);
    let options = before.settings.changes(&after.settings);
    let stated = |takes| {
        options.iter().filter(|option| option.effect == takes && option.to.is_some()).count()
    };
    let (next_start, no_effect) = (stated(Takes::NextStart), stated(Takes::No));
    let about = About::default();
    let report = |lowered: &Lowered, options, ahead| {
        Report::new(about.clone(), options, &lowered.desired, &world, ahead, Vec::new())
    };
    let rest = forecast(&before.desired, &before.origins, &world, now);
    let pending = report(&before, Vec::new(), &rest);
    let report = report(&after, options, &ahead).compared_with(&pending);
    let waits = report.held.iter().filter(|held| !held.pending && held.hold.impact.is_harm());
    Serving::Accepted { later: waits.count(), summary: report.summary(), next_start, no_effect }
}

/// Why a set would be refused, if it would.
fn refused(files: &SiteFiles, lowered: &Lowered) -> Option<Serving> {
    if lowered.is_acceptable() {
        return None;
    }
    let of_site = |problem: &&grammar::error::Problem| {
        problem.is_error() && !files.is_of_one_thing(problem) && !files.is_ignored_slip(problem)
    };
    let errors: Vec<_> = lowered.problems.iter().filter(of_site).collect();
    let first = errors.first().map(|problem| {
        let place = problem.labels.first().map(|label| {
            let file: Arc<str> = Arc::from(files.short_name(&label.file));
            format!("{file}: ")
        });
        format!("{} {}{}", problem.code, place.unwrap_or_default(), problem.message)
    });
    let first = first.unwrap_or_else(|| "a file cannot be read".to_owned());
    Some(Serving::Refused { first, errors: errors.len().max(1) })
}

#[derive(Serialize)]
pub(super) struct ServingObject<'a> {
    refused: Option<&'a str>,
    end: usize,
    restart: usize,
    people: Vec<&'a str>,
    later: usize,
    next_start: usize,
    no_effect: usize,
}

pub(super) fn object(serving: &Serving) -> ServingObject<'_> {
    match serving {
        Serving::Refused { first, .. } => ServingObject {
            refused: Some(first),
            end: 0,
            restart: 0,
            people: Vec::new(),
            later: 0,
            next_start: 0,
            no_effect: 0,
        },
        Serving::Accepted { summary, later, next_start, no_effect } => ServingObject {
            refused: None,
            end: summary.end,
            restart: summary.restart,
            people: summary.people.iter().map(String::as_str).collect(),
            later: *later,
            next_start: *next_start,
            no_effect: *no_effect,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wharf(text: Option<&str>) -> String {
        let mut files = SiteFiles::nothing("/etc/rstudio", "/etc/wharf");
        if let Some(text) = text {
            files.wharf = Known::Present(Source::new("/etc/wharf/wharf.toml", text));
        }
        let files = as_serving(&files);
        files.wharf.present().unwrap().text.to_string()
    }

    #[test]
    fn whatever_the_mode_is_it_is_serve_then() {
        assert_eq!(wharf(None), "mode = \"serve\"\n");
        assert_eq!(wharf(Some("")), "mode = \"serve\"\n");
        let text = "# day one\nmode = \"observe\"   # until March\n[site]\npoll = \"9s\"\n";
        let found = grammar::own::read_wharf(&Source::new("wharf.toml", wharf(Some(text))));
        let file = found.own.unwrap().value;
        assert_eq!(file.mode, Some(grammar::own::wharf::Mode::Serve));
        assert!(file.site.is_some());
        let text = "[site]\npoll = \"9s\"\n";
        let found = grammar::own::read_wharf(&Source::new("wharf.toml", wharf(Some(text))));
        assert_eq!(found.own.unwrap().value.mode, Some(grammar::own::wharf::Mode::Serve));
    }

    use crate::check::tests::{ground, site};
    use crate::observed::{UserSeen, WorkbenchSeen};
    use crate::site::Managed;
    use grammar::source::FileKind;

    type Texts<'a> = &'a [(&'a str, &'a str)];

    /// What serving this would mean, where these files of sessions are there before and after.
    fn served(before: Texts<'_>, after: Texts<'_>, then: &[(FileKind, &str)]) -> Serving {
        let files = |sessions: Texts<'_>, of_workbench: &[(FileKind, &str)]| {
            let mut files = site(of_workbench);
            let file = |(id, text): &(&str, &str)| {
                let source = Source::new(format!("/etc/wharf/sessions.d/{id}.toml"), *text);
                ((*id).to_owned(), Known::Present(source))
            };
            files.sessions = Managed::Managed(sessions.iter().map(file).collect());
            files
        };
        serving(&files(before, &[]), &files(after, then), &ground(), &world(), Moment(0))
    }

    /// A machine with one program and one account.
    fn world() -> Observed {
        let mut observed = Observed::empty("n1".parse().unwrap());
        let demo = WorkbenchSeen::works("/usr/bin/demo".to_owned(), String::new());
        let demo = Known::Present(demo);
        observed.workbenches.insert("demo".parse().unwrap(), demo);
        let alice = UserSeen {
            uid: 1001,
            gid: 1001,
            home: "/home/alice".to_owned(),
            shell: "/bin/bash".to_owned(),
            reachable: true,
        };
        observed.users.insert("alice".parse().unwrap(), Known::Present(alice));
        observed
    }

    #[test]
    fn only_harm_that_the_edit_itself_brings_waits_for_its_time() {
        let (a, b) = (("a", "workbench = \"demo\"\n"), ("b", "workbench = \"demo\"\n"));
        let later = |before: Texts<'_>, after: Texts<'_>| match served(before, after, &[]) {
            Serving::Accepted { later, .. } => later,
            refused @ Serving::Refused { .. } => panic!("{refused:?}"),
        };
        assert_eq!(later(&[a, b], &[a]), 1);
        // What waits without harm, as for a program that is not there.
        assert_eq!(later(&[a], &[a, ("c", "workbench = \"rstudio\"\n")]), 0);
    }

    #[test]
    fn what_refuses_a_set_is_an_error_of_the_whole_and_no_slip_or_fault_of_one_thing() {
        let then = [
            (FileKind::DatabaseConf, "prvoider=sqlite\n"),
            (FileKind::RserverConf, "auth-required-user-group=staff\n"),
        ];
        let broken = ("a", "workbnech = \"demo\"\n");
        match served(&[], &[broken], &then) {
            Serving::Refused { first, errors } => {
                assert!(first.starts_with("WH0401 rserver.conf: "), "{first}");
                assert_eq!(errors, 1, "{first}");
            }
            accepted @ Serving::Accepted { .. } => panic!("{accepted:?}"),
        }
        // Those alone are no reason.
        assert!(matches!(served(&[], &[broken], &then[..1]), Serving::Accepted { .. }));
    }
}
