//! Readings that take longer than anybody waits, and a reader that fails: on threads and clocks of their own.

use std::sync::mpsc::{SyncSender, sync_channel};

use super::*;

struct NoWatches;

impl Arm for NoWatches {
    fn arm(&mut self, _: &WatchSet) -> ArmReport {
        ArmReport::default()
    }
}

/// A site whose readings are each let go by the test.
struct Gated {
    _keep: tempfile::TempDir,
    conf: PathBuf,
    intake: Intake,
    gate: SyncSender<Gate>,
    over: Receiver<()>,
}

/// How a reading goes on.
enum Gate {
    /// It reads.
    Open,
    /// It panics.
    Panic,
}

const PATIENCE: Millis = Millis(1_000);

impl Gated {
    fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let conf = keep.path().to_owned();
        std::fs::write(conf.join("wharf.toml"), "").unwrap();
        let dirs = SiteDirs {
            workbench: Workbench::Explicit(conf.clone()),
            own: Own::SelfContained,
            root: PathBuf::new(),
        };
        let (gate, waits) = sync_channel(0);
        let waits = Arc::new(Mutex::new(waits));
        let (tell, over) = channel();
        let tell = Mutex::new(tell);
        let of = dirs.clone();
        let make = move || {
            let (waits, dirs) = (Arc::clone(&waits), of.clone());
            let read = move |now| {
                let gate = waits.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv();
                if let Ok(Gate::Panic) = gate {
                    panic!("the reader is broken at `password=geheim`");
                }
                load(&dirs, &[], &open_to_read, now)
            };
            AtOnce::new(Box::new(NoWatches), Box::new(read))
        };
        let wake = move || {
            let _ = tell.lock().unwrap().send(());
        };
        let look = Box::new(Aside::new(make, wake, dirs));
        let never = Millis(u64::MAX);
        let mut intake = Intake::start(look, Settle::default(), never, None, Moment(0));
        intake.set_patience(PATIENCE);
        Self { _keep: keep, conf, intake, gate, over }
    }

    fn poll(&mut self, now: i64) -> IntakeEvent {
        self.intake.poll(Moment(now), &mut |_, _| Looks::Whole)
    }

    /// Lets the reading under way go on, and waits until it is over.
    fn let_go(&self, gate: Gate) {
        // One is under way: where none is, nobody would ever come for this.
        assert!(self.intake.reading_since().is_some());
        self.gate.send(gate).unwrap();
        self.over.recv_timeout(LIMIT).unwrap();
    }

    fn write(&self, text: &str) {
        std::fs::write(self.conf.join("launcher-env"), text).unwrap();
    }
}

#[track_caller]
fn nothing(event: &IntakeEvent) -> Option<Moment> {
    match event {
        IntakeEvent::Nothing { next } => *next,
        event => panic!("{event:?}"),
    }
}

#[test]
fn a_reading_that_comes_late_is_used_when_it_comes() {
    let mut site = Gated::new();
    site.write("A=1");
    // Nobody waits for it; what is to be done is known all the same.
    assert_eq!(nothing(&site.poll(0)), Some(Moment(1_000)));
    assert_eq!(site.intake.reading_since(), Some(Moment(0)));
    let IntakeEvent::Unknown(files) = site.poll(1_000) else { panic!("not said") };
    assert!(!files.is_readable() && matches!(files.sessions, Managed::Unknown { .. }));
    assert_eq!(site.intake.unknown(), Some(SILENT));
    assert!(site.intake.polled().is_empty(), "nobody reads it again and again");
    assert!(!site.intake.latest().unwrap().is_readable());
    // Said once; and no second reading begins beside the first.
    site.intake.wake(Moment(5_000));
    assert_eq!(nothing(&site.poll(5_000)), None);
    // Both readings that acceptance needs come far too late: the edit takes force.
    site.let_go(Gate::Open);
    nothing(&site.poll(12_000));
    assert!(site.intake.unknown().is_none() && site.intake.latest().unwrap().is_readable());
    nothing(&site.poll(12_100));
    site.let_go(Gate::Open);
    let IntakeEvent::Accepted(files, _) = site.poll(24_100) else { panic!("not accepted") };
    assert!(env_is("A=1")(&files));
    assert_eq!(site.intake.counts(), Counts { asked: 1, seen: 2, decided: 2 });
}

#[test]
fn an_edit_during_a_slow_reading_takes_force_by_the_next() {
    let mut site = Gated::new();
    site.write("A=1");
    nothing(&site.poll(0));
    site.let_go(Gate::Open);
    nothing(&site.poll(3_000));
    nothing(&site.poll(3_100));
    // The second reading is under way, and may have passed the file already.
    site.write("A=2");
    site.intake.wake(Moment(3_500));
    site.let_go(Gate::Open);
    nothing(&site.poll(6_100));
    nothing(&site.poll(6_200));
    site.let_go(Gate::Open);
    let IntakeEvent::Accepted(files, _) = site.poll(9_200) else { panic!("not accepted") };
    assert!(env_is("A=2")(&files));
}

