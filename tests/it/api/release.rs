//! `Release`: all of a hold, or a part of it, goes back; a repeat changes nothing.

use super::helpers::*;
use quotad::proto::v1::*;
use tonic::Code::{FailedPrecondition, InvalidArgument};

#[tokio::test]
async fn all_and_again() {
    let api = Api::start().await;
    api.hold("r", runs("a", 2)).await;
    let first = api.release(release("r")).await.unwrap();
    let released = first.reservation.unwrap();
    assert_eq!((first.replayed, safe(first.durability), released.state()), (false, true, ReservationState::Released));
    assert_eq!((released.expire_time, released.committed[0].held), (None, 0));
    let again = api.release(release("r")).await.unwrap();
    assert_eq!((again.replayed, again.reservation.unwrap()), (true, released));
    assert_eq!(api.figures(&user("a"), "job.runs").await, (0, 0));
    assert_eq!(api.figures(TENANT, "job.runs").await, (0, 0));
}

#[tokio::test]
async fn a_part() {
    let api = Api::start().await;
    let item = |item: &str, amount| Charge { item: item.into(), ..charge(&user("a"), "job.runs", amount) };
    api.hold("r", vec![item("x", 3), item("y", 4)]).await;
    let part = |request: &str, charges| ReleaseRequest { request_id: request.into(), charges, ..release("r") };
    let after = api.release(part("q1", vec![item("x", 2)])).await.unwrap().reservation.unwrap();
    assert_eq!(after.committed.iter().map(|c| c.held).collect::<Vec<_>>(), [1, 4], "{after:?}");
    let whole = Charge { amount: None, ..item("y", 0) };
    let after = api.release(part("q2", vec![whole])).await.unwrap().reservation.unwrap();
    assert_eq!(after.committed.iter().map(|c| c.held).collect::<Vec<_>>(), [1, 0], "{after:?}");
    assert_eq!(api.figures(&user("a"), "job.runs").await, (0, 1));
    let fault = refused(api.release(part("q3", vec![item("z", 1)])).await);
    assert_eq!(fault.kind(), (InvalidArgument, "CHARGE_NOT_HELD"));
    // What was not released commits.
    api.commit(commit("r", vec![])).await.unwrap();
    assert_eq!(api.figures(&user("a"), "job.runs").await, (1, 0));
}

#[tokio::test]
async fn after_the_deadline() {
    let api = Api::start().await;
    for (id, meter) in [("back", "job.runs"), ("charged", "job.charged")] {
        let short = ReserveRequest { ttl: seconds(5), ..reserve(id, vec![charge(&user("a"), meter, 2)]) };
        granted(api.reserve(short).await.unwrap());
    }
    api.clock(6).await;
    // Given back already: nothing to do, and no error.
    let after = api.release(release("back")).await.unwrap().reservation.unwrap();
    assert!(matches!(after.state(), ReservationState::Expired | ReservationState::Released), "{after:?}");
    let fault = refused(api.release(release("charged")).await);
    assert_eq!((fault.code, fault.reason.as_str()), (FailedPrecondition, "RESERVATION_COMMITTED"));
    assert_eq!(api.figures(&user("a"), "job.charged").await, (2, 0));
}
