//! What a window's text may say, its id, and times at the end of the calendar.

use super::*;
use crate::domain::time::Span;
use crate::domain::window::{WindowError, WindowId};
use WindowKind::*;

fn spec(kind: WindowKind) -> WindowSpec {
    WindowSpec::of(kind)
}

fn anchored(kind: WindowKind, anchor: &str) -> Result<WindowId, WindowError> {
    WindowSpec { anchor: Some(anchor.into()), ..spec(kind) }.compile("UTC").map(|window| window.id())
}

fn long(kind: WindowKind, millis: i64) -> Result<Window, WindowError> {
    WindowSpec { length: Some(Span::from_millis(millis)), ..spec(kind) }.compile("UTC")
}

fn cron(text: &str) -> Result<Window, WindowError> {
    WindowSpec { cron: Some(text.into()), ..spec(Cron) }.compile("UTC")
}

#[test]
fn kinds_are_read_as_they_are_written() {
    for kind in WindowKind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
    assert_eq!("Week".parse::<WindowKind>().unwrap_err().field(), "kind");
}

#[test]
fn equal_meaning_gives_equal_ids() {
    let default = |kind| spec(kind).compile("UTC").map(|window| window.id());
    for (kind, anchors) in [
        (Day, &["00:00", "0:00", " 00:00 "][..]),
        (Week, &["MON", "mon", "Monday", "MONDAY 00:00", "Mon  0:00"]),
        (Month, &["1", "01", "1 00:00", "01 0:00"]),
        (Year, &["01-01", "1-1", "01-01 00:00"]),
    ] {
        for anchor in anchors {
            assert_eq!(anchored(kind, anchor), default(kind), "{kind} {anchor}");
        }
    }
    assert_ne!(anchored(Week, "FRI"), anchored(Week, "SAT"));
    assert_ne!(anchored(Month, "30"), anchored(Month, "31"));
    assert_eq!(cron("0 1 * * fri").unwrap(), cron(" 0  1 * * FRI").unwrap());
    assert_ne!(cron("0 1 * * fri").unwrap(), cron("0 2 * * fri").unwrap());
    assert_ne!(long(Rate, 60_000).unwrap(), long(Rate, 60_001).unwrap());
    assert_ne!(long(Rate, 60_000).unwrap(), long(Sliding, 60_000).unwrap());
    let named = WindowSpec { zone: Some("asia/tokyo".into()), ..spec(Day) };
    assert_eq!(named.compile("UTC").unwrap(), spec(Day).compile("Asia/Tokyo").unwrap());
    assert_eq!(named.compile("UTC").unwrap().zone_name(), "Asia/Tokyo");
}

/// Stored counters name windows by these numbers, so they never change.
#[test]
fn ids_stay_as_they_are() {
    let id = |spec: WindowSpec| spec.compile("UTC").unwrap().id().0;
    let ids = [
        id(spec(Lifetime)),
        id(spec(Minute)),
        id(WindowSpec { anchor: Some("FRI 01:00".into()), zone: Some("Asia/Shanghai".into()), ..spec(Week) }),
        id(WindowSpec { cron: Some("0 1 * * FRI".into()), ..spec(Cron) }),
        id(WindowSpec { length: Some(Span::from_secs(60)), ..spec(Sliding) }),
    ];
    let stored =
        [4451714524766814127, 8319055641692214780, 12677079412420310799, 10386557122778595118, 6965605351921037203];
    assert_eq!(ids, stored);
}

#[test]
fn bad_anchors_are_refused() {
    for (kind, texts) in [
        (Day, &["", "01", "24:00", "1:5", "01:60", "01:00:00", "FRI", "+1:00", "01:00 01:00", "٠١:٠٠"][..]),
        (Week, &["", "01:00", "FR", "FRIDA", "Someday", "FRI 24:00", "FRI,SAT", "FRI 01:00 x", "5"]),
        (Month, &["", "0", "32", "-1", "1 24:00", "001", "first", "01:00"]),
        (Year, &["", "00-01", "13-01", "04-31", "02-30", "04", "04-00", "2026-04-01", "04-01 6", "-"]),
    ] {
        for text in texts {
            assert_eq!(anchored(kind, text), Err(WindowError::BadAnchor(kind)), "{kind} {text:?}");
        }
    }
    assert!(anchored(Year, "02-29").is_ok());
    assert!(WindowError::BadAnchor(Week).to_string().contains("FRI 01:00"));
}

