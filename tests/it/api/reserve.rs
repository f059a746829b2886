//! `Reserve`: all or nothing on every limit of every path, with the whole answer of a yes and of a no.

use super::helpers::*;
use quotad::proto::v1::*;

#[tokio::test]
async fn a_hold_is_told_in_full() {
    let api = Api::start().await;
    let charges = vec![
        Charge {
            item: "big".into(),
            also: vec!["tenants/acme/projects/p1".into()],
            ..charge(&user("a"), "job.runs", 2)
        },
        charge(&user("a"), "disk.bytes", 500),
    ];
    let request = ReserveRequest {
        ttl: seconds(90),
        labels: [("team".into(), "red".into())].into(),
        request_id: "q1".into(),
        ..reserve("r1", charges.clone())
    };
    let answer = api.reserve(request.clone()).await.unwrap();
    assert_eq!((answer.replayed, safe(answer.durability)), (false, true));
    let held = granted(answer);
    let state = |charge: &Charge| ChargeState {
        account: charge.account.clone(),
        meter: charge.meter.clone(),
        item: charge.item.clone(),
        held: charge.amount(),
        committed: 0,
        freed: 0,
        cost: None,
    };
    let time = |seconds: i64| Some(pbjson_types::Timestamp { seconds: NOON.millis() / 1000 + seconds, nanos: 0 });
    let expected = Reservation {
        tenant: TENANT.into(),
        reservation_id: "r1".into(),
        state: ReservationState::Held.into(),
        committed: charges.iter().map(state).collect(),
        charges,
        create_time: time(0),
        expire_time: time(90),
        labels: [("team".into(), "red".into())].into(),
        ..Default::default()
    };
    assert_eq!(held, expected);
    assert_eq!(api.get("r1").await, expected);
    for (account, meter, figures) in [
        (user("a"), "job.runs", (0, 2)),
        (TENANT.into(), "job.runs", (0, 2)),
        ("tenants/acme/projects/p1".into(), "job.runs", (0, 2)),
        (user("a"), "disk.bytes", (0, 500)),
    ] {
        assert_eq!(api.figures(&account, meter).await, figures, "{account} {meter}");
    }

    let again = api.reserve(request).await.unwrap();
    assert!(again.replayed);
    assert_eq!(granted(again), expected);
}

#[tokio::test]
async fn a_denial_names_every_limit_in_the_way_and_changes_nothing() {
    let api = Api::start().await;
    api.hold("held", runs("u1", 2)).await;
    api.used("used", vec![charge("tenants/acme/projects/p1", "job.runs", 5)]).await;
    let before = api.digest().await;
    let mut charges = runs("u1", 2);
    charges[0].also.push("tenants/acme/projects/p1".into());
    charges.push(charge(&user("u1"), "disk.bytes", 1));
    let denial = denied(api.reserve(reserve("r1", charges.clone())).await.unwrap());
    let figures: Vec<_> = denial
        .violations
        .iter()
        .map(|v| (v.account.as_str(), v.window.as_str(), v.limit, v.used, v.held, v.remaining, v.requested, v.cause()))
        .collect();
    let (u1, p1) = (user("u1"), "tenants/acme/projects/p1");
    assert_eq!(
        figures,
        [
            (p1, "lifetime", Some(5), 5, 0, 0, 2, Cause::Spent),
            (u1.as_str(), "lifetime", Some(3), 0, 2, 1, 2, Cause::HeldByOthers),
        ]
    );
    assert!(denial.violations.iter().all(|v| !v.advice.is_empty() && v.reset_time.is_none()), "{denial:?}");
    assert!(denial.message.contains("job.runs") && denial.message.contains("lifetime"), "{}", denial.message);
    assert_eq!(api.digest().await, before);

    // A denial burns no reservation id: the same id is free for another try.
    api.release(release("held")).await.unwrap();
    charges.truncate(1);
    charges[0].also.clear();
    assert_eq!(api.hold("r1", charges).await.state(), ReservationState::Held);
}

#[tokio::test]
async fn a_denial_is_remembered_by_its_request_id_only() {
    let api = Api::start().await;
    let asked = ReserveRequest { request_id: "q1".into(), ..reserve("r1", runs("u1", 4)) };
    let first = api.reserve(asked.clone()).await.unwrap();
    assert!(!first.replayed);
    let again = api.reserve(asked).await.unwrap();
    assert!(again.replayed);
    assert_eq!(denied(again), denied(first));
    let other = ReserveRequest { request_id: "q2".into(), ..reserve("r1", runs("u1", 3)) };
    granted(api.reserve(other).await.unwrap());
}

#[tokio::test]
async fn when_a_calendar_window_denies_it_says_when_it_resets() {
    let api = Api::start().await;
    api.used("used", vec![charge(&user("a"), "job.calls", 100)]).await;
    let denial = denied(api.reserve(reserve("r", vec![charge(&user("a"), "job.calls", 1)])).await.unwrap());
    let minute = denial.violations.iter().find(|v| v.window == "minute").unwrap_or_else(|| panic!("{denial:?}"));
    assert_eq!(minute.reset_time.as_ref().unwrap().seconds, NOON.millis() / 1000 + 60);
    api.clock(60).await;
    api.hold("r", vec![charge(&user("a"), "job.calls", 1)]).await;
}

