//! Batches: each item decides by itself, answers come in order, an error of one is its own.

use super::helpers::*;
use quotad::proto::v1::*;
use tonic::Code::{InvalidArgument, NotFound};

#[tokio::test]
async fn reserves_answer_in_order_and_each_by_itself() {
    let api = Api::start().await;
    let items = vec![
        ReserveRequest { tenant: String::new(), ..reserve("r0", runs("u1", 2)) },
        reserve("r1", runs("u1", 2)),
        reserve("r2", runs("u1", -1)),
        reserve("r3", runs("u1", 1)),
        reserve("r0", runs("u2", 9)),
        reserve("r5", vec![charge(&user("a"), "no.such", 1)]),
        reserve("r3", runs("u1", 1)),
    ];
    let request = BatchReserveRequest { tenant: TENANT.into(), requests: items };
    let results = api.batch_reserve(request).await.unwrap().results;
    let told: Vec<String> = results
        .iter()
        .map(|result| match result.result.as_ref().unwrap() {
            batch_reserve_result::Result::Error(error) => Fault::from(error).reason,
            batch_reserve_result::Result::Response(response) => match response.outcome.as_ref().unwrap() {
                reserve_response::Outcome::Granted(held) => format!("{} {}", held.reservation_id, response.replayed),
                reserve_response::Outcome::Denied(denial) => format!("denied {}", denial.violations[0].requested),
            },
        })
        .collect();
    let expected =
        ["r0 false", "denied 2", "INVALID_FIELD", "r3 false", "REQUEST_ID_REUSED", "METER_NOT_FOUND", "r3 true"];
    assert_eq!(told, expected);
    let Some(batch_reserve_result::Result::Error(error)) = &results[2].result else { panic!() };
    assert_eq!((error.code, Fault::from(error).names()), (InvalidArgument.into(), vec!["charges[0].amount"]));
    assert_eq!(api.figures(&user("u1"), "job.runs").await, (0, 3));
    assert_eq!(api.figures(&user("u2"), "job.runs").await, (0, 0));
}

#[tokio::test]
async fn commits_and_consumes() {
    let api = Api::start().await;
    for n in 0..3 {
        api.hold(&format!("r{n}"), runs("a", 2)).await;
    }
    api.release(release("r2")).await.unwrap();
    let requests = vec![commit("r0", runs("a", 1)), commit("none", vec![]), commit("r2", vec![]), commit("r1", vec![])];
    let results = api.batch_commit(BatchCommitRequest { tenant: TENANT.into(), requests }).await.unwrap().results;
    let told: Vec<String> = results
        .iter()
        .map(|result| match result.result.as_ref().unwrap() {
            batch_commit_result::Result::Error(error) => Fault::from(error).reason,
            batch_commit_result::Result::Response(response) => {
                response.reservation.as_ref().unwrap().committed[0].committed.to_string()
            }
        })
        .collect();
    assert_eq!(told, ["1", "RESERVATION_NOT_FOUND", "RESERVATION_RELEASED", "2"]);
    assert_eq!(
        results[1]
            .result
            .as_ref()
            .map(|r| matches!(r, batch_commit_result::Result::Error(e) if e.code == i32::from(NotFound))),
        Some(true)
    );

    let requests = vec![consume("c0", runs("a", 5)), consume("c1", runs("a", 5)), consume("c2", runs("a", 2))];
    let results = api.batch_consume(BatchConsumeRequest { tenant: TENANT.into(), requests }).await.unwrap().results;
    let granted: Vec<bool> = results
        .iter()
        .map(|result| {
            let Some(batch_consume_result::Result::Response(response)) = &result.result else { panic!("{result:?}") };
            matches!(response.outcome, Some(consume_response::Outcome::Granted(_)))
        })
        .collect();
    assert_eq!(granted, [true, false, true]);
    assert_eq!(api.figures(&user("a"), "job.runs").await, (10, 0));
}

#[tokio::test]
async fn a_bad_batch_changes_nothing() {
    let api = Api::start().await;
    let before = api.digest().await;
    let good = || reserve("", runs("a", 1));
    let batch = |requests| BatchReserveRequest { tenant: TENANT.into(), requests };
    let fault = refused(api.batch_reserve(batch(vec![])).await);
    assert_eq!((fault.kind(), fault.names()), ((InvalidArgument, "INVALID_FIELD"), vec!["requests"]));
    let fault = refused(api.batch_reserve(batch((0..65).map(|_| good()).collect())).await);
    assert_eq!((fault.code, fault.names()), (InvalidArgument, vec!["requests"]));
    let foreign = ReserveRequest { tenant: "tenants/other".into(), ..good() };
    let fault = refused(api.batch_reserve(batch(vec![good(), foreign.clone(), good(), foreign])).await);
    assert_eq!((fault.code, fault.names()), (InvalidArgument, vec!["requests[1].tenant", "requests[3].tenant"]));
    let nobody = BatchReserveRequest { tenant: String::new(), requests: vec![good()] };
    assert_eq!(refused(api.batch_reserve(nobody).await).code, InvalidArgument);
    assert_eq!(api.digest().await, before);

    // Sixty-four are a batch, also when each is large.
    let many = |n: i64| ReserveRequest {
        labels: (0..8).map(|k| (format!("k{k}"), "x".repeat(1000))).collect(),
        ..reserve(&format!("m{n}"), vec![charge("tenants/acme/bots/b", "job.calls", 1)])
    };
    let results = api.batch_reserve(batch((0..64).map(many).collect())).await.unwrap().results;
    assert_eq!(results.len(), 64);
    assert_eq!(api.figures("tenants/acme/bots/b", "job.calls").await, (0, 64));
}
