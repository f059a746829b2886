//! Everything at once: commits of less, as much and more, releases, deadlines, batches and the stream, while the limit is
//! lowered and raised. Afterwards the ledger tells in which order it was decided, and every grant is judged.

use super::history::{key, levels};
use super::place::Place;
use super::ways::Way;
use crate::support::{Server, for_each_seed};
use quotad::proto::v1::{
    ApplyRequest, Charge, CommitRequest, GetUsageRequest, ReleaseRequest, ReserveRequest,
    quota_service_client::QuotaServiceClient, reserve_response,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tonic::transport::Channel;

const TENANT: &str = "tenants/race";
const CLIENTS: usize = 24;
const TIME: Duration = Duration::from_secs(4);
const TEAM: i64 = 1500;
const USER: i64 = 400;
const CATALOG: &str = "
meters:
  - {name: runs, unit: run}
tenants:
  - name: tenants/race
    quotas:
      - {subject: tenants/race, meter: runs, limits: {lifetime: 500}}
      - {subject: tenants/race/teams/-, meter: runs, limits: {lifetime: 1500}}
      - {subject: tenants/race/teams/-/users/-, meter: runs, limits: {lifetime: 400}}
";

#[test]
fn no_grant_passes_the_limit_then_in_force() {
    for_each_seed("races-mixed", 2, |seed| run(seed, Place::embedded));
}

#[test]
fn no_grant_of_three_replicas_passes_the_limit_then_in_force() {
    for_each_seed("races-replicas", 1, |seed| run(seed, Place::replicas));
}

fn run(seed: u64, place: fn(&str) -> Place) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { play(seed, place(CATALOG)).await });
}

/// What one client did: what it committed, and under which version at least each of its grants was decided.
#[derive(Default)]
struct Witness {
    used: BTreeMap<String, i64>,
    granted: Vec<(String, u64)>,
    denied: usize,
}

async fn play(seed: u64, mut place: Place) {
    let mut rng = StdRng::seed_from_u64(seed);
    let in_force = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (quotas, in_force, stop) = (place.quotas(), in_force.clone(), stop.clone());
        let rng = StdRng::seed_from_u64(rng.random());
        clients.spawn(work(client, quotas, rng, in_force, stop));
    }

    // Version 0 stands for all before the first change here.
    let mut limits: BTreeMap<u64, i64> = BTreeMap::from([(0, 500)]);
    let begin = Instant::now();
    while begin.elapsed() < TIME {
        tokio::time::sleep(Duration::from_millis(rng.random_range(5..60))).await;
        let (used, _) = figures(&place).await;
        let limit = (used + rng.random_range(-30..400)).max(0);
        let version = set_limit(&place.servers[rng.random_range(0..place.servers.len())], limit).await;
        limits.insert(version, limit);
        in_force.store(version, Ordering::SeqCst);
    }
    stop.store(true, Ordering::SeqCst);
    let witnesses = clients.join_all().await;

    let begin = Instant::now();
    while figures(&place).await.1 > 0 {
        assert!(begin.elapsed() < Duration::from_secs(3), "holds outlive their deadlines");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    judge(&mut place, &witnesses, &limits).await;
    let sum = |count: fn(&Witness) -> usize| witnesses.iter().map(count).sum::<usize>();
    let (granted, denied) = (sum(|witness| witness.granted.len()), sum(|witness| witness.denied));
    println!("races-mixed: {granted} grants, {denied} denials, {} limits", limits.len());
    assert!(granted > 100 && denied > 100, "the limits must be met often to be tested");
}

/// Compares witnesses, counters and ledger.
async fn judge(place: &mut Place, witnesses: &[Witness], limits: &BTreeMap<u64, i64>) {
    let mut used: BTreeMap<String, i64> = BTreeMap::new();
    for (account, amount) in witnesses.iter().flat_map(|witness| &witness.used) {
        levels(account).for_each(|level| *used.entry(level.to_owned()).or_default() += amount);
    }
    for (account, used) in &used {
        let figures = place.figures(TENANT, account).await;
        assert_eq!((figures.used, figures.held), (*used, 0), "{account}: counter and witnesses");
    }
    let history = place.end().await;
    let limit = |account: &str, version: u64| match levels(account).count() {
        1 => limits.range(..=version).next_back().map(|(_, limit)| *limit),
        2 => Some(TEAM),
        _ => Some(USER),
    };
    let sums = history.replay(limit);
    for (account, (total, held)) in &sums {
        assert_eq!((used.get(account).copied().unwrap_or(0), 0), (*total, *held), "{account}: entries and witnesses");
        assert_eq!(history.counters.get(account).copied().unwrap_or(0), *total, "{account}: entries and counter");
    }
    let versions = history.versions();
    for (id, at_least) in witnesses.iter().flat_map(|witness| &witness.granted) {
        let version = versions[&key(TENANT, id)];
        assert!(version >= *at_least, "{id} was granted under {version} when {at_least} was in force");
    }
}

