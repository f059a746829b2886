//! Periods that a person can look up in a calendar.

use super::*;
use WindowKind::*;

/// Kind, zone, anchor, an instant, the period it lies in.
type Case = (WindowKind, &'static str, &'static str, &'static str, &'static str, &'static str);

#[track_caller]
fn check(cases: &[Case]) {
    for &(kind, zone, anchor, at, start, end) in cases {
        let window = window(kind, zone, anchor);
        let period = checked(&window, time(at));
        assert_eq!((period.start, period.end), (time(start), time(end)), "{window:?} at {at}");
    }
}

#[test]
fn days_of_23_24_and_25_hours() {
    check(&[
        (Day, "Europe/Amsterdam", "", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        (Day, "Europe/Amsterdam", "", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        (Day, "Asia/Kolkata", "06:00", "2026-01-01T00:29:59Z", "2025-12-31T00:30:00Z", "2026-01-01T00:30:00Z"),
        (Day, "UTC", "", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
    ]);
}

/// S3.15: the wall clock's 01:00 stays, the week is of 167, 168 or 169 hours.
#[test]
fn weeks_from_friday_one_o_clock() {
    check(&[
        (Week, "Asia/Shanghai", "FRI 01:00", "2026-11-20T12:00:00Z", "2026-11-19T17:00:00Z", "2026-11-26T17:00:00Z"),
        (Week, "Europe/Berlin", "FRI 01:00", "2026-03-29T12:00:00Z", "2026-03-27T00:00:00Z", "2026-04-02T23:00:00Z"),
        (Week, "Europe/Berlin", "FRI 01:00", "2026-10-25T12:00:00Z", "2026-10-22T23:00:00Z", "2026-10-30T00:00:00Z"),
        (Week, "UTC", "", "2026-11-22T23:59:59Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
        (Week, "UTC", "SUN", "2026-11-22T23:59:59Z", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"),
    ]);
    let berlin = window(Week, "Europe/Berlin", "FRI 01:00");
    let hours = |at| {
        let period = berlin.period_at(time(at));
        period.end.since(period.start).millis() / 3_600_000
    };
    assert_eq!(["2026-03-29T12:00:00Z", "2026-10-25T12:00:00Z", "2026-07-01T00:00:00Z"].map(hours), [167, 169, 168]);
}

/// S4.23: a boundary instant belongs to the new period.
#[test]
fn months_and_years() {
    check(&[
        (Month, "UTC", "15", "2026-03-14T23:59:59.999Z", "2026-02-15T00:00:00Z", "2026-03-15T00:00:00Z"),
        (Month, "UTC", "15", "2026-03-15T00:00:00Z", "2026-03-15T00:00:00Z", "2026-04-15T00:00:00Z"),
        (Month, "UTC", "15 06:00", "2026-03-15T05:00:00Z", "2026-02-15T06:00:00Z", "2026-03-15T06:00:00Z"),
        (Month, "UTC", "31", "2026-02-27T00:00:00Z", "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"),
        (Month, "UTC", "31", "2026-03-01T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"),
        (Month, "UTC", "31", "2026-04-15T00:00:00Z", "2026-03-31T00:00:00Z", "2026-04-30T00:00:00Z"),
        (Month, "UTC", "30", "2028-03-01T00:00:00Z", "2028-02-29T00:00:00Z", "2028-03-30T00:00:00Z"),
        (Month, "UTC", "", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
        (Year, "America/New_York", "", "2026-01-01T04:59:59Z", "2025-01-01T05:00:00Z", "2026-01-01T05:00:00Z"),
        (Year, "Asia/Tokyo", "04-01", "2026-03-31T14:59:59Z", "2025-03-31T15:00:00Z", "2026-03-31T15:00:00Z"),
        (Year, "UTC", "04-01 06:00", "2026-04-01T06:00:00Z", "2026-04-01T06:00:00Z", "2027-04-01T06:00:00Z"),
        (Year, "UTC", "02-29", "2026-03-01T00:00:00Z", "2026-02-28T00:00:00Z", "2027-02-28T00:00:00Z"),
        (Year, "UTC", "02-29", "2028-02-28T12:00:00Z", "2027-02-28T00:00:00Z", "2028-02-29T00:00:00Z"),
    ]);
}

#[test]
fn a_midnight_that_does_not_exist_is_right_after_the_gap() {
    check(&[
        (Day, "America/Sao_Paulo", "", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"),
        (Day, "Asia/Beirut", "", "2025-03-30T12:00:00Z", "2025-03-29T22:00:00Z", "2025-03-30T21:00:00Z"),
        (Day, "America/Sao_Paulo", "00:30", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:30:00Z"),
    ]);
}

#[test]
fn a_doubled_midnight_is_the_first() {
    check(&[
        (Day, "America/Havana", "", "2026-11-01T04:30:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
        (Day, "America/Havana", "", "2026-11-01T05:30:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
        // At 01:00 the clock goes back to 00:00.
        (Day, "Atlantic/Azores", "", "2026-10-25T01:10:00Z", "2026-10-25T00:00:00Z", "2026-10-26T01:00:00Z"),
        (Day, "Atlantic/Azores", "00:30", "2026-10-25T01:10:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
        // At 24:00 the clock went back to 23:00 of the same day; the new day begins when it gets there again.
        (Day, "America/Sao_Paulo", "", "2019-02-17T02:30:00Z", "2019-02-16T02:00:00Z", "2019-02-17T03:00:00Z"),
    ]);
}

#[test]
fn zones_that_skipped_a_whole_day() {
    check(&[
        // After 29 December 24:00 came the 31st.
        (Day, "Pacific/Apia", "", "2011-12-30T09:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
        (Day, "Pacific/Apia", "", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
        // 21 August 1993 did not happen; 12:00 of that day fell into the gap.
        (Day, "Pacific/Kwajalein", "12:00", "1993-08-21T18:00:00Z", "1993-08-21T12:00:00Z", "1993-08-22T00:00:00Z"),
        (Hour, "Pacific/Apia", "", "2011-12-30T09:59:59Z", "2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z"),
        (Cron, "Pacific/Apia", "*/10 * * * *", "2011-12-30T09:59:59Z", "2011-12-30T09:50:00Z", "2011-12-30T10:00:00Z"),
        (Cron, "Pacific/Apia", "0 8 30 * *", "2011-12-30T12:00:00Z", "2011-12-30T10:00:00Z", "2012-01-29T18:00:00Z"),
    ]);
}

#[test]
fn hours_follow_the_local_clock() {
    check(&[
        (Hour, "Asia/Kathmandu", "", "2026-01-01T00:20:00Z", "2026-01-01T00:15:00Z", "2026-01-01T01:15:00Z"),
        // Forward by half an hour: 02:00 becomes 02:30, so that the hour of 02 has 30 minutes.
        (Hour, "Australia/Lord_Howe", "", "2026-10-03T15:40:00Z", "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"),
        // Back by half an hour: 02:00 becomes 01:30, so that the hour of 01 has 90 minutes.
        (Hour, "Australia/Lord_Howe", "", "2026-04-04T15:10:00Z", "2026-04-04T14:00:00Z", "2026-04-04T15:30:00Z"),
        // Back by an hour: the hour of 02 happens twice and is one period of two hours.
        (Hour, "Europe/Amsterdam", "", "2026-10-25T01:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"),
    ]);
    let minute = WindowSpec::of(Minute).compile("Asia/Kathmandu").unwrap();
    let period = checked(&minute, time("2026-01-01T00:00:59.999Z"));
    assert_eq!((period.start, period.end), (time("2026-01-01T00:00:00Z"), time("2026-01-01T00:01:00Z")));
}

#[test]
fn cron_in_the_local_clock() {
    check(&[
        (Cron, "Asia/Shanghai", "0 1 * * FRI", "2026-11-20T12:00:00Z", "2026-11-19T17:00:00Z", "2026-11-26T17:00:00Z"),
        // 02:30 does not exist on 29 March and fires at 03:00, once.
        (Cron, "Europe/Berlin", "30 2 * * *", "2026-03-29T12:00:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"),
        // 02:30 exists twice on 25 October and fires at the first.
        (Cron, "Europe/Berlin", "30 2 * * *", "2026-10-25T01:45:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
        // Of 02:00 to 02:50, all skipped, one is left; then 03:10.
        (Cron, "Europe/Berlin", "*/10 * * * *", "2026-03-29T01:05:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:10:00Z"),
        // 02:50 is the last before the clock catches up at 03:00.
        (Cron, "Europe/Berlin", "*/10 * * * *", "2026-10-25T01:05:00Z", "2026-10-25T00:50:00Z", "2026-10-25T02:00:00Z"),
        (Cron, "UTC", "0 0 29 2 *", "2099-01-01T00:00:00Z", "2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"),
        (Cron, "UTC", "0 0 29 2 +MON", "2090-01-01T00:00:00Z", "2072-02-29T00:00:00Z", "2112-02-29T00:00:00Z"),
        (Cron, "UTC", "15,45 9-10 1 1,7 *", "2026-01-01T10:20:00Z", "2026-01-01T10:15:00Z", "2026-01-01T10:45:00Z"),
        (Cron, "UTC", "15,45 9-10 1 1,7 *", "2026-01-01T10:45:00Z", "2026-01-01T10:45:00Z", "2026-07-01T09:15:00Z"),
        (Cron, "UTC", "0 0 * * 7", "2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"),
    ]);
}
