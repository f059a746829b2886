//! The audit on both databases: what was appended is clean, also while more is appended; damage is found, and what follows
//! from entries is written anew.

use super::support::{Place, effect, entries, line, of, on_both, reservation};
use crate::domain::amount;
use crate::domain::entry::{Effect, Kind};
use crate::domain::reservation::State;
use crate::engine::audit::{AuditOptions, AuditReport, Auditor, Drift};
use crate::engine::ports::{INCARNATION_GAP, Ledger, Watermark};
use crate::store::database::connection::{Product, Sql};
use crate::store::database::{Database, DatabaseAuditor, DatabaseLedger};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;

const ACCOUNTS: [&str; 3] = ["tenants/acme", "tenants/acme/users/u1", "tenants/acme/users/u2"];
const START: i64 = 1_790_000_000_000;
const MAX: i64 = amount::MAX as i64;

on_both!(
    what_was_appended_is_clean,
    numbers_that_were_lost_are_no_drift,
    cut_figures_are_not_compared,
    appends_meanwhile_make_no_drift,
    damage_is_found_and_repaired,
    pruned_history_is_told_and_still_summed,
);

/// Use and freed use, with and without a top-up, and reservations that are held, committed and released.
fn history(rng: &mut StdRng, effects: usize) -> Vec<Effect> {
    let mut history = Vec::new();
    for number in 0..effects {
        let account = ACCOUNTS[rng.random_range(0..ACCOUNTS.len())];
        let at = START + rng.random_range(0..40_000_000);
        if rng.random_bool(0.3) {
            reserved(rng, &mut history, &format!("r{number}"), account, at);
            continue;
        }
        let used = rng.random_range(1..1000);
        let top_up = if account == ACCOUNTS[2] { rng.random_range(0..=used) } else { 0 };
        let mut lines = vec![line(account, at, used, top_up)];
        if rng.random_bool(0.3) {
            lines.push(line(account, at, -rng.random_range(1..=used), 0));
        }
        history.push(effect(Kind::Commit, at, lines));
    }
    history
}

fn reserved(rng: &mut StdRng, history: &mut Vec<Effect>, id: &str, account: &str, at: i64) {
    let mut record = reservation(id, account, at);
    let mut change = |record: &crate::domain::reservation::Reservation, kind, used: i64, held: i64| {
        let mut line = line(account, at, used, 0);
        line.held = held;
        history.push(Effect { lines: vec![line], ..of(record, kind, at) });
    };
    change(&record, Kind::Reserve, 0, 5);
    let used = rng.random_range(0..=5);
    match rng.random_range(0..3) {
        0 => return,
        1 => (record.state, record.charges[0].committed) = (State::Committed, used as u64),
        _ => record.state = State::Released,
    }
    record.charges[0].held = 0;
    let used = record.charges[0].committed as i64;
    change(&record, Kind::Commit, used, -5);
}

async fn append(ledger: &DatabaseLedger, rng: &mut StdRng, first: u64, incarnation: u64, effects: usize) -> u64 {
    let entries = entries(first, history(rng, effects));
    let mut rest = entries.as_slice();
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(rng.random_range(1..=rest.len().min(50)));
        ledger.append(3, incarnation, batch).await.unwrap();
        rest = later;
    }
    first - 1 + entries.len() as u64
}

async fn audit(database: &Database, repair: bool) -> AuditReport {
    let options = AuditOptions { repair, step: 5, listed: 1000 };
    DatabaseAuditor::new(database.clone()).audit(options, &|_, _| ()).await.unwrap()
}

async fn what_was_appended_is_clean(product: Product) {
    let place = Place::new(product).await;
    let database = place.database().await;
    assert!(audit(&database, false).await.is_clean(), "an empty ledger");
    let seed = uuid::Uuid::now_v7().as_u64_pair().1;
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    append(&DatabaseLedger::new(database.clone()), &mut rng, 1, 1, 150).await;
    let report = audit(&database, true).await;
    assert!(report.is_clean() && report.repaired == 0 && report.cut == 0, "{report:#?}");
    assert!(report.looked_at["postings"] > 150 && report.looked_at["reservations"] > 10, "{report:#?}");
}

async fn numbers_that_were_lost_are_no_drift(product: Product) {
    let place = Place::new(product).await;
    let database = place.database().await;
    let ledger = DatabaseLedger::new(database.clone());
    let mut rng = StdRng::seed_from_u64(1);
    let last = append(&ledger, &mut rng, 1, 1, 10).await;
    let end = Watermark { incarnation: 1, seq: last };
    let begin = last + INCARNATION_GAP + 100;
    let next = Watermark { incarnation: 2, seq: begin };
    assert!(ledger.open_incarnation(3, end, next).await.unwrap());
    let report = audit(&database, false).await;
    assert!(report.is_clean() && report.lost == 100, "{report:#?}");
    let entries = entries(begin + 1, vec![effect(Kind::Consume, START, vec![line(ACCOUNTS[1], START, 4, 0)])]);
    ledger.append(3, 2, &entries).await.unwrap();
    let report = audit(&database, false).await;
    assert!(report.is_clean() && report.lost == 100, "{report:#?}");

    execute(&database, "UPDATE entry SET seq = seq + 1 WHERE incarnation = 2").await;
    execute(&database, "UPDATE posting SET seq = seq + 1 WHERE incarnation = 2").await;
    let report = audit(&database, false).await;
    assert_eq!(report.drift.keys().copied().collect::<Vec<_>>(), [Drift::EntryGap, Drift::Watermark], "{report:#?}");
}

