//! Retention: old entries go, old postings become one a minute, and no sum over whole minutes changes.

use super::support::{Place, counter, effect, entries, in_state, line, of, on_both, reservation};
use crate::domain::entry::Kind;
use crate::domain::name::Uid;
use crate::domain::reservation::State;
use crate::domain::time::{Period, Span, Timestamp};
use crate::engine::audit::{AuditOptions, Auditor};
use crate::engine::ports::{Ledger, UsageAnswer, UsageQuery, Watermark};
use crate::store::database::connection::{Connection, Product, Sql};
use crate::store::database::{Database, DatabaseAuditor, DatabaseLedger};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

on_both!(sums_stay_and_rows_go, several_prune_at_once, without_retention_everything_stays);

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;
/// A day in 2026.
const START: i64 = 1_790_000_000_000 / DAY * DAY;
const ACCOUNTS: [&str; 3] = ["tenants/acme", "tenants/acme/users/u1", "tenants/acme/users/u2"];

async fn ledger(database: &Database, days: i64) -> DatabaseLedger {
    DatabaseLedger::new(database.clone()).with_retention(Some(Span::from_secs(days * 86_400)))
}

async fn count(database: &Database, sql: &'static str) -> i64 {
    let mut connection: Connection = database.read().await.unwrap();
    connection.fetch_optional(Sql::same(sql), |_| {}).await.unwrap().unwrap().int(0).unwrap()
}

/// Ten days with much use in few minutes, some of it given back.
async fn fill(ledger: &DatabaseLedger, rng: &mut StdRng) {
    for day in 0..10 {
        let effects = (0..40).map(|n| {
            let time = START + day * DAY + n * 1000;
            let at = START + day * DAY + rng.random_range(0..5) * 17 * MINUTE + rng.random_range(0..MINUTE);
            let used = rng.random_range(1..1000);
            let account = ACCOUNTS[rng.random_range(0..3)];
            let lines = vec![line(account, at, used, used / 2), line(account, at + 1, -used / 2, 0)];
            effect(Kind::Commit, time, lines)
        });
        let first = u64::try_from(day * 40 + 1).unwrap();
        ledger.append(0, 1, &entries(first, effects.collect())).await.unwrap();
    }
}

fn queries() -> Vec<UsageQuery> {
    let mut queries = Vec::new();
    for account in ACCOUNTS {
        let mut add = |start: i64, end: i64, step| {
            let period = Period { start: Timestamp::from_millis(start), end: Timestamp::from_millis(end) };
            queries.push(UsageQuery { counter: counter(account), period, step, holds: false });
        };
        add(START, START + 10 * DAY, None);
        for minutes in [1, 16, 17, 18, 34, 35, 1439, 1440, 1441, 5000] {
            add(START + minutes * MINUTE, START + 9 * DAY, Some(7 * MINUTE));
            add(START, START + minutes * MINUTE, Some(MINUTE));
        }
        queries.push(UsageQuery { counter: counter(account), period: Period::ALWAYS, step: None, holds: false });
    }
    queries
}

async fn answers(ledger: &DatabaseLedger) -> (Watermark, Vec<UsageAnswer>) {
    ledger.usage(0, &queries()).await.unwrap()
}

/// What `quotad verify` would say; answers from when on it could look.
async fn audit(database: &Database) -> Option<Timestamp> {
    let options = AuditOptions { repair: false, step: 500, listed: 10 };
    let report = DatabaseAuditor::new(database.clone()).audit(options, &|_, _| {}).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    report.pruned_before
}

/// Prunes to the end, in a bounded number of steps.
async fn prune(ledger: &DatabaseLedger, now: i64) -> u64 {
    let mut gone = 0;
    for _ in 0..1000 {
        match ledger.prune(Timestamp::from_millis(now)).await.unwrap() {
            0 => return gone,
            some => gone += some,
        }
    }
    panic!("it has no end");
}

