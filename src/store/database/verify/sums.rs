//! Through the postings by account: roll-ups and lifetime counters are their sums, and each has its entry.

use super::super::connection::{Connection, sql};
use super::super::fold::QUARTER;
use super::super::pool::Database;
use super::context::{Amounts, Audit, Place, Quarter, Unposted, name_of};
use super::cut;
use super::postings::told;
use super::repair::{Fix, Fixes, PostingKey};
use super::streams::{CounterStream, Posted, PostingStream, RollupStream};
use crate::domain::amount;
use crate::domain::time::Timestamp;
use crate::engine::audit::{Drift, Finding};
use crate::engine::ports::StoreError;

/// Postings that are told one by one of each quarter, and, with repair, removed.
const ALONE: i64 = 1_000;
/// What the figures of a roll-up are called.
const ROLLUP: [&str; 2] = ["used", "top_up"];
/// What the figures of a counter are called.
const COUNTER: [&str; 3] = ["used", "top_up_used", "own_used"];

/// The comparison under way.
pub(super) struct Sums<'a, 'b> {
    pub(super) audit: &'a mut Audit<'b>,
    pub(super) database: &'a Database,
    pub(super) unposted: Unposted,
}

/// A counter whose quarters are being summed.
#[derive(Default)]
struct Counter {
    sum: Amounts,
    /// Whether some posting has no entry: then nobody knows what was charged to the account itself.
    own_unknown: bool,
    /// How much adjustments took back of what was charged to the account itself, at most: no more than there was, which an amount
    /// does not say.
    own_taken_back: i128,
    /// Whether that is so because its entry was pruned.
    pruned: bool,
}

impl Sums<'_, '_> {
    /// Goes through everything in one snapshot.
    pub(super) async fn check(mut self) -> Result<(), StoreError> {
        let mut snapshot = self.database.snapshot().await?;
        let step = self.audit.options.step;
        let (mut postings, mut rollups) = (PostingStream::new(step), RollupStream::new(step));
        let mut counters = CounterStream::new(step);
        let mut fixes = Fixes::default();
        let mut now: Option<(Place, Counter)> = None;
        loop {
            let posted = postings.peek(&mut snapshot).await?;
            let kept = rollups.peek(&mut snapshot).await?;
            let unposted = self.unposted.quarters.first_key_value().map(|(key, _)| *key);
            let Some(key) = [posted, kept, unposted].into_iter().flatten().min() else { break };
            let place = (key.0, key.1);
            if now.as_ref().is_some_and(|(current, _)| *current != place)
                && let Some((done, counter)) = now.take()
            {
                self.counter(&mut snapshot, &mut counters, &mut fixes, done, counter).await?;
            }
            let (_, counter) = now.get_or_insert_with(|| (place, Counter::default()));
            let posted = if posted == Some(key) { postings.pop() } else { Posted::default() };
            let kept = if kept == Some(key) { rollups.pop() } else { None };
            let missing = self.unposted.quarters.remove(&key).unwrap_or_default();
            self.quarter(&mut snapshot, &mut fixes, key, counter, (posted, kept, missing)).await?;
        }
        if let Some((done, counter)) = now {
            self.counter(&mut snapshot, &mut counters, &mut fixes, done, counter).await?;
        }
        self.counters_before(&mut snapshot, &mut counters, &mut fixes, None).await?;
        fixes.write(self.audit, self.database).await?;
        snapshot.rollback().await
    }

    async fn quarter(
        &mut self,
        snapshot: &mut Connection,
        fixes: &mut Fixes,
        key: Quarter,
        counter: &mut Counter,
        (posted, kept, missing): (Posted, Option<[i64; 2]>, Amounts),
    ) -> Result<(), StoreError> {
        self.audit.looked("postings", usize::try_from(posted.rows).unwrap_or(0));
        self.audit.looked("roll-ups", usize::from(kept.is_some()));
        // Postings outlive their entries when history is pruned, and go on saying what they said in sum.
        let pruned = self.audit.is_pruned(key.2.saturating_mul(QUARTER));
        if posted.alone + posted.unlike > 0 {
            counter.own_unknown |= posted.alone > 0;
            counter.pruned |= pruned;
            if !pruned {
                self.alone(snapshot, fixes, key).await?;
            }
        }
        counter.own_taken_back += posted.taken_back;
        let mut right = posted.amounts;
        right.add(missing);
        counter.sum.add(right);
        let figures = kept.unwrap_or_default();
        let right = [right.used, right.top_up];
        let mut differs = [0, 1].map(|at| i128::from(figures[at]) != right[at]);
        differs[1] &= !self.unposted.top_up_unknown.contains_key(&(key.0, key.1));
        if differs.contains(&true) {
            let cut = cut::rollup(snapshot, key).await?;
            self.audit.report.cut += count(&differs, &cut);
            self.rollup(snapshot, fixes, key, kept, right, [0, 1].map(|at| differs[at] && !cut[at])).await?;
        }
        Ok(())
    }

