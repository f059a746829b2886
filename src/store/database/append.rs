//! Entries into the ledger: one transaction with the watermark, so that nothing is counted twice and nothing is left out.

use super::bulk::Bulk;
use super::connection::{Connection, sql};
use super::fold::{Batch, Known};
use super::paperwork;
use super::pool::{Database, Tries};
use super::reservations;
use super::resolve::Resolved;
use super::row::Row;
use super::rows::{self, clamp};
use super::values::Values;
use crate::domain::entry::Entry;
use crate::domain::price::LinePrice;
use crate::domain::reservation::Reservation;
use crate::engine::ports::{Appended, CounterKey, Repeated, StoreError, Watermark};
use std::sync::{Arc, Mutex, PoisonError};

/// Names that the process remembers to have written. Above this it forgets them all and begins anew.
const KNOWN: usize = 200_000;
/// Entries that are folded at a time.
const FOLDED: usize = 64;

/// Appends entries of one partition and moves its watermark. Any number of processes may do so at once: the watermark is
/// locked first, so that whoever comes later waits, and then skips what is there.
///
/// # Errors
/// [`StoreError::Corrupt`] for a gap or an older incarnation; [`StoreError`] of the database, after which it may or may not
/// be written.
pub(super) async fn append(
    database: &Database,
    known: &Mutex<Known>,
    place: (u32, u64),
    entries: &[(u64, Arc<Entry>)],
) -> Result<Appended, StoreError> {
    let mut tries = Tries::default();
    loop {
        let mut transaction = database.write().await?;
        match append_in(&mut transaction, known, place, entries).await {
            Ok((appended, batch)) => {
                transaction.commit().await?;
                remember(known, &batch);
                return Ok(appended);
            }
            Err(error) => tries.again(transaction, error).await?,
        }
    }
}

async fn append_in<'e>(
    transaction: &mut Connection,
    known: &Mutex<Known>,
    (partition, incarnation): (u32, u64),
    entries: &'e [(u64, Arc<Entry>)],
) -> Result<(Appended, Batch<'e>), StoreError> {
    let before = lock_watermark(transaction, partition).await?;
    let new = not_yet_there(partition, incarnation, before, entries)?;
    let Some((last, _)) = new.last() else {
        return Ok((Appended { watermark: before, repeated: Vec::new() }, Batch::default()));
    };
    let after = Watermark { incarnation, seq: *last };
    let batch = fold(new, known).await;
    write_entries(transaction, (partition, incarnation), &batch).await?;
    paperwork::write_adjustments(transaction, (partition, incarnation), &batch).await?;
    write_sums(transaction, &batch).await?;
    let repeated = write_reservations(transaction, partition, &batch).await?;
    write_requests(transaction, &batch).await?;
    write_names(transaction, &batch).await?;
    move_watermark(transaction, partition, after).await?;
    Ok((Appended { watermark: after, repeated }, batch))
}

/// Folds entries, in parts between which others get a turn.
async fn fold<'e>(entries: &'e [(u64, Arc<Entry>)], known: &Mutex<Known>) -> Batch<'e> {
    let mut batch = Batch::default();
    for part in entries.chunks(FOLDED) {
        batch.take(part, &known.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::yield_now().await;
    }
    batch.sort();
    batch
}

/// Reads a partition's watermark; 0 and 0 for one that has none.
pub(super) async fn watermark(connection: &mut Connection, partition: u32) -> Result<Watermark, StoreError> {
    let row = connection.fetch_optional(sql!("watermark_get"), |values| {
        values.int(i64::from(partition));
    });
    Ok(row.await?.as_ref().map(watermark_of).transpose()?.unwrap_or_default())
}

/// Reads a partition's watermark and keeps everybody else from moving it until the transaction ends.
pub(super) async fn lock_watermark(connection: &mut Connection, partition: u32) -> Result<Watermark, StoreError> {
    let partition = i64::from(partition);
    let lock = |values: &mut Values| {
        values.int(partition);
    };
    if let Some(row) = connection.fetch_optional(sql!(each "watermark_lock"), lock).await? {
        return watermark_of(&row);
    }
    // A row that is not there can't be locked: the first one makes it.
    connection.execute(sql!("watermark_begin"), lock).await?;
    let row = connection.fetch_optional(sql!(each "watermark_lock"), lock).await?;
    row.as_ref().map(watermark_of).transpose().map(Option::unwrap_or_default)
}

