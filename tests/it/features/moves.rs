//! Accounts that move while they are charged: on one server alone, and on two that share Redis and PostgreSQL.

use crate::api::helpers::*;
use crate::support::{Options, Shared, TempDir, cli};
use quotad::proto::v1::*;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tonic::Code;

const HUB: &str = "tenants/hub";
const PLACES: [&str; 3] = ["tenants/hub/namespaces/a", "tenants/hub/namespaces/b", "tenants/hub/orgs/o/namespaces/c"];
const CATALOG: &str = "
meters:
  - {name: job.runs}
  - {name: bytes, family: allocation}
tenants:
  - name: tenants/hub
    quotas:
      - {subject: tenants/hub/namespaces/-, meter: bytes, limits: {lifetime: 100_000}}
      - {subject: tenants/hub/namespaces/b, meter: bytes, limits: {lifetime: 100_000}, top_up: 50}
      - {subject: tenants/hub/namespaces/-, meter: job.runs, limits: {month: 100_000}}
";
/// Workers, and what each does.
const WORKERS: usize = 6;
const CALLS: usize = 40;
const MOVES: usize = 25;
/// How often a server is killed in the middle of a move.
const KILLS: u64 = 12;

/// Servers of one installation.
struct World {
    servers: Vec<Arc<Api>>,
    database: Option<String>,
    _shared: Option<Shared>,
    _folder: TempDir,
}

impl World {
    async fn on(shared: Option<Shared>, replicas: usize) -> World {
        let folder = TempDir::new("catalog");
        let file = folder.path().join("moves.yaml");
        fs::write(&file, CATALOG).unwrap();
        let options = Options::new().catalog(file);
        let options = shared.iter().fold(options, |options, shared| shared.installation(options));
        let mut servers = Vec::new();
        for _ in 0..replicas {
            servers.push(Arc::new(Api::with(options.clone()).await));
        }
        let database = options.database_url().map(str::to_owned);
        World { servers, database, _shared: shared, _folder: folder }
    }

    fn one(&self) -> &Api {
        &self.servers[0]
    }

    fn verify(&self) {
        let server = &self.one().server;
        let verified = match &self.database {
            // The counters too, while the servers run.
            Some(_) => server.verify(),
            None => cli(["verify", "--data-dir", server.data_dir().to_str().unwrap()]),
        };
        assert!(verified.status == Some(0), "{}", verified.stdout);
    }
}

fn repo(place: &str) -> String {
    format!("{place}/repos/r")
}

fn bytes(account: &str, amount: i64) -> Charge {
    charge(account, "bytes", amount)
}

fn of_hub(id: &str, charges: Vec<Charge>) -> ConsumeRequest {
    ConsumeRequest { tenant: HUB.into(), ..consume(id, charges) }
}

/// Moves to a place; whether it is there then. What is being charged, or does not fit, stays.
async fn move_to(api: &Api, place: &str) -> bool {
    let (account, new_name) = (repo(PLACES[0]), repo(place));
    let request = MoveAccountRequest { tenant: HUB.into(), account, new_name, ..Default::default() };
    match api.move_account(request).await {
        Ok(response) => matches!(response.outcome, Some(move_account_response::Outcome::Moved(_))),
        Err(fault) => {
            assert!(["ALLOCATION_HELD", "ACCOUNT_MOVING"].contains(&fault.reason.as_str()), "{fault:?}");
            false
        }
    }
}