    async fn rollup(
        &mut self,
        snapshot: &mut Connection,
        fixes: &mut Fixes,
        key: Quarter,
        kept: Option<[i64; 2]>,
        right: [i128; 2],
        differs: [bool; 2],
    ) -> Result<(), StoreError> {
        let figures = kept.unwrap_or_default();
        let mut place = String::new();
        if self.audit.lists() {
            let time = Timestamp::from_millis(key.2.saturating_mul(QUARTER));
            place = format!("{}, quarter of an hour from {time}", name_of(snapshot, (key.0, key.1)).await?);
        }
        let mut findings = Vec::new();
        let mut fixed = figures;
        for at in (0..2).filter(|at| differs[*at]) {
            fixed[at] = in_range(right[at], -i128::from(amount::MAX));
            findings.push(self.found(Drift::Rollup, &place, ROLLUP[at], kept.map(|kept| kept[at]), fixed[at]));
        }
        if findings.is_empty() {
            return Ok(());
        }
        fixes.add(self.audit, self.database, Fix::Rollup { key, kept, right: fixed }, findings).await
    }

    /// Compares a counter whose quarters were all summed, and those before it, which have none.
    async fn counter(
        &mut self,
        snapshot: &mut Connection,
        counters: &mut CounterStream,
        fixes: &mut Fixes,
        place: Place,
        counter: Counter,
    ) -> Result<(), StoreError> {
        self.counters_before(snapshot, counters, fixes, Some(place)).await?;
        let kept = if counters.peek(snapshot).await? == Some(place) { counters.pop() } else { None };
        self.compare(snapshot, fixes, place, kept, &counter).await
    }

    /// Compares the counters before a place: those of which there is no posting and no roll-up.
    async fn counters_before(
        &mut self,
        snapshot: &mut Connection,
        counters: &mut CounterStream,
        fixes: &mut Fixes,
        end: Option<Place>,
    ) -> Result<(), StoreError> {
        while let Some(place) = counters.peek(snapshot).await?.filter(|place| end.is_none_or(|end| *place < end)) {
            let kept = counters.pop();
            self.compare(snapshot, fixes, place, kept, &Counter::default()).await?;
        }
        Ok(())
    }

    async fn compare(
        &mut self,
        snapshot: &mut Connection,
        fixes: &mut Fixes,
        place: Place,
        kept: Option<[i64; 3]>,
        counter: &Counter,
    ) -> Result<(), StoreError> {
        self.audit.looked("counters", usize::from(kept.is_some()));
        let figures = kept.unwrap_or_default();
        let right = [counter.sum.used, counter.sum.top_up, counter.sum.own];
        let mut differs = [0, 1, 2].map(|at| i128::from(figures[at]) != right[at]);
        differs[1] &= !self.unposted.top_up_unknown.contains_key(&place);
        if counter.own_unknown {
            self.audit.report.pruned += u64::from(counter.pruned);
            differs[2] = false;
        }
        let more = i128::from(figures[2]) - right[2];
        if (1..=counter.own_taken_back).contains(&more) {
            self.audit.report.cut += 1;
            differs[2] = false;
        }
        if !differs.contains(&true) {
            return Ok(());
        }
        let cut = cut::counter(snapshot, place).await?;
        self.audit.report.cut += count(&differs, &cut);
        let mut told = String::new();
        if self.audit.lists() {
            told = name_of(snapshot, place).await?;
        }
        let mut findings = Vec::new();
        let mut fixed = figures;
        for at in (0..3).filter(|at| differs[*at] && !cut[*at]) {
            fixed[at] = in_range(right[at], 0);
            findings.push(self.found(Drift::Counter, &told, COUNTER[at], kept.map(|kept| kept[at]), fixed[at]));
        }
        if findings.is_empty() {
            return Ok(());
        }
        fixes.add(self.audit, self.database, Fix::Counter { key: place, kept, right: fixed }, findings).await
    }

    /// Tells of the postings of a quarter that have no entry, or one that says something else.
    async fn alone(
        &mut self,
        snapshot: &mut Connection,
        fixes: &mut Fixes,
        (account, meter, quarter): Quarter,
    ) -> Result<(), StoreError> {
        let found = snapshot.fetch(sql!("verify_posting_alone"), |values| {
            values.bytes(&account.to_be_bytes()).int(meter);
            values.int(quarter.saturating_mul(QUARTER)).int((quarter + 1).saturating_mul(QUARTER)).int(ALONE);
        });
        for row in found.await? {
            let key = PostingKey {
                account,
                meter,
                effective: row.int(0)?,
                partition: row.int(1)?,
                incarnation: row.int(2)?,
                seq: row.int(3)?,
                idx: row.int(4)?,
            };
            let has_entry = row.int(6)? != 0;
            if !has_entry && self.audit.is_pruned(key.effective) {
                continue;
            }
            let place = if self.audit.lists() { told(snapshot, &key).await? } else { String::new() };
            let drift = if has_entry { Drift::Posting } else { Drift::EntryMissing };
            let kept = Some(row.int(5)?);
            let at = self.audit.found(Finding { drift, place, figure: "used", kept, expected: None, repaired: false });
            if has_entry {
                fixes.add(self.audit, self.database, Fix::PostingRemove { key }, vec![at]).await?;
            }
        }
        Ok(())
    }

    fn found(
        &mut self,
        drift: Drift,
        place: &str,
        figure: &'static str,
        kept: Option<i64>,
        right: i64,
    ) -> Option<usize> {
        let place = String::from(place);
        self.audit.found(Finding { drift, place, figure, kept, expected: Some(right), repaired: false })
    }
}

/// How many of the figures that differ were cut.
fn count(differs: &[bool], cut: &[bool]) -> u64 {
    differs.iter().zip(cut).filter(|(differs, cut)| **differs && **cut).count() as u64
}

fn in_range(figure: i128, least: i128) -> i64 {
    i64::try_from(figure.clamp(least, i128::from(amount::MAX))).unwrap_or(0)
}
