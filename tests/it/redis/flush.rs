//! Several flushers on one journal and one ledger: each entry gets there once, whoever works, stops or loses its memory.

use super::fake::{ACCOUNT, FakeStore, METER, at};
use crate::support::TempDir;
use quotad::domain::name::{MeterName, Uid};
use quotad::domain::time::Period;
use quotad::engine::ports::{CounterKey, Ledger, UsageQuery, Watermark};
use quotad::engine::tasks::flush::Flushers;
use quotad::store::database::{Database, DatabaseLedger, Sync};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const INTERVAL: Duration = Duration::from_millis(10);

struct World {
    store: FakeStore,
    ledger: Arc<dyn Ledger>,
    _folder: TempDir,
}

/// One replica's flusher.
struct Replica {
    flushers: Arc<Flushers>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl World {
    async fn new() -> World {
        let folder = TempDir::new("flush");
        let database = Database::open(&folder.path().join("ledger.db"), Sync::Normal).await.unwrap();
        let ledger: Arc<dyn Ledger> = Arc::new(DatabaseLedger::new(database));
        assert!(ledger.open_incarnation(0, Watermark::default(), at(1, 0)).await.unwrap());
        World { store: FakeStore::new(), ledger, _folder: folder }
    }

    async fn replica(&self) -> Replica {
        let marks = [self.ledger.watermark(0).await.unwrap()];
        let store = Arc::new(self.store.clone());
        let flushers = Arc::new(Flushers::new(store, self.ledger.clone(), INTERVAL, true, &marks));
        let stop = CancellationToken::new();
        let task = tokio::spawn(flushers.clone().run(0, stop.clone()));
        Replica { flushers, stop, task }
    }

    /// What the ledger says that was used.
    async fn used(&self) -> i64 {
        let counter = CounterKey { account: Uid::of(ACCOUNT), meter: METER.parse::<MeterName>().unwrap().id() };
        let query = UsageQuery { counter, period: Period::ALWAYS, step: None, holds: false };
        self.ledger.usage(0, &[query]).await.unwrap().1[0].used.total
    }
}

impl Replica {
    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

async fn until(what: &str, check: impl AsyncFn() -> bool) {
    let begin = Instant::now();
    while !check().await {
        assert!(begin.elapsed() < Duration::from_secs(20), "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_flushers_carry_each_entry_once() {
    let world = World::new().await;
    let replicas = [world.replica().await, world.replica().await, world.replica().await];
    let mut sum = 0;
    let mut last = 0;
    for amount in 1..=300 {
        last = world.store.put(amount);
        sum += amount;
        if amount % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if amount % 100 == 0 {
            // Somebody waits, at each replica.
            for replica in &replicas {
                replica.flushers.flushed(0, last).await.unwrap();
                assert!(replica.flushers.has(0, last) && !replica.flushers.has(0, last + 1));
            }
            assert_eq!(world.used().await, sum);
        }
    }
    assert_eq!(last, 300);
    until("all know it", async || replicas.iter().all(|replica| replica.flushers.watermark(0) == last)).await;
    until("nobody is behind", async || replicas.iter().all(|replica| replica.flushers.behind().is_zero())).await;
    assert_eq!((world.used().await, world.store.said()), (sum, last));
    for replica in replicas {
        replica.end().await;
    }
    assert_eq!(world.ledger.watermark(0).await.unwrap(), at(1, 300));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ends_is_followed_by_another() {
    let world = World::new().await;
    let mut replicas = vec![world.replica().await, world.replica().await];
    let mut sum = 0;
    for round in 0..20 {
        for amount in 1..=7 {
            world.store.put(amount);
            sum += amount;
        }
        if round % 2 == 0 {
            tokio::time::sleep(INTERVAL).await;
        }
        // One dies wherever it is; a new one comes.
        replicas.remove(0).kill().await;
        replicas.push(world.replica().await);
    }
    until("all is there", async || world.used().await == sum).await;
    until("it was said", async || world.store.said() == 140).await;
    // The last flush of one that ends in order takes what is left.
    world.store.put(1_000);
    for replica in replicas {
        replica.end().await;
    }
    assert_eq!(world.used().await, sum + 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_carried_but_never_said_is_said() {
    let world = World::new().await;
    for amount in 1..=20 {
        world.store.put(amount);
    }
    // One that died between the ledger's commit and the word to the store.
    world.ledger.append(0, 1, &world.store.everything()).await.unwrap();
    let replica = world.replica().await;
    world.store.put(1);
    until("it was said", async || world.store.said() == 21).await;
    assert_eq!(world.used().await, 211);
    // A quiet partition is left alone.
    let trims = world.store.trims();
    tokio::time::sleep(INTERVAL * 10).await;
    assert_eq!(world.store.trims(), trims);
    replica.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_what_was_lost_is_told_at_once() {
    let world = World::new().await;
    for amount in 1..=10 {
        world.store.put(amount);
    }
    let (first, second) = (world.replica().await, world.replica().await);
    first.flushers.flushed(0, 10).await.unwrap();
    let (flushers, others) = (first.flushers.clone(), second.flushers.clone());
    // Answered, but gone before anybody read it.
    let waiting = tokio::spawn(async move { (flushers.flushed(0, 12).await, others.flushed(0, 11).await) });
    tokio::time::sleep(INTERVAL).await;
    assert!(world.ledger.open_incarnation(0, at(1, 10), at(2, 1_000)).await.unwrap());
    world.store.begin(at(2, 1_000));
    let begin = Instant::now();
    let (one, two) = waiting.await.unwrap();
    for why in [one.unwrap_err().to_string(), two.unwrap_err().to_string()] {
        assert!(why.starts_with("lost"), "{why}");
    }
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    // It goes on from there, and what came before stays known.
    let next = world.store.put(100);
    assert_eq!(next, 1_001);
    for flushers in [&first.flushers, &second.flushers] {
        flushers.flushed(0, next).await.unwrap();
        assert!(flushers.has(0, next) && flushers.has(0, 10) && !flushers.has(0, 11) && flushers.is_lost(0, 11));
    }
    assert_eq!(world.used().await, 155);
    first.end().await;
    second.end().await;
    assert_eq!(world.ledger.watermark(0).await.unwrap(), at(2, 1_001));
}
