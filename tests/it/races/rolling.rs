//! Rolling restarts of three replicas under load: a caller who asks another replica once more when one is unavailable never fails,
//! and in the end every figure is what was answered. With `QUOTAD_PREVIOUS` they begin as that program, the version before, and are
//! upgraded one by one.

use super::exact::{MOST, TENANT, user};
use super::place::Place;
use quotad::proto::v1::{
    Charge, CommitRequest, ReserveRequest, quota_service_client::QuotaServiceClient, reserve_response,
};
use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// Replicas that are restarted, one after the other, unless `QUOTAD_RESTARTS` says another number.
const RESTARTS: usize = 12;
const CLIENTS: usize = 16;
/// Nothing is ever denied: what is counted is what is answered.
const CATALOG: &str = "
meters:
  - {name: runs, unit: run}
tenants:
  - name: tenants/race
    quotas:
      - {subject: tenants/race, meter: runs, limits: {lifetime: 1_000_000_000, month: 1_000_000_000}}
      - {subject: tenants/race/subtenants/-/users/-, meter: runs, limits: {lifetime: 1_000_000_000}}
";

/// The replicas' present connections, and what became of calls.
struct Fleet {
    replicas: Mutex<Vec<QuotaServiceClient<Channel>>>,
    stop: AtomicBool,
    retries: AtomicUsize,
}

impl Fleet {
    fn replica(&self, number: usize) -> QuotaServiceClient<Channel> {
        let replicas = self.replicas.lock().unwrap();
        replicas[number % replicas.len()].clone()
    }

    /// A call to one replica, and if that is not available once more to the next.
    async fn call<T, A>(&self, number: usize, call: impl Fn(QuotaServiceClient<Channel>) -> A) -> T
    where
        A: Future<Output = Result<T, Status>>,
    {
        match call(self.replica(number)).await {
            Ok(answer) => answer,
            Err(status) => {
                // What has a source is no answer: the connection ended under the call, which this client calls CANCELLED or INTERNAL.
                assert!(status.source().is_some() || status.code() == Code::Unavailable, "{status:?}");
                self.retries.fetch_add(1, Ordering::Relaxed);
                call(self.replica(number + 1)).await.unwrap_or_else(|second| panic!("{status:?}, then {second:?}"))
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restarts_fail_no_call() {
    let mut place = match std::env::var_os("QUOTAD_PREVIOUS") {
        Some(program) => Place::replicas_of(&program, CATALOG),
        None => Place::replicas(CATALOG),
    };
    let replicas = Mutex::new(place.quotas());
    let (stop, retries) = (AtomicBool::new(false), AtomicUsize::new(0));
    let fleet = Arc::new(Fleet { replicas, stop, retries });
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(work(fleet.clone(), client));
    }
    let restarts = std::env::var("QUOTAD_RESTARTS").map_or(RESTARTS, |number| number.parse().unwrap());
    let begin = Instant::now();
    for restart in 0..restarts {
        let number = restart % place.servers.len();
        let server = &mut place.servers[number];
        tokio::task::block_in_place(|| assert!(server.terminate().success(), "{}", server.stderr()));
        // Nobody listens there; the port that it had may become anybody's.
        let nowhere = Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        fleet.replicas.lock().unwrap()[number] = QuotaServiceClient::new(nowhere);
        tokio::task::block_in_place(|| server.upgrade());
        fleet.replicas.lock().unwrap()[number] = place.servers[number].quota();
        // Callers use it again before the next one goes.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = begin.elapsed();
    fleet.stop.store(true, Ordering::SeqCst);
    let done: i64 = clients.join_all().await.into_iter().sum();
    let retries = fleet.retries.load(Ordering::SeqCst);
    println!("races: {restarts} restarts in {took:?}, {done} recorded meanwhile, {retries} calls asked elsewhere");
    let figures = place.figures(TENANT, TENANT).await;
    assert_eq!((figures.used, figures.held), (done, 0));
    let mut users = 0;
    for client in 0..CLIENTS {
        users += place.figures(TENANT, &user(client)).await.used;
    }
    assert_eq!(users, done);
    let sums = place.end().await.replay(|_, _| None);
    assert_eq!(sums[TENANT], (done, 0), "by the entries");
}

/// Reserves and commits until told to stop; answers how much.
async fn work(fleet: Arc<Fleet>, client: usize) -> i64 {
    let mut recorded = 0;
    for number in 0.. {
        if fleet.stop.load(Ordering::SeqCst) {
            break;
        }
        let (replica, id) = (client + number, format!("c{client}-{number}"));
        let charge = Charge { account: user(client), meter: "runs".into(), amount: Some(MOST), ..Charge::default() };
        let ttl = Some(pbjson_types::Duration { seconds: 600, nanos: 0 });
        let request = ReserveRequest {
            tenant: TENANT.into(),
            reservation_id: id.clone(),
            charges: vec![charge],
            ttl,
            ..ReserveRequest::default()
        };
        let reserve = |mut quota: QuotaServiceClient<Channel>| {
            let request = request.clone();
            async move { quota.reserve(request).await.map(tonic::Response::into_inner) }
        };
        let outcome = fleet.call(replica, reserve).await.outcome.unwrap();
        assert!(matches!(outcome, reserve_response::Outcome::Granted(_)), "{outcome:?}");
        let request = CommitRequest { tenant: TENANT.into(), reservation_id: id, ..CommitRequest::default() };
        let commit = |mut quota: QuotaServiceClient<Channel>| {
            let request = request.clone();
            async move { quota.commit(request).await.map(tonic::Response::into_inner) }
        };
        // Another replica than the one that granted.
        fleet.call(replica + 1, commit).await;
        recorded += MOST;
    }
    recorded
}
