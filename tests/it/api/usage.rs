//! `GetUsage`: every window of every meter of an account, with where its limit comes from (S0.12, S1.07, S4.24).

use super::helpers::*;
use quotad::proto::v1::*;
use tonic::Code::{InvalidArgument, NotFound};

async fn usage(api: &Api, account: &str) -> Vec<MeterUsage> {
    let tenant = account.split('/').take(2).collect::<Vec<_>>().join("/");
    let request = GetUsageRequest { tenant, account: account.into(), meter: String::new() };
    let report = api.get_usage(request).await.unwrap();
    assert_eq!(report.account, account);
    report.meters
}

/// Seconds after the clock's start.
fn offset(time: Option<&pbjson_types::Timestamp>) -> Option<i64> {
    time.map(|time| time.seconds - NOON.millis() / 1000)
}

#[tokio::test]
async fn every_window_of_a_meter() {
    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    let api = Api::start().await;
    api.used("used", vec![charge(&user("a"), "job.calls", 60)]).await;
    api.hold("held", vec![charge(&user("a"), "job.calls", 10)]).await;
    let windows = api.windows(&user("a"), "job.calls").await;
    let find = |kind: &str| {
        windows.iter().find(|window| window.window == kind).unwrap_or_else(|| panic!("{kind}: {windows:?}"))
    };
    // Noon of UTC on a Tuesday, 14:00 in Berlin.
    let calendar = [
        ("lifetime", 1000, None, None, ""),
        ("minute", 100, Some(0), Some(60), "Europe/Berlin"),
        ("hour", 200, Some(0), Some(HOUR), "Europe/Berlin"),
        ("day", 300, Some(-13 * HOUR), Some(11 * HOUR), "Europe/Berlin"),
        ("week", 400, Some(-4 * DAY - 13 * HOUR), Some(2 * DAY + 11 * HOUR), "Europe/Berlin"),
        ("month", 500, Some(-15 * DAY - 14 * HOUR), Some(14 * DAY + 10 * HOUR), "Europe/Berlin"),
        ("year", 600, Some(-75 * DAY - 20 * HOUR), Some(289 * DAY + 4 * HOUR), "Asia/Shanghai"),
        ("cron", 700, Some(-4 * DAY - 11 * HOUR), Some(2 * DAY + 13 * HOUR), "UTC"),
    ];
    assert_eq!(windows.len(), calendar.len() + 2, "{windows:?}");
    for (kind, limit, start, reset, zone) in calendar {
        let window = find(kind);
        assert_eq!((window.limit, window.used, window.held), (Some(limit), 60, 10), "{kind}");
        assert_eq!((window.remaining, window.available), (Some(limit - 60), Some(limit - 70)), "{kind}");
        assert_eq!(window.percent.map(f64::round), Some((6000.0 / limit as f64).round()), "{kind}");
        assert_eq!(offset(window.start_time.as_ref()), start, "{kind} begins");
        assert_eq!(offset(window.reset_time.as_ref()), reset, "{kind} resets");
        assert_eq!(window.enforcement(), Enforcement::Enforce, "{kind}");
        let expected = if kind == "minute" { UsageState::Low } else { UsageState::Normal };
        assert_eq!(window.state(), expected, "{kind}: above 50 % is LOW here");
        if kind != "minute" {
            assert_eq!(window.time_zone, zone, "{kind}");
        }
        assert_eq!(
            (window.origin(), window.origin_subject.as_str()),
            (LimitOrigin::Tenant, "tenants/acme/users/-"),
            "{kind}"
        );
    }
    for (kind, limit) in [("sliding", 800), ("rate", 900)] {
        let window = find(kind);
        assert_eq!((window.limit, window.used + window.held), (Some(limit), 70), "{kind}: {window:?}");
        assert_eq!(window.available, Some(limit - 70), "{kind}");
    }
    // A minute later the minute is new; what is held stays with the old one.
    api.clock(60).await;
    let minute =
        api.windows(&user("a"), "job.calls").await.into_iter().find(|window| window.window == "minute").unwrap();
    assert_eq!((minute.used, minute.held, minute.state()), (0, 0, UsageState::Normal));
    // The rate has drained what was used, the sliding window keeps it for its hour.
    let windows = api.windows(&user("a"), "job.calls").await;
    let of = |kind: &str| windows.iter().find(|window| window.window == kind).unwrap();
    assert_eq!((of("rate").used, of("sliding").used), (0, 60), "{windows:?}");
}

