//! Three times as many callers as a server has places: what is begun is finished, new work is turned away at once and told when to come again,
//! and the memory stays what it was.

use super::exact::{TENANT, user};
use super::place::Place;
use quotad::proto::v1::{Charge, CommitRequest, ReserveRequest, quota_service_client::QuotaServiceClient};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Calls that the server works on at once.
const PLACES: usize = 32;
/// How long each half takes, unless `QUOTAD_OVERLOAD_SECONDS` says another time.
const SECONDS: u64 = 2;
const CATALOG: &str = "
meters:
  - {name: runs, unit: run}
tenants:
  - name: tenants/race
    quotas:
      - {subject: tenants/race/subtenants/-/users/-, meter: runs, limits: {lifetime: 1_000_000_000}}
";

/// What callers saw.
#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    /// Reserved and committed.
    done: AtomicU64,
    shed_reserves: AtomicU64,
    shed_commits: AtomicU64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overloaded_server_finishes_what_is_begun() {
    let place = Place::embedded_with(CATALOG, &["--max-in-flight", &PLACES.to_string()]);
    let seconds = std::env::var("QUOTAD_OVERLOAD_SECONDS").map_or(SECONDS, |seconds| seconds.parse().unwrap());
    let time = Duration::from_secs(seconds);
    // As many as have room beside each other, then three times as many.
    let begin = resident(&place);
    let peak = play(&place, PLACES, "a", time).await;
    let middle = resident(&place);
    let over = play(&place, 3 * PLACES, "b", time).await;
    let (before, grown) = (middle.saturating_sub(begin), resident(&place).saturating_sub(middle));
    let of = |count: &AtomicU64| count.load(Ordering::SeqCst);
    let (peak, goodput) = (of(&peak.done), of(&over.done));
    let (reserves, commits) = (of(&over.shed_reserves), of(&over.shed_commits));
    println!(
        "races: {goodput} finished of three times the work, {peak} at the peak ({:.2}); turned away: {reserves} reserves, \
         {commits} commits; {} bytes more memory for each that finished, {} at the peak",
        goodput as f64 / peak as f64,
        grown / goodput.max(1),
        before / peak.max(1)
    );
    assert!(goodput > 0 && reserves > 0, "it was not overloaded");
    assert!(commits * 20 <= reserves, "{commits} commits were turned away beside {reserves} reserves");
    let figures = place.figures(TENANT, TENANT).await;
    assert_eq!((figures.used as u64, figures.held), (peak + goodput, 0), "what was begun was finished");
}

/// Reserves and commits by so many callers at once; answers once all that was begun is finished.
async fn play(place: &Place, callers: usize, name: &str, time: Duration) -> Arc<Seen> {
    let seen = Arc::new(Seen::default());
    let mut tasks = JoinSet::new();
    // Streams of one connection are capped, so several connections.
    let connections: Vec<_> = (0..8).map(|number| place.quota(number)).collect();
    for caller in 0..callers {
        let quota = connections[caller % connections.len()].clone();
        tasks.spawn(work(quota, seen.clone(), format!("{name}{caller}"), user(caller)));
    }
    tokio::time::sleep(time).await;
    seen.stop.store(true, Ordering::SeqCst);
    tasks.join_all().await;
    seen
}

async fn work(mut quota: QuotaServiceClient<Channel>, seen: Arc<Seen>, name: String, account: String) {
    for number in 0.. {
        if seen.stop.load(Ordering::SeqCst) {
            return;
        }
        let id = format!("{name}-{number}");
        let charge = Charge { account: account.clone(), meter: "runs".into(), amount: Some(1), ..Charge::default() };
        let request = ReserveRequest {
            tenant: TENANT.into(),
            reservation_id: id.clone(),
            charges: vec![charge],
            ..ReserveRequest::default()
        };
        if let Err(status) = quota.reserve(request).await {
            seen.shed_reserves.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(pushback(&status)).await;
            continue;
        }
        let request = CommitRequest { tenant: TENANT.into(), reservation_id: id, ..CommitRequest::default() };
        while let Err(status) = quota.commit(request.clone()).await {
            seen.shed_commits.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(pushback(&status)).await;
        }
        seen.done.fetch_add(1, Ordering::SeqCst);
    }
}

/// When to come again.
fn pushback(status: &Status) -> Duration {
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(status.get_details_error_info().unwrap().reason, "OVERLOADED");
    status.get_details_retry_info().unwrap().retry_delay.unwrap()
}

/// Bytes of the server that are in memory.
fn resident(place: &Place) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", place.servers[0].pid())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() << 10
}
