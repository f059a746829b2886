//! Inputs at the edge, by their numbers in the list of all that was tried: strange, but answered.

use super::helpers::*;
use quotad::proto::v1::*;
use tonic::Code::{FailedPrecondition, NotFound};

const MOST: i64 = (1 << 53) - 1;

#[tokio::test]
async fn ids_and_accounts() {
    let api = Api::start().await;
    // 44: an account that nobody has registered is counted.
    api.hold("r44", vec![charge(&user("never-seen"), "job.runs", 2)]).await;
    assert_eq!(api.figures(&user("never-seen"), "job.runs").await, (0, 2), "44");
    // 40: 256 bytes are a name.
    let longest = format!("{TENANT}/users/{}/a/{}", "u".repeat(120), "x".repeat(114));
    assert_eq!(longest.len(), 256);
    api.hold("r40", vec![charge(&longest, "job.runs", 1)]).await;
    // 46: eight levels are one.
    api.hold("r46", vec![charge(&format!("{TENANT}{}", "/a/b".repeat(7)), "job.runs", 1)]).await;
    // 47, 48, 53: ids may be absent, and are any visible ASCII up to 128.
    let made = granted(api.reserve(reserve("", runs("a", 1))).await.unwrap());
    assert!(!made.reservation_id.is_empty(), "47: {made:?}");
    assert_eq!(api.get(&made.reservation_id).await, made, "47");
    let visible: String = ('!'..='~').collect();
    for id in [visible.clone(), "x".repeat(128), "{:*}%/..".into()] {
        let named = ReserveRequest { request_id: id.clone(), ..reserve(&id, runs("b", 1)) };
        assert_eq!(granted(api.reserve(named).await.unwrap()).reservation_id, id, "48, 53");
        api.commit(CommitRequest { request_id: format!("c{}", &id[1..]), ..commit(&id, vec![]) }).await.unwrap();
    }
    // 52: the same ids of another tenant are others.
    let theirs = ReserveRequest {
        tenant: "tenants/other".into(),
        request_id: visible.clone(),
        ..reserve(&visible, vec![charge("tenants/other/users/u", "job.runs", 3)])
    };
    let response = api.reserve(theirs).await.unwrap();
    assert!(!response.replayed, "52");
    assert_eq!(granted(response).charges[0].amount, Some(3), "52");
}

