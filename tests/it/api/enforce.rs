//! `Enforce`: many operations on one stream, answered as they finish and told apart by their tags.

use super::helpers::*;
use crate::crash::{STOP, tamper};
use crate::support::Options;
use quotad::proto::v1::{enforce_request::Operation, enforce_response::Result as One, *};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::{Code, Streaming};

/// A stream: where requests go in, and where answers come out.
async fn open(api: &Api) -> (mpsc::Sender<EnforceRequest>, Streaming<EnforceResponse>) {
    let (sender, receiver) = mpsc::channel(1);
    let answers = api.server.quota().enforce(ReceiverStream::new(receiver)).await.unwrap().into_inner();
    (sender, answers)
}

fn tagged(tag: u64, operation: Operation) -> EnforceRequest {
    EnforceRequest { tag, operation: Some(operation) }
}

async fn next(answers: &mut Streaming<EnforceResponse>) -> EnforceResponse {
    tokio::time::timeout(Duration::from_secs(20), answers.next()).await.unwrap().unwrap().unwrap()
}

#[tokio::test]
async fn every_operation_and_its_errors() {
    let api = Api::start().await;
    let (requests, mut answers) = open(&api).await;
    let extend = ExtendRequest { tenant: TENANT.into(), reservation_id: "r".into(), ..Default::default() };
    let free = FreeRequest { tenant: TENANT.into(), reservation_id: "d".into(), ..Default::default() };
    let bytes = vec![charge(&user("a"), "disk.bytes", 7)];
    let script: Vec<(Option<Operation>, &str)> = vec![
        (Some(Operation::Check(CheckRequest { tenant: TENANT.into(), charges: runs("a", 1) })), "check"),
        (Some(Operation::Reserve(reserve("r", runs("a", 2)))), "reserve"),
        (Some(Operation::Reserve(reserve("bad", runs("a", -2)))), "INVALID_FIELD charges[0].amount"),
        (Some(Operation::Reserve(reserve("much", runs("a", 20)))), "denied"),
        (Some(Operation::Extend(extend)), "extend"),
        (Some(Operation::Commit(commit("r", vec![]))), "commit"),
        (Some(Operation::Release(release("r"))), "RESERVATION_COMMITTED "),
        (Some(Operation::Release(release("none"))), "RESERVATION_NOT_FOUND "),
        (None, "INVALID_FIELD operation"),
        (Some(Operation::Consume(consume("d", bytes))), "consume"),
        (Some(Operation::Free(free)), "free"),
        (Some(Operation::Reserve(reserve("s", runs("a", 1)))), "reserve"),
        (Some(Operation::Release(release("s"))), "release"),
    ];
    for (tag, (operation, expected)) in script.into_iter().enumerate() {
        let tag = tag as u64 + u64::MAX / 2;
        requests.send(EnforceRequest { tag, operation }).await.unwrap();
        let answer = next(&mut answers).await;
        assert_eq!(answer.tag, tag);
        let told = match answer.result.unwrap() {
            One::Check(_) => "check".into(),
            One::Reserve(ReserveResponse { outcome: Some(reserve_response::Outcome::Denied(_)), .. }) => {
                "denied".into()
            }
            One::Reserve(_) => "reserve".into(),
            One::Commit(_) => "commit".into(),
            One::Release(_) => "release".into(),
            One::Extend(_) => "extend".into(),
            One::Consume(_) => "consume".into(),
            One::Free(_) => "free".into(),
            One::Error(error) => {
                let fault = Fault::from(&error);
                format!("{} {}", fault.reason, fault.names().join(","))
            }
        };
        assert_eq!(told, expected, "{tag}");
    }
    assert_eq!(api.figures(&user("a"), "job.runs").await, (2, 0));
}

#[tokio::test]
async fn a_slow_operation_does_not_hold_up_a_quick_one() {
    let api = Api::start().await;
    let (requests, mut answers) = open(&api).await;
    let slow = ReserveRequest { wait_for_durable: true, ..reserve("slow", runs("a", 1)) };
    requests.send(tagged(1, Operation::Reserve(slow))).await.unwrap();
    requests
        .send(tagged(2, Operation::Check(CheckRequest { tenant: TENANT.into(), charges: runs("b", 1) })))
        .await
        .unwrap();
    assert_eq!((next(&mut answers).await.tag, next(&mut answers).await.tag), (2, 1));
}

