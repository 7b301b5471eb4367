//! What is kept holds against lowering anew, whatever is edited: sessions, files of the site, gateways, the ground.

use std::sync::Arc;

use grammar::source::{FileKind, Source};

use super::Ground;
use crate::check::tests::ground;
use crate::desired::{Lowered, lower, lower_after};
use crate::ids::{Moment, NodeId, SessionId, UserName};
use crate::known::Known;
use crate::site::{DropIn, Managed, SiteFiles};

const PLAIN: &str = "workbench = \"demo\"\n";
const SECRET: &str = "workbench = \"demo\"\n[env]\nAPI_TOKEN = \"hunter2\"\n";
const BROKEN: &str = "workbench = \"demo\"\nuser = 7\n";
const PUBLISHED: &str = "workbench = \"demo\"\n[publish]\ngateway = \"lab\"\n";
const UNREAD: &str = "permission denied";

fn unknown(since: i64) -> Known<Source> {
    Known::Unknown { since: Moment(since), reason: UNREAD.to_owned() }
}

/// A site that is edited, with what was lowered of it last.
struct Edited {
    files: SiteFiles,
    ground: Ground,
    before: Lowered,
}

impl Edited {
    fn of(sessions: &[(&str, &str)]) -> Self {
        let mut files = SiteFiles::nothing("/etc/rstudio", "/etc/wharf");
        for drop_in in [DropIn::Sessions, DropIn::Gateways] {
            *files.managed_mut(drop_in) = Managed::Managed([].into());
        }
        let mut edited = Self { files, ground: ground(), before: Lowered::default() };
        for (id, text) in sessions {
            edited.put(DropIn::Sessions, id, text);
        }
        edited.lowers_as_anew("the beginning");
        edited
    }

    fn put(&mut self, drop_in: DropIn, name: &str, text: &str) {
        let file = format!("/etc/wharf/{}/{name}.toml", drop_in.dir_name());
        let Managed::Managed(files) = self.files.managed_mut(drop_in) else { panic!("{name}") };
        files.insert(name.to_owned(), Known::Present(Source::new(file, text)));
    }

    fn put_unknown(&mut self, drop_in: DropIn, name: &str, since: i64) {
        let Managed::Managed(files) = self.files.managed_mut(drop_in) else { panic!("{name}") };
        files.insert(name.to_owned(), unknown(since));
    }

    fn remove(&mut self, drop_in: DropIn, name: &str) {
        let Managed::Managed(files) = self.files.managed_mut(drop_in) else { panic!("{name}") };
        files.remove(name);
    }

    fn put_own(&mut self, text: &str) {
        self.files.wharf = Known::Present(Source::new("/etc/wharf/wharf.toml", text));
    }

    fn put_env(&mut self, text: &str) {
        let source = Source::new("/etc/rstudio/launcher-env", text);
        self.files.workbench.insert(FileKind::LauncherEnv, Known::Present(source));
    }

    /// Lowers the files as they are now, and holds that against lowering them anew.
    fn lowers_as_anew(&mut self, after: &str) -> &Lowered {
        let lowered = lower_after(&self.files, &self.ground, &self.before.pieces);
        assert_eq!(lowered, lower(&self.files, &self.ground), "after {after}");
        self.before = lowered;
        &self.before
    }

    /// The same for an edit upon which a session has to be another one, though its own file is what it was.
    fn is_another(&mut self, id: &str, edit: &str) {
        let session = SessionId::new(id).unwrap();
        let before = self.before.desired.sessions.things.get(&session).cloned();
        let after = self.lowers_as_anew(edit).desired.sessions.things.get(&session).cloned();
        assert_ne!(before, after, "after {edit}");
    }
}

#[test]
fn after_each_edit_of_a_session_all_is_as_if_lowered_anew() {
    let mut site = Edited::of(&[("a", PLAIN), ("b", PLAIN)]);
    for (id, text) in [
        ("a", Some(SECRET)),
        ("b", Some(BROKEN)),
        ("c", Some(PLAIN)),
        ("b", Some(SECRET)),
        ("a", Some(BROKEN)),
        ("b", None),
        ("a", Some(PLAIN)),
    ] {
        match text {
            Some(text) => site.put(DropIn::Sessions, id, text),
            None => site.remove(DropIn::Sessions, id),
        }
        let files = site.files.sessions.shared();
        let says = |text: &str| {
            let mut texts = files.values().filter_map(Known::present);
            texts.any(|source| *source.text == *text)
        };
        let lowered = site.lowers_as_anew(id);
        assert_eq!(lowered.secrets.is_empty(), !says(SECRET), "{id}: {text:?}");
        assert_eq!(lowered.problems.is_empty(), !says(BROKEN), "{id}: {text:?}");
    }
}