async fn sums_stay_and_rows_go(product: Product) {
    let place = Place::new(product).await;
    let database = place.database().await;
    let kept = ledger(&database, 40).await;
    let mut rng = StdRng::seed_from_u64(7);
    fill(&kept, &mut rng).await;
    // Memory that is still in use, made on the first day.
    let mut in_use = in_state(&reservation("r", ACCOUNTS[1], START), State::Committed);
    (in_use.charges[0].committed, in_use.charges[0].held) = (5, 0);
    let mut made = of(&in_use, Kind::Commit, START + 9 * DAY + 50_000);
    made.lines = vec![line(ACCOUNTS[1], START, 5, 0)];
    kept.append(0, 1, &entries(401, vec![made])).await.unwrap();
    let before = answers(&kept).await;
    let (rows, postings) = ("SELECT COUNT(*) FROM entry", "SELECT COUNT(*) FROM posting");
    assert_eq!(audit(&database).await, None);
    let (had, posted) = (count(&database, rows).await, count(&database, postings).await);

    // 45 days after the start, what is older than the fifth day is old.
    let now = START + 45 * DAY + 7;
    assert!(prune(&kept, now).await > 0);
    assert_eq!(answers(&kept).await, before);
    assert_eq!(count(&database, rows).await, had - 5 * 40 * 2, "entries of five of ten days");
    assert_eq!(audit(&database).await, Some(Timestamp::from_millis(START + 5 * DAY)));
    // Five minutes a day were used, on three accounts.
    let left = count(&database, postings).await;
    assert!(left <= posted / 2 + 5 * 5 * 3 + 10, "{left} of {posted} postings");
    assert_eq!(prune(&kept, now).await, 0, "once a day is enough");

    // What comes late to a folded minute is added to it on another day, and entries go on.
    let late = vec![effect(Kind::Commit, START + 10 * DAY, vec![line(ACCOUNTS[2], START + 17 * MINUTE + 5, 3, 0)])];
    kept.append(0, 1, &entries(402, late)).await.unwrap();
    let after = answers(&kept).await;
    assert_ne!(after, before);
    prune(&kept, now + DAY).await;
    assert_eq!(answers(&kept).await, after);
    assert_eq!(audit(&database).await, Some(Timestamp::from_millis(START + 6 * DAY)));

    // The last entry stays, and what is in use with it.
    prune(&kept, now + 500 * DAY).await;
    assert_eq!(answers(&kept).await, after);
    assert_eq!(kept.last_time(0).await.unwrap(), Some(Timestamp::from_millis(START + 10 * DAY)));
    assert_eq!(count(&database, rows).await, 1);
    assert_eq!(audit(&database).await, Some(Timestamp::from_millis(START + 505 * DAY)));
    // The late one is its entry's, and that one stays.
    assert!(count(&database, postings).await <= 10 * 6 * 3 + 2);
    database.close().await;
}

async fn several_prune_at_once(product: Product) {
    let place = Place::new(product).await;
    let database = place.database().await;
    let kept = ledger(&database, 40).await;
    fill(&kept, &mut StdRng::seed_from_u64(8)).await;
    let before = answers(&kept).await;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..4 {
        // SQLite has one writer; PostgreSQL as many as there are replicas.
        let database = if product == Product::Postgres { place.database().await } else { database.clone() };
        running.spawn(async move {
            prune(&ledger(&database, 40).await, START + 60 * DAY).await;
        });
    }
    running.join_all().await;
    assert_eq!(answers(&kept).await, before);
    assert_eq!(count(&database, "SELECT COUNT(*) FROM entry").await, 2, "the last one's lines");
    database.close().await;
}

async fn without_retention_everything_stays(product: Product) {
    let place = Place::new(product).await;
    let database = place.database().await;
    let kept = DatabaseLedger::new(database.clone());
    fill(&kept, &mut StdRng::seed_from_u64(9)).await;
    assert_eq!(prune(&kept, START + 500 * DAY).await, 0);
    assert_eq!(count(&database, "SELECT COUNT(*) FROM entry").await, 10 * 40 * 2);
    // Never less than the time for which ids are remembered.
    assert_eq!(prune(&ledger(&database, 1).await, START + 35 * DAY).await, 0, "nothing is 35 days old");
    assert_eq!(Uid::of(ACCOUNTS[0]), counter(ACCOUNTS[0]).account);
    database.close().await;
}
