//! From disk to a partition: at the start, and after a group commit that failed.

use super::journal::{Journal, Legacy, Safety};
use super::partition::Partition;
use super::tail::Tail;
use crate::domain::entry::Effect;
use crate::domain::reservation::Reservation;
use crate::domain::time::{Span, Timestamp};
use crate::engine::operation::Caps;
use crate::engine::ports::{CounterKey, KnownRequest, Ledger, StoreError, Watermark};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

/// Loads what a partition must have before it may decide: open reservations and the part of the journal that the ledger
/// does not have. Counters come by the miss path when they are first asked for.
///
/// # Errors
/// [`StoreError`] if journal or ledger can't be read, or do not belong together.
pub async fn load(
    index: u32,
    journal: &Journal,
    ledger: &dyn Ledger,
    caps: Caps,
    now: Timestamp,
) -> Result<Partition, StoreError> {
    let Watermark { seq: flushed, .. } = ledger.watermark(index).await?;
    let entries = VecDeque::from(journal.read(index, flushed)?);
    let newest = journal.newest(index);
    if newest < flushed {
        tracing::error!(
            partition = index,
            "the journal is missing or older than the ledger: answered writes after entry {flushed} that had not reached \
             the ledger are lost"
        );
    }
    let head = entries.back().map_or(flushed, |(seq, _)| *seq);
    let effects: Vec<(u64, Effect)> =
        entries.iter().flat_map(|(seq, entry)| entry.effects.iter().map(|effect| (*seq, effect.clone()))).collect();
    // The machine's clock may be behind by now. A partition that began in the past of its own ledger would take itself
    // for complete over a time that it never saw: a repeat would count twice, a counter would begin at zero.
    let last = match entries.back() {
        Some((_, entry)) => entry.time,
        None => ledger.last_time(index).await?.unwrap_or(Timestamp::MIN),
    };
    let fresh = head == 0;

    let mut partition = Partition::new(index, Tail::new(head, flushed, entries), caps);
    partition.tick(now.max(last));
    if !fresh {
        // What happened in this very millisecond may be known to the ledger alone.
        let since = partition.now + Span::from_millis(1);
        partition.complete_since = since;
        partition.ids.complete_since = since;
    } else {
        partition.ids.complete_since = Timestamp::MIN;
    }
    for reservation in ledger.open_reservations(index).await? {
        partition.ids.recover_requests(&reservation.requests);
        partition.ids.open.insert(Arc::new(reservation));
    }
    for (seq, effect) in effects {
        replay(&mut partition, seq, effect);
    }
    for reservation in std::mem::take(&mut partition.ids.open).into_values() {
        index_holds(&mut partition, &reservation);
        partition.open(reservation);
    }
    Ok(partition)
}

/// Refuses a journal with entries whose ledger is gone, also one of an earlier version. To be asked before the ledger is opened,
/// which would make a new one in the place where the old one must be put back. A first start that died half-way left no such
/// folder: it makes the ledger first, and no entry before both have the same id.
///
/// # Errors
/// [`StoreError::Corrupt`] if the ledger is missing, [`StoreError`] if the journal can't be read.
pub async fn refuse_a_lost_ledger(ledger: &Path, journal: &Path) -> Result<(), StoreError> {
    if ledger.is_file() {
        return Ok(());
    }
    let earlier = journal.with_extension("db");
    let left = match Legacy::open(&earlier).await? {
        Some(mut legacy) => {
            let has_entries = !legacy.newest().await?.is_empty();
            legacy.close().await;
            has_entries.then_some(&*earlier)
        }
        None => Journal::open(journal, Safety::Power)?.has_entries().then_some(journal),
    };
    let Some(left) = left else { return Ok(()) };
    Err(StoreError::Corrupt(format!(
        "{} is missing, and {} holds entries that belong to it: put ledger.db back; to begin anew without catalog and \
         history, move that away too",
        ledger.display(),
        left.display()
    )))
}

/// Refuses a journal with entries of another installation than the ledger's, also where the ledger is a fresh one.
///
/// # Errors
/// [`StoreError::Corrupt`] if they do not belong together.
pub fn belong_together(installation: &str, journal: &Journal) -> Result<(), StoreError> {
    let same = journal.installation().is_none_or(|id| id == installation);
    if same || !journal.has_entries() {
        return Ok(());
    }
    Err(StoreError::Corrupt(
        "ledger.db and the journal belong to different installations: put back the one that belongs to the other; to go \
         on with ledger.db alone, move the folder journal away"
            .into(),
    ))
}

/// Takes over what an effect in the journal made of reservations and ids.
fn replay(partition: &mut Partition, seq: u64, effect: Effect) {
    let now = partition.now;
    let open = effect.reservation.as_ref().is_some_and(|reservation| reservation.state.is_open());
    if let Some(stamp) = effect.request {
        let known = KnownRequest {
            fingerprint: stamp.fingerprint,
            kind: effect.kind as u8,
            reservation: stamp.reservation,
            amounts: stamp.amounts,
        };
        partition.ids.remember_request(stamp.key, &known, seq, open, now);
    }
    if let Some(reservation) = effect.reservation {
        if open {
            partition.ids.open.insert(reservation);
        } else {
            partition.ids.open.remove(&reservation.key);
            partition.ids.remember_end(&reservation, seq, now);
        }
    }
}

/// Notes on which counters an open reservation holds, for the time when they are loaded.
fn index_holds(partition: &mut Partition, reservation: &Reservation) {
    for charge in reservation.charges.iter().filter(|charge| charge.held > 0) {
        for account in charge.path.accounts().iter() {
            let key = CounterKey { account: *account, meter: charge.meter_id };
            let holders = partition.recovered.entry(key).or_default();
            if holders.last() != Some(&reservation.key) {
                holders.push(reservation.key);
            }
        }
    }
}