#[tokio::test]
async fn a_thousand_at_once_are_each_answered_once_and_the_end_waits_for_them() {
    let api = Api::start().await;
    let (requests, mut answers) = open(&api).await;
    let sending = tokio::spawn(async move {
        for tag in 0..1000 {
            let charges = vec![charge("tenants/acme/bots/b", "job.calls", 1)];
            requests.send(tagged(tag, Operation::Reserve(reserve(&format!("r{tag}"), charges)))).await.unwrap();
        }
        // The half-close: nothing more comes, and what is in work is answered.
    });
    // Nobody reads for a while: more is sent than may be in work, and the server just waits.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut seen: HashMap<u64, u32> = HashMap::new();
    while let Some(answer) = answers.next().await {
        let answer = answer.unwrap();
        let Some(One::Reserve(response)) = answer.result else { panic!("{answer:?}") };
        assert_eq!(granted(response).reservation_id, format!("r{}", answer.tag));
        *seen.entry(answer.tag).or_default() += 1;
    }
    sending.await.unwrap();
    assert_eq!((seen.len(), seen.values().all(|times| *times == 1)), (1000, true));
    assert_eq!(api.figures("tenants/acme/bots/b", "job.calls").await, (0, 1000));
}

#[tokio::test]
async fn a_caller_that_goes_away_tears_nothing() {
    let api = Api::start().await;
    let (requests, answers) = open(&api).await;
    for tag in 0..50 {
        let charges =
            vec![charge("tenants/acme/bots/b", "job.calls", 1), charge("tenants/acme/bots/c", "job.calls", 1)];
        requests.send(tagged(tag, Operation::Consume(consume("", charges)))).await.unwrap();
    }
    drop((requests, answers));
    let mut last = (-1, -1);
    // What was read runs to its end, so the figures come to rest; and both accounts agree.
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = (
            api.figures("tenants/acme/bots/b", "job.calls").await.0,
            api.figures("tenants/acme/bots/c", "job.calls").await.0,
        );
        if now == last {
            break;
        }
        last = now;
    }
    assert_eq!(last.0, last.1);
}

/// One place for what begins something, two for what ends it; a reserve that waits for a ledger that is not written holds the first.
#[tokio::test]
async fn operations_beyond_the_bound_are_refused_on_the_stream_and_ends_come_last() {
    let api = Api::with(Options::new().catalog(catalog()).arg("--max-in-flight").arg("1")).await;
    let (requests, mut answers) = open(&api).await;
    let shed = |rank: &str| api.server.metric(&format!("quotad_shed_total{{rank=\"{rank}\"}}"));
    requests.send(tagged(1, Operation::Reserve(reserve("r", runs("a", 1))))).await.unwrap();
    assert!(matches!(next(&mut answers).await.result, Some(One::Reserve(_))));

    tamper(&api.server.data_dir().join("ledger.db"), STOP).await;
    let waiting = ReserveRequest { wait_for_durable: true, ..reserve("waits", runs("a", 1)) };
    requests.send(tagged(2, Operation::Reserve(waiting))).await.unwrap();
    let look = CheckRequest { tenant: TENANT.into(), charges: runs("b", 1) };
    for (tag, operation) in [(3, Operation::Reserve(reserve("no", runs("a", 1)))), (4, Operation::Check(look.clone()))]
    {
        requests.send(tagged(tag, operation)).await.unwrap();
        let answer = next(&mut answers).await;
        let Some(One::Error(error)) = &answer.result else { panic!("{answer:?}") };
        let fault = Fault::from(error);
        assert_eq!((answer.tag, fault.kind(), fault.retry), (tag, (Code::Unavailable, "OVERLOADED"), true));
    }
    // A call meets the same bound as the stream.
    let fault = Fault::from(&api.server.quota().check(look).await.unwrap_err());
    assert_eq!(fault.kind(), (Code::Unavailable, "OVERLOADED"));
    requests.send(tagged(5, Operation::Commit(commit("r", vec![])))).await.unwrap();
    let answer = next(&mut answers).await;
    assert!(answer.tag == 5 && matches!(answer.result, Some(One::Commit(_))), "{answer:?}");
    assert_eq!((shed("end"), shed("begin"), shed("look")), (0, 1, 2));
}
