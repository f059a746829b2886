//! Periods tile time, in every zone of the database, around every clock change from 2020 to 2037.

use super::*;
use WindowKind::*;
use jiff::tz::TimeZoneDatabase;
use std::collections::HashMap;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// One name for each different history of clock changes, with the instants of the changes.
fn zones() -> Vec<(String, Vec<i64>)> {
    let from: jiff::Timestamp = "2019-06-01T00:00:00Z".parse().unwrap();
    let until: jiff::Timestamp = "2038-06-01T00:00:00Z".parse().unwrap();
    let database = TimeZoneDatabase::bundled();
    let mut histories = HashMap::new();
    for name in database.available().filter(|name| name.as_str() != "Etc/Unknown") {
        let zone = database.get(name.as_str()).unwrap();
        let changes = zone.following(from).take_while(|change| change.timestamp() < until);
        let changes: Vec<_> =
            changes.map(|change| (change.timestamp().as_millisecond(), change.offset().seconds())).collect();
        histories.insert((zone.to_offset(from).seconds(), changes), name.as_str().to_owned());
    }
    let zones = histories.into_iter().map(|((_, changes), name)| (name, changes.into_iter().map(|c| c.0).collect()));
    zones.collect()
}

/// Walks from the period at one instant to the one at another, checking that each begins where the last ended.
fn walk(window: &Window, from: i64, until: i64) -> usize {
    let mut period = checked(window, Timestamp::from_millis(from));
    let mut count = 0;
    while period.end.millis() < until {
        let next = checked(window, period.end);
        assert_eq!(next.start, period.end, "{window:?}");
        assert!(next.start < next.end, "{window:?}");
        period = next;
        count += 1;
    }
    count
}

#[test]
fn periods_tile_time_in_every_zone() {
    let zones = zones();
    assert!(zones.len() > 50);
    let (from, until) = (time("2020-01-01T00:00:00Z").millis(), time("2038-01-01T00:00:00Z").millis());
    for (zone, changes) in &zones {
        assert!((18 * 12 - 1..=18 * 12 + 1).contains(&walk(&window(Month, zone, "31 02:30"), from, until)));
        assert!((17..=19).contains(&walk(&window(Year, zone, "03-29"), from, until)));
        for (kind, anchor, reach) in [
            (Hour, "", DAY / 4),
            (Day, "", 2 * DAY),
            (Day, "02:30", 2 * DAY),
            (Week, "FRI 01:00", 9 * DAY),
            (Cron, "0 1 * * FRI", 9 * DAY),
            (Cron, "30 2 * * *", 2 * DAY),
            (Cron, "*/20 * * * *", DAY / 8),
        ] {
            let window = window(kind, zone, anchor);
            for change in changes {
                assert!(walk(&window, change - reach, change + reach) > 0);
            }
        }
    }
}

/// The same boundaries, said in two ways.
#[test]
fn cron_agrees_with_calendar_kinds() {
    for (zone, changes) in zones() {
        for (kind, anchor, cron) in [
            (Hour, "", "0 * * * *"),
            (Day, "02:30", "30 2 * * *"),
            (Week, "FRI 01:00", "0 1 * * 5"),
            (Month, "", "0 0 1 * *"),
            (Year, "04-01 06:00", "0 6 1 4 *"),
        ] {
            let (one, other) = (window(kind, &zone, anchor), window(Cron, &zone, cron));
            for change in &changes {
                for hours in [-24, -3, -1, 0, 1, 3, 24] {
                    let t = Timestamp::from_millis(change + hours * HOUR);
                    assert_eq!(one.period_at(t), other.period_at(t), "{one:?} at {t}");
                }
            }
        }
    }
}