fn watermark_of(row: &Row) -> Result<Watermark, StoreError> {
    Ok(Watermark { incarnation: row.int(0)?.cast_unsigned(), seq: row.int(1)?.cast_unsigned() })
}

/// The entries above the watermark, if they follow it without a gap.
fn not_yet_there(
    partition: u32,
    incarnation: u64,
    before: Watermark,
    entries: &[(u64, Arc<Entry>)],
) -> Result<&[(u64, Arc<Entry>)], StoreError> {
    if entries.is_empty() {
        return Ok(entries);
    }
    if incarnation < before.incarnation {
        return Err(StoreError::Corrupt(format!(
            "partition {partition}: entries of incarnation {incarnation}, but the ledger is at {}",
            before.incarnation
        )));
    }
    let done = if incarnation == before.incarnation { before.seq } else { 0 };
    let new = &entries[entries.iter().take_while(|(seq, _)| *seq <= done).count()..];
    for (expected, (found, _)) in (done + 1..).zip(new) {
        if *found != expected {
            return Err(StoreError::Corrupt(format!(
                "partition {partition}, incarnation {incarnation}: expected entry {expected}, found {found}"
            )));
        }
    }
    Ok(new)
}

async fn write_entries(
    connection: &mut Connection,
    (partition, incarnation): (u32, u64),
    batch: &Batch<'_>,
) -> Result<(), StoreError> {
    let (partition, incarnation) = (i64::from(partition), incarnation.cast_signed());
    let entry = Bulk::new(sql!("entry_add"));
    let bind_entry = |values: &mut Values, row: &super::fold::EntryRow<'_>| {
        let (effect, line) = (row.effect, row.line);
        values.int(partition).int(incarnation).int(row.seq.cast_signed()).int(row.index).int(effect.kind as i64);
        values.bytes(&effect.tenant.to_bytes()).int(effect.time.millis()).int(effect.catalog_version.cast_signed());
        values.maybe_bytes(effect.reservation.as_ref().map(|r| r.key.to_bytes()).as_ref().map(|key| &key[..]));
        values.maybe_bytes(effect.request.as_ref().map(|request| request.key.to_bytes()).as_ref().map(|key| &key[..]));
        values.maybe_int(line.map(|line| i64::from(line.charge)));
        let charged = line.and_then(|line| line.charged()).map(|account| account.to_bytes());
        values.maybe_bytes(charged.as_ref().map(|account| &account[..]));
        values.maybe_int(line.map(|line| rows::meter(line.meter_id))).maybe_text(line.map(|line| &*line.item));
        values.maybe_int(line.map(|line| line.effective.millis()));
        values.maybe_int(line.map(|line| line.used)).maybe_int(line.map(|line| line.held));
        bind_price(values, line.and_then(|line| line.price.as_deref()));
    };
    entry.execute(connection, &batch.entries, bind_entry).await?;
    let posting = Bulk::new(sql!("posting_add"));
    let bind_posting = |values: &mut Values, row: &super::fold::Posting| {
        values.bytes(&row.counter.account.to_bytes()).int(rows::meter(row.counter.meter)).int(row.effective);
        values.int(partition).int(incarnation).int(row.seq.cast_signed()).int(row.index).int(row.used).int(row.top_up);
    };
    posting.execute(connection, &batch.postings, bind_posting).await?;
    Ok(())
}

/// What a line says about money; nothing where no rate card prices it.
fn bind_price(values: &mut Values, price: Option<&LinePrice>) {
    let part = price.and_then(|price| price.part.as_ref());
    values.maybe_text(price.map(|price| price.cost.fixed()).as_deref());
    values.maybe_text(price.map(|price| &*price.service));
    values.maybe_text(price.map(|price| price.discount.fixed()).as_deref());
    values.maybe_text(part.map(|(quantities, _)| rows::quantities(quantities)).as_deref());
    values.maybe_text(part.map(|(_, original)| original.fixed()).as_deref());
}

