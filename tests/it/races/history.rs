//! The ledger of a stopped server, read entry by entry in the order of the decisions.

use quotad::domain::entry::Kind;
use quotad::domain::name::{IdKey, IdSpace, Uid};
use std::collections::{BTreeMap, HashMap};

type Line = (i64, i64, Option<Vec<u8>>, String, i64, i64);

const LINES: &str = "SELECT e.kind, e.catalog_version, e.reservation, a.name, e.used, e.held
                       FROM entry e JOIN account a ON a.uid = e.account
                      ORDER BY e.\"partition\", e.incarnation, e.seq, e.idx";
const COUNTERS: &str = "SELECT a.name, c.used FROM counter c JOIN account a ON a.uid = c.account";

/// The lines and the counters, read the same way from either database.
macro_rules! rows {
    ($pool:ty, $url:expr) => {{
        let pool = <$pool>::connect($url).await.unwrap();
        let lines: Vec<Line> = sqlx::query_as(LINES).fetch_all(&pool).await.unwrap();
        let counters: Vec<(String, i64)> = sqlx::query_as(COUNTERS).fetch_all(&pool).await.unwrap();
        pool.close().await;
        (lines, counters)
    }};
}

/// One line of the ledger.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) kind: i64,
    /// The catalog version under which it was decided.
    pub(super) version: u64,
    pub(super) reservation: Option<Vec<u8>>,
    pub(super) account: String,
    pub(super) used: i64,
    pub(super) held: i64,
}

/// All lines of a tenant, and the ledger's own counters by account.
pub(super) struct History {
    pub(super) rows: Vec<Row>,
    pub(super) counters: BTreeMap<String, i64>,
}

impl History {
    /// Reads it, from SQLite or PostgreSQL.
    pub(super) async fn read(url: &str) -> History {
        let (lines, counters) =
            if url.starts_with("sqlite:") { rows!(sqlx::SqlitePool, url) } else { rows!(sqlx::PgPool, url) };
        let rows = lines.into_iter().map(|(kind, version, reservation, account, used, held)| Row {
            kind,
            version: version.cast_unsigned(),
            reservation,
            account,
            used,
            held,
        });
        History { rows: rows.collect(), counters: counters.into_iter().collect() }
    }

    /// Goes through all decisions: no grant passes a limit of the version that it was decided under. `limit` says the
    /// limit of an account under a version. Answers what is used and held in the end, by account.
    pub(super) fn replay(&self, limit: impl Fn(&str, u64) -> Option<i64>) -> BTreeMap<String, (i64, i64)> {
        let mut sums: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for row in &self.rows {
            let grant = row.kind == Kind::Reserve as i64 || row.kind == Kind::Consume as i64;
            for level in levels(&row.account) {
                let sum = sums.entry(level.to_owned()).or_default();
                (sum.0, sum.1) = (sum.0 + row.used, sum.1 + row.held);
                if let Some(limit) = limit(level, row.version).filter(|_| grant) {
                    assert!(sum.0 + sum.1 <= limit, "{level} has {sum:?} of {limit} after {row:?}");
                }
            }
        }
        sums
    }

    /// The catalog version under which each reservation was granted.
    pub(super) fn versions(&self) -> HashMap<Vec<u8>, u64> {
        let grants = self.rows.iter().filter(|row| row.kind == Kind::Reserve as i64);
        grants.filter_map(|row| Some((row.reservation.clone()?, row.version))).collect()
    }
}

/// An account and those above it.
pub(super) fn levels(account: &str) -> impl Iterator<Item = &str> {
    let ends = account.match_indices('/').map(|(at, _)| at).chain([account.len()]);
    ends.skip(1).step_by(2).map(move |end| &account[..end])
}

/// A reservation's key in the ledger.
pub(super) fn key(tenant: &str, id: &str) -> Vec<u8> {
    IdKey::of(Uid::of(tenant), IdSpace::Reservation, id).to_bytes().to_vec()
}

#[test]
fn levels_of_a_user() {
    let found: Vec<&str> = levels("tenants/a/teams/b/users/c").collect();
    assert_eq!(found, ["tenants/a", "tenants/a/teams/b", "tenants/a/teams/b/users/c"]);
}
