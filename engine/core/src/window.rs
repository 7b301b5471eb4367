//! Change windows: several files are written, and none of them is judged before the last one is there.
//!
//! As long as one is open, acceptance sleeps (see [`crate::accept`]); what is in force stays. A window that
//! nobody ends runs out, so that a play that died half-way holds nothing for good. Pure: knows neither files nor
//! store; the ledger keeps what is open, so that a window outlives its engine.

use std::collections::BTreeMap;
use std::fmt;

use grammar::value::Millis;
use serde::{Deserialize, Serialize};

use crate::ids::Moment;

/// How long a window stays open unless its command says otherwise: 10 min (design.md §6).
pub const TTL: Millis = Millis(600_000);
/// How long a window may stay open at the most: a day.
pub const TTL_MAX: Millis = Millis(86_400_000);
/// The longest name of a window, in characters.
const NAME_MAX: usize = 64;

/// An open window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangeWindow {
    /// Its name.
    pub id: String,
    /// Who opened it.
    pub owner: String,
    /// When.
    pub since: Moment,
    /// When it runs out.
    pub until: Moment,
}

impl ChangeWindow {
    /// Whether it holds acceptance.
    #[must_use]
    pub fn is_open(&self, now: Moment) -> bool {
        now < self.until
    }
}

/// Why a window is not opened or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowError {
    /// The name cannot be one.
    Name(String),
    /// It would never end, or at once.
    Ttl(Millis),
    /// None of this name is open.
    NotOpen {
        /// Which was meant.
        id: String,
        /// Which are open.
        open: Vec<String>,
    },
    /// It is not clear which is meant.
    Several(Vec<String>),
    /// None is open at all.
    None,
}

impl std::error::Error for WindowError {}

impl fmt::Display for WindowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WindowError::Name(id) => write!(
                f,
                "`{id}` cannot name a change window: letters, digits, `.`, `_` and `-`, a letter or digit first, \
                 {NAME_MAX} at the most"
            ),
            WindowError::Ttl(ttl) => {
                write!(f, "a change window is open for {TTL_MAX} at the most, and not for {ttl}")
            }
            WindowError::NotOpen { id, open } if open.is_empty() => {
                write!(f, "no change window `{id}` is open")
            }
            WindowError::NotOpen { id, open } => {
                write!(f, "no change window `{id}` is open; open: {}", open.join(", "))
            }
            WindowError::Several(open) => {
                write!(f, "several change windows are open, so say which: {}", open.join(", "))
            }
            WindowError::None => f.write_str("no change window is open"),
        }
    }
}

/// The windows, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeWindows {
    by_id: BTreeMap<String, ChangeWindow>,
}

impl ChangeWindows {
    /// Takes windows as they are stored.
    pub fn new(windows: impl IntoIterator<Item = ChangeWindow>) -> Self {
        Self { by_id: windows.into_iter().map(|window| (window.id.clone(), window)).collect() }
    }

    /// Opens one, or lets one of the same name be open until now plus `ttl`: a play that runs again begins again.
    ///
    /// # Errors
    /// The name or the time makes no sense.
    pub fn begin(
        &self,
        id: &str,
        owner: &str,
        ttl: Millis,
        now: Moment,
    ) -> Result<ChangeWindow, WindowError> {
        if !is_name(id) {
            return Err(WindowError::Name(id.to_owned()));
        }
        if ttl.0 == 0 || ttl > TTL_MAX {
            return Err(WindowError::Ttl(ttl));
        }
        let open = self.by_id.get(id).filter(|window| window.is_open(now));
        let since = open.map_or(now, |window| window.since);
        let (id, owner) = (id.to_owned(), owner.to_owned());
        Ok(ChangeWindow { id, owner, since, until: now.plus(ttl) })
    }

    /// The window that is to end; without a name the only one that is open.
    ///
    /// # Errors
    /// It is not open, or it is not clear which is meant.
    pub fn end(&self, id: Option<&str>, now: Moment) -> Result<&ChangeWindow, WindowError> {
        let open: Vec<&ChangeWindow> = self.open(now).collect();
        let names = || open.iter().map(|window| window.id.clone()).collect::<Vec<_>>();
        match (id, &open[..]) {
            (Some(id), open) => open
                .iter()
                .find(|window| window.id == id)
                .copied()
                .ok_or_else(|| WindowError::NotOpen { id: id.to_owned(), open: names() }),
            (None, [only]) => Ok(only),
            (None, []) => Err(WindowError::None),
            (None, _) => Err(WindowError::Several(names())),
        }
    }