/// One client's loop.
async fn work(
    client: usize,
    mut quotas: Vec<QuotaServiceClient<Channel>>,
    mut rng: StdRng,
    in_force: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) -> Witness {
    let mut witness = Witness::default();
    for round in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let count = rng.random_range(1..8);
        let requests: Vec<ReserveRequest> =
            (0..count).map(|index| reserve(format!("m{client}.{round}.{index}"), &mut rng)).collect();
        let asked: Vec<Charge> = requests.iter().map(|request| request.charges[0].clone()).collect();
        let since = in_force.load(Ordering::SeqCst);
        let mut commits = Vec::new();
        let way = Way::random(&mut rng);
        // Each call through any of the replicas.
        let replicas = quotas.len();
        let quota = &mut quotas[rng.random_range(0..replicas)];
        let answers = way.reserve(quota, requests).await;
        for (answer, charge) in answers.into_iter().zip(asked) {
            let Some(reserve_response::Outcome::Granted(granted)) = answer.outcome else {
                witness.denied += 1;
                continue;
            };
            witness.granted.push((granted.reservation_id.clone(), since));
            let amount = charge.amount.unwrap();
            match rng.random_range(0..8) {
                0 => commits.push(commit(&granted.reservation_id, &charge, amount)),
                1 => commits.push(commit(&granted.reservation_id, &charge, rng.random_range(1..=amount))),
                2 => commits.push(commit(&granted.reservation_id, &charge, amount + rng.random_range(1..4))),
                3..6 => {
                    let (tenant, reservation_id) = (TENANT.into(), granted.reservation_id);
                    let request = ReleaseRequest { tenant, reservation_id, ..ReleaseRequest::default() };
                    quotas[rng.random_range(0..replicas)].release(request).await.unwrap();
                }
                // Left to its deadline.
                _ => {}
            }
        }
        for request in &commits {
            let charge = &request.charges[0];
            *witness.used.entry(charge.account.clone()).or_default() += charge.amount.unwrap();
        }
        Way::random(&mut rng).commit(&mut quotas[rng.random_range(0..replicas)], commits).await;
    }
    witness
}

fn reserve(id: String, rng: &mut StdRng) -> ReserveRequest {
    let account = format!("{TENANT}/teams/t{}/users/u{}", rng.random_range(0..3), rng.random_range(0..6));
    let charge = Charge { account, meter: "runs".into(), amount: Some(rng.random_range(1..12)), ..Charge::default() };
    let ttl = Some(pbjson_types::Duration { seconds: 0, nanos: rng.random_range(50..600) * 1_000_000 });
    ReserveRequest {
        tenant: TENANT.into(),
        reservation_id: id,
        charges: vec![charge],
        ttl,
        ..ReserveRequest::default()
    }
}

fn commit(id: &str, charge: &Charge, amount: i64) -> CommitRequest {
    let charges = vec![Charge { amount: Some(amount), ..charge.clone() }];
    CommitRequest { tenant: TENANT.into(), reservation_id: id.into(), charges, ..CommitRequest::default() }
}

/// Sets the tenant's limit and answers the catalog version under which it binds.
async fn set_limit(server: &Server, limit: i64) -> u64 {
    let yaml = format!("quotas:\n  - {{subject: {TENANT}, meter: runs, limits: {{lifetime: {limit}}}}}\n");
    let request = ApplyRequest { tenant: TENANT.into(), yaml: yaml.into_bytes(), ..ApplyRequest::default() };
    let etag = server.catalog().apply(request).await.unwrap().into_inner().etag;
    u64::from_str_radix(&etag, 16).unwrap()
}

/// What the tenant has used and holds by now, as one replica says.
async fn figures(place: &Place) -> (i64, i64) {
    let request = GetUsageRequest { tenant: TENANT.into(), account: TENANT.into(), meter: "runs".into() };
    let report = place.servers[0].usage().get_usage(request).await.unwrap().into_inner();
    let window = &report.meters[0].windows[0];
    (window.used, window.held)
}