#[tokio::test]
async fn where_limits_come_from() {
    let api = Api::start().await;
    let origin = async |account: &str, meter: &str| {
        let window = api.windows(account, meter).await.remove(0);
        (window.origin(), window.origin_subject, window.limit)
    };
    let expect = |kind: LimitOrigin, subject: &str, limit: Option<i64>| (kind, subject.to_owned(), limit);
    assert_eq!(origin(&user("u1"), "job.runs").await, expect(LimitOrigin::Own, &user("u1"), Some(3)));
    assert_eq!(origin(&user("vera"), "job.runs").await, expect(LimitOrigin::Plan, "plans/gold", Some(100)));
    assert_eq!(origin(&user("rob"), "job.runs").await, expect(LimitOrigin::Tenant, "tenants/acme/users/-", Some(10)));
    assert_eq!(
        origin(&user("rob"), "job.installed").await,
        expect(LimitOrigin::Installation, "tenants/-/users/-", Some(7))
    );
    assert_eq!(origin("tenants/acme/bots/b", "job.runs").await, expect(LimitOrigin::Unspecified, "", None));
    assert_eq!(
        origin("tenants/other/users/u", "job.installed").await,
        expect(LimitOrigin::Installation, "tenants/-/users/-", Some(7))
    );
}

#[tokio::test]
async fn states_and_special_quotas() {
    let api = Api::start().await;
    let state = async |id: &str| api.windows(&user(id), "job.runs").await.remove(0).state();
    // The threshold is 80 %, strictly.
    for (amount, expected) in [(8, UsageState::Normal), (1, UsageState::Low), (1, UsageState::Exhausted)] {
        api.used("", runs("a", amount)).await;
        assert_eq!(state("a").await, expected);
    }
    api.used("", vec![charge("tenants/acme/shadows/s", "job.runs", 3)]).await;
    let shadow = api.windows("tenants/acme/shadows/s", "job.runs").await.remove(0);
    assert_eq!(
        (shadow.enforcement(), shadow.used, shadow.remaining, shadow.available),
        (Enforcement::Shadow, 3, Some(-2), Some(0))
    );
    // Without a limit: the lifetime total alone.
    api.used("", vec![charge("tenants/acme/bots/b", "job.calls", 4)]).await;
    let windows = api.windows("tenants/acme/bots/b", "job.calls").await;
    assert_eq!(windows.len(), 1, "{windows:?}");
    let window = &windows[0];
    assert_eq!((window.window.as_str(), window.limit, window.used), ("lifetime", None, 4));
    assert_eq!(
        (window.remaining, window.available, window.percent, window.state()),
        (None, None, None, UsageState::Normal)
    );
    // A top-up: 14 of the day's 10 and the 5 beside it.
    api.used("", vec![charge("tenants/acme/pools/p", "job.runs", 14)]).await;
    let pool = usage(&api, "tenants/acme/pools/p").await.into_iter().find(|meter| meter.meter == "job.runs").unwrap();
    assert_eq!(pool.top_up_remaining, Some(1));
    let day = pool.windows.iter().find(|window| window.window == "day").unwrap();
    assert_eq!(
        (day.used, day.remaining, day.available),
        (10, Some(0), Some(1)),
        "what the top-up leaves can be asked for"
    );
}

#[tokio::test]
async fn all_meters_or_one() {
    let api = Api::start().await;
    let all = usage(&api, &user("a")).await;
    let names: Vec<&str> = all.iter().map(|meter| meter.meter.as_str()).collect();
    assert!(names.is_sorted() && names.len() == 12, "{names:?}");
    let balance = all.iter().find(|meter| meter.meter == "job.balance").unwrap();
    assert_eq!((balance.unit.as_str(), balance.decimals, balance.windows[0].limit), ("EUR", 6, Some(10)));
    let one = GetUsageRequest { tenant: TENANT.into(), account: user("a"), meter: "job.runs".into() };
    let report = api.get_usage(one.clone()).await.unwrap();
    assert_eq!((report.meters.len(), report.as_of.unwrap().seconds), (1, NOON.millis() / 1000));
    let unknown = refused(api.get_usage(GetUsageRequest { meter: "no.such".into(), ..one.clone() }).await);
    assert_eq!(unknown.kind(), (NotFound, "METER_NOT_FOUND"));
    let foreign =
        refused(api.get_usage(GetUsageRequest { account: "tenants/other/users/u".into(), ..one.clone() }).await);
    assert_eq!(foreign.kind(), (NotFound, "ACCOUNT_NOT_FOUND"));
    let nobody = refused(api.get_usage(GetUsageRequest { account: String::new(), ..one }).await);
    assert_eq!((nobody.code, nobody.names()), (InvalidArgument, vec!["account"]));
}
