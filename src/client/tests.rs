//! The client against a small server double: what is sent again, with which ids, and what the guard does.

use super::{Client, Error, Outcome, RetryPolicy, StatusError};
use crate::proto::google::rpc;
use crate::proto::v1::quota_service_server::{QuotaService, QuotaServiceServer};
use crate::proto::v1::*;
use prost::Message;
use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt};

/// What the double was asked, and what it is to fail with first.
#[derive(Default)]
struct Script {
    failures: Vec<Status>,
    reserves: Vec<ReserveRequest>,
    commits: Vec<CommitRequest>,
    extends: Vec<ExtendRequest>,
    releases: Vec<ReleaseRequest>,
    /// Extend answers that the hold is gone.
    gone: bool,
    stall: Duration,
}

#[derive(Clone, Default)]
struct Double(Arc<Mutex<Script>>);

impl Double {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }

    fn fail_next(&self) -> Result<(), Status> {
        self.script().failures.pop().map_or(Ok(()), Err)
    }
}

fn reservation(id: &str, state: ReservationState) -> Option<Reservation> {
    Some(Reservation {
        tenant: "tenants/acme".into(),
        reservation_id: id.into(),
        state: state.into(),
        ..Default::default()
    })
}

/// Methods that the tests never call, in the shape that `async_trait` gives them.
macro_rules! absent {
    ($($name:ident $request:ty => $answer:ty;)+) => {
        $(fn $name<'a, 'f>(
            &'a self,
            _: Request<$request>,
        ) -> Pin<Box<dyn Future<Output = Result<Response<$answer>, Status>> + Send + 'f>>
        where
            'a: 'f,
            Self: 'f,
        {
            Box::pin(async { Err(Status::unimplemented("not in the double")) })
        })+
    };
}

#[tonic::async_trait]
impl QuotaService for Double {
    type EnforceStream = Streaming<EnforceResponse>;

    async fn reserve(&self, request: Request<ReserveRequest>) -> Result<Response<ReserveResponse>, Status> {
        let request = request.into_inner();
        self.script().reserves.push(request.clone());
        let stall = self.script().stall;
        tokio::time::sleep(stall).await;
        self.fail_next()?;
        let granted = reservation(&request.reservation_id, ReservationState::Held);
        let outcome = match request.charges.first() {
            Some(charge) if charge.amount == Some(99) => reserve_response::Outcome::Denied(Denial::default()),
            _ => reserve_response::Outcome::Granted(granted.unwrap()),
        };
        Ok(Response::new(ReserveResponse { outcome: Some(outcome), ..Default::default() }))
    }

    async fn commit(&self, request: Request<CommitRequest>) -> Result<Response<CommitResponse>, Status> {
        let request = request.into_inner();
        self.script().commits.push(request.clone());
        self.fail_next()?;
        let state = if request.r#final() { ReservationState::Committed } else { ReservationState::PartiallyCommitted };
        let reservation = reservation(&request.reservation_id, state);
        Ok(Response::new(CommitResponse { reservation, ..Default::default() }))
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        let request = request.into_inner();
        self.script().releases.push(request.clone());
        let reservation = reservation(&request.reservation_id, ReservationState::Released);
        Ok(Response::new(ReleaseResponse { reservation, ..Default::default() }))
    }

    async fn extend(&self, request: Request<ExtendRequest>) -> Result<Response<ExtendResponse>, Status> {
        let request = request.into_inner();
        self.script().extends.push(request.clone());
        if self.script().gone {
            return Err(Status::failed_precondition("expired"));
        }
        let reservation = reservation(&request.reservation_id, ReservationState::Held);
        Ok(Response::new(ExtendResponse { reservation, ..Default::default() }))
    }

    async fn get_reservation(
        &self,
        request: Request<GetReservationRequest>,
    ) -> Result<Response<GetReservationResponse>, Status> {
        let reservation = reservation(&request.into_inner().reservation_id, ReservationState::Expired);
        Ok(Response::new(GetReservationResponse { reservation }))
    }

