//! The promise: which faults the simulated world has, and what holds in spite of them.
//!
//! | fault | what it stands for |
//! |---|---|
//! | `refuse` | a launcher, listener or store that says no |
//! | `lie` | an act that was done and is reported as failed |
//! | `slow` | a session that takes long to become ready, or never does |
//! | `stale` | an observation in which some incarnations are Unknown |
//! | `silent` | a launcher that does not answer at all |
//! | `crash` | a session that ends by itself |
//! | `keeper` | a keeper that is killed while its session lives |
//! | `die` | the engine ends between two acts and starts anew from the store |
//! | `clock` | the wall clock jumps, forward or back |
//! | `reboot` | the machine restarts: every session is over, the store is as it was |
//! | `cut` | a node that cannot reach the store for a while, and then can again |
//! | `files` | readings that find a file torn or gone, the directory empty or unreadable, the policy unreadable |
//! | `late` | a file system that is slow or hangs: a reading that comes back seconds later, with what was there then or at its beginning |
//! | `edit` | files change: sessions come, go, change; the policy changes |
//! | `people` | commands against files, with an end or cleared; pauses, pins, change windows, approvals |
//!
//! Each run draws which of them occur and how often (swarm). They stay within what the engine promises to
//! survive: a store that has acknowledged keeps what it acknowledged; an identity (boot id, pid, start time)
//! is never wrong; a launcher's fence (an incarnation's directory is made exclusively) holds.
//!
//! *Safety*, after every event: no two live incarnations of a session; nothing is done to an incarnation whose
//! last observation was Unknown; no number is started twice; the budget of starts is kept; no session is hurt
//! by a change of files before harm-delay, nor while newer files are being decided upon that no pin has turned away
//! from, nor more of them than `max-harmed`; files that are gone for less than harm-delay hurt nobody; an approval hurts nothing that
//! was started after it; nothing is started or ended during a pause; no files are accepted while a change window
//! is open.
//! *Liveness*: once the faults end, everything settles within [`CALM_ROUNDS`] rounds, and is as asked for.

use super::random::Random;

/// Rounds of calm within which everything must have settled.
pub const CALM_ROUNDS: usize = 120;

/// How often each fault occurs, in thousandths of the occasions for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// See the module.
    pub refuse: u32,
    /// See the module.
    pub lie: u32,
    /// See the module.
    pub slow: u32,
    /// See the module.
    pub stale: u32,
    /// See the module.
    pub silent: u32,
    /// See the module.
    pub crash: u32,
    /// See the module.
    pub keeper: u32,
    /// See the module.
    pub die: u32,
    /// See the module.
    pub clock: u32,
    /// See the module.
    pub reboot: u32,
    /// See the module.
    pub cut: u32,
    /// See the module.
    pub files: u32,
    /// See the module.
    pub late: u32,
}

impl Faults {
    /// None at all.
    pub const CALM: Self = Self {
        refuse: 0,
        lie: 0,
        slow: 0,
        stale: 0,
        silent: 0,
        crash: 0,
        keeper: 0,
        die: 0,
        clock: 0,
        reboot: 0,
        cut: 0,
        files: 0,
        late: 0,
    };

    /// Draws which faults occur in a run, and how often.
    pub fn swarm(random: &mut Random) -> Self {
        let mut draw = |most: u64| {
            if random.chance(500) { u32::try_from(random.below(most)).unwrap_or(0) } else { 0 }
        };
        Self {
            refuse: draw(300),
            lie: draw(200),
            slow: draw(400),
            stale: draw(300),
            silent: draw(200),
            crash: draw(100),
            keeper: draw(50),
            die: draw(100),
            clock: draw(60),
            reboot: draw(20),
            cut: draw(80),
            files: draw(200),
            late: draw(400),
        }
    }
}
