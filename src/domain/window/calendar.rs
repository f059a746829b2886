//! The boundaries of a window on the local clock, as if the clock never changed. [`zone`](super::zone) says at which
//! instants they fall.
//!
//! A local time here is in seconds since 1970-01-01T00:00 on the wall clock.

use super::cron::CronTimes;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

/// Seconds in a minute.
pub(super) const MINUTE: i64 = 60;
/// Seconds in an hour.
pub(super) const HOUR: i64 = 3_600;
/// Seconds in a day.
pub(super) const DAY: i64 = 24 * HOUR;
/// Seconds in a week.
pub(super) const WEEK: i64 = 7 * DAY;

/// 0001-01-01T00:00: no boundary lies before it.
pub(super) const FIRST: i64 = -62_135_596_800;
/// 9999-12-28T00:00: no boundary lies after it. Three days short of what the calendar can say, so that neither an
/// offset nor a search leaves it.
pub(super) const LAST: i64 = 253_401_955_200;

/// A rule for boundaries.
#[derive(Debug)]
pub(super) enum Calendar {
    /// Every `step` seconds, one of them at `phase`: hours, days, weeks.
    Every { step: i64, phase: i64 },
    /// On a day of each month, or its last if it is shorter, `time` seconds after midnight.
    Month { day: i8, time: i64 },
    /// On a day of each year, `time` seconds after midnight; 29 February is the 28th in other years.
    Year { month: i8, day: i8, time: i64 },
    /// At each match of a cron expression.
    Cron(Box<CronTimes>),
}

impl Calendar {
    /// The latest boundary at or before a local time; none if that is before the first one.
    pub(super) fn at_or_before(&self, local: i64) -> Option<i64> {
        let local = local.min(LAST);
        let boundary = match self {
            Calendar::Every { step, phase } => local - (local - phase).rem_euclid(*step),
            Calendar::Month { day, time } => latest(local, months(local), |month| in_month(month, *day, *time))?,
            Calendar::Year { month, day, time } => {
                latest(local, years(local), |year| in_year(year, *month, *day, *time))?
            }
            Calendar::Cron(times) => times.at_or_before(local)?,
        };
        (boundary >= FIRST).then_some(boundary)
    }

    /// The first boundary after a local time; none if that is the last one or later.
    pub(super) fn after(&self, local: i64) -> Option<i64> {
        let local = local.max(FIRST - 1);
        if local >= LAST {
            return None;
        }
        let boundary = match self {
            Calendar::Every { step, phase } => local - (local - phase).rem_euclid(*step) + step,
            Calendar::Month { day, time } => first_after(local, months(local), |month| in_month(month, *day, *time))?,
            Calendar::Year { month, day, time } => {
                first_after(local, years(local), |year| in_year(year, *month, *day, *time))?
            }
            Calendar::Cron(times) => times.after(local)?,
        };
        (boundary <= LAST).then_some(boundary)
    }
}

/// The date and time of day that a wall clock shows.
pub(super) fn civil(local: i64) -> DateTime {
    let (lowest, highest) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let instant = Timestamp::from_second(local.clamp(lowest, highest)).unwrap_or(Timestamp::UNIX_EPOCH);
    Offset::UTC.to_datetime(instant)
}

/// The local time at which a date begins; none beyond what the calendar can say.
pub(super) fn midnight(date: Date) -> Option<i64> {
    Some(Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?.as_second())
}

/// The boundary of the unit that a local time lies in, or of the one before if it has not come yet.
fn latest(local: i64, unit: i32, boundary: impl Fn(i32) -> Option<i64>) -> Option<i64> {
    match boundary(unit)? {
        here if here <= local => Some(here),
        _ => boundary(unit - 1),
    }
}

/// The boundary of the unit that a local time lies in, or of the next one if it has passed.
fn first_after(local: i64, unit: i32, boundary: impl Fn(i32) -> Option<i64>) -> Option<i64> {
    match boundary(unit)? {
        here if here > local => Some(here),
        _ => boundary(unit + 1),
    }
}

/// Years since the year 0.
fn years(local: i64) -> i32 {
    civil(local).year().into()
}

/// Months since the year 0.
fn months(local: i64) -> i32 {
    let date = civil(local);
    i32::from(date.year()) * 12 + i32::from(date.month()) - 1
}

fn in_month(month: i32, day: i8, time: i64) -> Option<i64> {
    let year = i16::try_from(month.div_euclid(12)).ok()?;
    let first = Date::new(year, month.rem_euclid(12) as i8 + 1, 1).ok()?;
    let days = day.min(first.days_in_month()) - 1;
    Some(midnight(first)? + i64::from(days) * DAY + time)
}

fn in_year(year: i32, month: i8, day: i8, time: i64) -> Option<i64> {
    in_month(year * 12 + i32::from(month) - 1, day, time)
}
