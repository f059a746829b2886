//! `Commit`: what was really used, in one part or several, and every rule of what goes beyond the hold.

use super::helpers::*;
use quotad::proto::v1::*;
use tonic::Code::{FailedPrecondition, InvalidArgument};

#[tokio::test]
async fn as_held_less_and_nothing() {
    let api = Api::start().await;
    api.hold("as-held", runs("a", 2)).await;
    let answer = api.commit(commit("as-held", vec![])).await.unwrap();
    assert_eq!((answer.replayed, safe(answer.durability)), (false, true));
    let done = answer.reservation.unwrap();
    assert_eq!((done.state(), done.expire_time, done.committed[0].committed), (ReservationState::Committed, None, 2));
    assert_eq!(api.get("as-held").await, done);
    api.hold("less", runs("a", 5)).await;
    let less = api.commit(commit("less", runs("a", 1))).await.unwrap().reservation.unwrap();
    assert_eq!((less.committed[0].committed, less.committed[0].held, less.overrun), (1, 0, false));
    assert_eq!(api.figures(&user("a"), "job.runs").await, (3, 0));
    assert_eq!(api.figures(TENANT, "job.runs").await, (3, 0));
}

#[tokio::test]
async fn in_parts_and_by_item() {
    let api = Api::start().await;
    let item = |item: &str, amount| Charge { item: item.into(), ..charge(&user("a"), "job.runs", amount) };
    api.hold("r", vec![item("x", 3), item("y", 4)]).await;
    let part = |request: &str, charges| CommitRequest {
        request_id: request.into(),
        r#final: Some(false),
        ..commit("r", charges)
    };
    let first = api.commit(part("q1", vec![item("x", 1)])).await.unwrap();
    let state = first.reservation.clone().unwrap();
    assert_eq!(state.state(), ReservationState::PartiallyCommitted);
    assert_eq!(state.committed.iter().map(|c| (c.held, c.committed)).collect::<Vec<_>>(), [(2, 1), (4, 0)]);
    let again = api.commit(part("q1", vec![item("x", 1)])).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.reservation, first.reservation);
    api.commit(part("q2", vec![item("x", 1)])).await.unwrap();
    // Final: what is held and not listed is released.
    let last = api.commit(commit("r", vec![item("y", 2)])).await.unwrap().reservation.unwrap();
    assert_eq!(last.committed.iter().map(|c| (c.held, c.committed)).collect::<Vec<_>>(), [(0, 2), (0, 2)]);
    assert_eq!(api.figures(&user("a"), "job.runs").await, (4, 0));

    api.hold("s", vec![item("x", 1)]).await;
    let fault = refused(api.commit(commit("s", vec![item("z", 1)])).await);
    assert_eq!((fault.kind(), fault.names()), ((InvalidArgument, "CHARGE_NOT_HELD"), vec!["charges[0]"]));
}

#[tokio::test]
async fn beyond_the_hold_the_meters_rule_decides() {
    let api = Api::start().await;
    let on = |meter: &str, amount| vec![charge(&user("a"), meter, amount)];
    for meter in ["job.runs", "job.capped", "job.refused"] {
        api.hold(meter, on(meter, 4)).await;
        api.used(&format!("{meter}.used"), on(meter, 3)).await;
    }
    let recorded = api.commit(commit("job.runs", on("job.runs", 9))).await.unwrap().reservation.unwrap();
    assert_eq!((recorded.overrun, recorded.committed[0].committed), (true, 9));
    assert_eq!(api.figures(&user("a"), "job.runs").await, (12, 0));
    let capped = api.commit(commit("job.capped", on("job.capped", 9))).await.unwrap().reservation.unwrap();
    assert_eq!((capped.overrun, capped.committed[0].committed), (true, 7));
    assert_eq!(api.figures(&user("a"), "job.capped").await, (10, 0));
    let fault = refused(api.commit(commit("job.refused", on("job.refused", 9))).await);
    assert_eq!(fault.kind(), (FailedPrecondition, "OVERAGE_REFUSED"));
    assert_eq!(api.figures(&user("a"), "job.refused").await, (3, 4));
    let fits = api.commit(commit("job.refused", on("job.refused", 7))).await.unwrap().reservation.unwrap();
    assert_eq!((fits.overrun, fits.committed[0].committed), (true, 7));
}

#[tokio::test]
async fn after_midnight_it_counts_in_the_day_of_the_hold() {
    let api = Api::start().await;
    let calls = vec![charge(&user("a"), "job.calls", 5)];
    granted(api.reserve(ReserveRequest { ttl: seconds(86_400), ..reserve("r", calls) }).await.unwrap());
    // 01:00 in Berlin, where this meter's day begins, is 23:00 UTC.
    api.clock(11 * 3600).await;
    api.commit(commit("r", vec![])).await.unwrap();
    let used = |windows: &[WindowUsage], kind: &str| windows.iter().find(|window| window.window == kind).unwrap().used;
    let windows = api.windows(&user("a"), "job.calls").await;
    assert_eq!((used(&windows, "day"), used(&windows, "lifetime")), (0, 5), "{windows:?}");
}

#[tokio::test]
async fn a_late_commit_corrects_what_expiry_charged() {
    let api = Api::start().await;
    let charged = ReserveRequest { ttl: seconds(5), ..reserve("r", vec![charge(&user("a"), "job.charged", 4)]) };
    granted(api.reserve(charged).await.unwrap());
    api.clock(6).await;
    assert_eq!(api.figures(&user("a"), "job.charged").await, (4, 0));
    let late = api.commit(commit("r", vec![charge(&user("a"), "job.charged", 1)])).await.unwrap().reservation.unwrap();
    assert_eq!((late.late, late.state(), late.committed[0].committed), (true, ReservationState::Committed, 1));
    assert_eq!(api.figures(&user("a"), "job.charged").await, (1, 0));
}
