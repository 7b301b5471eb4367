//! What goes wrong slowly with a configuration directory, with sessions that run and people who are connected: nothing
//! ends within harm-delay, the brake asks, and when the files are back all is as it was.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use engine::status::StatusView;
use golden::real::engine::is;
use golden::real::{Engine, Site, holds_for};

use super::{Connected, NEVER, held, sh, wharf_toml};

const ENDS: &str = "workbench = \"demo\"\non-removal = \"stop\"\n";
const IDS: [&str; 4] = ["one", "two", "three", "four"];

/// Four sessions that end when their files go, `harm-delay`, and `max-harmed = 2`; a copy of the files.
struct Disaster {
    engine: Engine,
    sessions: Connected,
    copy: PathBuf,
}

impl Disaster {
    fn with(harm_delay: &str) -> Self {
        let site = Site::empty();
        site.write("wharf.toml", &format!("{}max-harmed = 2\n", wharf_toml(NEVER, harm_delay)));
        site.write(
            "launcher.conf",
            "[server]\naddress=localhost\n[cluster]\nname=Local\ntype=Local\n",
        );
        for id in IDS {
            site.write(&format!("sessions.d/{id}.toml"), ENDS);
        }
        let copy = site.stage();
        let mut engine = Engine::start(site);
        let sessions = Connected::to(&mut engine, &IDS);
        Self { engine, sessions, copy }
    }

    /// Runs a script: the site is `D`, the copy `C`, an empty directory `E`.
    #[track_caller]
    fn sh(&self, script: &str) {
        let empty = self.engine.site.around().join("empty");
        fs::create_dir_all(&empty).expect("it is ours");
        sh(script, &[("D", &self.engine.site.dir()), ("C", &self.copy), ("E", &empty)]);
    }

    fn status(&self) -> StatusView {
        self.engine.status().expect("it answers")
    }

    /// All wait for a person, whatever time passes; every command says so, and what to do.
    #[track_caller]
    fn the_brake_holds(&mut self, sessions: usize) {
        self.engine.wait_status("the brake", |status| {
            (held(status, "needs `wharf apply`") == sessions).then_some(())
        });
        for (args, code) in
            [(&["status"][..], 2), (&["plan", "--pending"], 0), (&["why", "four"], 0)]
        {
            let said = self.engine.admin(args);
            is(&said, code, "needs `wharf apply`");
            is(&said, code, "max-harmed is 2");
        }
    }

    /// The files are back: nothing is held any more, nothing was lost.
    #[track_caller]
    fn all_is_as_it_was(mut self) {
        is(&self.engine.admin(&["reload", "--wait"]), 0, "is in force");
        self.engine.wait_status("nothing is held", |status| {
            (status.holds.is_empty() && status.settled && status.refused.is_none()).then_some(())
        });
        self.sessions.are_known_to(&mut self.engine);
        is(&self.engine.admin(&["plan"]), 0, "No changes.");
        is(&self.engine.admin(&["status"]), 0, "in force");
    }
}

const BACK: &str = r#"rsync -r --checksum --delete "$C/" "$D""#;

