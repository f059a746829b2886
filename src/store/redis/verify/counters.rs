//! Counters: every one that the store has, in both generations, and those that must be there because something is held.

use super::super::link::LinkError;
use super::super::unpack::sixteen;
use super::super::value;
use super::expected::{Judged, Truth, Wrong, queries};
use super::follower::Holds;
use super::look;
use super::partition::{CONFIRM, Comparison, REST};
use super::trouble::Step;
use crate::domain::counter::Counter;
use crate::domain::name::{MeterId, Uid};
use crate::domain::time::Timestamp;
use crate::engine::audit::{Drift, Finding};
use crate::engine::ports::CounterKey;
use std::collections::HashSet;

const WHAT: &str = "counters in Redis";
/// Counters that are compared at once: the ledger's answer takes a fraction of a second.
const PAGE: usize = 200;
/// How often a counter that is to be forgotten is looked at again because it changed. The last time it is forgotten as it
/// is: it was wrong each time, and the ledger has all that it knows.
const MEND: usize = 10;

/// A counter as it was compared last.
struct Reading {
    key: CounterKey,
    raw: Vec<u8>,
    /// As far as it can be read: what the ledger is asked next.
    counter: Counter,
    judged: Judged,
}

impl Comparison<'_> {
    /// Compares all counters.
    pub(super) async fn counters(&mut self) -> Step<()> {
        let watermark = self.watermark().await?;
        let (meta, _) = self.figures(watermark, &[], &[]).await?;
        // What is touched meanwhile moves from the old generation to the current one, which comes last.
        for generation in [1 - meta.generation.0.min(1), meta.generation.0] {
            let hash = self.place.keys.counters(generation);
            let mut cursor = b"0".to_vec();
            loop {
                let (next, fields) = self.place.link.scan(hash, &cursor, PAGE).await.map_err(LinkError::of_a_read)?;
                let page: Vec<(CounterKey, Counter)> =
                    fields.iter().filter_map(|(field, raw)| Some((key_of(field)?, known(raw)))).collect();
                for page in page.chunks(PAGE) {
                    self.page(page.to_vec()).await?;
                }
                if next == b"0" {
                    break;
                }
                cursor = next;
            }
        }
        self.absent().await
    }

    /// Compares counters of which something is held and that are not there.
    async fn absent(&mut self) -> Step<()> {
        let held: Vec<CounterKey> = self.follower.holds().keys().copied().collect();
        for page in held.chunks(PAGE) {
            let watermark = self.watermark().await?;
            let (_, figures) = self.figures(watermark, page, &[]).await?;
            let absent = page.iter().zip(&figures.counters).filter(|(_, raw)| raw.is_empty());
            let absent: Vec<_> = absent.map(|(key, _)| (*key, Counter::default())).collect();
            if !absent.is_empty() {
                self.page(absent).await?;
            }
        }
        Ok(())
    }

    /// Compares some counters; what differs is compared again, and told if it differs each time.
    async fn page(&mut self, page: Vec<(CounterKey, Counter)>) -> Step<()> {
        let readings = self.read(&page).await?;
        self.looked(WHAT, readings.len());
        self.report.loading += count(&readings, &Judged::Loading);
        self.report.cut += count(&readings, &Judged::Cut);
        let mut doubtful = doubtful(readings);
        for _ in 0..CONFIRM {
            if doubtful.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(REST).await;
            doubtful = self.again(doubtful).await?;
        }
        self.report.loading += count(&doubtful, &Judged::Unread);
        doubtful.retain(|reading| matches!(reading.judged, Judged::Wrong(_)));
        let mended = if self.place.options.repair { self.mend(&mut doubtful).await? } else { HashSet::new() };
        for reading in doubtful {
            self.tell(reading, &mended).await?;
        }
        Ok(())
    }

    /// Compares once more; answers what still differs.
    async fn again(&mut self, readings: Vec<Reading>) -> Step<Vec<Reading>> {
        let page: Vec<_> = readings.into_iter().map(|reading| (reading.key, reading.counter)).collect();
        Ok(doubtful(self.read(&page).await?))
    }

    /// Asks the ledger for each window of some counters, reads them from the store, and compares.
    async fn read(&mut self, page: &[(CounterKey, Counter)]) -> Step<Vec<Reading>> {
        let keys: Vec<CounterKey> = page.iter().map(|(key, _)| *key).collect();
        let asked: Vec<Vec<_>> = page.iter().map(|(key, counter)| queries(*key, counter, self.now)).collect();
        let all: Vec<_> = asked.iter().flatten().cloned().collect();
        let usage = self.place.ledger.usage(self.place.keys.partition(), &all);
        let (watermark, answers) = self.follower.meanwhile(usage).await?;

        let (meta, figures) = self.figures(watermark, &keys, &[]).await?;
        let used = self.follower.used_after(watermark.seq, &keys.iter().copied().collect());
        let mut answers = answers.into_iter();
        let nothing = Holds::new();
        let mut readings = Vec::with_capacity(page.len());
        for ((key, asked), raw) in keys.into_iter().zip(asked).zip(figures.counters) {
            let ledger: Vec<_> = asked.into_iter().zip(answers.by_ref()).collect();
            let truth = Truth {
                ledger: &ledger,
                beyond: used.get(&key).map_or(&[], Vec::as_slice),
                holds: self.follower.holds().get(&key).unwrap_or(&nothing),
                now: meta.now,
            };
            let judged = judge(&raw, &truth, meta.complete_since);
            readings.push(Reading { key, counter: known(&raw), raw, judged });
        }
        self.follower.flushed(watermark.seq);
        Ok(readings)
    }

    /// Makes the store forget counters; answers which it did. One that turns out to be right by now is left.
    async fn mend(&mut self, wrong: &mut Vec<Reading>) -> Step<HashSet<CounterKey>> {
        let mut mended = HashSet::new();
        for left in (0..MEND).rev() {
            let items: Vec<(CounterKey, &[u8])> = wrong
                .iter()
                .filter(|reading| !mended.contains(&reading.key))
                .map(|reading| (reading.key, if left == 0 { &[] } else { &*reading.raw }))
                .collect();
            if items.is_empty() {
                break;
            }
            let gone = look::forget(self.place.link, self.place.keys, self.incarnation, &items).await?;
            mended.extend(items.iter().zip(gone).filter(|(_, gone)| *gone).map(|((key, _), _)| *key));
            let (done, changed) = std::mem::take(wrong).into_iter().partition(|reading| mended.contains(&reading.key));
            *wrong = done;
            if Vec::is_empty(&changed) {
                break;
            }
            let again = self.again(changed).await?;
            wrong.extend(again.into_iter().filter(|reading| matches!(reading.judged, Judged::Wrong(_))));
        }
        Ok(mended)
    }

    async fn tell(&mut self, reading: Reading, mended: &HashSet<CounterKey>) -> Step<()> {
        let Judged::Wrong(wrong) = reading.judged else { return Ok(()) };
        let name = match self.lists() {
            true => self.follower.meanwhile(self.place.names.name(reading.key)).await?,
            false => String::new(),
        };
        let mut told = Vec::new();
        for Wrong { window, figure, kept, expected } in wrong {
            let place = if window.is_empty() { name.clone() } else { format!("{name}, {window}") };
            let finding = Finding { drift: Drift::LiveCounter, place, figure, kept, expected, repaired: false };
            told.push(self.report.found(finding, self.place.options.listed));
        }
        if mended.contains(&reading.key) {
            self.report.mark_repaired(&told);
        }
        Ok(())
    }
}

