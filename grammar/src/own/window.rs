//! Windows of time in a week: `Sun 02:00-05:00`, `Mon-Fri,Sun 22:00-06:00`, `02:00-05:00`.
//!
//! Local time of the site, to the minute. Knows no clock: whoever has one asks [`Window::contains`].

use toml::de::DeValue;

use super::leaf::{Leaf, Wrong, text};
use super::schema::{self, Schema};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Minutes of a day.
pub const DAY_MINUTES: u16 = 24 * 60;

/// Days of the week, Monday first: bit 0 is Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Days(pub u8);

impl Days {
    /// Every day.
    pub const ALL: Days = Days(0x7f);

    /// Whether a day is one of them; Monday is 0.
    #[must_use]
    pub fn has(self, day: u8) -> bool {
        day < 7 && self.0 & (1 << day) != 0
    }
}

/// A time that comes back every week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The days on which it begins.
    pub days: Days,
    /// Minute of the day at which it begins, below 1440.
    pub start_minute: u16,
    /// Minute of the day at which it ends, itself not inside; up to 1440, and before the start when the
    /// window goes on after midnight.
    pub end_minute: u16,
}

impl Window {
    /// Whether a moment lies inside: day of the week (Monday is 0) and minute of the day.
    #[must_use]
    pub fn contains(&self, day: u8, minute: u16) -> bool {
        let before = (day + 6) % 7;
        if self.start_minute < self.end_minute {
            return self.days.has(day) && (self.start_minute..self.end_minute).contains(&minute);
        }
        (self.days.has(day) && minute >= self.start_minute)
            || (self.days.has(before) && minute < self.end_minute)
    }

    /// Minutes from a minute of the week (from Monday 00:00) until it is open: 0 inside.
    #[must_use]
    pub fn opens_in(&self, week_minute: u16) -> u16 {
        let (today, minute) = (week_minute / DAY_MINUTES, week_minute % DAY_MINUTES);
        let day = |ahead: u16| u8::try_from((today + ahead) % 7).unwrap_or(0);
        if self.contains(day(0), minute) {
            return 0;
        }
        // Today's beginning may be over; the same day of the next week is the farthest.
        let begins = (0..=7).filter(|ahead| self.days.has(day(*ahead)));
        let begins = begins.map(|ahead| ahead * DAY_MINUTES + self.start_minute);
        begins.filter_map(|begin| begin.checked_sub(minute)).min().unwrap_or(0)
    }
}

impl Leaf for Window {
    const TAKES: &'static str = "a window of time in quotes";

    fn schema() -> Schema {
        let time = "[0-2][0-9]:[0-5][0-9]";
        schema::text_like(&format!(r"^\s*([A-Za-z,\s-]+\s)?{time}-{time}\s*$"))
    }

    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        parse_window(text(value)?)
            .map_err(|label| Wrong::value(label).or_write("write it like \"Sun 02:00-05:00\""))
    }
}

fn parse_window(text: &str) -> Result<Window, String> {
    let text = text.trim();
    let (days, times) = match text.rsplit_once(char::is_whitespace) {
        Some((days, times)) => (parse_days(days)?, times),
        None => (Days::ALL, text),
    };
    let (start, end) = times.split_once('-').ok_or("two times with `-` between are needed")?;
    let (start_minute, end_minute) = (parse_time(start)?, parse_time(end)?);
    if start_minute == DAY_MINUTES {
        return Err("a window cannot begin at 24:00: write 00:00 of the next day".to_owned());
    }
    if start_minute == end_minute {
        return Err("it ends when it begins; a whole day is 00:00-24:00".to_owned());
    }
    Ok(Window { days, start_minute, end_minute })
}

fn parse_days(text: &str) -> Result<Days, String> {
    let mut days = 0;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (parse_day(first)?, parse_day(last)?);
        let mut day = first;
        loop {
            days |= 1 << day;
            if day == last {
                break;
            }
            day = (day + 1) % 7;
        }
    }
    Ok(Days(days))
}

fn parse_day(text: &str) -> Result<u8, String> {
    let text = text.trim();
    let found = (0..).zip(DAYS).find(|(_, name)| name.eq_ignore_ascii_case(text));
    found.map(|(day, _)| day).ok_or_else(|| "days are Mon, Tue, Wed, Thu, Fri, Sat, Sun".to_owned())
}

fn parse_time(text: &str) -> Result<u16, String> {
    let two = |part: &str| -> Option<u16> {
        (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok())?
    };
    let (hour, minute) = text.trim().split_once(':').unwrap_or((text, ""));
    match (two(hour), two(minute)) {
        (Some(hour @ 0..24), Some(minute @ 0..60)) => Ok(hour * 60 + minute),
        (Some(24), Some(0)) => Ok(DAY_MINUTES),
        _ => Err("times are 00:00 to 24:00, two digits each".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Window {
        parse_window(text).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn a_window_is_days_and_two_times() {
        assert_eq!(
            window("Sun 02:00-05:00"),
            Window { days: Days(1 << 6), start_minute: 120, end_minute: 300 }
        );
        assert_eq!(window("Mon-Fri 22:00-06:00").days, Days(0b001_1111));
        assert_eq!(window("Sat,Sun 00:00-24:00").days, Days(0b110_0000));
        assert_eq!(window("Mon-Wed, Fri 01:00-02:00").days, Days(0b001_0111));
        assert_eq!(window("Fri-Mon 01:00-02:00").days, Days(0b111_0001));
        assert_eq!(window("02:00-05:00").days, Days::ALL);
        assert_eq!(window("sun 02:00-05:00"), window("Sun  02:00-05:00"));
    }

    #[test]
    fn the_next_opening_is_counted_in_minutes() {
        let at = |day: u16, hour: u16, minute: u16| day * DAY_MINUTES + hour * 60 + minute;
        let opens = |text: &str, at: u16| window(text).opens_in(at);
        assert_eq!(opens("Sun 02:00-05:00", at(5, 14, 0)), 12 * 60);
        assert_eq!(opens("Sun 02:00-05:00", at(6, 2, 0)), 0);
        assert_eq!(opens("Sun 02:00-05:00", at(6, 4, 59)), 0);
        // Over for this week: 21 hours of Sunday, and six days and two hours more.
        assert_eq!(opens("Sun 02:00-05:00", at(6, 5, 0)), 6 * DAY_MINUTES + 21 * 60);
        assert_eq!(opens("22:00-06:00", at(2, 7, 30)), 14 * 60 + 30);
        assert_eq!(opens("22:00-06:00", at(2, 5, 59)), 0);
        assert_eq!(opens("Mon 00:00-24:00", at(6, 23, 59)), 1);
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            "Sun",
            "Sun 2:00-5:00",
            "Sun 02:00",
            "Sun 02:00-02:00",
            "Sun 24:00-05:00",
            "Sun 02:00-24:01",
            "Sun 02:60-03:00",
            "Son 02:00-03:00",
            "Sun- 02:00-03:00",
            ", 02:00-03:00",
            "Sun 02:00 - 05:00",
            "Sun 02:00-05:00 Mon",
            "Sun +2:00-05:00",
        ] {
            assert!(parse_window(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        let night = window("Fri 22:00-06:00");
        assert!(night.contains(4, 22 * 60));
        assert!(night.contains(5, 0));
        assert!(night.contains(5, 6 * 60 - 1));
        assert!(!night.contains(5, 6 * 60));
        assert!(!night.contains(4, 0));
        let sunday = window("Sun 22:00-06:00");
        assert!(sunday.contains(0, 60));
        assert!(!night.contains(7, 0));
    }
}