    async fn enforce(&self, _: Request<Streaming<EnforceRequest>>) -> Result<Response<Self::EnforceStream>, Status> {
        Err(Status::unimplemented("not in the double"))
    }

    absent! {
        check CheckRequest => CheckResponse;
        consume ConsumeRequest => ConsumeResponse;
        free FreeRequest => FreeResponse;
        list_reservations ListReservationsRequest => ListReservationsResponse;
        batch_reserve BatchReserveRequest => BatchReserveResponse;
        batch_commit BatchCommitRequest => BatchCommitResponse;
        batch_consume BatchConsumeRequest => BatchConsumeResponse;
    }
}

async fn start() -> (Double, Client) {
    let double = Double::default();
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let client = Client::connect(listener.local_addr().unwrap().to_string()).unwrap();
    let service = QuotaServiceServer::new(double.clone());
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    (double, client)
}

fn request(ttl: Option<Duration>) -> ReserveRequest {
    ReserveRequest { tenant: "tenants/acme".into(), ttl: ttl.map(Into::into), ..Default::default() }
}

/// Waits until `done` holds, at most 5 s.
async fn until(done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(5);
    while !done() {
        assert!(Instant::now() < end, "did not happen within 5 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn unavailable_is_sent_again_with_the_same_ids() {
    let (double, client) = start().await;
    double.script().failures = vec![Status::unavailable("busy"), Status::unavailable("busy")];
    client.reserve(request(None)).await.unwrap();
    let sent = double.script().reserves.clone();
    assert_eq!(sent.len(), 3);
    assert!(!sent[0].reservation_id.is_empty() && !sent[0].request_id.is_empty());
    assert!(sent.iter().all(|again| *again == sent[0]), "{sent:?}");
}

#[tokio::test]
async fn at_most_three_attempts_and_other_errors_are_answers() {
    let (double, client) = start().await;
    double.script().failures = vec![Status::unavailable("busy"); 9];
    let error = client.reserve(request(None)).await.unwrap_err();
    assert_eq!((error.code(), error.to_string()), (Code::Unavailable, "UNAVAILABLE: busy".into()));
    assert_eq!(double.script().reserves.len(), 3);

    double.script().failures = vec![Status::deadline_exceeded("slow")];
    assert_eq!(client.reserve(request(None)).await.unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(double.script().reserves.len(), 4);
}

#[tokio::test]
async fn the_server_says_how_long_to_wait_and_the_deadline_bounds_it() {
    let (double, client) = start().await;
    let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(400)));
    let busy = Status::with_error_details(Code::Unavailable, "busy", details);
    double.script().failures = vec![busy.clone()];
    let begin = Instant::now();
    client.reserve(request(None)).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(400));

    double.script().failures = vec![busy];
    let error = client.clone().with_timeout(Duration::from_millis(300)).reserve(request(None)).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert_eq!(double.script().reserves.len(), 3, "a wait beyond the deadline is not begun");
}

#[tokio::test]
async fn a_call_ends_at_its_deadline() {
    let (double, client) = start().await;
    double.script().stall = Duration::from_secs(30);
    let error = client.with_timeout(Duration::from_millis(200)).reserve(request(None)).await.unwrap_err();
    assert_eq!(error.to_string(), "DEADLINE_EXCEEDED: no answer within 200ms");
    assert_eq!(double.script().reserves.len(), 1);
}

#[tokio::test]
async fn nobody_listens() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = Client::connect(format!("http://{closed}")).unwrap().reserve(request(None)).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
    assert!(error.to_string().starts_with(&format!("cannot reach the server at http://{closed}: Connection refused")));
}

#[tokio::test]
async fn addresses() {
    for good in ["127.0.0.1:50051", "localhost:1", "http://quotad.svc:50051", "http://[::1]:50051/"] {
        assert!(Client::connect(good).is_ok(), "{good}");
    }
    for bad in ["", "localhost", "127.0.0.1:99999", ":50051", "https://x:1", "http://a b:1"] {
        assert!(matches!(Client::connect(bad), Err(Error::Address { .. })), "{bad}");
    }
}

