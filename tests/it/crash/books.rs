//! What must be true in sum: the witness's own books, compared with the running server and with the ledger's file.

use super::jobs::{Job, METER, TENANT};
use crate::support::Server;
use quotad::domain::name::{MeterName, Uid};
use quotad::domain::time::Period;
use quotad::engine::ports::{CounterKey, Ledger, UsageQuery};
use quotad::proto::v1::{Charge, ConsumeRequest, GetUsageRequest};
use quotad::store::database::{Database, DatabaseLedger, Sync};
use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions, Connection};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// What all jobs so far must add up to.
pub(super) struct Books {
    /// When the first job may have begun.
    begin: i64,
    /// Used, by account, for every level.
    used: BTreeMap<String, i64>,
    /// Held: amount and deadline.
    held: Vec<(i64, i64)>,
}

impl Books {
    /// Nothing yet.
    pub(super) fn new() -> Books {
        Books { begin: now_ms(), used: BTreeMap::new(), held: Vec::new() }
    }

    /// Enters a job whose calls are all answered, as far as they were sent.
    pub(super) fn enter(&mut self, job: &Job) {
        let mut level = job.account.as_str();
        loop {
            *self.used.entry(level.to_owned()).or_default() += job.used();
            let Some((above, _)) = level.rsplit_once('/').and_then(|(pair, _)| pair.rsplit_once('/')) else { break };
            level = above;
        }
        self.held.extend(job.held());
    }

    /// Compares every account's use, and the tenant's holds, with what the server says.
    pub(super) async fn check(&mut self, server: &Server) {
        for (account, used) in &self.used {
            let (before, report, after) = usage(server, account).await;
            // A day that began meanwhile has not seen everything.
            for window in report.iter().filter(|window| window.start <= self.begin) {
                assert_eq!(window.used, *used, "{account}: {window:?}");
                if account == TENANT {
                    let ending = |from: i64| self.held.iter().filter(move |(_, end)| *end >= from);
                    let sum = |from: i64| ending(from).map(|(amount, _)| amount).sum::<i64>();
                    let (least, most) = (sum(after + 1), sum(before - 1000));
                    assert!((least..=most).contains(&window.held), "{least} to {most} may be held: {window:?}");
                }
            }
        }
        let now = now_ms();
        self.held.retain(|(_, end)| end + 5000 > now);
    }

    /// Compares the ledger of a stopped server with the books: its counters, and the sums of its postings.
    pub(super) async fn check_ledger(&self, data: &Path) {
        let database = Database::open(&data.join("ledger.db"), Sync::Normal).await.unwrap();
        let ledger = DatabaseLedger::new(database.clone());
        let meter = METER.parse::<MeterName>().unwrap().id();
        for (account, used) in &self.used {
            let counter = CounterKey { account: Uid::of(account), meter };
            let queries = [UsageQuery { counter, period: Period::ALWAYS, step: None, holds: false }];
            let (_, answers) = ledger.usage(0, &queries).await.unwrap();
            assert_eq!(answers[0].used.total, *used, "{account}: the ledger's counter");
        }
        database.close().await;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(data.join("ledger.db"));
        let mut file: SqliteConnection = options.connect().await.unwrap();
        let query =
            "SELECT account, sum(used), (SELECT used FROM counter c WHERE c.account = p.account AND c.meter = p.meter)
                       FROM posting p GROUP BY account, meter";
        let sums: Vec<(Vec<u8>, i64, i64)> = sqlx::query_as(query).fetch_all(&mut file).await.unwrap();
        file.close().await.unwrap();
        let by_uid: BTreeMap<Vec<u8>, i64> =
            self.used.iter().map(|(account, used)| (Uid::of(account).to_bytes().to_vec(), *used)).collect();
        for (uid, postings, counter) in &sums {
            assert_eq!(postings, counter, "the ledger's postings and its counter");
            assert_eq!(by_uid.get(uid), Some(postings), "the ledger's postings and the books");
        }
        assert_eq!(sums.len(), by_uid.values().filter(|used| **used > 0).count(), "accounts in the ledger");
    }
}

/// One window of an account, as the server reports it.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) start: i64,
    pub(super) used: i64,
    pub(super) held: i64,
}

/// The windows of an account, with the time before and after the question.
pub(super) async fn usage(server: &Server, account: &str) -> (i64, Vec<Window>, i64) {
    let before = now_ms();
    let request = GetUsageRequest { tenant: TENANT.into(), account: account.into(), meter: METER.into() };
    let report = server.usage().get_usage(request).await.unwrap().into_inner();
    let windows = report.meters.into_iter().flat_map(|meter| meter.windows).map(|window| Window {
        start: window.start_time.map_or(i64::MIN, |start| start.seconds * 1000),
        used: window.used,
        held: window.held,
    });
    (before, windows.collect(), now_ms())
}

/// Answers once everything of the tenant that was answered before is in the ledger. Adds 1 to the account `fences/f`.
pub(super) async fn fence(server: &Server, books: &mut Books, id: &str) {
    let account = format!("{TENANT}/fences/f");
    let request = ConsumeRequest {
        tenant: TENANT.into(),
        reservation_id: id.into(),
        charges: vec![Charge { account: account.clone(), meter: METER.into(), amount: Some(1), ..Charge::default() }],
        wait_for_durable: true,
        ..ConsumeRequest::default()
    };
    server.quota().consume(request).await.unwrap();
    for account in [account, TENANT.to_owned()] {
        *books.used.entry(account).or_default() += 1;
    }
}

/// The machine's clock, in milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
