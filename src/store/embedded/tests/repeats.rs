//! A late repeat whose finder ended before it undid it, while the journal's end has what became of the repeat meanwhile.

use super::{Folder, INCARNATION, close, open};
use crate::domain::entry::{Effect, Kind, Line, LineLevel};
use crate::domain::meter::Rules;
use crate::domain::name::{IdKey, MeterId, Uid};
use crate::domain::reservation::{About, Flags, Held, Level, Reservation, State};
use crate::domain::time::{Period, Span, Timestamp};
use crate::engine::operation::Counters;
use crate::engine::ports::{Clock, CounterKey, UsageQuery, Watermark};
use crate::engine::tasks::flush::Flushers;
use crate::store::clock::SystemClock;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const ACCOUNT: Uid = Uid(1);
const METER: MeterId = MeterId(1);

/// A Consume of 5 at a time, or the Free of it at the same.
fn effect(kind: Kind, at: Timestamp) -> Effect {
    let freed = if kind == Kind::Free { 5 } else { 0 };
    let about = Arc::new(About::of("tenants/a", "m", METER));
    let charge = Held {
        about: about.clone(),
        asked: Some(5),
        held: 0,
        committed: 5,
        unconfirmed: 0,
        lapsed: 0,
        freed,
        final_amount: Some(5),
        rules: Rules::default(),
        path: vec![Level { account: ACCOUNT, has_top_up: false, held_top_up: 0, used_top_up: 0 }].into(),
        price: None,
        estimate: None,
    };
    let reservation = Reservation {
        tenant: ACCOUNT,
        tenant_name: "tenants/a".into(),
        id: "r1".into(),
        key: IdKey(1),
        fingerprint: 1,
        state: State::Committed,
        flags: Flags::default(),
        create_time: at,
        expire_time: at,
        charges: vec![charge],
        labels: Vec::new(),
        requests: Vec::new(),
    };
    let levels = vec![LineLevel { account: ACCOUNT, used_top_up: 0, held_top_up: 0 }].into();
    let used = if kind == Kind::Free { -5 } else { 5 };
    let line = Line { charge: 0, about, effective: at, used, held: 0, levels, chain: 1, price: None };
    let (reservation, lines) = (Some(Arc::new(reservation)), vec![line]);
    Effect { tenant: ACCOUNT, time: at, catalog_version: 0, kind, request: None, reservation, lines, note: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_journals_end_gave_back_of_a_repeat_is_not_given_back_once_more() {
    let folder = Folder::new();
    let (embedded, ledger) = open(&folder.0, 1).await;
    let counters = embedded.counters.clone();
    let leave = async |effect| {
        let seq = counters.with(0, |partition| partition.tail.push(effect)).unwrap();
        counters.written(0, seq - 1).await;
    };
    let now = SystemClock.now();
    leave(effect(Kind::Consume, now - Span::from_secs(3_600))).await;
    leave(effect(Kind::Consume, now)).await;
    // By a process that ended right after it.
    for (entry, found) in counters.read(0, 0, 10).await.unwrap().into_iter().zip([0, 1]) {
        let appended = ledger.append(0, INCARNATION, &[entry]).await.unwrap();
        assert_eq!(appended.repeated.len(), found);
    }
    leave(effect(Kind::Free, now)).await;

    let hour = Duration::from_secs(3_600);
    let mark = Watermark { incarnation: INCARNATION, seq: 2 };
    let flushers = Arc::new(Flushers::new(counters.clone(), ledger.clone(), hour, false, &[mark]));
    let stop = CancellationToken::new();
    let running = tokio::spawn(flushers.clone().run(0, stop.clone()));
    let begin = Instant::now();
    while !ledger.repeated(0).await.unwrap().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(10), "not undone");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    running.await.unwrap();
    assert_eq!(counters.figures(0).unflushed, 0);
    let counter = CounterKey { account: ACCOUNT, meter: METER };
    let query = UsageQuery { counter, period: Period::ALWAYS, step: None, holds: false };
    assert_eq!(ledger.usage(0, &[query]).await.unwrap().1[0].used.total, 5, "the original's");
    drop((counters, flushers));
    close(embedded).await;
}