#[tokio::test]
async fn fifty_repeats_at_once_have_one_effect() {
    let api = Api::start().await;
    let request = ReserveRequest { request_id: "q51".into(), ..reserve("r51", runs("a", 3)) };
    let clients: Vec<_> = (0..5).map(|_| api.server.quota()).collect();
    let calls: Vec<_> = (0..50)
        .map(|n| {
            let (mut client, request) = (clients[n % 5].clone(), request.clone());
            tokio::spawn(async move { client.reserve(request).await.unwrap().into_inner() })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1, "51");
    assert!(answers.iter().all(|answer| answer.outcome == answers[0].outcome), "51: {answers:?}");
    assert_eq!(api.figures(&user("a"), "job.runs").await, (0, 3), "51");
}

#[tokio::test]
async fn commits_that_are_not_refused() {
    let api = Api::start().await;
    // 55: complete charges of an id that nobody knows are recorded, once.
    let unknown = commit("lost", runs("a", 4));
    for replayed in [false, true] {
        let answer = api.commit(unknown.clone()).await.unwrap();
        let recorded = answer.reservation.unwrap();
        assert_eq!((answer.replayed, recorded.late, recorded.recovered), (replayed, true, true), "55");
    }
    assert_eq!(api.figures(&user("a"), "job.runs").await, (4, 0), "55");
    // 59: a second commit of the same amount, under a new request id, is a repeat.
    api.hold("r59", runs("b", 2)).await;
    for (request, replayed) in [("q1", false), ("q2", true)] {
        let again = CommitRequest { request_id: request.into(), ..commit("r59", runs("b", 2)) };
        assert_eq!(api.commit(again).await.unwrap().replayed, replayed, "59");
    }
    // 60: after expiry it is recorded in full.
    let short = ReserveRequest { ttl: seconds(10), ..reserve("r60", runs("c", 2)) };
    granted(api.reserve(short).await.unwrap());
    api.clock(20).await;
    assert_eq!(api.figures(&user("c"), "job.runs").await, (0, 0), "60");
    let late = api.commit(commit("r60", vec![])).await.unwrap().reservation.unwrap();
    assert_eq!((late.late, late.recovered, late.state()), (true, false, ReservationState::Committed), "60");
    assert_eq!(api.figures(&user("c"), "job.runs").await, (2, 0), "60");
    // 61: above the hold, with room and without.
    api.hold("r61", runs("d", 2)).await;
    let more = api.commit(commit("r61", runs("d", 5))).await.unwrap().reservation.unwrap();
    assert_eq!((more.overrun, more.committed[0].committed), (true, 5), "61");
    api.hold("r61b", runs("d", 5)).await;
    let over = api.commit(commit("r61b", runs("d", 7))).await.unwrap().reservation.unwrap();
    assert_eq!((over.overrun, over.committed[0].committed), (true, 7), "61");
    let window = &api.windows(&user("d"), "job.runs").await[0];
    assert_eq!((window.used, window.remaining, window.available), (12, Some(-2), Some(0)), "61");
    assert_eq!(window.state(), UsageState::Exhausted, "61");
    // 63: a commit of 0 is a release; an estimate of 0 is legal where the balance decides.
    api.hold("r63", runs("e", 2)).await;
    api.commit(commit("r63", runs("e", 0))).await.unwrap();
    assert_eq!(api.figures(&user("e"), "job.runs").await, (0, 0), "63");
    api.hold("r63b", vec![charge(&user("e"), "job.balance", 0)]).await;
    let unsaid = Charge { amount: None, ..charge(&user("e"), "job.balance", 0) };
    api.hold("r63c", vec![unsaid]).await;
}

#[tokio::test]
async fn amounts_beyond_what_can_be_counted_are_denied() {
    let api = Api::start().await;
    let huge = |id: &str, amount| vec![charge(&user(id), "job.huge", amount)];
    let before = api.digest().await;
    // 65 to 67: above 2^53-1 alone, or as the sum of lines on one counter.
    let twice = [huge("a", MOST), huge("a", 1)].concat();
    let items =
        [("x", MOST), ("y", 1)].map(|(item, amount)| Charge { item: item.into(), ..huge("a", amount).remove(0) });
    for (number, charges) in [(65, huge("a", MOST + 1)), (66, huge("a", i64::MAX)), (67, twice), (67, items.to_vec())] {
        let denial = denied(api.reserve(reserve("", charges.clone())).await.unwrap());
        assert_eq!(denial.violations[0].cause(), Cause::AmountRange, "{number}: {denial:?}");
        let check = api.check(CheckRequest { tenant: TENANT.into(), charges: charges.clone() }).await.unwrap();
        assert!(matches!(check.outcome, Some(check_response::Outcome::Denied(_))), "{number}: {check:?}");
        let at_once = api.consume(consume("", charges)).await.unwrap();
        assert!(matches!(at_once.outcome, Some(consume_response::Outcome::Denied(_))), "{number}: {at_once:?}");
    }
    // Beyond the greatest amount, with no limit at all in the way.
    let denial =
        denied(api.reserve(reserve("", vec![charge("tenants/acme/bots/b", "job.huge", MOST + 1)])).await.unwrap());
    assert_eq!(denial.violations[0].cause(), Cause::AmountRange);
    assert_eq!(api.digest().await, before);
    // 76: a limit beyond is shown as set, and everything that can be counted fits.
    assert_eq!(api.windows(&user("a"), "job.huge").await[0].limit, Some(i64::MAX), "76");
    api.hold("all", huge("a", MOST)).await;
    let denial = denied(api.reserve(reserve("", huge("a", 1))).await.unwrap());
    assert_eq!(denial.violations.len(), 2, "the user's and the tenant's total: {denial:?}");
    let raise = ExtendRequest {
        tenant: TENANT.into(),
        reservation_id: "all".into(),
        request_id: "raise".into(),
        charges: huge("a", 1),
        ..Default::default()
    };
    assert!(api.extend(raise).await.unwrap().denied.is_some(), "65");
    // A commit beyond is recorded.
    let over = api.commit(commit("all", huge("a", i64::MAX))).await.unwrap().reservation.unwrap();
    assert!(over.overrun, "65: {over:?}");
}

#[tokio::test]
async fn the_same_counter_twice_is_summed() {
    let api = Api::start().await;
    // 73: ten fit, and the sum is asked, not each line.
    let denial = denied(api.reserve(reserve("r73", [runs("a", 6), runs("a", 5)].concat())).await.unwrap());
    assert_eq!((denial.violations[0].limit, denial.violations[0].requested), (Some(10), 11), "73");
    let both = api.hold("r73", [runs("a", 6), runs("a", 4)].concat()).await;
    assert_eq!(both.charges.len(), 1, "73: one account, meter and item is one charge");
    assert_eq!(api.figures(&user("a"), "job.runs").await, (0, 10), "73");
    let item = |item: &str| Charge { item: item.into(), ..charge(&user("b"), "job.runs", 5) };
    assert_eq!(api.hold("r73b", vec![item("x"), item("y")]).await.charges.len(), 2, "73");
    assert_eq!(api.figures(&user("b"), "job.runs").await, (0, 10), "73");
}

#[tokio::test]
async fn limits_windows_and_labels() {
    let api = Api::start().await;
    let set = |limits: &str| ApplyRequest {
        tenant: TENANT.into(),
        yaml: format!("quotas: [{{subject: {}, meter: job.runs, limits: {{{limits}}}}}]", user("a")).into_bytes(),
        ..Default::default()
    };
    // 77: a limit below what is used stops admissions; what is held still commits.
    api.used("r77", runs("a", 4)).await;
    api.hold("r77b", runs("a", 2)).await;
    api.apply(set("lifetime: 3")).await.unwrap();
    let denial = denied(api.reserve(reserve("r77c", runs("a", 1))).await.unwrap());
    assert_eq!((denial.violations[0].remaining, denial.violations[0].cause()), (-3, Cause::Spent), "77");
    api.commit(commit("r77b", vec![])).await.unwrap();
    assert_eq!(api.windows(&user("a"), "job.runs").await[0].remaining, Some(-3), "77");
    // 83: a month that begins on the 31st begins on the last day of shorter ones: 30 June at midnight of Berlin.
    let month = api.windows(&user("a"), "job.calls").await.into_iter().find(|window| window.window == "month").unwrap();
    assert_eq!(month.start_time.unwrap().seconds, 4_115_397_600, "83: 2100-05-31T00:00+02:00");
    assert_eq!(month.reset_time.unwrap().seconds, 4_117_989_600, "83: 2100-06-30T00:00+02:00");
    // 86: a page size beyond the greatest is taken as that.
    let list = ListReservationsRequest { tenant: TENANT.into(), page_size: 1_000_000, ..Default::default() };
    assert_eq!(api.list_reservations(list).await.unwrap().reservations.len(), 2, "86");
    // 88: as many and as long as allowed. 91: a label is kept as it is, and breaks no line of the log.
    let mut labels: std::collections::HashMap<_, _> = (0..31).map(|n| (format!("k{n}"), "v".repeat(1024))).collect();
    labels.insert("note".into(), "\n{\"level\":\"error\"".into());
    let labelled = ReserveRequest { labels: labels.clone(), ..reserve("r91", runs("b", 1)) };
    assert_eq!(granted(api.reserve(labelled).await.unwrap()).labels, labels, "88, 91");
    assert_eq!(api.get("r91").await.labels, labels, "91");
    let log = api.server.stderr();
    assert!(!log.lines().any(|line| line.starts_with("{\"level\":\"error\"")), "91:\n{log}");
}

#[tokio::test]
async fn an_answer_tells_nothing_of_another_tenant() {
    let api = Api::start().await;
    let theirs = ReserveRequest {
        tenant: "tenants/other".into(),
        ..reserve("theirs", vec![charge("tenants/other/users/u", "job.runs", 1)])
    };
    granted(api.reserve(theirs).await.unwrap());
    // 54: an id of another tenant reads like one that does not exist.
    let get = |id: &str| GetReservationRequest { tenant: TENANT.into(), reservation_id: id.into() };
    let (other, none) =
        (refused(api.get_reservation(get("theirs")).await), refused(api.get_reservation(get("none")).await));
    assert_eq!(other, none, "54");
    assert_eq!(other.code, NotFound, "54");
    assert_eq!(refused(api.release(release("theirs")).await).code, NotFound, "54");
    assert!(
        api.list_reservations(ListReservationsRequest { tenant: TENANT.into(), ..Default::default() })
            .await
            .unwrap()
            .reservations
            .is_empty()
    );
    // 56, 57 beside them: the owner's calls still meet the reservation as it is.
    let release = ReleaseRequest { tenant: "tenants/other".into(), ..release("theirs") };
    api.release(release).await.unwrap();
    let commit = CommitRequest { tenant: "tenants/other".into(), ..commit("theirs", vec![]) };
    assert_eq!(refused(api.commit(commit).await).kind(), (FailedPrecondition, "RESERVATION_RELEASED"));
}
