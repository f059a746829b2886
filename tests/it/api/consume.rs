//! `Consume`: reserve and commit in one step.

use super::helpers::*;
use quotad::proto::v1::{consume_response::Outcome, *};
use tonic::Code::{AlreadyExists, FailedPrecondition};

#[tokio::test]
async fn it_is_used_at_once_and_once() {
    let api = Api::start().await;
    let request = ConsumeRequest {
        request_id: "q1".into(),
        labels: [("team".into(), "red".into())].into(),
        ..consume("r", runs("a", 3))
    };
    let first = api.consume(request.clone()).await.unwrap();
    let Some(Outcome::Granted(used)) = first.outcome.clone() else { panic!("{first:?}") };
    assert_eq!(
        (used.state(), used.committed[0].committed, used.committed[0].held),
        (ReservationState::Committed, 3, 0)
    );
    assert_eq!((first.replayed, safe(first.durability), used.expire_time), (false, true, None));
    assert_eq!(used.labels["team"], "red");
    assert_eq!(api.get("r").await, used);
    let again = api.consume(request).await.unwrap();
    assert_eq!((again.replayed, again.outcome), (true, first.outcome));
    assert_eq!(api.figures(&user("a"), "job.runs").await, (3, 0));
    assert_eq!(refused(api.consume(consume("r", runs("a", 4))).await).kind(), (AlreadyExists, "REQUEST_ID_REUSED"));
    assert_eq!(refused(api.release(release("r")).await).kind(), (FailedPrecondition, "RESERVATION_COMMITTED"));
    // A commit of the same amount says what it is: done already.
    assert!(api.commit(commit("r", runs("a", 3))).await.unwrap().replayed);
}

#[tokio::test]
async fn all_or_nothing() {
    let api = Api::start().await;
    let before = api.digest().await;
    let answer = api.consume(consume("r", [runs("u1", 4), runs("u2", 1)].concat())).await.unwrap();
    let Some(Outcome::Denied(denial)) = answer.outcome else { panic!("{answer:?}") };
    assert_eq!((denial.violations.len(), denial.violations[0].requested), (1, 4), "{denial:?}");
    assert_eq!(api.digest().await, before);
    let made = api.used("", runs("u1", 3)).await;
    assert!(!made.reservation_id.is_empty());
}