async fn cut_figures_are_not_compared(product: Product) {
    let place = Place::new(product).await;
    let database = place.database().await;
    let ledger = DatabaseLedger::new(database.clone());
    let lines = [(ACCOUNTS[1], MAX), (ACCOUNTS[1], MAX), (ACCOUNTS[1], -MAX), (ACCOUNTS[2], -3), (ACCOUNTS[2], 5)];
    let effects = lines.map(|(account, used)| effect(Kind::Commit, START, vec![line(account, START, used, 0)]));
    for (seq, effect) in (1..).zip(effects) {
        ledger.append(0, 1, &entries(seq, vec![effect])).await.unwrap();
    }
    let report = audit(&database, true).await;
    assert!(report.is_clean() && report.repaired == 0, "{report:#?}");
    assert!(report.cut >= 4, "{report:#?}");
}

async fn appends_meanwhile_make_no_drift(product: Product) {
    let place = Place::new(product).await;
    let database = place.database().await;
    let ledger = Arc::new(DatabaseLedger::new(place.database().await));
    let writer = tokio::spawn(async move {
        let mut rng = StdRng::seed_from_u64(2);
        let mut last = 0;
        for _ in 0..40 {
            last = append(&ledger, &mut rng, last + 1, 1, 15).await;
        }
        last
    });
    let mut looks = 0;
    while !writer.is_finished() || looks == 0 {
        let report = audit(&database, false).await;
        assert!(report.is_clean(), "{report:#?}");
        looks += 1;
    }
    let last = writer.await.unwrap();
    let report = audit(&database, false).await;
    assert!(report.is_clean() && report.looked_at["entries"] >= last, "{report:#?}");
}

async fn damage_is_found_and_repaired(product: Product) {
    use Drift::{Counter, EntryGap, EntryMissing, Posting, PostingMissing, Reservation, Rollup};
    let damages: [(&str, &[Drift], bool); 8] = [
        ("UPDATE counter SET used = used + 7", &[Counter], true),
        ("DELETE FROM counter", &[Counter], true),
        ("UPDATE rollup SET top_up = top_up + 1", &[Rollup], true),
        ("DELETE FROM rollup WHERE used <> 0 OR top_up <> 0", &[Rollup], true),
        ("DELETE FROM posting WHERE seq = 2", &[PostingMissing], true),
        ("UPDATE posting SET used = used + 1 WHERE seq = 2", &[Posting], true),
        ("UPDATE posting SET effective = effective + 1 WHERE seq = 2", &[PostingMissing, Posting], true),
        ("DELETE FROM entry WHERE seq = 2", &[EntryGap, EntryMissing, Reservation], false),
    ];
    let place = Place::new(product).await;
    let database = place.database().await;
    let ledger = DatabaseLedger::new(database.clone());
    let used = reservation("r", ACCOUNTS[1], START);
    let mut committed = used.clone();
    (committed.state, committed.charges[0].held, committed.charges[0].committed) = (State::Committed, 0, 5);
    let mut held = line(ACCOUNTS[1], START, 0, 0);
    held.held = 5;
    let mut spent = line(ACCOUNTS[1], START, 5, 0);
    spent.held = -5;
    let effects = vec![
        Effect { lines: vec![held], ..of(&used, Kind::Reserve, START) },
        Effect { lines: vec![spent], ..of(&committed, Kind::Commit, START) },
        effect(Kind::Consume, START, vec![line(ACCOUNTS[2], START, 9, 0)]),
    ];
    ledger.append(3, 1, &entries(1, effects)).await.unwrap();
    for (damage, drift, repairable) in damages {
        assert!(execute(&database, damage).await > 0, "{damage}");
        let report = audit(&database, false).await;
        assert_eq!(report.drift.keys().copied().collect::<Vec<_>>(), drift, "{damage}: {report:#?}");
        assert_eq!(report.repaired, 0);
        let report = audit(&database, true).await;
        assert_eq!(report.remaining() == 0, repairable, "{damage}: {report:#?}");
        let report = audit(&database, true).await;
        assert_eq!((report.is_clean(), report.repaired), (repairable, 0), "{damage}: {report:#?}");
    }
}

async fn pruned_history_is_told_and_still_summed(product: Product) {
    let place = Place::new(product).await;
    let database = place.database().await;
    let mut rng = StdRng::seed_from_u64(3);
    let ledger = DatabaseLedger::new(database.clone());
    let last = append(&ledger, &mut rng, 1, 1, 40).await;
    // One that is new, after all that is old.
    let late = START + 1_000_000_000;
    let new = effect(Kind::Consume, late, vec![line(ACCOUNTS[1], late, 4, 0)]);
    ledger.append(3, 1, &entries(last + 1, vec![new])).await.unwrap();
    database.set_setting("retention.place", &format!("{} 1 00 0 0", START + 900_000_000)).await.unwrap();
    execute(&database, "DELETE FROM entry WHERE seq > 0 AND used <> 4").await;
    execute(&database, "DELETE FROM entry WHERE seq < 20").await;
    let report = audit(&database, true).await;
    assert!(report.is_clean() && report.pruned > 0 && report.pruned_before.is_some(), "{report:#?}");
    execute(&database, "UPDATE counter SET used = used + 1").await;
    execute(&database, "UPDATE rollup SET used = used + 1").await;
    let report = audit(&database, true).await;
    assert_eq!(report.drift.keys().copied().collect::<Vec<_>>(), [Drift::Rollup, Drift::Counter], "{report:#?}");
    assert_eq!(report.remaining(), 0, "{report:#?}");
    assert!(audit(&database, false).await.is_clean());
}

async fn execute(database: &Database, sql: &'static str) -> u64 {
    let mut transaction = database.write().await.unwrap();
    let changed = transaction.execute(Sql::same(sql), |_| ()).await.unwrap();
    transaction.commit().await.unwrap();
    changed
}
