//! What must be true in sum: the witness's own books, compared with both replicas and with the ledger.

use super::jobs::{Job, LIMIT, TENANT, TIGHT, WIDE};
use super::replicas::Replicas;
use crate::support::{Server, cli};
use quotad::domain::name::Uid;
use quotad::proto::v1::GetUsageRequest;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long it may take until what has ended is seen to have: nobody counts while a fault lasts.
const PATIENCE: Duration = Duration::from_secs(10);

/// What all jobs so far must add up to.
pub(super) struct Books {
    /// When the first job may have begun.
    begin: i64,
    /// Used, by account and meter, for every level.
    used: BTreeMap<(String, &'static str), i64>,
    /// Held: amount and end.
    held: Vec<(i64, i64)>,
    /// The ledger's watermark when it was last looked at.
    watermark: (i64, i64),
}

impl Books {
    /// Nothing yet.
    pub(super) fn new() -> Books {
        Books { begin: now_ms(), used: BTreeMap::new(), held: Vec::new(), watermark: (0, 0) }
    }

    /// Enters a job whose calls are all answered.
    pub(super) fn enter(&mut self, job: &Job) {
        let mut level = job.account.as_str();
        while job.used() > 0 {
            *self.used.entry((level.to_owned(), job.meter)).or_default() += job.used();
            let Some((above, _)) = level.rsplit_once('/').and_then(|(pair, _)| pair.rsplit_once('/')) else { break };
            level = above;
        }
        self.held.extend(job.held());
    }

    /// Compares every account's use with what both replicas say, and the tenant's holds.
    pub(super) async fn check_usage(&mut self, replicas: &Replicas, round: usize) {
        let ours = format!("{TENANT}/rounds/r{round}");
        for server in &replicas.servers {
            for ((account, meter), used) in &self.used {
                // What earlier rounds consumed changes no more.
                if account.contains("/rounds/") && *account != ours {
                    continue;
                }
                let (_, windows, _) = usage(server, account, meter).await;
                // A day that began meanwhile has not seen everything.
                for window in windows.iter().filter(|window| window.start <= self.begin) {
                    assert_eq!(window.used, *used, "{account} {meter}: {window:?}");
                }
            }
            self.check_held(server).await;
        }
        let now = now_ms();
        self.held.retain(|(_, end)| end + 20_000 > now);
    }

    /// What is held is what was answered and has not ended; a second later, at most, than it should.
    async fn check_held(&self, server: &Server) {
        let begin = Instant::now();
        loop {
            let (before, windows, after) = usage(server, TENANT, WIDE).await;
            let ending = |from: i64| self.held.iter().filter(move |(_, end)| *end >= from);
            let sum = |from: i64| ending(from).map(|(amount, _)| amount).sum::<i64>();
            let (least, most) = (sum(after + 1), sum(before - 1000));
            let wrong = windows.iter().find(|window| !(least..=most).contains(&window.held));
            let Some(wrong) = wrong else { return };
            assert!(wrong.held >= least, "at least {least} is held: {wrong:?}");
            // Deadlines that passed while nobody was there to see it are made up for one after the other.
            assert!(begin.elapsed() < PATIENCE, "at most {most} is held: {wrong:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Compares the ledger, in which everything is by now, with the books: its postings, its counters, its limits.
    pub(super) fn check_ledger(&mut self, replicas: &Replicas) {
        let sums = "SELECT encode(p.account, 'hex'), m.name, sum(p.used), max(c.used) FROM posting p
                    JOIN meter m ON m.id = p.meter JOIN counter c ON c.account = p.account AND c.meter = p.meter
                    GROUP BY 1, 2";
        let mut found = BTreeMap::new();
        for row in replicas.sql(sums) {
            assert_eq!(row[2], row[3], "the ledger's postings and its counter of {row:?}");
            found.insert((row[0].clone(), row[1].clone()), row[2].parse::<i64>().unwrap());
        }
        for ((account, meter), used) in &self.used {
            let uid: String = Uid::of(account).to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            let stored = found.remove(&(uid, (*meter).to_owned())).unwrap_or_default();
            assert_eq!(stored, *used, "the ledger's postings and the books: {account} {meter}");
            let limited = *meter == TIGHT && account.contains("/rounds/");
            assert!(!limited || stored <= LIMIT, "{stored} is granted where {LIMIT} is the limit: {account}");
        }
        found.retain(|_, used| *used != 0);
        assert!(found.is_empty(), "the ledger has what nobody was granted: {found:?}");

        let marks = replicas.sql("SELECT incarnation, seq FROM watermark ORDER BY \"partition\"");
        let mark = (marks[0][0].parse().unwrap(), marks[0][1].parse().unwrap());
        assert!(mark >= self.watermark, "the watermark falls: {mark:?} after {:?}", self.watermark);
        self.watermark = mark;
    }
}

/// Runs `quotad verify`: no number of the journal is missing, all sums are those of the entries.
pub(super) fn verify(replicas: &Replicas) {
    let output = cli(["verify", "--json", "--database-url", &replicas.database_url()]);
    assert_eq!(output.status, Some(0), "{output:?}");
}

/// One window of an account, as a replica reports it.
#[derive(Debug)]
struct Window {
    start: i64,
    used: i64,
    held: i64,
}

/// The windows of an account, with the time before and after the question.
async fn usage(server: &Server, account: &str, meter: &str) -> (i64, Vec<Window>, i64) {
    let request = GetUsageRequest { tenant: TENANT.into(), account: account.into(), meter: meter.into() };
    let mut stub = server.usage();
    let before = now_ms();
    let report = stub.get_usage(request).await.unwrap().into_inner();
    let windows = report.meters.into_iter().flat_map(|meter| meter.windows).map(|window| Window {
        start: window.start_time.map_or(i64::MIN, |start| start.seconds * 1000),
        used: window.used,
        held: window.held,
    });
    (before, windows.collect(), now_ms())
}

/// The machine's clock, in milliseconds since 1970.
fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
