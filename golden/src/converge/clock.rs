//! The time of scripts: Saturday, 2026-11-21 14:00:00 UTC, and on from there.

use engine_core::ids::Moment;

/// When every script begins, in milliseconds since 1970.
pub const START: Moment = Moment(1_795_269_600_000);

const DAY_MS: i64 = 86_400_000;
/// 2026-11-21 is this many days after 1970-01-01.
const START_DAY: i64 = 20_778;
/// The 21st of November, a month of 30 days.
const START_DATE: i64 = 21;

/// `14:00:07` on the first day, `Nov 22 09:00:00` on a later one.
#[must_use]
pub fn when(moment: Moment) -> String {
    let (day, rest) = (moment.0.div_euclid(DAY_MS), moment.0.rem_euclid(DAY_MS));
    let seconds = rest / 1000;
    let time = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let date = START_DATE + day - START_DAY;
    match date {
        START_DATE => time,
        ..=30 => format!("Nov {date} {time}"),
        _ => format!("Dec {} {time}", date - 30),
    }
}

/// Minute of the week, from Monday 00:00.
#[must_use]
pub fn week_minute(moment: Moment) -> u16 {
    // 1970-01-01 was a Thursday, the fourth day.
    let minutes = moment.0.div_euclid(60_000) + 3 * 1440;
    u16::try_from(minutes.rem_euclid(7 * 1440)).unwrap_or(0)
}

/// `60s`, `90 s`, `8h`, `1h 30m`, in milliseconds.
///
/// # Errors
/// It is no such span.
pub fn span_ms(text: &str) -> Result<u64, String> {
    let mut sum = 0;
    for word in text.split_whitespace() {
        let at = word.find(|c: char| !c.is_ascii_digit()).ok_or(format!("`{word}` has no unit"))?;
        let (number, unit) = word.split_at(at);
        let number: u64 = number.parse().map_err(|_| format!("`{word}` is no span of time"))?;
        sum += number
            * match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(format!("`{unit}` is no unit of time")),
            };
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_begin_on_a_saturday_afternoon() {
        assert_eq!(when(START), "14:00:00");
        assert_eq!(week_minute(START), 5 * 1440 + 14 * 60);
        assert_eq!(when(Moment(START.0 + 10 * 3_600_000 + 61_000)), "Nov 22 00:01:01");
        assert_eq!(when(Moment(START.0 + 10 * DAY_MS)), "Dec 1 14:00:00");
    }

    #[test]
    fn spans_add_up() {
        assert_eq!(span_ms("1h 30m"), Ok(5_400_000));
        assert!(span_ms("8").is_err() && span_ms("8 x").is_err());
    }
}
