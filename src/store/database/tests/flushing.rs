//! Several flushers at once: they wait for each other, survive what ends their transactions, and the sums stay exact.

use super::server::Server;
use super::support::{Place, counter, effect, entries, line, on_both};
use crate::domain::entry::{Effect, Entry, Kind, Line};
use crate::domain::time::Period;
use crate::engine::ports::{Ledger, StoreError, UsageQuery, Watermark};
use crate::store::database::append::{lock_watermark, move_watermark};
use crate::store::database::connection::{Connection, Product, Sql};
use crate::store::database::pool::Tries;
use crate::store::database::{Database, DatabaseLedger};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

on_both!(whoever_comes_later_waits_and_skips, flushers_at_once_count_everything_once);

const ACCOUNTS: [&str; 3] = ["tenants/acme", "tenants/acme/users/u1", "tenants/acme/users/u2"];
const PARTITIONS: u32 = 3;
type Journal = Vec<(u64, Arc<Entry>)>;

/// The journals of all partitions. They share their accounts, which real ones never do: so their transactions also get into
/// each other's way.
fn journals(rng: &mut StdRng, length: u64) -> Vec<Journal> {
    let effect = |rng: &mut StdRng| -> Effect {
        let count = rng.random_range(1..4);
        let lines = (0..count).map(|_| {
            let used = if rng.random_range(0..4) == 0 { -1 } else { rng.random_range(2..100) };
            line(ACCOUNTS[rng.random_range(0..ACCOUNTS.len())], rng.random_range(0..5_000_000), used, 0)
        });
        effect_of(lines.collect())
    };
    // Something to begin with, so that no sum is ever below zero and cut there.
    let first = || effect_of(ACCOUNTS.iter().map(|account| line(account, 0, 1_000, 0)).collect());
    let all = |rng: &mut StdRng| entries(1, std::iter::once(first()).chain((1..length).map(|_| effect(rng))).collect());
    (0..PARTITIONS).map(|_| all(rng)).collect()
}

fn effect_of(lines: Vec<Line>) -> Effect {
    super::support::effect(Kind::Commit, 1_000, lines)
}

fn naive(journals: &[Journal]) -> BTreeMap<&'static str, i64> {
    let effects = journals.iter().flatten().flat_map(|(_, entry)| &entry.effects);
    let lines: Vec<_> = effects.flat_map(|effect| &effect.lines).collect();
    let sum = |account: &str| {
        let here = |level: crate::domain::entry::LineLevel| level.account == counter(account).account;
        lines.iter().filter(|line| line.levels.iter().any(here)).map(|line| line.used).sum()
    };
    ACCOUNTS.into_iter().map(|account| (account, sum(account))).collect()
}

/// Carries batches of random sizes to the ledger until all is there; begins at times where others have been already.
/// Answers how many appends failed.
async fn flush(ledger: DatabaseLedger, journals: Arc<Vec<Journal>>, mut rng: StdRng) -> u32 {
    let mut failed = 0;
    loop {
        let mut done = true;
        for (partition, journal) in (0..).zip(journals.iter()) {
            let Ok(Watermark { seq, .. }) = ledger.watermark(partition).await else {
                (done, failed) = (false, failed + 1);
                continue;
            };
            if seq == journal.len() as u64 {
                continue;
            }
            done = false;
            let from = (seq as usize).saturating_sub(rng.random_range(0..10));
            let to = (seq as usize + rng.random_range(1..25)).min(journal.len());
            match ledger.append(partition, 1, &journal[from..to]).await {
                Ok(appended) => assert!(appended.watermark.seq >= to as u64),
                Err(error @ StoreError::Corrupt(_)) => panic!("{error}"),
                Err(_) => failed += 1,
            }
        }
        if done {
            return failed;
        }
    }
}

async fn assert_exact(database: &Database, journals: &[Journal]) {
    let ledger = DatabaseLedger::new(database.clone());
    for (account, expected) in naive(journals) {
        for period in
            [Period::ALWAYS, Period { start: crate::domain::time::Timestamp::from_millis(0), ..Period::ALWAYS }]
        {
            let query = UsageQuery { counter: counter(account), period, step: None, holds: false };
            assert_eq!(ledger.usage(0, &[query]).await.unwrap().1[0].used.total, expected, "{account} {period:?}");
        }
    }
    let count = Sql::same("SELECT COUNT(*) FROM entry");
    let rows = database.read().await.unwrap().fetch(count, |_| {}).await.unwrap();
    let lines = journals.iter().flatten().flat_map(|(_, entry)| &entry.effects).map(|effect| effect.lines.len());
    assert_eq!(rows[0].int(0).unwrap(), lines.sum::<usize>() as i64);
}