#[tokio::test]
async fn special_quotas() {
    let api = Api::start().await;
    // Shadow: counted, never denied.
    api.hold("shadow", vec![charge("tenants/acme/shadows/s", "job.runs", 5)]).await;
    // One hold may take a fifth of the limit.
    let shared = |amount| vec![charge("tenants/acme/shared/s", "job.runs", amount)];
    let denial = denied(api.reserve(reserve("", shared(3))).await.unwrap());
    assert_eq!(denial.violations[0].cause(), Cause::HoldShare);
    api.hold("shared", shared(2)).await;
    // A top-up serves what does not fit the period's rest.
    let pool = |amount| vec![charge("tenants/acme/pools/p", "job.runs", amount)];
    api.hold("pool", pool(14)).await;
    denied(api.reserve(reserve("", pool(2))).await.unwrap());
    api.hold("rest", pool(1)).await;
    // Charged when reserved: used at once.
    let upfront = api.hold("upfront", vec![charge(&user("a"), "job.upfront", 3)]).await;
    assert_eq!((upfront.committed[0].held, upfront.committed[0].committed), (0, 3));
    assert_eq!(api.figures(&user("a"), "job.upfront").await, (3, 0));
    // A default of the installation limits every user of every tenant.
    denied(api.reserve(reserve("", vec![charge(&user("a"), "job.installed", 8)])).await.unwrap());
    // A plan's quota is stronger than the tenant's default.
    api.hold("vera", runs("vera", 100)).await;
    denied(api.reserve(reserve("", runs("rob", 11))).await.unwrap());
}

#[tokio::test]
async fn a_hold_that_nobody_answers_ends_by_itself() {
    let api = Api::start().await;
    let unanswered =
        |id: &str, meter: &str| ReserveRequest { ttl: seconds(5), ..reserve(id, vec![charge(&user("a"), meter, 2)]) };
    for (id, meter) in [("back", "job.runs"), ("charged", "job.charged"), ("parked", "job.parked")] {
        granted(api.reserve(unanswered(id, meter)).await.unwrap());
    }
    api.clock(6).await;
    for (id, meter, state, figures) in [
        ("back", "job.runs", ReservationState::Expired, (0, 0)),
        ("charged", "job.charged", ReservationState::Expired, (2, 0)),
        ("parked", "job.parked", ReservationState::Parked, (0, 2)),
    ] {
        assert_eq!(api.figures(&user("a"), meter).await, figures, "{id}");
        assert_eq!(api.get(id).await.state(), state, "{id}");
    }
}

#[tokio::test]
async fn a_hold_of_nothing_yet_has_its_deadline_until_it_ends() {
    let api = Api::start().await;
    let unknown = Charge { amount: None, ..charge("tenants/acme/bots/b", "job.balance", 0) };
    let held = api.hold("later", vec![unknown]).await;
    assert_eq!((held.state(), held.committed[0].held), (ReservationState::Held, 0));
    assert_eq!(held.expire_time.unwrap().seconds, NOON.millis() / 1000 + 60);
    api.release(release("later")).await.unwrap();
    assert_eq!(api.get("later").await.expire_time, None);
}

#[tokio::test]
async fn a_denial_says_what_denied_and_what_would_fit() {
    let api = Api::start().await;
    for (account, amount, message, advice) in [
        ("tenants/acme/shared/s", 3, "may take 2 of the lifetime limit of 10", "at most 2 at a time"),
        ("tenants/acme/pools/p", 16, "10 left and 5 of the top-up, 16 requested", "ask for at most 15 now"),
    ] {
        let denial = denied(api.reserve(reserve("", vec![charge(account, "job.runs", amount)])).await.unwrap());
        let said = &denial.violations[0].advice;
        assert!(denial.message.contains(message) && said.contains(advice), "{}; {said}", denial.message);
    }
    api.hold("most", vec![charge("tenants/acme/pools/p", "job.runs", 15)]).await;
}

#[tokio::test]
async fn a_time_to_live_is_a_millisecond_to_a_day() {
    let api = Api::start().await;
    for (seconds, nanos, fits) in [(0, 999_999, false), (0, 1_000_000, true), (86_400, 0, true), (86_400, 1, false)] {
        let ttl = Some(pbjson_types::Duration { seconds, nanos });
        let answer = api.reserve(ReserveRequest { ttl, ..reserve("", runs("a", 1)) }).await;
        match answer {
            Ok(_) => assert!(fits, "{seconds} {nanos}"),
            Err(fault) => {
                assert!(!fits && fault.names() == ["ttl"] && fault.message.contains("a millisecond"), "{fault:?}")
            }
        }
    }
}
