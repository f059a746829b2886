//! `Free`: committed allocation goes back, by reservation or by amount.

use super::helpers::*;
use crate::support::cli;
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

/// A meter that charges at the deadline, and one with a top-up: limit 10 each.
const MIXED: &str = "meters:
  - {name: disk.charged, unit: byte, family: allocation, expiry: charge}
  - {name: disk.topped, unit: byte, family: allocation}
quotas:
  - {subject: tenants/acme/users/-, meter: disk.charged, limits: {lifetime: 10}}
  - {subject: tenants/acme/users/-, meter: disk.topped, limits: {lifetime: 10}, top_up: 3}
";

async fn mixed() -> Api {
    let api = Api::start().await;
    let request = ApplyRequest { tenant: TENANT.into(), yaml: MIXED.into(), ..Default::default() };
    api.apply(request).await.unwrap();
    api
}

/// Stops the server, starts it again, and looks at the ledger: what it counts from there is what was counted before.
async fn after_a_restart(api: &mut Api, meter: &str, expected: (i64, i64)) {
    assert_eq!(api.figures(&user("a"), meter).await, expected);
    assert!(api.server.terminate().success());
    let folder = api.server.data_dir().to_str().unwrap().to_owned();
    let verdict = cli(["verify", "--data-dir", &folder]);
    assert_eq!(verdict.status, Some(0), "{verdict:?}");
    api.server.restart();
    api.reconnect();
    assert_eq!(api.figures(&user("a"), meter).await, expected, "after a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_commit_does_not_take_back_what_was_freed_by_amount() {
    let mut api = mixed().await;
    let of = |amount| vec![charge(&user("a"), "disk.charged", amount)];
    api.hold("x1", of(5)).await;
    api.clock(61).await;
    assert_eq!(amounts(&api.free(by_amount("q1", of(5))).await.unwrap()), [5], "the deadline charged it");
    api.commit(commit("x1", of(0))).await.unwrap();
    api.used("x2", of(5)).await;
    denied(api.reserve(reserve("", of(6))).await.unwrap());
    after_a_restart(&mut api, "disk.charged", (5, 0)).await;
    denied(api.reserve(reserve("", of(6))).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn by_amount_and_by_reservation_leave_nothing_behind() {
    let mut api = mixed().await;
    let of = |amount| vec![charge(&user("a"), "disk.topped", amount)];
    api.used("b1", of(10)).await;
    api.used("b2", of(3)).await;
    assert_eq!(amounts(&api.free(by_amount("q1", of(3))).await.unwrap()), [3]);
    let both = [api.free(by_reservation("b2")).await.unwrap(), api.free(by_reservation("b1")).await.unwrap()];
    assert_eq!(both.iter().flat_map(amounts).sum::<i64>(), 10);
    api.hold("again", of(13)).await;
    api.release(release("again")).await.unwrap();
    after_a_restart(&mut api, "disk.topped", (0, 0)).await;
}