/// Sends until it is decided: while an account moves it is told to come again.
macro_rules! decided {
    ($send:expr) => {{
        let begin = Instant::now();
        loop {
            match $send.await {
                Ok(answer) => break answer,
                Err(fault) => {
                    assert_eq!((fault.kind(), fault.retry), ((Code::Unavailable, "ACCOUNT_MOVING"), true), "{fault:?}");
                }
            }
            assert!(begin.elapsed().as_secs() < 30, "it moves for ever");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }};
}

/// Charges, commits and frees, under whichever name; adds up what must be in use, and what was consumed.
async fn work(api: Arc<Api>, worker: usize, in_use: Arc<AtomicI64>, consumed: Arc<AtomicI64>) {
    for number in 0..CALLS {
        let (id, name) = (format!("w{worker}-{number}"), repo(PLACES[(worker + number) % PLACES.len()]));
        let (amount, of_name) = (i64::try_from(number % 9 + 3).unwrap(), |amount| vec![bytes(&name, amount)]);
        match number % 4 {
            0 | 1 => {
                let charges = || vec![bytes(&name, amount), charge(&name, "job.runs", 1)];
                decided!(api.consume(of_hub(&id, charges())));
                consumed.fetch_add(1, Ordering::Relaxed);
            }
            _ => {
                let held = || ReserveRequest { tenant: HUB.into(), ..reserve(&id, of_name(amount)) };
                decided!(api.reserve(held()));
                let commit = || CommitRequest { tenant: HUB.into(), ..commit(&id, Vec::new()) };
                decided!(api.commit(commit()));
            }
        }
        in_use.fetch_add(amount, Ordering::Relaxed);
        let freed = match number % 5 {
            0 | 2 => {
                let free = || FreeRequest { tenant: HUB.into(), reservation_id: id.clone(), ..Default::default() };
                (number % 4 > 1).then(free)
            }
            1 => {
                let request_id = format!("f{id}");
                Some(FreeRequest { tenant: HUB.into(), request_id, charges: of_name(2), ..Default::default() })
            }
            _ => None,
        };
        if let Some(request) = freed {
            let freed = decided!(api.free(request.clone())).freed;
            let back: i64 = freed.iter().filter_map(|freed| freed.amount).sum();
            in_use.fetch_sub(back, Ordering::Relaxed);
        }
    }
}

/// What is in use and was consumed: by the tenant, by each place, by the repository.
async fn figures(api: &Api, meter: &str) -> (i64, Vec<i64>, i64) {
    let tenant = api.figures(HUB, meter).await.0;
    let mut places = Vec::new();
    for place in PLACES {
        places.push(api.figures(place, meter).await.0);
    }
    (tenant, places, api.figures(&repo(PLACES[0]), meter).await.0)
}

async fn moves_under_load(world: World) {
    let (in_use, consumed) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
    let neighbour = format!("{}/repos/s", PLACES[1]);
    decided!(world.one().consume(of_hub("s", vec![bytes(&neighbour, 1000)])));
    // It has each of the names once, before anybody says them.
    for place in [PLACES[1], PLACES[2], PLACES[0]] {
        assert!(move_to(world.one(), place).await, "{place}");
    }
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let api = world.servers[worker % world.servers.len()].clone();
        workers.spawn(work(api, worker, in_use.clone(), consumed.clone()));
    }
    let done = Arc::new(AtomicBool::new(false));
    let (mover, stop) = (world.servers.last().unwrap().clone(), done.clone());
    let moving = tokio::spawn(async move {
        let (mut moves, mut last) = (0, 0);
        while moves < MOVES || !stop.load(Ordering::Relaxed) {
            let next = (last + 1) % PLACES.len();
            if move_to(&mover, PLACES[next]).await {
                (last, moves) = (next, moves + 1);
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        (moves, last)
    });
    workers.join_all().await;
    done.store(true, Ordering::Relaxed);
    let (moves, last) = moving.await.unwrap();
    println!("features: {moves} moves under {} calls", WORKERS * CALLS);

    let in_use = in_use.load(Ordering::Relaxed);
    for api in &world.servers {
        let mut places = [0, 1000, 0];
        places[last] += in_use;
        assert_eq!(figures(api, "bytes").await, (in_use + 1000, places.to_vec(), in_use));
        let (tenant, places, own) = figures(api, "job.runs").await;
        let consumed = consumed.load(Ordering::Relaxed);
        assert_eq!((tenant, places.iter().sum::<i64>(), own), (consumed, consumed, consumed));
    }
    world.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_moves_back_and_forth_under_load_leaves_exact_totals() {
    moves_under_load(World::on(None, 1).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_does_one_that_another_replica_moves() {
    moves_under_load(World::on(Some(Shared::with_postgres()), 2).await).await;
}

/// A server is killed in the middle of moves, at ever other times: it is in one place or the other afterwards.
async fn kills(world: World) {
    let World { mut servers, database, _shared, _folder } = world;
    let mut api = Arc::into_inner(servers.remove(0)).unwrap();
    api.consume(of_hub("u", vec![bytes(&repo(PLACES[0]), 500)])).await.unwrap();
    for round in 0..KILLS {
        let place = PLACES[usize::try_from(round % 2).unwrap() + 1];
        {
            let moving = std::pin::pin!(move_to(&api, place));
            let _ = tokio::time::timeout(Duration::from_millis(round * 2), moving).await;
        }
        api.server.kill_hard();
        api.server.restart();
        api.reconnect();
        let id = format!("u{round}");
        decided!(api.consume(of_hub(&id, vec![bytes(&repo(PLACES[0]), 1)])));
        let used = 501 + i64::try_from(round).unwrap();
        let (tenant, mut places, own) = figures(&api, "bytes").await;
        places.sort_unstable();
        assert_eq!((tenant, places, own), (used, vec![0, 0, used], used), "round {round}");
    }
    let world = World { servers: vec![Arc::new(api)], database, _shared, _folder };
    world.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_in_the_middle_of_a_move_finishes_it() {
    kills(World::on(None, 1).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_does_where_the_counters_are_in_redis() {
    kills(World::on(Some(Shared::with_file()), 1).await).await;
}
