//! The embedded store when things go wrong inside it: a step that panics, a journal that can't be written.

mod deadlines;
mod repeats;

use super::counters::EmbeddedCounters;
use super::journal::{Full, Journal, JournalRow};
use super::partition::Partition;
use super::waiters::Finished;
use super::{Caps, Embedded, EmbeddedOptions, INCARNATION, Safety};
use crate::domain::entry::{Effect, Kind};
use crate::domain::name::{IdKey, Uid};
use crate::domain::time::Timestamp;
use crate::engine::audit::{AuditOptions, Auditor};
use crate::engine::operation::Counters;
use crate::engine::ports::{Clock, Ledger, StoreError, Watermark};
use crate::engine::tasks::flush::Flushers;
use crate::store::clock::{SystemClock, TestClock};
use crate::store::database::{Database, DatabaseAuditor, DatabaseLedger, Sync};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// A folder that goes away with this value.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("quotad-embedded-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn open(folder: &Path, partitions: u32) -> (Embedded, Arc<dyn Ledger>) {
    open_at(folder, partitions, Arc::new(SystemClock)).await
}

async fn open_at(folder: &Path, partitions: u32, clock: Arc<dyn Clock>) -> (Embedded, Arc<dyn Ledger>) {
    let database = Database::open(&folder.join("ledger.db"), Sync::Normal).await.unwrap();
    let ledger: Arc<dyn Ledger> = Arc::new(DatabaseLedger::new(database));
    let options = EmbeddedOptions {
        path: folder.join("journal"),
        installation: "one".into(),
        partitions,
        safety: Safety::Process,
        waits: true,
        caps: Caps::default(),
        clock,
    };
    (Embedded::open(options, ledger.clone()).await.unwrap(), ledger)
}

/// Leaves an effect without lines, as a verb would, and answers the number of its entry.
fn leave(counters: &EmbeddedCounters, partition: u32) -> Result<u64, StoreError> {
    counters.with(partition, |partition| partition.tail.push(effect(partition.now)))
}

