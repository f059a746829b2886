//! `Extend`: a later deadline, and a larger hold in the periods in which it was taken.

use super::helpers::*;
use quotad::proto::v1::*;
use tonic::Code::{FailedPrecondition, InvalidArgument};

fn extend(id: &str, ttl: i64) -> ExtendRequest {
    ExtendRequest { tenant: TENANT.into(), reservation_id: id.into(), ttl: seconds(ttl), ..Default::default() }
}

fn raise(id: &str, request: &str, charges: Vec<Charge>) -> ExtendRequest {
    ExtendRequest { request_id: request.into(), charges, ..extend(id, 60) }
}

fn expires(reservation: &Reservation) -> i64 {
    reservation.expire_time.as_ref().unwrap().seconds - NOON.millis() / 1000
}

#[tokio::test]
async fn the_deadline_moves_from_now_and_never_back() {
    let api = Api::start().await;
    assert_eq!(expires(&api.hold("r", runs("a", 1)).await), 60);
    api.clock(30).await;
    let answer = api.extend(extend("r", 60)).await.unwrap();
    assert_eq!((answer.denied.is_none(), answer.replayed, safe(answer.durability)), (true, false, true));
    assert_eq!(expires(&answer.reservation.unwrap()), 90);
    let shorter = api.extend(extend("r", 1)).await.unwrap().reservation.unwrap();
    assert_eq!(expires(&shorter), 90, "an extension never shortens");
    api.clock(80).await;
    assert_eq!(api.get("r").await.state(), ReservationState::Held);
    let default = ExtendRequest { ttl: None, ..extend("r", 0) };
    assert_eq!(expires(&api.extend(default).await.unwrap().reservation.unwrap()), 140, "60 s where none is given");
    api.clock(141).await;
    assert_eq!(refused(api.extend(extend("r", 60)).await).kind(), (FailedPrecondition, "RESERVATION_EXPIRED"));
}

#[tokio::test]
async fn a_raise_holds_more_or_changes_nothing() {
    let api = Api::start().await;
    api.hold("r", runs("a", 4)).await;
    let raised = api.extend(raise("r", "q1", runs("a", 3))).await.unwrap();
    assert_eq!(raised.reservation.as_ref().unwrap().committed[0].held, 7);
    let again = api.extend(raise("r", "q1", runs("a", 3))).await.unwrap();
    assert!(again.replayed);
    assert_eq!(api.figures(&user("a"), "job.runs").await, (0, 7));

    api.clock(10).await;
    let denied = api.extend(raise("r", "q2", runs("a", 4))).await.unwrap();
    let violation = &denied.denied.as_ref().unwrap().violations[0];
    assert_eq!((violation.limit, violation.held, violation.requested), (Some(10), 7, 4), "{denied:?}");
    let kept = denied.reservation.unwrap();
    assert_eq!((kept.committed[0].held, expires(&kept)), (7, 60), "nor has the deadline moved");
    assert_eq!(api.figures(&user("a"), "job.runs").await, (0, 7));

    let fault = refused(api.extend(raise("r", "", runs("a", 1))).await);
    assert_eq!((fault.kind(), fault.names()), ((InvalidArgument, "INVALID_FIELD"), vec!["request_id"]));
    let fault = refused(api.extend(raise("r", "q3", vec![charge(&user("b"), "job.runs", 1)])).await);
    assert_eq!(fault.kind(), (InvalidArgument, "CHARGE_NOT_HELD"));
}

#[tokio::test]
async fn a_raise_counts_in_the_period_of_the_hold() {
    let api = Api::start().await;
    let calls = |amount| vec![charge(&user("a"), "job.calls", amount)];
    granted(api.reserve(ReserveRequest { ttl: seconds(600), ..reserve("r", calls(90)) }).await.unwrap());
    let in_time = api.extend(raise("r", "q0", calls(5))).await.unwrap();
    assert_eq!(in_time.reservation.unwrap().committed[0].held, 95);
    // In the next minute the old one is over: what it has left can't be held any more.
    api.clock(61).await;
    let answer = api.extend(raise("r", "q1", calls(5))).await.unwrap();
    let violations = answer.denied.unwrap_or_else(|| panic!("raised in a minute that has ended")).violations;
    assert_eq!(
        (violations[0].window.as_str(), violations[0].cause()),
        ("minute", Cause::PeriodEnded),
        "{violations:?}"
    );
    assert_eq!(api.get("r").await.committed[0].held, 95);
}

#[tokio::test]
async fn what_has_ended_is_not_extended() {
    let api = Api::start().await;
    for (id, meter) in [("committed", "job.runs"), ("released", "job.runs"), ("parked", "job.parked")] {
        let short = ReserveRequest { ttl: seconds(5), ..reserve(id, vec![charge(&user("a"), meter, 1)]) };
        granted(api.reserve(short).await.unwrap());
    }
    api.commit(commit("committed", vec![])).await.unwrap();
    api.release(release("released")).await.unwrap();
    api.clock(6).await;
    for (id, reason) in
        [("committed", "RESERVATION_COMMITTED"), ("released", "RESERVATION_RELEASED"), ("parked", "RESERVATION_PARKED")]
    {
        assert_eq!(refused(api.extend(extend(id, 60)).await).kind(), (FailedPrecondition, reason));
    }
}
