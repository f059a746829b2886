//! Entries against postings: what a line used stands on every account of its path.

use super::super::bulk::Bulk;
use super::super::connection::{Connection, sql};
use super::super::fold::QUARTER;
use super::super::pool::Database;
use super::super::rows::{self, clamp};
use super::context::{Amounts, Audit, Place, Unposted, name_of};
use super::entries::{EntryRow, LineRow};
use super::repair::{Fix, Fixes, PostingKey};
use super::reservations::Records;
use crate::domain::name::{AccountName, Uid};
use crate::engine::audit::{Drift, Finding};
use crate::engine::ports::StoreError;
use foldhash::{HashMap, HashMapExt, HashSet};
use std::sync::Arc;

/// Chains that are remembered. Above this all are forgotten.
const CHAINS: usize = 50_000;
/// Quarters with use that no posting tells. Beyond this many it is not added to the sums any more, which then differ.
const UNPOSTED: usize = 200_000;

/// The comparison under way.
#[derive(Default)]
pub(super) struct Postings {
    pub(super) unposted: Unposted,
    chains: HashMap<Uid, Vec<Uid>>,
    /// Names that accounts have or had since they were moved: of these, and what is below them, nobody knows where an entry counted.
    moved: Option<Arc<HashSet<String>>>,
    topped_up: HashMap<Place, bool>,
}

/// A posting that must be there.
struct Wanted {
    key: PostingKey,
    used: i64,
    own: bool,
}

impl Postings {
    /// Compares the lines of a page.
    pub(super) async fn check(
        &mut self,
        audit: &mut Audit<'_>,
        database: &Database,
        snapshot: &mut Connection,
        fixes: &mut Fixes,
        page: &[EntryRow],
        records: &Records,
    ) -> Result<(), StoreError> {
        let wanted = self.wanted(audit, snapshot, page, records).await?;
        let there = there(snapshot, &wanted).await?;
        for wanted in &wanted {
            let kept = there.get(&wanted.key).copied();
            if kept == Some(wanted.used) {
                continue;
            }
            let place = (wanted.key.account, wanted.key.meter);
            let told = if audit.lists() { told(snapshot, &wanted.key).await? } else { String::new() };
            let drift = if kept.is_some() { Drift::Posting } else { Drift::PostingMissing };
            let expected = Some(wanted.used);
            let finding = Finding { drift, place: told, figure: "used", kept, expected, repaired: false };
            let at = audit.found(finding);
            let fix = match kept {
                Some(kept) => Fix::PostingSet { key: wanted.key, kept, right: wanted.used },
                // What of it stood in a top-up is not in the entry; without a top-up it is nothing.
                None if self.topped_up(snapshot, place).await? => {
                    self.unposted.top_up_unknown.insert(place, ());
                    self.add(wanted, kept);
                    continue;
                }
                None => Fix::PostingPut { key: wanted.key, used: wanted.used },
            };
            if !audit.options.repair {
                self.add(wanted, kept);
            }
            fixes.add(audit, database, fix, vec![at]).await?;
        }
        Ok(())
    }

    /// The postings that the lines of a page must have.
    async fn wanted(
        &mut self,
        audit: &Audit<'_>,
        snapshot: &mut Connection,
        page: &[EntryRow],
        records: &Records,
    ) -> Result<Vec<Wanted>, StoreError> {
        // Where history was pruned, several postings have become one.
        let posted = |line: &LineRow| line.used != 0 && !audit.is_pruned(line.effective);
        let lines = || page.iter().filter_map(|row| Some((row, row.line.filter(posted)?)));
        let mut unknown: HashSet<Uid> = HashSet::default();
        let moved = self.moved(snapshot).await?;
        for (row, line) in lines() {
            if path(row, &line, (records, &moved)).is_none() && !self.chains.contains_key(&line.account) {
                unknown.insert(line.account);
            }
        }
        self.learn(snapshot, &moved, unknown.into_iter().collect()).await?;
        let mut wanted = Vec::new();
        for (row, line) in lines() {
            let path = path(row, &line, (records, &moved));
            let alone = [line.account];
            let path = path.as_deref().or(self.chains.get(&line.account).map(Vec::as_slice)).unwrap_or(&alone);
            for account in path {
                let key = PostingKey {
                    account: account.0,
                    meter: line.meter,
                    effective: line.effective,
                    partition: row.at.partition,
                    incarnation: row.at.incarnation,
                    seq: row.at.seq,
                    idx: row.at.idx,
                };
                wanted.push(Wanted { key, used: clamp(line.used), own: *account == line.account });
            }
        }
        Ok(wanted)
    }