/// Leaves an effect as soon as the partition can be used.
async fn leave_at_last(counters: &EmbeddedCounters, partition: u32) -> u64 {
    let begin = Instant::now();
    loop {
        match leave(counters, partition) {
            Ok(seq) => return seq,
            Err(error) => assert!(begin.elapsed() < Duration::from_secs(5), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_panic_in_a_step_costs_its_caller_and_nobody_else() {
    let folder = Folder::new();
    let (embedded, _ledger) = open(&folder.0, 2).await;
    let counters = embedded.counters.clone();
    counters.raise(Some(Uid(6)), 5).await.unwrap();
    let before = leave(&counters, 0).unwrap();

    // The step leaves its partition half changed: a reservation is gone, and an id stays that was never used.
    let step = AssertUnwindSafe(|| {
        counters.with(0, |partition| {
            partition.ids.remember_request(IdKey(9), &known(), 99, true, partition.now);
            panic!("a fault in a step");
        })
    });
    let outcome: Result<Result<(), StoreError>, _> = catch_unwind(step);
    assert!(outcome.is_err(), "the caller is told");
    // Versions bind even while the partition is away.
    counters.raise(Some(Uid(8)), 6).await.unwrap();

    let after = leave_at_last(&counters, 0).await;
    assert!(after > before, "what was left before the panic is written: {before}, {after}");
    let (forgotten, stale) = counters
        .with(0, |partition| {
            (partition.ids.request(&IdKey(9)).is_none(), [partition.stale(Uid(6), 1), partition.stale(Uid(8), 1)])
        })
        .unwrap();
    assert!(forgotten, "the value was loaded anew");
    assert_eq!(stale, [Some(5), Some(6)]);
    tokio::time::timeout(Duration::from_secs(5), counters.written(0, after - 1)).await.unwrap();
    let entries = counters.read(0, 0, 100).await.unwrap();
    let effects: usize = entries.iter().map(|(_, entry)| entry.effects.len()).sum();
    assert_eq!(effects, 2, "each effect once");
    leave(&counters, 1).unwrap();
    drop(counters);
    close(embedded).await;
}

#[tokio::test]
async fn a_failed_group_commit_breaks_all_its_partitions_and_mends_them() {
    let folder = Folder::new();
    let (embedded, _ledger) = open(&folder.0, 3).await;
    let counters = embedded.counters.clone();
    let disk = Full::of(&folder.0.join("journal"));
    disk.set(true);
    // On one thread all three are left before the journal's thread can be told twice.
    let waits: Vec<_> = (0..3)
        .map(|index| {
            counters.with(index, |partition| {
                let seq = partition.tail.push(effect(partition.now));
                partition.tail.group_of(seq, &partition.in_flight).unwrap()
            })
        })
        .collect();
    for group in waits.into_iter().flatten() {
        let refused = tokio::time::timeout(Duration::from_secs(2), group.finished()).await.expect("nobody hangs");
        assert!(refused.unwrap_err().contains("disk full"));
    }
    disk.set(false);
    for index in 0..3 {
        let seq = leave_at_last(&counters, index).await;
        assert_eq!(seq, 1, "what was refused never happened");
        tokio::time::timeout(Duration::from_secs(5), counters.written(index, 0)).await.unwrap();
    }
    drop(counters);
    close(embedded).await;
}

/// A step that panics; its caller is told.
fn break_by_a_panic(counters: &EmbeddedCounters, partition: u32) {
    let step = AssertUnwindSafe(|| counters.with(partition, |_| panic!("a fault in a step")));
    assert!(catch_unwind(step).map(|_: Result<(), StoreError>| ()).is_err());
}

#[tokio::test]
async fn what_a_panic_broke_on_a_core_is_loaded_again_though_no_other_thread_is_woken() {
    let folder = Folder::new();
    let (embedded, _ledger) = open(&folder.0, 1).await;
    let counters = embedded.counters.clone();
    let core = tokio::spawn(counters.write_here());
    tokio::task::yield_now().await;
    break_by_a_panic(&counters, 0);
    assert_eq!(leave_at_last(&counters, 0).await, 1);
    core.abort();
    close(embedded).await;
}

/// A caller who leaves the next effect as soon as one is written, until it is told to end.
struct Restless {
    counters: Arc<EmbeddedCounters>,
    wait: Mutex<Option<Finished>>,
    ended: AtomicBool,
}

impl Wake for Restless {
    fn wake(self: Arc<Self>) {
        if self.ended.load(Ordering::SeqCst) {
            return;
        }
        let leave = |partition: &mut Partition| {
            let seq = partition.tail.push(effect(partition.now));
            partition.tail.group_of(seq, &partition.in_flight).unwrap()
        };
        let mut wait = self.counters.with(1, leave).unwrap().finished();
        let waker = Waker::from(self.clone());
        if Pin::new(&mut wait).poll(&mut Context::from_waker(&waker)).is_pending() {
            *self.wait.lock().unwrap() = Some(wait);
        } else {
            waker.wake();
        }
    }
}

#[tokio::test]
async fn callers_that_never_pause_do_not_hold_up_what_is_broken() {
    let folder = Folder::new();
    let (embedded, _ledger) = open(&folder.0, 2).await;
    let counters = embedded.counters.clone();
    let restless =
        Arc::new(Restless { counters: counters.clone(), wait: Mutex::default(), ended: AtomicBool::new(false) });
    Waker::from(restless.clone()).wake();
    tokio::time::timeout(Duration::from_secs(5), counters.written(1, 9)).await.unwrap();
    break_by_a_panic(&counters, 0);
    assert_eq!(leave_at_last(&counters, 0).await, 1);
    restless.ended.store(true, Ordering::SeqCst);
    drop(counters);
    close(embedded).await;
}

#[tokio::test]
async fn a_panic_in_a_group_commit_is_a_failure_like_others() {
    for on_a_core in [false, true] {
        let folder = Folder::new();
        let (embedded, ledger) = open(&folder.0, 1).await;
        let counters = embedded.counters.clone();
        let core = tokio::spawn({
            let counters = counters.clone();
            async move {
                if on_a_core {
                    counters.write_here().await
                }
            }
        });
        tokio::task::yield_now().await;
        Full::of(&folder.0.join("journal")).panic_once();
        let left = counters.with(0, |partition| {
            let seq = partition.tail.push(effect(partition.now));
            partition.tail.group_of(seq, &partition.in_flight)
        });
        let refused = tokio::time::timeout(Duration::from_secs(2), left.unwrap().unwrap().finished()).await;
        assert!(refused.expect("nobody hangs").unwrap_err().contains("a panic"));
        assert_eq!(leave_at_last(&counters, 0).await, 1, "what was refused never happened");
        core.abort();
        drop(counters);
        close(embedded).await;
        let journal = Journal::open(&folder.0.join("journal"), Safety::Process).unwrap();
        assert_eq!(journal.read(0, 0).unwrap().len(), 1);
        drop(ledger);
    }
}

#[tokio::test]
async fn calls_after_the_end_are_refused_and_do_not_hang() {
    let folder = Folder::new();
    let (embedded, _ledger) = open(&folder.0, 2).await;
    let counters = embedded.counters.clone();
    leave(&counters, 0).unwrap();
    close(embedded).await;
    assert!(leave(&counters, 0).is_err() && leave(&counters, 1).is_err());
    assert_eq!(counters.head(0).seq, 1, "what was left before the end is written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_waits_is_flushed_without_a_rest_in_between_and_once() {
    let folder = Folder::new();
    let (embedded, ledger) = open(&folder.0, 1).await;
    let counters = embedded.counters.clone();
    // More entries than are read at once, and one that is more than enough for a transaction.
    for _ in 0..2_500 {
        let seq = leave(&counters, 0).unwrap();
        counters.written(0, seq - 1).await;
    }
    let many = |partition: &mut Partition| {
        for _ in 0..20_000 {
            partition.tail.push(effect(partition.now));
        }
    };
    counters.with(0, many).unwrap();
    counters.written(0, counters.head(0).seq).await;
    for _ in 0..1_100 {
        let seq = leave(&counters, 0).unwrap();
        counters.written(0, seq - 1).await;
    }
    let head = counters.head(0).seq;

    let hour = Duration::from_secs(3_600);
    let flushers = Arc::new(Flushers::new(counters.clone(), ledger.clone(), hour, false, &[Watermark::default()]));
    let stop = CancellationToken::new();
    let running = tokio::spawn(flushers.clone().run(0, stop.clone()));
    let begin = Instant::now();
    while flushers.watermark(0) < head {
        assert!(begin.elapsed() < Duration::from_secs(60), "it rests at {} of {head}", flushers.watermark(0));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    running.await.unwrap();
    assert_eq!(ledger.watermark(0).await.unwrap().seq, head);
    assert_eq!(counters.figures(0).unflushed, 0);
    drop((counters, flushers));
    close(embedded).await;
    let database = Database::open(&folder.0.join("ledger.db"), Sync::Normal).await.unwrap();
    let audit = DatabaseAuditor::new(database);
    let report = audit.audit(AuditOptions::default(), &|_, _| ()).await.unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!(report.looked_at["entries"], 2_500 + 20_000 + 1_100, "a row for each effect without lines");
}

#[tokio::test]
async fn time_does_not_go_back_from_start_to_start() {
    let folder = Folder::new();
    let noon = Timestamp::from_millis(43_200_000);
    let (embedded, ledger) = open_at(&folder.0, 1, Arc::new(TestClock::new(noon))).await;
    let counters = embedded.counters.clone();
    counters.expire(0, 1).await.unwrap();
    leave(&counters, 0).unwrap();
    tokio::time::timeout(Duration::from_secs(5), counters.written(0, 0)).await.unwrap();
    // The ledger has everything, so that nothing is left to replay.
    let entries = counters.read(0, 0, 10).await.unwrap();
    ledger.append(0, INCARNATION, &entries).await.unwrap();
    counters.trim(0, 1).await.unwrap();
    drop(counters);
    close(embedded).await;

    let earlier = Arc::new(TestClock::new(Timestamp::from_millis(1)));
    let (embedded, _ledger) = open_at(&folder.0, 1, earlier).await;
    let now = embedded.counters.with(0, |partition| partition.now).unwrap();
    assert_eq!(now, noon);
    close(embedded).await;
}

fn effect(time: Timestamp) -> Effect {
    Effect {
        tenant: Uid(1),
        time,
        catalog_version: 0,
        kind: Kind::Free,
        request: None,
        reservation: None,
        lines: Vec::new(),
        note: None,
    }
}

#[tokio::test]
async fn an_older_ledger_and_a_foreign_journal_are_refused() {
    let folder = Folder::new();
    let journal = || Journal::open(&folder.0.join("journal"), Safety::Process).unwrap();
    let entry = crate::domain::entry::Entry { time: Timestamp::from_millis(1), effects: vec![] };
    let row = |seq| JournalRow { partition: 0, seq, entry: entry.clone().into() };
    journal().set_installation("another").unwrap();
    journal().append(&[row(1), row(2), row(3)]).unwrap();
    remove_all_but_the_numbers(&folder.0.join("journal"));
    assert_eq!((journal().newest(0), journal().read(0, 3).unwrap().len()), (3, 0));
    let database = Database::open(&folder.0.join("ledger.db"), Sync::Normal).await.unwrap();
    let ledger: Arc<dyn Ledger> = Arc::new(DatabaseLedger::new(database));
    let options = || EmbeddedOptions {
        path: folder.0.join("journal"),
        installation: "one".into(),
        partitions: 1,
        safety: Safety::Process,
        waits: true,
        caps: Caps::default(),
        clock: Arc::new(SystemClock),
    };
    let refused = Embedded::open(options(), ledger.clone()).await.err().unwrap().to_string();
    assert!(refused.contains("different installations"), "though the ledger is a fresh one: {refused}");
    assert_eq!(journal().installation(), Some("another"), "a refused start changes nothing");
    journal().set_installation("one").unwrap();
    let refused = Embedded::open(options(), ledger.clone()).await.err().unwrap().to_string();
    assert!(refused.contains("up to entry 0") && refused.contains("newest ledger.db"), "{refused}");
    journal().set_installation("another").unwrap();

    let entry = Arc::new(entry.clone());
    ledger.append(0, 0, &[(1, entry.clone()), (2, entry.clone())]).await.unwrap();
    let refused = Embedded::open(options(), ledger.clone()).await.err().unwrap().to_string();
    assert!(refused.contains("different installations"), "{refused}");

    journal().set_installation("one").unwrap();
    ledger.append(0, 0, &[(3, entry.clone()), (4, entry.clone()), (5, entry)]).await.unwrap();
    let embedded = Embedded::open(options(), ledger).await.expect("an older journal is told, not refused");
    assert_eq!(leave(&embedded.counters, 0).unwrap(), 6, "numbers go on after the ledger's");
    close(embedded).await;
}

/// Leaves of a journal what a trim leaves: the numbers of what was there.
fn remove_all_but_the_numbers(folder: &Path) {
    let mut journal = Journal::open(folder, Safety::Process).unwrap();
    journal.begin_anew();
    assert!(journal.let_go(&[u64::MAX]).remove().is_ok());
}

fn known() -> crate::engine::ports::KnownRequest {
    crate::engine::ports::KnownRequest { fingerprint: 1, kind: 1, reservation: None, amounts: Vec::new() }
}

async fn close(embedded: Embedded) {
    tokio::task::spawn_blocking(move || embedded.close()).await.unwrap();
}
