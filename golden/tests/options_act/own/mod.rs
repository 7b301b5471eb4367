//! Live means live, for our own files: every field that lowering calls live is edited while a session runs and
//! somebody is connected to it, and an effect that has a name is seen. Neither is touched by any of it.
//!
//! The list of fields is that of the readers (`desired::own_fields`, held equal to the readers' own tables there): a
//! field that says `live` without a probe fails here. Probes of one group share an engine; each leaves the files as
//! it found them. Read next: [`Editor`], then a group: [`policy`].

mod files;
mod places;
mod policy;
mod session;

use std::collections::{BTreeMap, BTreeSet};

use engine::status::{HoldView, SessionView, StatusView};
use engine_core::desired::{own_field, own_fields};
use engine_core::settings::Takes;
use golden::real::engine::session as session_of;
use golden::real::{Process, Site};
use grammar::own::OwnKind;

use super::Busy;

/// How one field is seen to act.
struct Probe {
    kind: OwnKind,
    /// Its path among `own_fields`.
    field: &'static str,
    /// What an edit of it does, in words.
    effect: &'static str,
    /// Edits it and sees that.
    see: fn(&mut Editor),
}

/// Every group of probes.
const GROUPS: [&[Probe]; 4] = [files::PROBES, policy::PROBES, session::PROBES, places::PROBES];

#[test]
fn every_field_of_our_own_files_that_is_live_has_a_probe() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut live = BTreeSet::new();
    for (kind, field) in
        OwnKind::ALL.iter().flat_map(|kind| own_fields(*kind).iter().map(move |row| (*kind, row)))
    {
        let state = match field.arrives {
            Some(step) => format!("arrive with {step}"),
            None => field.takes.to_string(),
        };
        *counts.entry(state).or_default() += 1;
        if field.takes == Takes::Live {
            live.insert((kind, field.path));
        }
    }
    let probed: Vec<_> =
        GROUPS.into_iter().flatten().map(|probe| (probe.kind, probe.field)).collect();
    let once: BTreeSet<_> = probed.iter().copied().collect();
    assert_eq!(once.len(), probed.len(), "a field is probed once");
    let without: Vec<_> = live.difference(&once).collect();
    assert!(without.is_empty(), "these say `live`, and nothing proves it: {without:?}");
    let idle: Vec<_> = once.difference(&live).collect();
    assert!(idle.is_empty(), "these have a probe and do not say `live`: {idle:?}");
    println!("fields of our own files: {counts:?}");
}

/// Somebody who edits fields while the session `demo` runs and a WebSocket to it is open.
struct Editor {
    busy: Busy,
    /// What each file says: the value of each field as it is written.
    files: BTreeMap<String, BTreeMap<String, String>>,
    edited: BTreeSet<(OwnKind, &'static str)>,
}

/// Some fields with their values.
type Fields<'a> = &'a [(&'a str, &'a str)];

impl Editor {
    /// Starts an engine for a site with these fields in `wharf.toml`, on top of what tests are quick with.
    fn start(wharf: Fields<'_>) -> Self {
        let site = Site::demo();
        let base = [
            ("instance", "\"t\""),
            ("policy.max-harmed", "100"),
            ("site.settle.invalid", "\"200ms\""),
            ("site.settle.max", "\"1s\""),
            ("site.settle.quiet", "\"30ms\""),
        ];
        let mut files = BTreeMap::new();
        files.insert("wharf.toml".to_owned(), owned(&base));
        files.insert("sessions.d/demo.toml".to_owned(), owned(&[("workbench", "\"demo\"")]));
        for (field, value) in wharf {
            let of_wharf: &mut BTreeMap<_, _> = files.get_mut("wharf.toml").expect("just put in");
            of_wharf.insert((*field).to_owned(), (*value).to_owned());
        }
        for (name, fields) in &files {
            site.write(name, &text_of(fields));
        }
        Self { busy: Busy::start(site), files, edited: BTreeSet::new() }
    }

    /// Runs every probe of a group.
    fn probe_all(wharf: Fields<'_>, probes: &[Probe]) {
        let mut editor = Self::start(wharf);
        for Probe { kind, field, effect, see } in probes {
            let before = editor.files.clone();
            editor.edited.clear();
            let began = std::time::Instant::now();
            see(&mut editor);
            println!("{} {field}: {effect} ({:.1?})", kind.shown(), began.elapsed());
            assert!(editor.edited.contains(&(*kind, field)), "{field} was not edited");
            assert_eq!(editor.files, before, "{field}: the files are as before");
            editor.busy.check_untouched();
        }
    }

    /// Writes a field, and does not wait for anything.
    fn put(&mut self, file: &str, field: &str, value: &str) {
        self.note(file, field);
        let fields = self.files.entry(file.to_owned()).or_default();
        fields.insert(field.to_owned(), value.to_owned());
        self.write(file);
    }

    /// Takes a field away, and does not wait for anything.
    fn take(&mut self, file: &str, field: &str) {
        self.note(file, field);
        let fields = self.files.get_mut(file).expect("there is such a file");
        fields.remove(field).expect("it says so");
        self.write(file);
    }