#[test]
fn an_emptied_directory_of_sessions() {
    let mut it = Disaster::with("1s");
    it.sh(r#"rsync -r --delete "$E/" "$D/sessions.d""#);
    it.the_brake_holds(4);
    // Longer than harm-delay.
    let Disaster { sessions, .. } = &mut it;
    holds_for(Duration::from_millis(1_500), || sessions.are_untouched());
    it.sh(BACK);
    it.all_is_as_it_was();
}

#[test]
fn rsync_delete_in_slow_motion_within_harm_delay() {
    let mut it = Disaster::with("60s");
    for (n, id) in (1..).zip(IDS) {
        it.engine.site.remove(&format!("sessions.d/{id}.toml"));
        // Each deletion is a generation of its own.
        let waiting = if n <= 2 { "harm-delay" } else { "needs `wharf apply`" };
        it.engine.wait_status("they are held", |status| (held(status, waiting) == n).then_some(()));
        it.sessions.are_untouched();
    }
    assert_eq!(it.status().generation.0, 5);
    it.the_brake_holds(4);
    // Over a restart of the engine, too.
    it.engine.kill_9();
    it.engine.restart();
    it.sessions = it.sessions.are_adopted_by(&mut it.engine);
    it.the_brake_holds(4);
    it.sh(BACK);
    it.all_is_as_it_was();
}

#[test]
fn rsync_delete_in_slow_motion_over_many_harm_delays() {
    let mut it = Disaster::with("1s");
    let Connected { sessions } = it.sessions;
    let mut rest = sessions;
    for (n, id) in (1..).zip(IDS) {
        it.engine.site.remove(&format!("sessions.d/{id}.toml"));
        if n <= 2 {
            // As many as the policy lets go, each after its time.
            it.engine.wait_status("it is held", |status| {
                (held(status, "harm-delay") == 1).then_some(())
            });
            let (_, first, _) = rest.remove(0);
            golden::real::wait_for("it ends", || {
                if first.is_alive() { Err("alive".to_owned()) } else { Ok(()) }
            });
        }
    }
    it.sessions = Connected { sessions: rest };
    it.the_brake_holds(2);
    let Disaster { sessions, .. } = &mut it;
    holds_for(Duration::from_millis(1_500), || sessions.are_untouched());
    it.sh(BACK);
    // Those that ended begin again.
    for id in ["one", "two"] {
        it.engine.running(id);
    }
    it.all_is_as_it_was();
}

/// A play writes `launcher.conf` after what needs it, removes what it is going to write anew, and dies.
const HALF: &str = r#"rm "$D/sessions.d/one.toml""#;

#[test]
fn a_play_that_dies_half_way_without_a_window() {
    let mut it = Disaster::with("60s");
    // Not even valid: refused, and nothing but that.
    it.sh(
        r#"cp "$D/rserver.conf" "$C"; echo "launcher-default-cluster=Second" >>"$D/rserver.conf""#,
    );
    let refused = it.engine.wait_status("it is refused", |status| status.refused.clone());
    assert!(refused.problems.iter().any(|line| line.contains("WH0302")), "{refused:?}");
    it.sessions.are_untouched();
    assert_eq!(it.status().generation.0, 1);
    it.sh(BACK);
    // Valid, and wrong: held.
    it.sh(HALF);
    it.engine.wait_status("it is held", |status| (held(status, "harm-delay") == 1).then_some(()));
    it.sessions.are_untouched();
    is(&it.engine.admin(&["why", "one"]), 0, "sessions.d/one.toml (removed)");
    // The play runs again.
    it.sh(BACK);
    it.all_is_as_it_was();
}

#[test]
fn a_play_that_dies_half_way_in_a_window_that_nobody_ends() {
    let mut it = Disaster::with("60s");
    is(&it.engine.admin(&["change", "begin", "--id", "play", "--ttl", "2s"]), 0, "play");
    it.sh(HALF);
    let began = it.status().decided_at;
    is(&it.engine.admin(&["plan"]), 0, "change window \"play\" open until");
    // The window runs out, and what it left is judged: harm-delay is what is left.
    let status = it.engine.wait_status("it is held", |status| {
        (held(status, "harm-delay") == 1).then(|| status.clone())
    });
    assert!(status.change_windows.is_empty() && status.decided_at > began, "{status:?}");
    it.sessions.are_untouched();
    it.sh(BACK);
    it.all_is_as_it_was();
}

#[test]
fn files_of_the_whole_site_that_are_gone_or_empty() {
    let mut it = Disaster::with("0s");
    let port = it.engine.listening();
    for (script, said) in [
        (r#": >"$D/rserver.conf""#, "WH0619"),
        (r#"rm "$D/rserver.conf""#, "WH0613"),
        (r#": >"$D/wharf.toml""#, "WH0619"),
        (r#"rm "$D/wharf.toml""#, "WH0613"),
    ] {
        it.sh(script);
        let refused = it.engine.wait_status(script, |status| status.refused.clone());
        assert!(refused.problems.iter().any(|line| line.contains(said)), "{script}: {refused:?}");
        assert_eq!(it.engine.listening(), port, "{script}");
        it.sessions.are_untouched();
        it.sh(BACK);
        it.engine.wait_status("it is back", |status| status.refused.is_none().then_some(()));
    }
    assert_eq!(it.status().generation.0, 1);
    // Without `launcher.conf` there is the local cluster all the same.
    it.sh(r#"rm "$D/launcher.conf""#);
    it.engine.wait_status("it is in force", |status| (status.generation.0 == 2).then_some(()));
    it.sessions.are_untouched();
    it.sh(BACK);
    it.all_is_as_it_was();
}