async fn write_sums(connection: &mut Connection, batch: &Batch<'_>) -> Result<(), StoreError> {
    let mut counters: Vec<_> = batch.counters.iter().collect();
    counters.sort_unstable_by_key(|(key, _)| **key);
    let shrinking: Vec<CounterKey> = counters
        .iter()
        .filter(|(_, change)| change.used < 0 || change.top_up < 0 || change.own < 0)
        .map(|(key, _)| **key)
        .collect();
    let zero = Bulk::new(sql!("counter_zero"));
    let bind_zero = |values: &mut Values, key: &CounterKey| {
        values.bytes(&key.account.to_bytes()).int(rows::meter(key.meter)).int(0).int(0).int(0);
    };
    zero.execute(connection, &shrinking, bind_zero).await?;
    let counter = Bulk::new(sql!("counter_add"));
    counter
        .execute(connection, &counters, |values, (key, change)| {
            values.bytes(&key.account.to_bytes()).int(rows::meter(key.meter));
            values.int(clamp(change.used)).int(clamp(change.top_up)).int(clamp(change.own));
        })
        .await?;
    let mut quarters: Vec<_> = batch.quarters.iter().collect();
    quarters.sort_unstable_by_key(|(key, _)| **key);
    let rollup = Bulk::new(sql!("rollup_add"));
    rollup
        .execute(connection, &quarters, |values, ((key, quarter), change)| {
            values.bytes(&key.account.to_bytes()).int(rows::meter(key.meter)).int(*quarter);
            values.int(clamp(change.used)).int(clamp(change.top_up));
        })
        .await?;
    Ok(())
}

/// Writes the last record of each reservation and answers the repeats that came too late. Before the batch's request ids
/// are written: it looks at who had them first.
async fn write_reservations(
    connection: &mut Connection,
    partition: u32,
    batch: &Batch<'_>,
) -> Result<Vec<Repeated>, StoreError> {
    let found = reservations::firsts(connection, batch).await?;
    let mut resolved = Resolved::of(&batch.reservations, found);
    resolved.add_requests(&batch.requests, reservations::first_uses(connection, batch).await?);
    reservations::put(connection, partition, &resolved).await?;
    let repeat = |record: &Reservation| Repeated { tenant: record.tenant, reservation: Box::new(record.clone()) };
    Ok(resolved.repeated.iter().map(|record| repeat(record)).collect())
}

async fn write_requests(connection: &mut Connection, batch: &Batch<'_>) -> Result<(), StoreError> {
    let request = Bulk::new(sql!("request_add"));
    request
        .execute(connection, &batch.requests, |values, row| {
            let stamp = row.stamp;
            let amounts = (!stamp.amounts.is_empty()).then(|| rows::amounts(&stamp.amounts));
            values.bytes(&row.effect.tenant.to_bytes()).bytes(&stamp.key.to_bytes());
            values.int(stamp.fingerprint.cast_signed()).int(row.effect.kind as i64);
            let reservation = stamp.reservation.map(|key| key.to_bytes());
            values.maybe_bytes(reservation.as_ref().map(|key| &key[..])).maybe_bytes(amounts.as_deref());
            values.int(row.effect.time.millis());
        })
        .await?;
    Ok(())
}

async fn write_names(connection: &mut Connection, batch: &Batch<'_>) -> Result<(), StoreError> {
    let mut accounts: Vec<_> = batch.accounts.iter().collect();
    accounts.sort_unstable_by_key(|(uid, _)| **uid);
    let account = Bulk::new(sql!("account_put"));
    account
        .execute(connection, &accounts, |values, (uid, (tenant, name))| {
            values.bytes(&uid.to_bytes()).bytes(&tenant.to_bytes()).text(name);
        })
        .await?;
    let mut meters: Vec<_> = batch.meters.iter().collect();
    meters.sort_unstable_by_key(|(id, _)| **id);
    let meter = Bulk::new(sql!("meter_put"));
    meter
        .execute(connection, &meters, |values, (id, name)| {
            values.int(rows::meter(**id)).text(name);
        })
        .await?;
    Ok(())
}

pub(super) async fn move_watermark(
    connection: &mut Connection,
    partition: u32,
    watermark: Watermark,
) -> Result<(), StoreError> {
    let put = connection.execute(sql!("watermark_put"), |values| {
        values.int(i64::from(partition));
        values.int(watermark.incarnation.cast_signed()).int(watermark.seq.cast_signed());
    });
    put.await?;
    Ok(())
}

/// Notes the names that are now written for sure.
fn remember(known: &Mutex<Known>, batch: &Batch<'_>) {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if known.accounts.len() + batch.accounts.len() > KNOWN {
        known.accounts.clear();
    }
    known.accounts.extend(batch.accounts.keys());
    known.meters.extend(batch.meters.keys());
}
