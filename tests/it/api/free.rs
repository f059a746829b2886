//! `Free`: committed allocation goes back, by reservation or by amount.

use super::helpers::*;
use quotad::proto::v1::*;
use tonic::Code::{FailedPrecondition, NotFound};

fn bytes(id: &str, amount: i64) -> Vec<Charge> {
    vec![charge(&user(id), "disk.bytes", amount)]
}

fn by_reservation(id: &str) -> FreeRequest {
    FreeRequest { tenant: TENANT.into(), reservation_id: id.into(), ..Default::default() }
}

fn by_amount(request: &str, charges: Vec<Charge>) -> FreeRequest {
    FreeRequest { tenant: TENANT.into(), request_id: request.into(), charges, ..Default::default() }
}

fn amounts(response: &FreeResponse) -> Vec<i64> {
    response.freed.iter().map(Charge::amount).collect()
}

#[tokio::test]
async fn by_reservation_along_its_path() {
    let api = Api::start().await;
    let mut charges = bytes("a", 300);
    charges[0].also.push("tenants/acme/buckets/b".into());
    api.used("r", charges).await;
    assert_eq!(api.figures("tenants/acme/buckets/b", "disk.bytes").await, (300, 0));
    let answer = api.free(by_reservation("r")).await.unwrap();
    assert_eq!((amounts(&answer), answer.replayed, safe(answer.durability)), (vec![300], false, true));
    let after = answer.reservation.unwrap();
    assert_eq!((after.committed[0].committed, after.committed[0].freed), (300, 300));
    for account in [user("a"), TENANT.into(), "tenants/acme/buckets/b".into()] {
        assert_eq!(api.figures(&account, "disk.bytes").await, (0, 0), "{account}");
    }
    let again = api.free(by_reservation("r")).await.unwrap();
    assert!(again.replayed, "{again:?}");
    assert_eq!(api.figures(TENANT, "disk.bytes").await, (0, 0));
}

#[tokio::test]
async fn by_amount_and_never_below_zero() {
    let api = Api::start().await;
    api.used("a", bytes("a", 300)).await;
    api.used("b", bytes("b", 400)).await;
    let answer = api.free(by_amount("q1", bytes("a", 100))).await.unwrap();
    assert_eq!((amounts(&answer), answer.reservation.is_none()), (vec![100], true));
    let again = api.free(by_amount("q1", bytes("a", 100))).await.unwrap();
    assert_eq!((again.replayed, amounts(&again)), (true, vec![100]));
    assert_eq!(api.figures(&user("a"), "disk.bytes").await, (200, 0));
    // Clamped at what was charged to that very account; every level alike.
    let answer = api.free(by_amount("q2", [bytes("a", 1000), bytes("b", 100)].concat())).await.unwrap();
    assert_eq!(amounts(&answer), [200, 100]);
    assert_eq!(api.figures(TENANT, "disk.bytes").await, (300, 0));
    let nothing = api.free(by_amount("q3", vec![charge(TENANT, "disk.bytes", 50)])).await.unwrap();
    assert_eq!(amounts(&nothing), [0], "the tenant itself was never charged");
    assert_eq!(api.figures(TENANT, "disk.bytes").await, (300, 0));
    // Without a request id a repeat frees again.
    for left in [200, 100] {
        api.free(by_amount("", bytes("b", 100))).await.unwrap();
        assert_eq!(api.figures(&user("b"), "disk.bytes").await, (left, 0));
    }
}

#[tokio::test]
async fn what_cannot_be_freed() {
    let api = Api::start().await;
    api.used("runs", runs("a", 2)).await;
    api.hold("held", bytes("a", 100)).await;
    let before = api.digest().await;
    for (request, kind) in [
        (by_reservation("runs"), (FailedPrecondition, "NOT_FREEABLE")),
        (by_amount("q1", runs("a", 1)), (FailedPrecondition, "NOT_FREEABLE")),
        (by_reservation("held"), (FailedPrecondition, "RESERVATION_OPEN")),
        (by_reservation("never"), (NotFound, "RESERVATION_NOT_FOUND")),
    ] {
        assert_eq!(refused(api.free(request).await).kind(), kind);
    }
    assert_eq!(api.digest().await, before);
}
