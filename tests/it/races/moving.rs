//! Three replicas on a cluster: while the slot of the tenant's partition moves from node to node and back, a limit of 10,000
//! grants 10,000, no answer changes, and the ledger has each of them once.

use super::exact::{CATALOG, CONNECTIONS, LIMIT, MOST, TENANT, check, check_history, user};
use super::place::Place;
use crate::support::redis::Cluster;
use crate::support::{Shared, seed};
use quotad::domain::name::Uid;
use quotad::proto::v1::{
    Charge, CommitRequest, ReserveRequest, quota_service_client::QuotaServiceClient, reserve_response,
};
use quotad::store::redis::keys::Keys;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

/// Partitions of an installation on a cluster.
const PARTITIONS: u32 = 16;
/// How often the slot moves, and the time between.
const MOVES: usize = 12;
const BETWEEN: Duration = Duration::from_millis(200);
/// A move at rest, with half of the keys on either node: longer than a call is held back for it, so that callers hear of it.
const HALF_WAY: Duration = Duration::from_millis(1500);
/// How long a call is tried until the test says that it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_under_load_grants_exactly_ten_thousand() {
    let shared = Arc::new(Shared::with_cluster());
    let mut place = Place::on_cluster(&shared, CATALOG);
    let refused = Arc::new(AtomicU32::new(0));
    let partition = Uid::of(TENANT).partition(PARTITIONS);
    let meta = Keys::new(place.options.redis_place().unwrap().1, partition).unwrap().meta().to_owned();
    let mover = {
        let shared = shared.clone();
        tokio::task::spawn_blocking(move || keep_moving(&shared.redis, &meta))
    };
    let mut rng = StdRng::seed_from_u64(seed("moving"));
    let mut clients = JoinSet::new();
    for number in 0..CONNECTIONS {
        let quotas = (0..3).map(|replica| place.quota(number + replica)).collect();
        let (rng, refused) = (StdRng::seed_from_u64(rng.random()), refused.clone());
        clients.spawn(async move {
            let mut client = Client { number, quotas, rng, refused, asked: Vec::new() };
            client.take().await;
            client
        });
    }
    let clients = clients.join_all().await;
    let granted: i64 = clients.iter().flat_map(|client| &client.asked).filter_map(Asked::granted).sum();
    let mut committing = JoinSet::new();
    for mut client in clients {
        let moving = mover.abort_handle();
        committing.spawn(async move {
            client.commit().await;
            while !moving.is_finished() {
                client.ask_again().await;
            }
        });
    }
    committing.join_all().await;
    mover.await.unwrap();
    let again = refused.load(Ordering::SeqCst);
    println!("races: {granted} granted over {MOVES} moves of the slot, {again} calls made again");
    assert_eq!(granted, LIMIT);
    assert!(again > 0, "somebody heard of it");
    check(&place, |figures| (figures.used, figures.held)).await;
    let lost: u64 = place.servers.iter().map(|server| server.metric("quotad_lost_entries_total")).sum();
    assert_eq!(lost, 0);
    check_history(&place.end().await);
}

/// Moves the slot of a key four times around, now and then with a rest half way.
fn keep_moving(cluster: &Cluster, key: &str) {
    let (slot, home) = (cluster.slot_of(key), cluster.node_of(key));
    for step in 0..MOVES {
        sleep(BETWEEN);
        let (from, to) = ((home + step) % cluster.nodes.len(), (home + step + 1) % cluster.nodes.len());
        cluster.begin_move(slot, from, to);
        if step % 5 == 1 {
            cluster.move_some(slot, from, to, 5);
            sleep(HALF_WAY);
        }
        cluster.move_keys(slot, from, to);
        cluster.end_move(slot, from, to);
    }
}

type Quota = QuotaServiceClient<Channel>;

/// A call and its verdict.
struct Asked {
    id: String,
    amount: i64,
    granted: bool,
}

impl Asked {
    fn granted(&self) -> Option<i64> {
        self.granted.then_some(self.amount)
    }
}

/// One that goes on whatever it hears: a call without an answer is made again, with the same ids, at any replica.
struct Client {
    number: usize,
    quotas: Vec<Quota>,
    rng: StdRng,
    /// Calls that had no answer.
    refused: Arc<AtomicU32>,
    asked: Vec<Asked>,
}

impl Client {
    /// Reserves until there is nothing left, and now and then asks once more what it has been told before.
    async fn take(&mut self) {
        let mut amount = MOST;
        loop {
            let id = format!("c{}.{}", self.number, self.asked.len());
            let (granted, _) = self.reserve(&id, amount).await;
            self.asked.push(Asked { id, amount, granted });
            if self.rng.random_range(0..4) == 0 {
                self.ask_again().await;
            }
            match (granted, amount) {
                (false, 1) => return,
                (_, 1) => amount = MOST,
                _ => amount -= 1,
            }
        }
    }

    async fn ask_again(&mut self) {
        let asked = &self.asked[self.rng.random_range(0..self.asked.len())];
        let (id, amount, before) = (asked.id.clone(), asked.amount, asked.granted);
        let (granted, replayed) = self.reserve(&id, amount).await;
        assert_eq!(granted, before, "{id}: told otherwise");
        assert!(replayed || !granted, "{id}: granted once more");
    }

    /// Whether it is granted, and whether that was said before.
    async fn reserve(&mut self, id: &str, amount: i64) -> (bool, bool) {
        let account = user(self.number % 8);
        let charges = vec![Charge { account, meter: "runs".into(), amount: Some(amount), ..Charge::default() }];
        let request = ReserveRequest {
            tenant: TENANT.into(),
            reservation_id: id.to_owned(),
            request_id: format!("{id}/reserve"),
            charges,
            ttl: Some(pbjson_types::Duration { seconds: 600, nanos: 0 }),
            ..ReserveRequest::default()
        };
        let call = |mut quota: Quota| {
            let request = request.clone();
            async move { quota.reserve(request).await }
        };
        let answer = self.insist(call).await;
        (matches!(answer.outcome, Some(reserve_response::Outcome::Granted(_))), answer.replayed)
    }

    /// Commits all that was granted, some of it twice.
    async fn commit(&mut self) {
        for index in 0..self.asked.len() {
            let Asked { id, amount, granted } = &self.asked[index];
            let (id, amount) = (id.clone(), *amount);
            let times = if *granted { self.rng.random_range(1..3) } else { 0 };
            for _ in 0..times {
                let (reservation_id, request_id) = (id.clone(), format!("{id}/commit"));
                let request =
                    CommitRequest { tenant: TENANT.into(), reservation_id, request_id, ..CommitRequest::default() };
                let call = |mut quota: Quota| {
                    let request = request.clone();
                    async move { quota.commit(request).await }
                };
                let reservation = self.insist(call).await.reservation.unwrap();
                assert_eq!(reservation.committed[0].committed, amount, "{reservation:?}");
            }
        }
    }

    /// Makes a call, at any replica, until there is an answer.
    async fn insist<T, A>(&mut self, call: impl Fn(Quota) -> A) -> T
    where
        A: Future<Output = Result<Response<T>, Status>>,
    {
        let begin = Instant::now();
        loop {
            let quota = self.quotas[self.rng.random_range(0..self.quotas.len())].clone();
            match call(quota).await {
                Ok(answer) => return answer.into_inner(),
                Err(status) => {
                    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                    assert!(begin.elapsed() < PATIENCE, "{status:?}");
                    self.refused.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}