/// Compares the bytes of a counter; none are right unless they are taken for zero where something is held.
fn judge(raw: &[u8], truth: &Truth<'_>, complete_since: Timestamp) -> Judged {
    if raw.is_empty() {
        let held: i128 = truth.holds.range(complete_since..).map(|(_, hold)| hold.held).sum();
        if held == 0 {
            return Judged::Right;
        }
        let expected = i64::try_from(held).ok();
        return Judged::Wrong(vec![Wrong { figure: "held", expected, ..Wrong::default() }]);
    }
    match value::read(raw) {
        Ok(value) if value.loading.is_some() => Judged::Loading,
        Ok(value) => truth.judge(&value.counter),
        Err(_) => {
            let kept = i64::try_from(raw.len()).ok();
            Judged::Wrong(vec![Wrong { figure: "unreadable bytes", kept, ..Wrong::default() }])
        }
    }
}

fn doubtful(readings: Vec<Reading>) -> Vec<Reading> {
    readings.into_iter().filter(|reading| matches!(reading.judged, Judged::Wrong(_) | Judged::Unread)).collect()
}

fn count(readings: &[Reading], judged: &Judged) -> u64 {
    readings.iter().filter(|reading| reading.judged == *judged).count() as u64
}

/// What can be read of a value.
fn known(raw: &[u8]) -> Counter {
    value::read(raw).map(|value| value.counter).unwrap_or_default()
}

fn key_of(field: &[u8]) -> Option<CounterKey> {
    let (account, meter) = field.split_at_checked(16)?;
    let meter = MeterId(u64::from_be_bytes(meter.try_into().ok()?));
    Some(CounterKey { account: Uid(sixteen(account).ok()?), meter })
}
