//! A late repeat that the flusher found, and an end before it was undone: the next start undoes it, and only once.

use super::books::now_ms;
use super::faults::tamper;
use super::lagging::{GO_ON, STOP};
use crate::support::TempDir;
use quotad::app::{Node, NodeOptions};
use quotad::domain::entry::{Effect, Entry, Kind, Line, LineLevel};
use quotad::domain::meter::Rules;
use quotad::domain::name::{AccountName, IdKey, IdSpace, MeterName, Uid};
use quotad::domain::reservation::{About, Flags, Held, Level, Reservation, State};
use quotad::domain::time::{Period, Timestamp};
use quotad::engine::ports::{CounterKey, Ledger, UsageQuery};
use quotad::store::database::{Database, DatabaseLedger, Sync};
use quotad::store::embedded::INCARNATION;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TENANT: &str = "tenants/late";
const METER: &str = "runs";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_repeat_is_undone_by_the_next_start_and_once() {
    let folder = TempDir::new("repeats");
    let options = NodeOptions { data_dir: folder.path().to_owned(), partitions: Some(1), ..NodeOptions::default() };
    Node::open(options.clone()).await.unwrap().close().await;
    append_original_and_repeat(folder.path()).await;

    // A start that journals the Reverse and is killed before the ledger has it.
    let ledger = folder.path().join("ledger.db");
    tamper(&ledger, STOP).await;
    let node = Node::open(options.clone()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), node.counters.written(0, 2)).await.expect("not undone");
    node.abandon().await;
    tamper(&ledger, GO_ON).await;

    for start in 0..2 {
        let node = Node::open(options.clone()).await.unwrap();
        let begin = Instant::now();
        while !node.ledger.repeated(0).await.unwrap().is_empty() {
            assert!(begin.elapsed().as_secs() < 5, "not undone");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        node.flushed().await.unwrap();
        assert_eq!(used(&*node.ledger).await, 5, "start {start}");
        let tenant: AccountName = TENANT.parse().unwrap();
        let shown = node.authority.get_reservation(&tenant, "r1").await.unwrap();
        assert_eq!(shown.state, State::Committed, "the original stands: {shown:?}");
        node.close().await;
    }
}

async fn used(ledger: &dyn Ledger) -> i64 {
    let counter = CounterKey { account: Uid::of(TENANT), meter: METER.parse::<MeterName>().unwrap().id() };
    let query = UsageQuery { counter, period: Period::ALWAYS, step: None, holds: false };
    ledger.usage(0, &[query]).await.unwrap().1[0].used.total
}

/// Both in the ledger, as a flusher leaves it that ends before it has the repeat undone.
async fn append_original_and_repeat(data: &Path) {
    let database = Database::open(&data.join("ledger.db"), Sync::Normal).await.unwrap();
    let ledger = DatabaseLedger::new(database.clone());
    let seq = ledger.watermark(0).await.unwrap().seq;
    for (number, age) in [(seq + 1, 3_600_000), (seq + 2, 0)] {
        let time = Timestamp::from_millis(now_ms() - age);
        let entry = Arc::new(Entry { time, effects: vec![consumed(time)] });
        let appended = ledger.append(0, INCARNATION, &[(number, entry)]).await.unwrap();
        assert_eq!(appended.repeated.len(), usize::from(age == 0));
    }
    assert_eq!(used(&ledger).await, 10);
    database.close().await;
}

/// A Consume of 5 under the id `r1`.
fn consumed(time: Timestamp) -> Effect {
    let (tenant, meter_id) = (Uid::of(TENANT), METER.parse::<MeterName>().unwrap().id());
    let charge = Held {
        about: Arc::new(About::of(TENANT, METER, meter_id)),
        asked: Some(5),
        held: 0,
        committed: 5,
        unconfirmed: 0,
        lapsed: 0,
        freed: 0,
        final_amount: Some(5),
        rules: Rules::default(),
        path: vec![Level { account: tenant, has_top_up: false, held_top_up: 0, used_top_up: 0 }].into(),
        price: None,
        estimate: None,
    };
    let reservation = Reservation {
        tenant,
        tenant_name: TENANT.into(),
        id: "r1".into(),
        key: IdKey::of(tenant, IdSpace::Reservation, "r1"),
        fingerprint: 1,
        state: State::Committed,
        flags: Flags::default(),
        create_time: time,
        expire_time: time,
        charges: vec![charge],
        labels: Vec::new(),
        requests: Vec::new(),
    };
    let line = Line {
        charge: 0,
        about: Arc::new(About::of(TENANT, METER, meter_id)),
        effective: time,
        used: 5,
        held: 0,
        levels: vec![LineLevel { account: tenant, used_top_up: 0, held_top_up: 0 }].into(),
        chain: 1,
        price: None,
    };
    let reservation = Some(std::sync::Arc::new(reservation));
    Effect {
        tenant,
        time,
        catalog_version: 0,
        kind: Kind::Consume,
        request: None,
        reservation,
        lines: vec![line],
        note: None,
    }
}
