//! Boundaries against an oracle that knows no arithmetic: it watches the zone's clock minute by minute around each clock
//! change, and a boundary is the first minute at which the clock shows it, or has jumped over it.

use super::*;
use WindowKind::*;
use jiff::civil::{DateTime, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp as Instant, ToSpan};

const ZONES: [&str; 17] = [
    "Europe/Amsterdam",
    "Europe/Dublin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "America/Nuuk",
    "America/Scoresbysund",
    "America/St_Johns",
    "Antarctica/Troll",
    "Atlantic/Azores",
    "Asia/Beirut",
    "Asia/Gaza",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kwajalein",
];

/// A kind, an anchor, and whether a local minute is one of its boundaries.
type Rule = (WindowKind, &'static str, fn(DateTime) -> bool);

fn clock(time: DateTime) -> (i8, i8) {
    (time.hour(), time.minute())
}

const RULES: [Rule; 14] = [
    (Hour, "", |t| t.minute() == 0),
    (Day, "", |t| clock(t) == (0, 0)),
    (Day, "02:30", |t| clock(t) == (2, 30)),
    (Day, "23:15", |t| clock(t) == (23, 15)),
    (Week, "SUN", |t| t.weekday() == Weekday::Sunday && clock(t) == (0, 0)),
    (Week, "SUN 02:00", |t| t.weekday() == Weekday::Sunday && clock(t) == (2, 0)),
    (Week, "FRI 01:00", |t| t.weekday() == Weekday::Friday && clock(t) == (1, 0)),
    (Month, "", |t| t.day() == 1 && clock(t) == (0, 0)),
    (Month, "31 02:45", |t| t.day() == t.date().days_in_month() && clock(t) == (2, 45)),
    (Month, "30", |t| t.day() == t.date().days_in_month().min(30) && clock(t) == (0, 0)),
    (Year, "12-30 08:00", |t| (t.month(), t.day()) == (12, 30) && clock(t) == (8, 0)),
    (Year, "03-29 02:30", |t| (t.month(), t.day()) == (3, 29) && clock(t) == (2, 30)),
    (Cron, "*/15 1-3 * * *", |t| t.minute() % 15 == 0 && (1..=3).contains(&t.hour())),
    (Cron, "30 2 * * *", |t| clock(t) == (2, 30)),
];

#[test]
fn boundaries_are_where_a_watcher_sees_them() {
    let database = TimeZoneDatabase::bundled();
    let mut seen = 0;
    for name in ZONES {
        let zone = database.get(name).unwrap();
        let windows = RULES.map(|(kind, anchor, _)| window(kind, name, anchor));
        let until: Instant = "2030-01-01T00:00:00Z".parse().unwrap();
        let changes = zone.following("1990-01-01T00:00:00Z".parse().unwrap());
        for change in changes.map(|change| change.timestamp()).take_while(|change| *change < until) {
            seen += watch(&zone, change, &windows);
        }
    }
    assert!(seen > 10_000, "only {seen} boundaries");
}

/// Compares from 8 hours before a clock change to 30 hours after it; gives the number of boundaries seen.
fn watch(zone: &TimeZone, change: Instant, windows: &[Window; RULES.len()]) -> usize {
    let minute = |count: i64| change.checked_add((count * 60).seconds()).unwrap();
    let mut shown = zone.to_datetime(minute(-3 * 24 * 60));
    let mut last: [Option<Timestamp>; RULES.len()] = [None; RULES.len()];
    let mut seen = 0;
    for count in -3 * 24 * 60 + 1..30 * 60 {
        let now = zone.to_datetime(minute(count));
        let instant = Timestamp::from_millis(minute(count).as_millisecond());
        let mut boundary = [false; RULES.len()];
        while shown < now {
            shown = shown.checked_add(1.minute()).unwrap();
            for (found, (_, _, rule)) in boundary.iter_mut().zip(RULES) {
                *found |= rule(shown);
            }
        }
        for index in 0..RULES.len() {
            if boundary[index] {
                last[index] = Some(instant);
            }
            let look = count >= -8 * 60 && (boundary[index] || count % 20 == 0);
            if let Some(start) = last[index].filter(|_| look) {
                let period = windows[index].period_at(instant);
                assert_eq!(period.start, start, "{:?} at {instant}", windows[index]);
                seen += usize::from(boundary[index]);
            }
        }
    }
    seen
}