    /// Writes a field, and waits until that is in force.
    #[track_caller]
    fn set(&mut self, file: &str, field: &str, value: &str) {
        self.in_force(|editor| editor.put(file, field, value));
    }

    /// Takes a field away, and waits until that is in force.
    #[track_caller]
    fn unset(&mut self, file: &str, field: &str) {
        self.in_force(|editor| editor.take(file, field));
    }

    /// Writes a file with these fields, and waits until it is in force.
    #[track_caller]
    fn add(&mut self, file: &str, fields: Fields<'_>) {
        self.files.insert(file.to_owned(), owned(fields));
        self.in_force(|editor| editor.write(file));
    }

    /// Removes a file, and waits until that is in force.
    #[track_caller]
    fn remove(&mut self, file: &str) {
        self.files.remove(file).expect("there is such a file");
        self.in_force(|editor| editor.busy.engine.site.remove(file));
    }

    /// Does something to the files and waits until what they say then is in force.
    #[track_caller]
    fn in_force(&mut self, edit: impl FnOnce(&mut Self)) {
        let before = self.status().generation;
        edit(self);
        self.until("the edit is in force", |status| {
            (status.generation > before && status.refused.is_none()).then_some(())
        });
    }

    fn note(&mut self, file: &str, field: &str) {
        let kind = OwnKind::of_short_name(file).expect("a file of ours");
        // What says something by being there is edited with what is in it.
        let tables = own_fields(kind)
            .iter()
            .filter(|row| field.strip_prefix(row.path).is_some_and(|rest| rest.starts_with('.')));
        let field = own_field(kind, field).expect("a field that is known");
        self.edited.extend(tables.chain([field]).map(|row| (kind, row.path)));
    }

    fn write(&self, file: &str) {
        self.busy.engine.site.replace(file, &text_of(&self.files[file]));
    }

    fn status(&self) -> StatusView {
        self.busy.engine.status().expect("it answers")
    }

    /// Waits until the status is as `found` wants it.
    #[track_caller]
    fn until<T>(&mut self, what: &str, found: impl FnMut(&StatusView) -> Option<T>) -> T {
        self.busy.engine.wait_status(what, found)
    }

    /// Waits until something of a session waits for what `waiting` says, and gives that hold.
    #[track_caller]
    fn held(&mut self, id: &str, waiting: &str) -> HoldView {
        let resource = format!("session/{id}");
        self.until(&format!("{id} {waiting}"), |status| {
            let mut holds = status.holds.iter().filter(|hold| hold.resource == resource);
            holds.find(|hold| hold.waiting.contains(waiting)).cloned()
        })
    }

    /// Waits until nothing of a session is held.
    #[track_caller]
    fn free(&mut self, id: &str) {
        let resource = format!("session/{id}");
        self.until(&format!("nothing of {id} is held"), |status| {
            status.holds.iter().all(|hold| hold.resource != resource).then_some(())
        });
    }

    /// Waits until a session is in a state, and gives it.
    #[track_caller]
    fn is(&mut self, id: &str, state: &str) -> SessionView {
        self.until(&format!("{id} is {state}"), |status| {
            session_of(status, id).filter(|session| session.state == state).cloned()
        })
    }

    /// Adds a session of the demo workbench with these fields and waits until it runs.
    #[track_caller]
    fn runs(&mut self, id: &str, fields: Fields<'_>) -> Process {
        let mut all = vec![("workbench", "\"demo\"")];
        all.extend(fields);
        self.add(&file_of(id), &all);
        self.busy.engine.running(id)
    }

    /// Removes a session's file and ends it, so that the next probe finds nothing of it.
    #[track_caller]
    fn gone(&mut self, id: &str) {
        self.remove(&file_of(id));
        self.ended(id);
    }

    /// Ends a session whose file is gone.
    #[track_caller]
    fn ended(&mut self, id: &str) {
        self.done("session", "stop", id);
        self.no_longer(id);
        // A person's word outlives the session; the next of this name is not meant by it.
        self.done("override", "clear", &format!("stop-{id}"));
    }

    /// Removes the file of a session that does not run, or that ends with it.
    #[track_caller]
    fn forgotten(&mut self, id: &str) {
        self.remove(&file_of(id));
        self.no_longer(id);
    }

    /// Waits until nothing is known of a session any more.
    #[track_caller]
    fn no_longer(&mut self, id: &str) {
        self.until(&format!("{id} is gone"), |status| {
            session_of(status, id).is_none().then_some(())
        });
    }

    /// Runs a command with one argument, which has to succeed.
    #[track_caller]
    fn done(&self, noun: &str, verb: &str, argument: &str) {
        let ran = self.busy.engine.admin(&[noun, verb, argument]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
}

fn owned(fields: Fields<'_>) -> BTreeMap<String, String> {
    fields.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect()
}

/// One field a line, its path in full.
fn text_of(fields: &BTreeMap<String, String>) -> String {
    fields.iter().map(|(field, value)| format!("{field} = {value}\n")).collect()
}

/// The file of a session.
fn file_of(id: &str) -> String {
    format!("sessions.d/{id}.toml")
}
