//! Many events: how often everything is read for them, and what is made of it.

use super::*;

impl Site {
    /// How often everything is read while `act` goes on.
    fn reads_of(&mut self, act: impl FnOnce(&mut Self)) -> u32 {
        let before = self.reads.load(Ordering::Relaxed);
        act(self);
        self.reads.load(Ordering::Relaxed) - before
    }
}

#[test]
fn a_burst_of_five_hundred_files_is_one_acceptance_and_a_reading_a_quiet_time() {
    let mut site = Site::new(|_| {});
    let before = site.accepted;
    let reads = site.reads_of(|site| {
        for n in 0..500 {
            site.write(&format!("conf/sessions.d/s{n}.toml"), "x");
            site.step(1);
        }
        let files = site.accepts(|files| files.sessions.files().count() == 500);
        assert_eq!(files.sessions.files().filter(|(_, file)| file.is_unknown()).count(), 0);
    });
    assert_eq!(site.accepted, before + 1);
    // Half a second of writing, a tenth of quiet, and one reading more where a directory was new.
    assert!(reads <= 10, "{reads}");
}

#[test]
fn files_written_for_longer_than_the_latest_moment_come_into_force_together_all_the_same() {
    let mut site = Site::new(|_| {});
    let before = site.accepted;
    let mut unsettled = 0;
    let reads = site.reads_of(|site| {
        for n in 0..300 {
            site.write(&format!("conf/sessions.d/s{n}.toml"), "x");
            if let IntakeEvent::Refused(_, _, why) = site.step(40) {
                assert_eq!(why, Refusal::Unsettled);
                unsettled += 1;
            }
        }
        site.accepts(|files| files.sessions.files().count() == 300);
    });
    // Twelve seconds: said every five.
    assert_eq!((site.accepted, unsettled), (before + 1, 2));
    assert!(reads <= 130, "{reads}");
}

#[test]
fn a_hundred_who_ask_for_a_look_are_one_reading_and_one_more() {
    let mut site = Site::new(|_| {});
    let reads = site.reads_of(|site| {
        for _ in 0..100 {
            site.intake.look_again(site.now);
        }
        site.returns_to_what_is_in_force();
    });
    assert!(reads <= 2, "{reads}");
}