#[test]
fn a_session_is_not_looked_at_while_it_and_the_files_of_the_site_are_what_they_were() {
    let mut site = Edited::of(&[("a", PLAIN), ("b", PLAIN)]);
    site.put(DropIn::Gateways, "lab", "port-range = \"9000-9001\"\n");
    site.put_env("A=1\n");
    site.put_own("mode = \"serve\"\n");
    site.lowers_as_anew("the files of the site");
    let spec = |site: &Edited| {
        let a = SessionId::new("a").unwrap();
        site.before.desired.sessions.things.get(&a).and_then(|a| a.present().cloned()).unwrap()
    };
    let before = spec(&site);
    site.put(DropIn::Sessions, "b", SECRET);
    // Read anew, and the same.
    site.put(DropIn::Gateways, "lab", "port-range = \"9000-9001\"\n");
    site.put_env("A=1\n");
    site.lowers_as_anew("an edit of another one");
    assert!(Arc::ptr_eq(&before, &spec(&site)));
    site.put_env("A=2\n");
    site.lowers_as_anew("an edit of the site");
    assert!(!Arc::ptr_eq(&before, &spec(&site)));
}

#[test]
fn after_each_edit_of_a_file_of_the_site_sessions_are_as_if_lowered_anew() {
    let mut site = Edited::of(&[("a", PLAIN)]);
    for args in ["one", "two"] {
        let own = &format!("[workbenches.demo]\nexe = \"/bin/demo\"\nargs = [\"{args}\"]\n");
        site.put_own(own);
        site.is_another("a", own);
    }
    for env in ["A=3\nB=1\n", "A=3\nB=2\n"] {
        site.put_env(env);
        site.is_another("a", env);
    }
    site.files.workbench.insert(FileKind::LauncherEnv, unknown(1));
    site.is_another("a", "a file that cannot be read");
    site.files.workbench.insert(FileKind::LauncherEnv, Known::Absent);
    site.lowers_as_anew("a file that is gone");
}

#[test]
fn after_each_edit_of_a_gateway_sessions_are_as_if_lowered_anew() {
    let mut site = Edited::of(&[("a", PUBLISHED)]);
    site.put(DropIn::Gateways, "other", "port-range = \"9000-9001\"\n");
    site.lowers_as_anew("another gateway");
    site.put(DropIn::Gateways, "lab", "port-range = \"9100-9101\"\n");
    site.is_another("a", "its gateway");
    site.remove(DropIn::Gateways, "lab");
    site.is_another("a", "no gateway any more");
    site.put_unknown(DropIn::Gateways, "lab", 1);
    site.is_another("a", "a gateway that cannot be read");
    site.remove(DropIn::Gateways, "lab");
    site.is_another("a", "a directory with another one in it");
    site.files.gateways = Managed::NotManaged;
    site.is_another("a", "no directory any more");
    site.files.gateways = Managed::Unknown { since: Moment(1), reason: UNREAD.to_owned() };
    site.lowers_as_anew("a directory that cannot be read");
    site.files.gateways = Managed::Managed([].into());
    site.is_another("a", "a directory with nothing in it");
}

#[test]
fn after_each_change_of_the_ground_sessions_are_as_if_lowered_anew() {
    let mut site = Edited::of(&[("a", SECRET)]);
    site.ground.default_user = UserName::new("bob").unwrap();
    site.is_another("a", "another account");
    site.ground.digest_key = b"another".to_vec();
    site.is_another("a", "another key");
    site.ground.node = NodeId::new("n2").unwrap();
    site.lowers_as_anew("another node");
    site.ground.self_contained = true;
    site.lowers_as_anew("a directory of its own");
    site.files.own_dir = Arc::from("/srv/site");
    site.lowers_as_anew("another place");
}

#[test]
fn a_session_that_is_lowered_by_itself_shares_what_all_have_in_common() {
    let mut site = Edited::of(&[("a", PLAIN), ("b", PLAIN)]);
    site.put_env("A=1\n");
    site.lowers_as_anew("variables of the site");
    let env = |site: &Edited, id: &str| {
        let known = &site.before.desired.sessions.things[&SessionId::new(id).unwrap()];
        let Known::Present(spec) = known else { panic!("{id} is not known") };
        spec.launch.env.clone()
    };
    let first = env(&site, "a");
    assert!(first.shares_with(&env(&site, "b")));
    for (id, text) in [("b", SECRET), ("c", PLAIN), ("c", SECRET)] {
        site.put(DropIn::Sessions, id, text);
        site.lowers_as_anew(id);
        assert!(first.shares_with(&env(&site, id)), "{id}");
    }
    site.put_env("A=2\n");
    site.lowers_as_anew("other variables");
    assert!(!first.shares_with(&env(&site, "a")));
    assert!(env(&site, "a").shares_with(&env(&site, "c")));
}