    /// Reads the names of accounts and from them their chains. One without a name stands for itself.
    async fn learn(
        &mut self,
        snapshot: &mut Connection,
        moved: &HashSet<String>,
        accounts: Vec<Uid>,
    ) -> Result<(), StoreError> {
        if accounts.is_empty() {
            return Ok(());
        }
        if self.chains.len() > CHAINS {
            self.chains = HashMap::new();
        }
        let names = Bulk::new(sql!("verify_account_names"));
        let names = names.fetch(snapshot, &accounts, |values, account| {
            values.bytes(&account.to_bytes());
        });
        for row in names.await? {
            let account = rows::uid(row.bytes(0)?)?;
            let Ok(name) = row.text(1)?.parse::<AccountName>() else { continue };
            let mut chain: Vec<Uid> = name.chain().map(Uid::of).collect();
            if chain.last() == Some(&account) && !is_moved(moved, &name) {
                self.chains.insert(account, std::mem::take(&mut chain));
            }
        }
        for account in accounts {
            self.chains.entry(account).or_insert_with(|| vec![account]);
        }
        Ok(())
    }

    async fn moved(&mut self, snapshot: &mut Connection) -> Result<Arc<HashSet<String>>, StoreError> {
        if let Some(moved) = &self.moved {
            return Ok(moved.clone());
        }
        let rows = snapshot.fetch(sql!("verify_moved_names"), |_| ()).await?;
        let moved = Arc::new(rows.iter().map(|row| row.text(0)).collect::<Result<HashSet<_>, _>>()?);
        self.moved = Some(moved.clone());
        Ok(moved)
    }

    async fn topped_up(&mut self, snapshot: &mut Connection, place: Place) -> Result<bool, StoreError> {
        if let Some(known) = self.topped_up.get(&place) {
            return Ok(*known);
        }
        let found = snapshot.fetch_optional(sql!("verify_top_up"), |values| {
            values.bytes(&place.0.to_be_bytes()).int(place.1);
        });
        let topped_up = found.await?.is_some();
        if self.topped_up.len() > CHAINS {
            self.topped_up = HashMap::new();
        }
        self.topped_up.insert(place, topped_up);
        Ok(topped_up)
    }

    /// Notes what a posting does not tell, for the sums.
    fn add(&mut self, wanted: &Wanted, kept: Option<i64>) {
        if self.unposted.quarters.len() >= UNPOSTED {
            return;
        }
        let PostingKey { account, meter, effective, .. } = wanted.key;
        let used = i128::from(wanted.used) - i128::from(kept.unwrap_or(0));
        let own = if wanted.own { used } else { 0 };
        let quarter = self.unposted.quarters.entry((account, meter, effective.div_euclid(QUARTER))).or_default();
        quarter.add(Amounts { used, top_up: 0, own });
    }
}

/// Whether an account, or one above it, was ever moved.
fn is_moved(moved: &HashSet<String>, name: &AccountName) -> bool {
    name.chain().any(|name| moved.contains(name))
}

/// The accounts on which a line counts, by its reservation's record; `None` if that is gone, or is another's. One that was moved since
/// may count elsewhere than its earlier lines did.
fn path(row: &EntryRow, line: &LineRow, (records, moved): (&Records, &HashSet<String>)) -> Option<Vec<Uid>> {
    let record = &records.get(&(row.tenant, row.reservation?))?.record;
    let charge = record.charges.get(usize::try_from(line.charge).ok()?)?;
    let charged = *charge.path.accounts().get(charge.chain_len().checked_sub(1)?)?;
    let is_of_it = record.create_time.millis() == line.effective
        && rows::meter(charge.meter_id) == line.meter
        && charged == line.account;
    let mut names = charge.names();
    if is_of_it && names.any(|name| name.parse().is_ok_and(|name| is_moved(moved, &name))) {
        return Some(vec![line.account]);
    }
    is_of_it.then(|| {
        let mut path: Vec<Uid> = charge.path.accounts().to_vec();
        path.sort_unstable();
        path.dedup();
        path
    })
}

/// What the postings say that are there.
async fn there(snapshot: &mut Connection, wanted: &[Wanted]) -> Result<HashMap<PostingKey, i64>, StoreError> {
    let get = Bulk::new(sql!("verify_posting_get"));
    let found = get.fetch(snapshot, wanted, |values, wanted| wanted.key.bind(values));
    let mut there = HashMap::default();
    for row in found.await? {
        let key = PostingKey {
            account: rows::uid(row.bytes(0)?)?.0,
            meter: row.int(1)?,
            effective: row.int(2)?,
            partition: row.int(3)?,
            incarnation: row.int(4)?,
            seq: row.int(5)?,
            idx: row.int(6)?,
        };
        there.insert(key, row.int(7)?);
    }
    Ok(there)
}

/// The counter and the entry of a posting, for people.
pub(super) async fn told(snapshot: &mut Connection, key: &PostingKey) -> Result<String, StoreError> {
    let PostingKey { account, meter, partition, incarnation, seq, idx, .. } = *key;
    let name = name_of(snapshot, (account, meter)).await?;
    Ok(format!("{name}, partition {partition}, incarnation {incarnation}, entry {seq}, line {idx}"))
}
