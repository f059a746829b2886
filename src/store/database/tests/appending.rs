//! Append: what is skipped, what is a gap, two at once, negative changes, counters at their end.

use super::support::{Folder, Place, counter, effect, entries, line, on_both};
use crate::domain::amount;
use crate::domain::entry::{Entry, Kind};
use crate::domain::time::Period;
use crate::engine::ports::{Ledger, StoreError, UsageAnswer, UsageQuery, Used, Watermark};
use crate::store::database::DatabaseLedger;
use crate::store::database::connection::{Product, Sql};
use std::sync::Arc;

on_both!(
    entries_count_once,
    a_gap_is_corrupt_and_changes_nothing,
    a_newer_incarnation_begins_at_one_and_an_older_one_is_refused,
    two_at_once_have_one_effect,
    what_is_given_back_lowers_and_never_goes_below_zero,
    counters_saturate_and_nothing_overflows,
    a_path_that_names_an_account_twice_counts_it_once,
    what_is_written_survives_a_close,
    names_of_all_levels_are_kept,
    a_text_that_a_database_can_not_keep_does_not_hold_up_the_others,
);

const USER: &str = "tenants/acme/users/u1";
const MAX: i64 = amount::MAX as i64;

async fn lifetime(ledger: &DatabaseLedger, account: &str) -> UsageAnswer {
    let query = UsageQuery { counter: counter(account), period: Period::ALWAYS, step: None, holds: false };
    let (_, answers) = ledger.usage(0, &[query]).await.unwrap();
    answers[0].clone()
}

async fn used(ledger: &DatabaseLedger, account: &str) -> i64 {
    lifetime(ledger, account).await.used.total
}

fn some(first: u64, amounts: &[i64]) -> Vec<(u64, Arc<Entry>)> {
    let effects = amounts.iter().map(|used| effect(Kind::Consume, 1_000, vec![line(USER, 1_000, *used, 0)]));
    entries(first, effects.collect())
}

fn at(incarnation: u64, seq: u64) -> Watermark {
    Watermark { incarnation, seq }
}

async fn entries_count_once(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    assert_eq!(ledger.watermark(3).await.unwrap(), at(0, 0));
    let all = some(1, &[5, 7, 11]);
    assert_eq!(ledger.append(3, 1, &all[..2]).await.unwrap().watermark, at(1, 2));
    assert_eq!(ledger.append(3, 1, &all[..2]).await.unwrap().watermark, at(1, 2), "all there");
    assert_eq!(ledger.append(3, 1, &all).await.unwrap().watermark, at(1, 3), "the new one alone");
    assert_eq!(ledger.append(3, 1, &[]).await.unwrap().watermark, at(1, 3));
    assert_eq!((used(&ledger, USER).await, used(&ledger, "tenants/acme").await), (23, 23));
    assert_eq!((lifetime(&ledger, USER).await.own, lifetime(&ledger, "tenants/acme").await.own), (23, 0));
    assert_eq!(ledger.watermark(3).await.unwrap(), at(1, 3));
    assert_eq!(ledger.watermark(2).await.unwrap(), at(0, 0), "another partition's is its own");
    assert_eq!(ledger.last_time(3).await.unwrap(), Some(all[2].1.time));
    assert_eq!(ledger.last_time(2).await.unwrap(), None);
}