#[test]
fn fields_without_a_meaning_are_refused() {
    for kind in WindowKind::ALL {
        let text = || Some("x".to_owned());
        let zone = WindowSpec { zone: text(), ..spec(kind) }.compile("UTC");
        let anchor = WindowSpec { anchor: text(), ..spec(kind) }.compile("UTC");
        let length = WindowSpec { length: Some(Span::from_millis(0)), ..spec(kind) }.compile("UTC");
        assert_eq!(zone.unwrap_err().field(), "zone");
        assert_eq!(anchor.unwrap_err().field(), "anchor");
        assert_eq!(length.unwrap_err().field(), "length");
        if kind != Cron {
            let length = kind.uses_length().then_some(Span::from_secs(60));
            let cron = WindowSpec { cron: text(), length, ..spec(kind) }.compile("UTC");
            assert_eq!(cron.unwrap_err(), WindowError::CronNotAllowed(kind));
        }
    }
    for zone in ["", "Mars/Olympus", "Etc/Unknown", "../../etc/passwd", "+01:00", &"x".repeat(100_000)] {
        let error = spec(Day).compile(zone).unwrap_err();
        assert_eq!(error.field(), "zone");
        assert!(error.to_string().len() < 200);
        assert!(spec(Minute).compile(zone).is_ok());
    }
}

#[test]
fn lengths_have_bounds() {
    let month = 31 * 86_400_000;
    for (kind, good, bad) in [
        (Sliding, [60_000, 120_000, month], [0, -60_000, 59_999, 90_000, month + 60_000, i64::MAX]),
        (Rate, [1, 1_001, month], [0, -1, i64::MIN, month + 1, i64::MAX, -month]),
    ] {
        assert_eq!(spec(kind).compile("UTC").unwrap_err(), WindowError::LengthMissing(kind));
        for millis in good {
            let window = long(kind, millis).unwrap();
            assert_eq!(window.length(), Some(Span::from_millis(millis)));
            assert_eq!(window.bucket_millis(), if kind == Sliding { millis / 60 } else { 1 });
            assert_eq!(window.period_at(time("2026-01-01T00:00:00Z")), Period::ALWAYS);
            assert_eq!(window.next_reset(time("2026-01-01T00:00:00Z")), None);
        }
        for millis in bad {
            assert_eq!(long(kind, millis).unwrap_err(), WindowError::BadLength(kind), "{kind} {millis}");
        }
    }
}

#[test]
fn bad_cron_is_refused() {
    assert_eq!(spec(Cron).compile("UTC").unwrap_err(), WindowError::CronMissing);
    for (text, fields) in [("", 0), ("@daily", 1), ("* * * *", 4), ("0 0 1 * * *", 6), ("0 0 1 * * * 2026", 7)] {
        assert_eq!(cron(text).unwrap_err(), WindowError::CronFields(fields));
    }
    for text in ["60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8", "a b c d e"] {
        assert!(matches!(cron(text).unwrap_err(), WindowError::CronSyntax(_)), "{text}");
    }
    for text in ["*/0 * * * *", "5-1 * * * *", ", * * * *", "1,,2 * * * *", "* * * * FRÏ", "- * * * *", "/ * * * *"] {
        assert!(matches!(cron(text).unwrap_err(), WindowError::CronSyntax(_)), "{text}");
    }
    assert!(matches!(cron(&format!("{} * * * *", "1,".repeat(200) + "1")).unwrap_err(), WindowError::CronSyntax(_)));
    for text in ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 31 4 +FRI"] {
        assert_eq!(cron(text).unwrap_err(), WindowError::CronNever, "{text}");
    }
    for text in ["* * * * *", "0 0 29 2 *", "0 0 L * *", "0 0 * * FRI#5", "0 0 * 2 MON#5", "0 0 15W * *", "1 2 ? * ?"] {
        assert!(cron(text).is_ok(), "{text}");
    }
}

#[test]
fn the_ends_of_the_calendar_tile_too() {
    let mut windows = vec![spec(Minute).compile("UTC").unwrap(), spec(Lifetime).compile("UTC").unwrap()];
    for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Apia", "America/New_York", "Africa/Casablanca"] {
        for (kind, anchor) in [
            (Hour, ""),
            (Day, "23:59"),
            (Week, "SUN 12:00"),
            (Month, "31 23:59"),
            (Year, "12-31 23:59"),
            (Cron, "* * * * *"),
            (Cron, "0 0 29 2 *"),
        ] {
            windows.push(window(kind, zone, anchor));
        }
    }
    let day = 86_400_000;
    let ends = [-62_135_596_800_000, 253_401_955_200_000, -377_705_116_800_000, 253_402_207_200_000];
    let near = ends.iter().flat_map(|end| [-400, -31, -3, -2, -1, 0, 1, 2, 3, 31, 400].map(|days| end + days * day));
    let far = [i64::MIN, i64::MIN + 1, i64::MAX - 1, -(1 << 53), 1 << 53].into_iter();
    for millis in near.chain(far) {
        for window in &windows {
            let period = checked(window, Timestamp::from_millis(millis));
            if period.end < Timestamp::MAX {
                assert_eq!(window.period_at(period.end).start, period.end, "{window:?}");
                assert_eq!(window.next_reset(period.start), Some(period.end));
            }
        }
    }
    for window in &windows {
        window.period_at(Timestamp::MAX);
    }
}
