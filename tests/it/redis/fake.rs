//! A counter store that replicas share, without Redis: a journal in memory that can be lost and begun anew.

use quotad::domain::entry::{Effect, Entry, Kind, Line, LineLevel};
use quotad::domain::name::{AccountName, MeterName, Uid};
use quotad::domain::reservation::{About, Reservation};
use quotad::domain::time::{Span, Timestamp};
use quotad::engine::operation::{Counters, Figures, Numbered, Operation, Refill, Reply};
use quotad::engine::ports::{Boxed, StoreError, Watermark};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

pub(super) const ACCOUNT: &str = "tenants/acme/users/u1";
pub(super) const METER: &str = "job.runs";

/// What all replicas see.
#[derive(Default)]
struct Journal {
    entries: BTreeMap<u64, Arc<Entry>>,
    flushed: u64,
    trims: u32,
}

/// One replica's hands on it; clones are other replicas'.
#[derive(Clone)]
pub(super) struct FakeStore {
    journal: Arc<Mutex<Journal>>,
    head: Arc<watch::Sender<Watermark>>,
}

impl FakeStore {
    pub(super) fn new() -> FakeStore {
        FakeStore { journal: Arc::default(), head: Arc::new(watch::Sender::new(at(1, 0))) }
    }

    /// Another entry that uses `amount`; answers its number.
    pub(super) fn put(&self, amount: i64) -> u64 {
        let mut journal = self.journal.lock().unwrap();
        let mut seq = 0;
        self.head.send_modify(|head| {
            head.seq += 1;
            seq = head.seq;
            journal.entries.insert(seq, Arc::new(entry(amount)));
        });
        seq
    }

    /// Another lifetime, which has nothing of the one before.
    pub(super) fn begin(&self, next: Watermark) {
        self.journal.lock().unwrap().entries.clear();
        self.head.send_replace(next);
    }

    /// How far somebody said that the ledger is.
    pub(super) fn said(&self) -> u64 {
        self.journal.lock().unwrap().flushed
    }

    /// How often somebody said so.
    pub(super) fn trims(&self) -> u32 {
        self.journal.lock().unwrap().trims
    }

    /// What is in the journal, as it goes to the ledger.
    pub(super) fn everything(&self) -> Vec<Numbered> {
        self.journal.lock().unwrap().entries.iter().map(|(seq, entry)| (*seq, entry.clone())).collect()
    }
}

pub(super) fn at(incarnation: u64, seq: u64) -> Watermark {
    Watermark { incarnation, seq }
}

fn entry(used: i64) -> Entry {
    let time = Timestamp::from_millis(1_700_000_000_000);
    let name: AccountName = ACCOUNT.parse().unwrap();
    let level = |name| LineLevel { account: Uid::of(name), used_top_up: 0, held_top_up: 0 };
    let levels: Vec<LineLevel> = name.chain().map(level).collect();
    let line = Line {
        charge: 0,
        about: Arc::new(About::of(ACCOUNT, METER, METER.parse::<MeterName>().unwrap().id())),
        effective: time,
        used,
        held: 0,
        chain: u8::try_from(levels.len()).unwrap(),
        levels: levels.into(),
        price: None,
    };
    let effect = Effect {
        tenant: Uid::of("tenants/acme"),
        time,
        catalog_version: 1,
        kind: Kind::Consume,
        request: None,
        reservation: None,
        lines: vec![line],
        note: None,
    };
    Entry { time, effects: vec![effect] }
}

impl Counters for FakeStore {
    fn partitions(&self) -> u32 {
        1
    }

    fn partition_of(&self, _: Uid) -> u32 {
        0
    }

    fn apply<'a>(&'a self, _: &'a mut Operation) -> Boxed<'a, Result<Reply, StoreError>> {
        panic!("a flusher decides nothing")
    }

    fn install<'a>(&'a self, _: u32, _: Watermark, _: &'a [Refill]) -> Boxed<'a, Result<(), StoreError>> {
        panic!("a flusher loads nothing")
    }

    fn raise(&self, _: Option<Uid>, _: u64) -> Boxed<'_, Result<(), StoreError>> {
        panic!("a flusher publishes nothing")
    }

    fn expire(&self, _: u32, _: usize) -> Boxed<'_, Result<usize, StoreError>> {
        panic!("a flusher ends nothing")
    }

    fn reverse(&self, _: u32, _: Box<Reservation>) -> Boxed<'_, Result<(), StoreError>> {
        panic!("nothing is repeated here")
    }

    fn head(&self, _: u32) -> Watermark {
        *self.head.borrow()
    }

    fn read(&self, _: u32, seq: u64, limit: usize) -> Boxed<'_, Result<Vec<Numbered>, StoreError>> {
        let journal = self.journal.lock().unwrap();
        let after = journal.entries.range(seq + 1..).take(limit);
        let found = after.map(|(seq, entry)| (*seq, entry.clone())).collect();
        Box::pin(async move {
            // As on a network: others come between.
            tokio::task::yield_now().await;
            Ok(found)
        })
    }

    fn trim(&self, _: u32, seq: u64) -> Boxed<'_, Result<(), StoreError>> {
        let mut journal = self.journal.lock().unwrap();
        journal.flushed = journal.flushed.max(seq);
        journal.trims += 1;
        // A few are kept, as Redis keeps them.
        let keep = journal.flushed.saturating_sub(5);
        journal.entries.retain(|seq, _| *seq > keep);
        Box::pin(async { Ok(()) })
    }

    fn written(&self, _: u32, seq: u64) -> Boxed<'_, ()> {
        let mut head = self.head.subscribe();
        Box::pin(async move {
            head.wait_for(|head| head.seq > seq).await.unwrap();
        })
    }

    fn drop_idle(&self, _: u32, _: Span) -> Boxed<'_, Result<usize, StoreError>> {
        Box::pin(async { Ok(0) })
    }

    fn figures(&self, _: u32) -> Figures {
        let unflushed = self.head.borrow().seq.saturating_sub(self.said());
        Figures { unflushed: usize::try_from(unflushed).unwrap(), ..Figures::default() }
    }
}