    /// Puts an opened window in.
    pub fn insert(&mut self, window: ChangeWindow) {
        self.by_id.insert(window.id.clone(), window);
    }

    /// Takes a window out.
    pub fn remove(&mut self, id: &str) {
        self.by_id.remove(id);
    }

    /// Those that are open, by name.
    pub fn open(&self, now: Moment) -> impl Iterator<Item = &ChangeWindow> {
        self.by_id.values().filter(move |window| window.is_open(now))
    }

    /// Those that have run out.
    pub fn over(&self, now: Moment) -> impl Iterator<Item = &ChangeWindow> {
        self.by_id.values().filter(move |window| !window.is_open(now))
    }

    /// Until when acceptance sleeps at the latest: until the last of them has ended.
    #[must_use]
    pub fn held_until(&self, now: Moment) -> Option<Moment> {
        self.open(now).map(|window| window.until).max()
    }
}

/// Whether this can be a window's name.
fn is_name(id: &str) -> bool {
    let more = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    id.len() <= NAME_MAX
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(more)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Millis = Millis(60_000);

    fn opened(windows: &mut ChangeWindows, id: &str, ttl: Millis, now: Moment) {
        let window = windows.begin(id, "root", ttl, now).unwrap();
        windows.insert(window);
    }

    #[test]
    fn acceptance_sleeps_until_the_last_window_has_ended() {
        let mut windows = ChangeWindows::default();
        let now = Moment(1_000);
        assert_eq!(windows.held_until(now), None);
        opened(&mut windows, "a", MINUTE, now);
        opened(&mut windows, "b", TTL, now);
        assert_eq!(windows.held_until(now), Some(now.plus(TTL)));
        windows.remove("b");
        assert_eq!(windows.held_until(now), Some(now.plus(MINUTE)));
        assert_eq!(windows.held_until(now.plus(MINUTE)), None, "it has run out");
        assert_eq!(windows.over(now.plus(MINUTE)).count(), 1);
    }

    #[test]
    fn who_begins_again_has_the_time_again_and_keeps_the_beginning() {
        let mut windows = ChangeWindows::default();
        opened(&mut windows, "a", MINUTE, Moment(0));
        opened(&mut windows, "a", MINUTE, Moment(30_000));
        let window = windows.end(None, Moment(80_000)).unwrap();
        assert_eq!((window.since, window.until), (Moment(0), Moment(90_000)));
        // After it has run out it is another one.
        opened(&mut windows, "a", MINUTE, Moment(100_000));
        assert_eq!(windows.end(None, Moment(100_000)).unwrap().since, Moment(100_000));
    }

    #[test]
    fn what_ends_is_named_unless_there_is_only_one() {
        let mut windows = ChangeWindows::default();
        let now = Moment(0);
        assert_eq!(windows.end(None, now), Err(WindowError::None));
        opened(&mut windows, "a", MINUTE, now);
        assert_eq!(windows.end(None, now).unwrap().id, "a");
        opened(&mut windows, "b", MINUTE, now);
        assert_eq!(windows.end(Some("b"), now).unwrap().id, "b");
        let several = windows.end(None, now).unwrap_err();
        assert_eq!(several.to_string(), "several change windows are open, so say which: a, b");
        let other = windows.end(Some("c"), now).unwrap_err();
        assert_eq!(other.to_string(), "no change window `c` is open; open: a, b");
        let over = windows.end(Some("a"), now.plus(MINUTE)).unwrap_err();
        assert_eq!(over.to_string(), "no change window `a` is open");
    }

    #[test]
    fn names_and_times_that_make_no_sense() {
        let windows = ChangeWindows::default();
        let begin = |id: &str, ttl| windows.begin(id, "root", ttl, Moment(0)).map(|w| w.id);
        for bad in ["", "-a", "a/b", "a b", "\u{e4}", &"x".repeat(65)] {
            assert_eq!(begin(bad, TTL), Err(WindowError::Name(bad.to_owned())));
        }
        assert_eq!(begin("ansible-4711", TTL_MAX).as_deref(), Ok("ansible-4711"));
        assert_eq!(begin("a", Millis(0)), Err(WindowError::Ttl(Millis(0))));
        let long = Millis(TTL_MAX.0 + 1);
        assert_eq!(begin("a", long), Err(WindowError::Ttl(long)));
    }
}
