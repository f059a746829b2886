//! Reservations against their entries: what is held and committed is the sum of what the entries changed.

use super::super::bulk::Bulk;
use super::super::connection::{Connection, sql};
use super::super::rows;
use super::context::Audit;
use super::entries::{EntryRow, LineRow};
use super::numbers::At;
use crate::domain::amount;
use crate::domain::name::{IdKey, Uid};
use crate::domain::reservation::Reservation;
use crate::engine::audit::{Drift, Finding};
use crate::engine::ports::StoreError;
use foldhash::HashMap;

/// A reservation as the ledger keeps it.
pub(super) struct Kept {
    pub(super) record: Reservation,
    partition: i64,
    seq: i64,
}

/// The reservations that the entries of a page name.
pub(super) type Records = HashMap<(Uid, IdKey), Kept>;

/// What entries so far changed on reservations whose last entry lies ahead: only those that were open at that time, so
/// that there are never many.
#[derive(Default)]
pub(super) struct Reservations {
    open: HashMap<(Uid, IdKey), Changed>,
    /// Those whose last entry is the one that is being read.
    due: Vec<((Uid, IdKey), String, Vec<Due>)>,
    now: Option<At>,
    compared: u64,
}

#[derive(Default)]
struct Changed(Vec<Figures>);

/// Of one charge: what the record says.
struct Due {
    figures: Figures,
    /// A Free by amount takes from an account and names no reservation, so that the record may say less than its entries.
    allocation: bool,
}

/// Of one charge: used and held.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Figures {
    used: i128,
    held: i128,
    /// All that was ever added to each: above 2^53-1 the record was cut on its way (rule 16).
    added: (i128, i128),
}

impl Figures {
    fn add(&mut self, used: i128, held: i128) {
        self.used += used;
        self.held += held;
        self.added.0 += used.max(0);
        self.added.1 += held.max(0);
    }
}

impl Reservations {
    /// Reads the reservations that a page names.
    pub(super) async fn fetch(&self, snapshot: &mut Connection, page: &[EntryRow]) -> Result<Records, StoreError> {
        let mut keys: Vec<(Uid, IdKey)> = page.iter().filter_map(|row| Some((row.tenant, row.reservation?))).collect();
        keys.sort_unstable();
        keys.dedup();
        let get = Bulk::new(sql!("verify_reservations"));
        let found = get.fetch(snapshot, &keys, |values, (tenant, key)| {
            values.bytes(&tenant.to_bytes()).bytes(&key.to_bytes());
        });
        let mut records = Records::default();
        for row in found.await? {
            let record = rows::reservation(row.bytes(4)?)?;
            let kept = Kept { record, partition: row.int(2)?, seq: row.int(3)? };
            records.insert((rows::uid(row.bytes(0)?)?, rows::key(row.bytes(1)?)?), kept);
        }
        Ok(records)
    }

    /// Adds what a page says, and compares the reservations whose last entry it has.
    pub(super) fn check(&mut self, audit: &mut Audit<'_>, page: &[EntryRow], records: &Records) {
        for row in page {
            let entry = At { idx: 0, ..row.at };
            if self.now != Some(entry) {
                self.settle(audit);
                self.now = Some(entry);
            }
            let Some(id) = row.reservation.map(|key| (row.tenant, key)) else { continue };
            let Some(kept) = records.get(&id).filter(|kept| kept.partition == row.at.partition) else { continue };
            let record = &kept.record;
            if audit.is_pruned(record.create_time.millis()) {
                // Each once: at its last entry.
                audit.report.pruned += u64::from(row.at.seq == kept.seq && row.at.idx == 0);
                continue;
            }
            // Another reservation of the same id, made later: the first one's row stays.
            let other = |line: &LineRow| line.effective != record.create_time.millis();
            if row.line.as_ref().is_some_and(other) {
                continue;
            }
            self.add(audit, id, row, kept);
        }
    }

    fn add(&mut self, audit: &mut Audit<'_>, id: (Uid, IdKey), row: &EntryRow, kept: &Kept) {
        let record = &kept.record;
        if row.at.seq > kept.seq {
            // An effect without lines does not tell of which of two reservations with the id it is.
            if row.line.is_some() {
                let (kept, last) = (Some(kept.seq), Some(row.at.seq));
                audit.found(finding(record_place(record), "last entry", kept, last));
            }
            return;
        }
        let changed = self.open.entry(id).or_insert_with(|| Changed(vec![Figures::default(); record.charges.len()]));
        if let Some(line) = row.line
            && let Some(figures) = usize::try_from(line.charge).ok().and_then(|charge| changed.0.get_mut(charge))
        {
            figures.add(i128::from(line.used), i128::from(line.held));
        }
        if row.at.seq == kept.seq && !self.due.iter().any(|(due, ..)| *due == id) {
            let kept = record.charges.iter().map(|charge| Due {
                figures: Figures {
                    used: i128::from(charge.committed) - i128::from(charge.freed),
                    held: i128::from(charge.held),
                    ..Figures::default()
                },
                allocation: charge.is_allocation(),
            });
            self.due.push((id, record_place(record), kept.collect()));
        }
    }

    /// Compares what is due.
    fn settle(&mut self, audit: &mut Audit<'_>) {
        for (id, place, kept) in std::mem::take(&mut self.due) {
            let Some(Changed(sums)) = self.open.remove(&id) else { continue };
            self.compared += 1;
            audit.looked("reservations", 1);
            for (index, (Due { figures: kept, allocation }, sum)) in kept.iter().zip(&sums).enumerate() {
                let place = || format!("{place}, charge {index}");
                let held = (kept.held, sum.held, sum.added.1, "held");
                let least = if *allocation { kept.used.max(sum.used.min(sum.added.0)) } else { kept.used };
                let committed = (least, sum.used, sum.added.0, "committed");
                for (kept, sum, added, figure) in [held, committed].into_iter().filter(|(kept, sum, ..)| kept != sum) {
                    if added > i128::from(amount::MAX) {
                        audit.report.cut += 1;
                    } else {
                        audit.found(finding(place(), figure, int(kept), int(sum)));
                    }
                }
            }
        }
    }

    /// Compares the last ones, and tells of reservations whose entries are not there.
    pub(super) async fn finish(mut self, audit: &mut Audit<'_>, snapshot: &mut Connection) -> Result<(), StoreError> {
        self.settle(audit);
        let since = audit.report.pruned_before.map_or(i64::MIN, |before| before.millis());
        let count = snapshot.fetch_optional(sql!("verify_reservation_count"), |values| {
            values.int(since);
        });
        let count = count.await?.map_or(Ok(0), |row| row.int(0))?;
        let compared = i64::try_from(self.compared).unwrap_or(i64::MAX);
        if count != compared {
            let place = String::from("reservations whose last entry is not there");
            audit.found(finding(place, "number", Some(count), Some(compared)));
        }
        Ok(())
    }
}

fn record_place(record: &Reservation) -> String {
    format!("{}, reservation {}", record.tenant_name, record.id)
}

fn finding(place: String, figure: &'static str, kept: Option<i64>, expected: Option<i64>) -> Finding {
    Finding { drift: Drift::Reservation, place, figure, kept, expected, repaired: false }
}

fn int(figure: i128) -> Option<i64> {
    i64::try_from(figure).ok()
}