async fn a_gap_is_corrupt_and_changes_nothing(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    ledger.append(0, 1, &some(1, &[5])).await.unwrap();
    let mut hole = some(2, &[1, 1, 1]);
    hole.remove(1);
    for (entries, expected, found) in [(some(3, &[1]), 2, 3), (hole, 3, 4)] {
        match ledger.append(0, 1, &entries).await {
            Err(StoreError::Corrupt(text)) => {
                assert_eq!(text, format!("partition 0, incarnation 1: expected entry {expected}, found {found}"));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(used(&ledger, USER).await, 5);
}

async fn a_newer_incarnation_begins_at_one_and_an_older_one_is_refused(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    ledger.append(0, 4, &some(1, &[5, 5])).await.unwrap();
    assert!(matches!(ledger.append(0, 5, &some(3, &[1])).await, Err(StoreError::Corrupt(_))));
    assert_eq!(ledger.append(0, 5, &some(1, &[1])).await.unwrap().watermark, at(5, 1));
    assert!(matches!(ledger.append(0, 4, &some(3, &[1])).await, Err(StoreError::Corrupt(_))));
    assert_eq!(used(&ledger, USER).await, 11);
}

async fn two_at_once_have_one_effect(product: Product) {
    let place = Place::new(product).await;
    // Two processes: each has connections of its own.
    let (one, two) = (DatabaseLedger::new(place.database().await), DatabaseLedger::new(place.database().await));
    for round in 0..20_u64 {
        let batch = some(round * 3 + 1, &[1, 2, 3]);
        let (first, second) = tokio::join!(one.append(0, 1, &batch), two.append(0, 1, &batch));
        assert_eq!(first.unwrap().watermark, at(1, round * 3 + 3));
        assert_eq!(second.unwrap().watermark, at(1, round * 3 + 3));
    }
    assert_eq!(used(&one, USER).await, 120);
}

async fn what_is_given_back_lowers_and_never_goes_below_zero(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    ledger.append(0, 1, &some(1, &[-3])).await.unwrap();
    assert_eq!(used(&ledger, USER).await, 0, "a counter that never was");
    ledger.append(0, 1, &some(2, &[10, -4])).await.unwrap();
    ledger.append(0, 1, &some(4, &[-1])).await.unwrap();
    assert_eq!(used(&ledger, USER).await, 5);
    ledger.append(0, 1, &some(5, &[-9])).await.unwrap();
    assert_eq!(used(&ledger, USER).await, 0);
}

async fn counters_saturate_and_nothing_overflows(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    ledger.append(0, 1, &some(1, &[MAX, i64::MAX, i64::MAX])).await.unwrap();
    ledger.append(0, 1, &some(4, &[i64::MAX])).await.unwrap();
    let many: Vec<i64> = vec![i64::MAX; 1500];
    ledger.append(0, 1, &some(5, &many)).await.unwrap();
    assert_eq!(used(&ledger, USER).await, MAX);
    let period = Period { start: crate::domain::time::Timestamp::from_millis(0), ..Period::ALWAYS };
    let short = Period { end: crate::domain::time::Timestamp::from_millis(2_000), ..period };
    for (period, step) in [(period, None), (short, None), (short, Some(1_000)), (period, Some(86_400_000))] {
        let query = UsageQuery { counter: counter(USER), period, step, holds: false };
        let (_, answers) = ledger.usage(0, &[query]).await.unwrap();
        let all = Used { total: MAX, top_up: 0 };
        assert_eq!(answers[0].used, all, "{period:?}");
        assert!(answers[0].steps.iter().all(|(_, used)| *used == all));
    }
    ledger.append(0, 1, &some(1505, &[i64::MIN, i64::MIN])).await.unwrap();
    assert_eq!(used(&ledger, USER).await, 0);
}

async fn a_path_that_names_an_account_twice_counts_it_once(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    let mut twice = line(USER, 1_000, 4, 0);
    twice.levels = twice.levels.iter().chain(twice.levels.get(0)).collect();
    ledger.append(0, 1, &entries(1, vec![effect(Kind::Consume, 1_000, vec![twice])])).await.unwrap();
    assert_eq!(used(&ledger, "tenants/acme").await, 4);
}

async fn what_is_written_survives_a_close(product: Product) {
    let place = Place::new(product).await;
    let database = place.database().await;
    DatabaseLedger::new(database.clone()).append(0, 1, &some(1, &[5, 7])).await.unwrap();
    database.close().await;
    let ledger = DatabaseLedger::new(place.database().await);
    assert_eq!(ledger.watermark(0).await.unwrap(), at(1, 2));
    assert_eq!(used(&ledger, USER).await, 12);
    assert_eq!(ledger.append(0, 1, &some(1, &[5, 7, 1])).await.unwrap().watermark, at(1, 3));
    assert_eq!(used(&ledger, USER).await, 13);
}

async fn a_text_that_a_database_can_not_keep_does_not_hold_up_the_others(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    let mut odd = line(USER, 1_000, 4, 0);
    Arc::make_mut(&mut odd.about).item = "a\0b".into();
    ledger.append(0, 1, &entries(1, vec![effect(Kind::Consume, 1_000, vec![odd])])).await.unwrap();
    assert_eq!(used(&ledger, USER).await, 4);
}

async fn names_of_all_levels_are_kept(product: Product) {
    let place = Place::new(product).await;
    let database = place.database().await;
    let ledger = DatabaseLedger::new(database.clone());
    let mut also = line(USER, 1_000, 4, 0);
    Arc::make_mut(&mut also.about).also = vec!["tenants/acme/pools/p1".into()];
    also.levels = also.levels.iter().chain(line("tenants/acme/pools/p1", 0, 0, 0).levels.get(1)).collect();
    ledger.append(0, 1, &entries(1, vec![effect(Kind::Consume, 1_000, vec![also])])).await.unwrap();
    let all = Sql::same("SELECT name, uid FROM account");
    let rows = database.read().await.unwrap().fetch(all, |_| {}).await.unwrap();
    let mut names: Vec<(String, &[u8])> =
        rows.iter().map(|row| (row.text(0).unwrap(), row.bytes(1).unwrap())).collect();
    names.sort();
    let expected = ["tenants/acme", "tenants/acme/pools/p1", USER];
    for ((name, uid), expected) in names.iter().zip(expected) {
        assert_eq!((name.as_str(), *uid), (expected, &counter(expected).account.to_bytes()[..]));
    }
    assert_eq!(names.len(), 3);
}

#[tokio::test]
async fn after_a_full_disk_writing_goes_on() {
    use sqlx::{ConnectOptions, Connection};
    let folder = Folder::new();
    let database = folder.database().await;
    let ledger = DatabaseLedger::new(database.clone());
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.file()).connect().await.unwrap();
    // As a full disk does while pages are written: SQLite ends the transaction by itself.
    let full = "CREATE TRIGGER full BEFORE INSERT ON entry BEGIN SELECT RAISE(ROLLBACK, 'the disk is full'); END";
    sqlx::raw_sql(full).execute(&mut other).await.unwrap();
    for _ in 0..3 {
        let refused = ledger.append(0, 1, &some(1, &[1, 2])).await.unwrap_err();
        assert!(refused.to_string().contains("the disk is full"), "the cause, not what it left behind: {refused}");
    }
    sqlx::raw_sql("DROP TRIGGER full").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    assert_eq!(ledger.append(0, 1, &some(1, &[1, 2])).await.unwrap().watermark, at(1, 2), "as soon as there is room");
    ledger.prune(crate::domain::time::Timestamp::from_millis(0)).await.unwrap();
    database.set_setting("a", "b").await.unwrap();
    assert_eq!(used(&ledger, USER).await, 3);
}
