//! Through the entries in their order: their numbers, the postings that each must have, the reservations that they made.

use super::super::connection::{Connection, sql};
use super::super::pool::Database;
use super::super::row::Row;
use super::super::rows;
use super::context::{Audit, Unposted};
use super::numbers::{At, Begin, Numbers};
use super::postings::Postings;
use super::repair::Fixes;
use super::reservations::Reservations;
use crate::domain::name::{IdKey, Uid};
use crate::engine::ports::{StoreError, Watermark};
use std::collections::BTreeMap;

/// One row of the ledger's entries.
pub(super) struct EntryRow {
    pub(super) at: At,
    pub(super) time: i64,
    pub(super) tenant: Uid,
    pub(super) reservation: Option<IdKey>,
    /// What the row says of counters; `None` for an effect without lines.
    pub(super) line: Option<LineRow>,
}

/// What a line of an entry says.
#[derive(Clone, Copy)]
pub(super) struct LineRow {
    pub(super) charge: i64,
    pub(super) account: Uid,
    pub(super) meter: i64,
    pub(super) effective: i64,
    pub(super) used: i64,
    pub(super) held: i64,
}

/// Goes through all entries of one snapshot; answers what they say and postings do not.
pub(super) async fn check(audit: &mut Audit<'_>, database: &Database) -> Result<Unposted, StoreError> {
    let mut snapshot = database.snapshot().await?;
    let mut numbers = Numbers::new(begins(&mut snapshot).await?, watermarks(&mut snapshot).await?);
    let mut postings = Postings::default();
    let mut reservations = Reservations::default();
    let mut fixes = Fixes::default();
    let mut last = At { partition: i64::MIN, incarnation: i64::MIN, seq: i64::MIN, idx: i64::MIN };
    loop {
        let page = page(&mut snapshot, last, audit.options.step).await?;
        let Some(end) = page.last() else { break };
        last = end.at;
        for row in &page {
            numbers.see(audit, row.at, row.time);
        }
        let records = reservations.fetch(&mut snapshot, &page).await?;
        postings.check(audit, database, &mut snapshot, &mut fixes, &page, &records).await?;
        reservations.check(audit, &page, &records);
        audit.looked("entries", page.len());
    }
    numbers.finish(audit);
    reservations.finish(audit, &mut snapshot).await?;
    fixes.write(audit, database).await?;
    snapshot.rollback().await?;
    Ok(postings.unposted)
}

async fn page(snapshot: &mut Connection, last: At, rows: u32) -> Result<Vec<EntryRow>, StoreError> {
    let found = snapshot.fetch(sql!("verify_entries"), |values| {
        values.int(last.partition).int(last.incarnation).int(last.seq).int(last.idx).int(i64::from(rows));
    });
    found.await?.iter().map(entry).collect()
}

fn entry(row: &Row) -> Result<EntryRow, StoreError> {
    let line = match (row.maybe_int(7)?, row.maybe_bytes(8)?) {
        (Some(charge), Some(account)) => Some(LineRow {
            charge,
            account: rows::uid(account)?,
            meter: row.int(9)?,
            effective: row.int(10)?,
            used: row.int(11)?,
            held: row.int(12)?,
        }),
        _ => None,
    };
    Ok(EntryRow {
        at: At { partition: row.int(0)?, incarnation: row.int(1)?, seq: row.int(2)?, idx: row.int(3)? },
        time: row.int(4)?,
        tenant: rows::uid(row.bytes(5)?)?,
        reservation: row.maybe_bytes(6)?.map(rows::key).transpose()?,
        line,
    })
}

async fn begins(snapshot: &mut Connection) -> Result<BTreeMap<(i64, i64), Begin>, StoreError> {
    let mut begins = BTreeMap::new();
    for row in snapshot.fetch(sql!("verify_incarnations"), |_| ()).await? {
        begins.insert((row.int(0)?, row.int(1)?), Begin { after: row.int(2)?, seq: row.int(3)? });
    }
    Ok(begins)
}

async fn watermarks(snapshot: &mut Connection) -> Result<BTreeMap<i64, Watermark>, StoreError> {
    let mut watermarks = BTreeMap::new();
    for row in snapshot.fetch(sql!("verify_watermarks"), |_| ()).await? {
        let watermark = Watermark { incarnation: row.int(1)?.cast_unsigned(), seq: row.int(2)?.cast_unsigned() };
        watermarks.insert(row.int(0)?, watermark);
    }
    Ok(watermarks)
}