#[test]
fn backoff_doubles_up_to_its_bound() {
    let policy = RetryPolicy::default();
    let longest: Vec<_> = (1..=7).map(|attempt| policy.delay(attempt, 1024).as_millis()).collect();
    assert_eq!(longest, [50, 100, 200, 400, 800, 1000, 1000]);
    assert_eq!(policy.delay(1, 0), Duration::from_millis(25));
    assert_eq!(policy.delay(u32::MAX, 1024), Duration::from_secs(1));
}

#[test]
fn errors_read_like_sentences() {
    let mut details = ErrorDetails::with_error_info("INVALID_FIELD", "quotad.v1", HashMap::new());
    details.add_bad_request_violation("charges[0].account", "must not be empty");
    details.add_bad_request_violation("tenant", "must be one pair");
    let status = Status::with_error_details(Code::InvalidArgument, "2 fields are wrong", details);
    let text = "INVALID_ARGUMENT (INVALID_FIELD): charges[0].account: must not be empty; tenant: must be one pair";
    assert_eq!(StatusError::from(&status).to_string(), text);

    // The same error inside a batch.
    let inner = rpc::Status::decode(status.details()).unwrap();
    assert_eq!(StatusError::from(&inner).to_string(), text);
    assert_eq!(StatusError::from(&Status::not_found("no r1")).to_string(), "NOT_FOUND: no r1");
}

async fn held(client: &Client, ttl: Duration) -> super::ReservationGuard {
    match client.hold(request(Some(ttl))).await.unwrap() {
        Outcome::Granted(guard) => guard,
        Outcome::Denied(denial) => panic!("{denial:?}"),
    }
}

#[tokio::test]
async fn a_guard_extends_while_alive_and_releases_on_drop() {
    let (double, client) = start().await;
    let guard = held(&client, Duration::from_millis(200)).await;
    until(|| double.script().extends.len() >= 2).await;
    let id = guard.reservation().reservation_id;
    drop(guard);
    until(|| !double.script().releases.is_empty()).await;
    assert_eq!(double.script().releases[0].reservation_id, id);
    let extends = double.script().extends.clone();
    assert!(extends.iter().all(|extend| extend.reservation_id == id && extend.ttl.is_some()));
    assert_ne!(extends[0].request_id, extends[1].request_id, "each extension is a new write");
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(double.script().extends.len(), extends.len(), "extends after its end");
}

#[tokio::test]
async fn a_committed_guard_releases_nothing() {
    let (double, client) = start().await;
    let guard = held(&client, Duration::from_secs(60)).await;
    guard.commit_part(vec![Charge::default()]).await.unwrap();
    assert_eq!(guard.reservation().state(), ReservationState::PartiallyCommitted);
    guard.commit_as_held().await.unwrap();

    // Also when the commit fails: it may have had its effect.
    let guard = held(&client, Duration::from_secs(60)).await;
    double.script().failures = vec![Status::internal("oops")];
    guard.commit(Vec::new()).await.unwrap_err();

    held(&client, Duration::from_secs(60)).await.release().await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let script = double.script();
    assert_eq!(
        script.commits.iter().map(|commit| commit.r#final).collect::<Vec<_>>(),
        [Some(false), Some(true), Some(true)]
    );
    assert_eq!(script.releases.len(), 1, "only the one asked for");
}

#[tokio::test]
async fn a_guard_stops_when_the_hold_is_gone_and_a_denial_is_an_answer() {
    let (double, client) = start().await;
    double.script().gone = true;
    let guard = held(&client, Duration::from_millis(40)).await;
    until(|| guard.reservation().state() == ReservationState::Expired).await;
    assert_eq!(double.script().extends.len(), 1);
    drop(guard);

    let charge = Charge { amount: Some(99), ..Default::default() };
    let denied = client.hold(ReserveRequest { charges: vec![charge], ..request(None) }).await.unwrap();
    assert!(matches!(denied, Outcome::Denied(_)));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(double.script().releases.is_empty(), "nothing is held any more");
}
