//! The model's own calendar: the few shapes of time that the histories use, reckoned the slow and plain way, by listing
//! the boundaries around a time and looking between which two it lies.

use jiff::civil::{Date, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};

/// Before and after every time.
pub(crate) const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

/// A zone with daylight changes.
pub(crate) const ZONE: &str = "Europe/Amsterdam";

/// A shape of time. The order is that in which a counter's windows are shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Shape {
    Lifetime,
    Minute,
    /// In UTC, or in [`ZONE`].
    Day {
        zoned: bool,
    },
    /// From Friday 01:00 in [`ZONE`].
    Week,
    /// From the first, in UTC.
    Month,
    /// Of so many milliseconds.
    Sliding(i64),
    /// Drains once in so many milliseconds.
    Rate(i64),
}

impl Shape {
    /// A quota has at most one window of each kind.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Shape::Lifetime => "lifetime",
            Shape::Minute => "minute",
            Shape::Day { .. } => "day",
            Shape::Week => "week",
            Shape::Month => "month",
            Shape::Sliding(_) => "sliding",
            Shape::Rate(_) => "rate",
        }
    }

    /// The keys that say so in a catalog document, beside the amount.
    pub(crate) fn keys(self) -> String {
        match self {
            Shape::Lifetime | Shape::Minute => String::new(),
            Shape::Day { zoned: false } | Shape::Month => String::from(", zone: UTC"),
            Shape::Day { zoned: true } => format!(", zone: {ZONE}"),
            Shape::Week => format!(", zone: {ZONE}, anchor: \"FRI 01:00\""),
            Shape::Sliding(millis) | Shape::Rate(millis) => format!(", length: {millis}ms"),
        }
    }

    /// The period that contains `t`, as [start, end); all of time for what has no periods.
    /// Whether a sliding window has left the step of `t` behind.
    pub(crate) fn has_slid_past(self, t: i64, now: i64) -> bool {
        match self {
            Shape::Sliding(length) => t.div_euclid(length / 60) < now.div_euclid(length / 60) - 60,
            _ => false,
        }
    }

    pub(crate) fn period(self, t: i64) -> (i64, i64) {
        match self {
            Shape::Lifetime | Shape::Sliding(_) | Shape::Rate(_) => ALWAYS,
            Shape::Minute => (t.div_euclid(60_000) * 60_000, t.div_euclid(60_000) * 60_000 + 60_000),
            Shape::Day { zoned } => between(t, zone(zoned), 3, |_| true, 0),
            Shape::Week => between(t, zone(true), 10, |date| date.weekday() == Weekday::Friday, 1),
            Shape::Month => between(t, zone(false), 33, |date| date.day() == 1, 0),
        }
    }
}

fn zone(zoned: bool) -> TimeZone {
    TimeZoneDatabase::bundled().get(if zoned { ZONE } else { "UTC" }).unwrap()
}

/// Lists every boundary, which is `hour` o'clock of each date that `is_boundary`, for some days around `t`.
fn between(t: i64, zone: TimeZone, days: i32, is_boundary: impl Fn(Date) -> bool, hour: i8) -> (i64, i64) {
    let today = Timestamp::from_millisecond(t).unwrap().to_zoned(zone.clone()).date();
    let boundaries: Vec<i64> = (-days..=days)
        .map(|day| today.checked_add(day.days()).unwrap())
        .filter(|date| is_boundary(*date))
        .map(|date| date.at(hour, 0, 0, 0).to_zoned(zone.clone()).unwrap().timestamp().as_millisecond())
        .collect();
    let start = boundaries.iter().copied().filter(|boundary| *boundary <= t).max().unwrap();
    let end = boundaries.iter().copied().filter(|boundary| *boundary > t).min().unwrap();
    (start, end)
}

#[test]
fn the_naive_calendar_knows_a_few_dates() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
    let t = at("2026-10-25T12:00:00Z");
    let long_day = (at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z"));
    assert_eq!(Shape::Day { zoned: true }.period(t), long_day, "a day of 25 hours");
    assert_eq!(Shape::Day { zoned: false }.period(t), (at("2026-10-25T00:00:00Z"), at("2026-10-26T00:00:00Z")));
    assert_eq!(Shape::Month.period(t), (at("2026-10-01T00:00:00Z"), at("2026-11-01T00:00:00Z")));
    let long_week = (at("2026-10-22T23:00:00Z"), at("2026-10-30T00:00:00Z"));
    assert_eq!(Shape::Week.period(t), long_week, "a week of 169 hours");
    assert_eq!(Shape::Week.period(long_week.1).0, long_week.1, "a boundary belongs to the new period");
    assert_eq!(Shape::Minute.period(t + 1), (t, t + 60_000));
}
