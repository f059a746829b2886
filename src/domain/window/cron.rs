//! Five-field cron expressions on the local clock. The expression is read by the `croner` crate; the search is ours, so
//! that clock changes follow the rules of this module and every search is bounded.

use super::WindowError;
use super::calendar::{MINUTE, civil, midnight};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use croner::time::Weekday;
use jiff::civil::{Date, date};

/// Longest expression in bytes.
const MAX_TEXT: usize = 256;
/// How far a search goes. The rarest match, a 29 February on a given weekday, comes back after 40 years at most.
const SEARCH_YEARS: i16 = 41;

/// The matches of an expression.
#[derive(Debug)]
pub(super) struct CronTimes {
    cron: Cron,
    /// Indexed by month, 1 to 12.
    months: [bool; 13],
    /// The minutes of a matching day that match, ascending, never empty.
    minutes: Vec<u16>,
}

impl CronTimes {
    /// Reads an expression and makes sure that it matches at all. Also gives its normal text: upper case, single blanks.
    pub(super) fn parse(text: &str) -> Result<(CronTimes, String), WindowError> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        if fields.len() != 5 {
            return Err(WindowError::CronFields(fields.len()));
        }
        // The parser would pass over an empty part of a list, and a field of nothing else never matches.
        if text.len() > MAX_TEXT || !text.is_ascii() || fields.iter().any(|field| field.split(',').any(str::is_empty)) {
            return Err(WindowError::CronSyntax(format!("at most {MAX_TEXT} ASCII characters, no empty list parts")));
        }
        let normal = fields.join(" ").to_ascii_uppercase();
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(&normal).map_err(|error| WindowError::CronSyntax(error.to_string()))?;

        let mut months = [false; 13];
        for month in cron.pattern.months.values() {
            months[usize::from(month)] = true;
        }
        let hours = cron.pattern.hours.values();
        let minutes = hours
            .iter()
            .flat_map(|hour| cron.pattern.minutes.values().into_iter().map(move |minute| hour * 60 + minute))
            .collect::<Vec<_>>();
        let times = CronTimes { cron, months, minutes };
        if times.minutes.is_empty() || times.day_from(date(2000, 1, 1)).is_none() {
            return Err(WindowError::CronNever);
        }
        Ok((times, normal))
    }

    /// The latest match at or before a local time.
    pub(super) fn at_or_before(&self, local: i64) -> Option<i64> {
        let (today, minute) = split(local);
        let passed = self.minutes.partition_point(|&time| time <= minute);
        if passed > 0 && self.has_day(today) {
            return at(today, self.minutes[passed - 1]);
        }
        at(self.day_until(today.yesterday().ok()?)?, *self.minutes.last()?)
    }

    /// The first match after a local time.
    pub(super) fn after(&self, local: i64) -> Option<i64> {
        let (today, minute) = split(local);
        let passed = self.minutes.partition_point(|&time| time <= minute);
        if passed < self.minutes.len() && self.has_day(today) {
            return at(today, self.minutes[passed]);
        }
        at(self.day_from(today.tomorrow().ok()?)?, *self.minutes.first()?)
    }

    /// The first matching day from `day` on.
    fn day_from(&self, mut day: Date) -> Option<Date> {
        let until = day.year().saturating_add(SEARCH_YEARS);
        while day.year() <= until {
            if !self.months[day.month() as usize] {
                day = day.last_of_month().tomorrow().ok()?;
            } else if self.has_day(day) {
                return Some(day);
            } else {
                day = day.tomorrow().ok()?;
            }
        }
        None
    }

    /// The last matching day up to `day`.
    fn day_until(&self, mut day: Date) -> Option<Date> {
        let until = day.year().saturating_sub(SEARCH_YEARS);
        while day.year() >= until {
            if !self.months[day.month() as usize] {
                day = day.first_of_month().yesterday().ok()?;
            } else if self.has_day(day) {
                return Some(day);
            } else {
                day = day.yesterday().ok()?;
            }
        }
        None
    }

    fn has_day(&self, day: Date) -> bool {
        let weekday = Weekday::from_days_from_sunday(day.weekday().to_sunday_zero_offset() as u32);
        let (year, month, number) = (day.year().into(), day.month() as u32, day.day() as u32);
        // An error means a date that does not exist, which a `Date` cannot be.
        self.months[day.month() as usize] && self.cron.pattern.day_match(year, month, number, weekday).unwrap_or(false)
    }
}

/// A local time as its date and the minute of that day.
fn split(local: i64) -> (Date, u16) {
    let time = civil(local);
    (time.date(), time.hour() as u16 * 60 + time.minute() as u16)
}

fn at(day: Date, minute: u16) -> Option<i64> {
    Some(midnight(day)? + i64::from(minute) * MINUTE)
}