#[test]
fn who_asks_while_a_reading_is_under_way_is_answered_by_the_next() {
    let mut site = Gated::new();
    nothing(&site.poll(0));
    site.let_go(Gate::Open);
    nothing(&site.poll(10));
    nothing(&site.poll(110));
    // The reading under way may have passed what the asker has just written.
    site.intake.look_again(Moment(120));
    assert_eq!(site.intake.counts().asked, 3);
    site.let_go(Gate::Open);
    nothing(&site.poll(200));
    assert_eq!(site.intake.counts().decided, 0);
    nothing(&site.poll(300));
    site.let_go(Gate::Open);
    assert!(matches!(site.poll(310), IntakeEvent::Accepted(..)));
    assert_eq!(site.intake.counts(), Counts { asked: 3, seen: 3, decided: 3 });
}

#[test]
fn a_look_is_to_be_had_while_acceptance_is_held_and_decides_nothing() {
    let mut site = Gated::new();
    site.intake.hold(Moment(0), Some(Moment(60_000)));
    nothing(&site.poll(0));
    assert_eq!(site.intake.reading_since(), None);
    site.write("A=1");
    let look = site.intake.want_look();
    nothing(&site.poll(10));
    site.let_go(Gate::Open);
    assert_eq!(nothing(&site.poll(20)), Some(Moment(60_000)));
    assert_eq!((site.intake.counts().seen, site.intake.counts().decided), (look, 0));
    assert!(env_is("A=1")(site.intake.latest().unwrap()));
}

/// A site of which everything was read once, that is read again every ten seconds though nothing happens.
fn read_often() -> Gated {
    let mut site = Gated::new();
    site.intake.set_times(Settle::default(), Millis(1_000));
    nothing(&site.poll(0));
    site.let_go(Gate::Open);
    nothing(&site.poll(0));
    nothing(&site.poll(100));
    site.let_go(Gate::Open);
    assert!(matches!(site.poll(100), IntakeEvent::Accepted(..)));
    assert_eq!(nothing(&site.poll(100)), Some(Moment(10_100)));
    site
}

#[test]
fn while_acceptance_is_held_nothing_is_due_before_it_goes_on() {
    let mut site = read_often();
    site.intake.hold(Moment(200), Some(Moment(600_000)));
    assert_eq!(nothing(&site.poll(200)), Some(Moment(10_100)));
    for now in [10_100, 20_000, 599_999] {
        assert_eq!(nothing(&site.poll(now)), Some(Moment(600_000)));
    }
    assert_eq!(site.intake.reading_since(), None);
    nothing(&site.poll(600_000));
    assert_eq!(site.intake.reading_since(), Some(Moment(600_000)));
}

#[test]
fn who_fails_for_long_is_not_due_before_the_next_try() {
    let mut site = read_often();
    let mut now = 60_000;
    for pause in [1_000, 2_000, 4_000, 8_000, 16_000] {
        nothing(&site.poll(now));
        site.let_go(Gate::Panic);
        assert!(matches!(site.poll(now), IntakeEvent::Unknown(_)));
        assert_eq!(nothing(&site.poll(now)), Some(Moment(now + pause)));
        assert_eq!(nothing(&site.poll(now + pause - 1)), Some(Moment(now + pause)));
        now += pause;
    }
}

#[test]
fn a_look_for_who_asks_is_known_again_when_it_comes_and_what_it_found_is_decided_upon_later() {
    let mut site = read_often();
    site.intake.hold(Moment(200), Some(Moment(60_000)));
    site.write("A=1");
    let look = site.intake.want_look();
    nothing(&site.poll(300));
    assert!(!site.intake.is_silent());
    assert!(matches!(site.poll(1_300), IntakeEvent::Unknown(_)));
    assert!(site.intake.is_silent());
    site.let_go(Gate::Open);
    assert_eq!(nothing(&site.poll(2_000)), Some(Moment(60_000)));
    assert!(!site.intake.is_silent() && site.intake.unknown().is_none());
    assert_eq!((site.intake.counts().seen, site.intake.counts().decided), (look, 2));
    // No event was heard of it.
    nothing(&site.poll(60_000));
    site.let_go(Gate::Open);
    nothing(&site.poll(60_000));
    nothing(&site.poll(60_100));
    site.let_go(Gate::Open);
    let IntakeEvent::Accepted(files, _) = site.poll(60_100) else { panic!("not accepted") };
    assert!(env_is("A=1")(&files));
}

#[test]
fn a_reader_that_panics_is_made_anew_and_tried_later_each_time() {
    let mut site = Gated::new();
    let mut now = 0;
    for pause in [1_000, 2_000, 4_000] {
        nothing(&site.poll(now));
        site.let_go(Gate::Panic);
        let IntakeEvent::Unknown(files) = site.poll(now) else { panic!("not said") };
        let problem = files.unreadable[0].kind.reason();
        assert!(problem.contains("wharf itself failed while it read the files"), "{problem}");
        assert!(!problem.contains("geheim"), "{problem}");
        // Whatever happens to the files, the next try is that far away.
        site.intake.wake(Moment(now));
        assert_eq!(nothing(&site.poll(now)), Some(Moment(now + pause)));
        now += pause;
    }
    nothing(&site.poll(now));
    site.let_go(Gate::Open);
    nothing(&site.poll(now));
    assert!(site.intake.unknown().is_none());
    nothing(&site.poll(now + 100));
    site.let_go(Gate::Open);
    assert!(matches!(site.poll(now + 100), IntakeEvent::Accepted(..)));
}