async fn flushers_at_once_count_everything_once(product: Product) {
    let seed = uuid::Uuid::now_v7().as_u64_pair().1;
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let place = Place::new(product).await;
    let journals = Arc::new(journals(&mut rng, 150));
    let mut flushers = Vec::new();
    for number in 0..4 {
        let ledger = DatabaseLedger::new(place.database().await);
        flushers.push(tokio::spawn(flush(ledger, journals.clone(), StdRng::seed_from_u64(seed ^ number))));
    }
    let database = place.database().await;
    let stop = Arc::new(AtomicBool::new(false));
    let killer = (product == Product::Postgres).then(|| tokio::spawn(kill_backends(database.clone(), stop.clone())));
    for flusher in flushers {
        flusher.await.unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    if let Some(killer) = killer {
        assert!(killer.await.unwrap() > 0, "nobody was thrown out");
    }
    assert_exact(&database, &journals).await;
}

/// Ends sessions in the middle of whatever they do; answers how many.
async fn kill_backends(database: Database, stop: Arc<AtomicBool>) -> u32 {
    let kill = Sql::same(
        "SELECT CAST(COUNT(pg_terminate_backend(pid)) AS BIGINT) FROM
         (SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
            AND xact_start IS NOT NULL ORDER BY random() LIMIT 1) AS one",
    );
    let mut killed = 0;
    while !stop.load(Ordering::SeqCst) {
        let rows = database.read().await.unwrap().fetch(kill, |_| {}).await.unwrap();
        killed += rows[0].int(0).unwrap() as u32;
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    killed
}

async fn whoever_comes_later_waits_and_skips(product: Product) {
    let place = Place::new(product).await;
    let one = place.database().await;
    let two = Arc::new(DatabaseLedger::new(place.database().await));
    let batch = entries(1, vec![effect(Kind::Consume, 1_000, vec![line(ACCOUNTS[1], 1_000, 7, 0)])]);
    let at = Watermark { incarnation: 1, seq: 1 };
    let mut first: Connection = one.write().await.unwrap();
    assert_eq!(lock_watermark(&mut first, 5).await.unwrap(), Watermark::default());
    let later = tokio::spawn({
        let (two, batch) = (two.clone(), batch.clone());
        async move { two.append(5, 1, &batch).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!later.is_finished(), "it went on beside the first one");
    move_watermark(&mut first, 5, at).await.unwrap();
    first.commit().await.unwrap();
    assert_eq!(later.await.unwrap().unwrap().watermark, at);
    let query = UsageQuery { counter: counter(ACCOUNTS[1]), period: Period::ALWAYS, step: None, holds: false };
    assert_eq!(two.usage(5, &[query]).await.unwrap().1[0].used.total, 0, "nothing was left to write");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_is_tried_again_and_nothing_else_is() {
    let place = Place::new(Product::Postgres).await;
    let database = place.database().await;
    for name in ["a", "b"] {
        database.set_setting(name, "0").await.unwrap();
    }
    let (a, b) = (
        Sql::same("UPDATE setting SET value = value || '1' WHERE name = 'a'"),
        Sql::same("UPDATE setting SET value = value || '1' WHERE name = 'b'"),
    );
    let (mut one, mut two) = (database.write().await.unwrap(), database.write().await.unwrap());
    one.execute(a, |_| {}).await.unwrap();
    two.execute(b, |_| {}).await.unwrap();
    let (first, second) = tokio::join!(one.execute(b, |_| {}), two.execute(a, |_| {}));
    let (victim, winner, error) = match (first, second) {
        (Err(error), Ok(1)) => (one, two, error),
        (Ok(1), Err(error)) => (two, one, error),
        other => panic!("{other:?}"),
    };
    assert!(victim.collided() && !winner.collided());
    winner.commit().await.unwrap();
    Tries::default().again(victim, error).await.unwrap();
    assert_eq!(database.setting("a").await.unwrap().as_deref(), Some("01"));
    let mut wrong = database.write().await.unwrap();
    let error = wrong.execute(Sql::same("UPDATE nothing SET x = 1"), |_| {}).await.unwrap_err();
    assert!(matches!(Tries::default().again(wrong, error).await, Err(StoreError::Corrupt(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_and_comes_back_loses_and_doubles_nothing() {
    let mut server = Server::start();
    let url = server.fresh_database().await;
    let mut rng = StdRng::seed_from_u64(7);
    let journals = Arc::new(journals(&mut rng, 400));
    let failures = Arc::new(AtomicU32::new(0));
    // Nobody gets through before the server stops: one of the watermarks is taken.
    let database = Database::open_url(&url).await.unwrap();
    let mut taken = database.write().await.unwrap();
    lock_watermark(&mut taken, PARTITIONS - 1).await.unwrap();
    let mut flushers = Vec::new();
    for number in 0..2 {
        let ledger = DatabaseLedger::new(Database::open_url(&url).await.unwrap());
        let (journals, failures) = (journals.clone(), failures.clone());
        flushers.push(tokio::spawn(async move {
            let failed = flush(ledger, journals, StdRng::seed_from_u64(number)).await;
            failures.fetch_add(failed, Ordering::SeqCst);
        }));
    }
    let ledger = DatabaseLedger::new(database.clone());
    while ledger.watermark(0).await.unwrap().seq == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.stop();
    drop(taken);
    let away = ledger.append(9, 1, &entries(1, vec![effect(Kind::Consume, 1, Vec::new())])).await;
    assert!(matches!(&away, Err(StoreError::Unavailable(_))), "{away:?}");
    assert!(matches!(Database::open_url(&url).await, Err(StoreError::Unavailable(_))));
    server.start_again();
    for flusher in flushers {
        flusher.await.unwrap();
    }
    assert!(failures.load(Ordering::SeqCst) > 0, "nobody noticed");
    assert_exact(&database, &journals).await;
}
