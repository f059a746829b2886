//! Looks at replicas that work.

use super::world::{TENANT, World};
use crate::support::redis::until;
use crate::support::seed;
use quotad::proto::v1::{Charge, CommitRequest, ConsumeRequest, FreeRequest, ReleaseRequest, ReserveRequest};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::task::JoinSet;

/// Calls of every kind, again and again, from one task.
async fn work(quota: &mut Quota, rng: &mut StdRng, number: u64) {
    let account = format!("{TENANT}/users/u{}", rng.random_range(0..12));
    let meter = ["runs", "mails", "disk.bytes"][rng.random_range(0..3)];
    let amount = rng.random_range(1..9);
    let id = format!("n{number}");
    let charge = |amount: i64| Charge {
        account: account.clone(),
        meter: meter.into(),
        amount: Some(amount),
        ..Charge::default()
    };
    let ttl = Some(pbjson_types::Duration { seconds: rng.random_range(1..4), nanos: 0 });
    // What is denied, or ended meanwhile, is an answer too.
    if rng.random_bool(0.3) {
        let (tenant, charges) = (TENANT.into(), vec![charge(amount)]);
        let request = ConsumeRequest { tenant, reservation_id: id, charges, ..ConsumeRequest::default() };
        let _ = quota.consume(request).await.unwrap();
        return;
    }
    let (tenant, reservation_id, charges) = (TENANT.to_owned(), id.clone(), vec![charge(amount)]);
    let request = ReserveRequest { tenant, reservation_id, charges, ttl, ..ReserveRequest::default() };
    let _ = quota.reserve(request).await.unwrap();
    match rng.random_range(0..5) {
        0 => {
            let request = ReleaseRequest { tenant: TENANT.into(), reservation_id: id, ..ReleaseRequest::default() };
            let _ = quota.release(request).await;
        }
        1 | 2 => {
            let (tenant, charges) = (TENANT.into(), vec![charge(rng.random_range(1..12))]);
            let request = CommitRequest { tenant, reservation_id: id, charges, ..CommitRequest::default() };
            let _ = quota.commit(request).await;
        }
        3 if meter == "disk.bytes" => {
            let (tenant, charges) = (TENANT.into(), vec![charge(amount)]);
            let _ = quota.free(FreeRequest { tenant, charges, ..FreeRequest::default() }).await;
        }
        // Nobody comes back: the deadline ends it.
        _ => {}
    }
}

type Quota = quotad::proto::v1::quota_service_client::QuotaServiceClient<tonic::transport::Channel>;

/// Two replicas at work, deadlines passing, minutes changing: every look is clean, and so is what is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_busy_pair_raises_no_alarm() {
    let world = World::new(2, false);
    let seed = seed("verify_live");
    let stop = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for task in 0..16_u64 {
        let mut quota = world.servers[usize::try_from(task).unwrap() % 2].quota();
        let (stop, calls) = (stop.clone(), calls.clone());
        tasks.spawn(async move {
            let mut rng = StdRng::seed_from_u64(seed.wrapping_add(task));
            while !stop.load(Ordering::Relaxed) {
                let number = calls.fetch_add(1, Ordering::Relaxed);
                work(&mut quota, &mut rng, number).await;
            }
        });
    }
    let (mut counters, mut reservations) = (0, 0);
    tokio::task::block_in_place(|| {
        until("calls are under way", || calls.load(Ordering::Relaxed) > 500);
        for round in 0..6 {
            let before = calls.load(Ordering::Relaxed);
            let more: &[&str] = if round == 0 { &[] } else { &["--skip-ledger"] };
            let (status, report) = world.report(more);
            assert_eq!((status, &report["clean"]), (0, &Value::from(true)), "seed {seed}: {report:#}");
            assert!(calls.load(Ordering::Relaxed) > before, "it was compared while calls ran");
            counters += report["looked_at"]["counters in Redis"].as_u64().unwrap();
            reservations += report["looked_at"]["reservations in Redis"].as_u64().unwrap();
        }
    });
    stop.store(true, Ordering::Relaxed);
    tasks.join_all().await;
    assert!(counters > 100 && reservations > 20, "{counters} counters, {reservations} reservations");
    let (status, report) = tokio::task::block_in_place(|| world.report(&[]));
    assert_eq!((status, &report["clean"]), (0, &Value::from(true)), "seed {seed}: {report:#}");
}
