//! One partition compared from beginning to end, in one incarnation of it.

use super::super::keys::Keys;
use super::super::link::Link;
use super::super::meta::Meta;
use super::follower::Follower;
use super::look::{self, Figures};
use super::trouble::{Step, Stop, Trouble};
use crate::domain::name::IdKey;
use crate::domain::time::Timestamp;
use crate::engine::audit::{AuditOptions, AuditReport, Auditor, Drift, Finding, Progress};
use crate::engine::ports::{CounterKey, Ledger, Repeated, Watermark};
use std::time::Duration;

/// How often what differs is compared again, and after what time.
pub(super) const CONFIRM: usize = 3;
pub(super) const REST: Duration = Duration::from_millis(100);

/// What the comparison of a partition stands on.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub link: &'a Link,
    pub keys: &'a Keys,
    pub ledger: &'a dyn Ledger,
    /// Who knows the counters' names.
    pub names: &'a dyn Auditor,
    pub options: AuditOptions,
    pub progress: Progress<'a>,
}

/// A comparison under way.
pub(super) struct Comparison<'a> {
    pub place: Place<'a>,
    pub incarnation: u64,
    /// The store's time at the last look.
    pub now: Timestamp,
    pub follower: Follower<'a>,
    pub report: &'a mut AuditReport,
}

/// Compares a partition, and adds what it finds to the report.
///
/// # Errors
/// [`Stop`]: what was found until then stands in the report.
pub(super) async fn compare(place: Place<'_>, report: &mut AuditReport) -> Step<()> {
    let partition = place.keys.partition();
    let watermark = place.ledger.watermark(partition).await?;
    let Some(meta) = look::figures(place.link, place.keys, &[], &[]).await?.meta else {
        report.notes.push(format!("partition {partition} is not in Redis: a server loads it from the ledger"));
        return Ok(());
    };
    joined(&meta, watermark, meta.incarnation)?;
    let follower = Follower::new(place.link, place.keys.journal(meta.incarnation), watermark.seq);
    let mut comparison = Comparison { place, incarnation: meta.incarnation, now: meta.now, follower, report };
    comparison.load().await?;
    comparison.count().await?;
    comparison.reservations().await?;
    comparison.counters().await
}

/// Whether store and ledger are of one incarnation, and the store where the ledger is, or further.
fn joined(meta: &Meta, ledger: Watermark, incarnation: u64) -> Step<()> {
    let trouble = if !meta.open {
        Trouble::Loading
    } else if meta.incarnation != incarnation || meta.incarnation != ledger.incarnation {
        Trouble::Incarnation { store: meta.incarnation, ledger: ledger.incarnation }
    } else if meta.seq < ledger.seq {
        Trouble::Behind { store: meta.seq, ledger: ledger.seq }
    } else {
        return Ok(());
    };
    Err(Stop::Again(trouble))
}

impl Comparison<'_> {
    /// Takes over what the ledger has as open, and goes on to where the ledger was then: from there on it is exact.
    async fn load(&mut self) -> Step<()> {
        let Place { ledger, keys, .. } = self.place;
        let open = self.follower.meanwhile(ledger.open_reservations(keys.partition())).await?;
        let repeated = self.follower.meanwhile(ledger.repeated(keys.partition())).await?;
        // A repeat that came late is open beside the first one, until it is undone.
        let repeated = repeated.into_iter().map(|Repeated { reservation, .. }| *reservation);
        self.follower.load(open.into_iter().chain(repeated.filter(|record| record.state.is_open())));
        let watermark = self.watermark().await?;
        self.figures(watermark, &[], &[]).await.map(|_| ())
    }

    /// The ledger's watermark. The journal until there is in the ledger's answers from now on.
    pub(super) async fn watermark(&mut self) -> Step<Watermark> {
        let partition = self.place.keys.partition();
        let watermark = self.follower.meanwhile(self.place.ledger.watermark(partition)).await?;
        self.follower.flushed(watermark.seq);
        Ok(watermark)
    }

    /// Reads the store, once the ledger has answered as of a watermark, and follows its journal to the same entry.
    pub(super) async fn figures(
        &mut self,
        ledger: Watermark,
        counters: &[CounterKey],
        reservations: &[IdKey],
    ) -> Step<(Meta, Figures)> {
        let mut figures = look::figures(self.place.link, self.place.keys, counters, reservations).await?;
        let meta = figures.meta.take().ok_or(Stop::Again(Trouble::Loading))?;
        joined(&meta, ledger, self.incarnation)?;
        self.follower.advance(meta.seq).await?;
        self.now = meta.now;
        Ok((meta, figures))
    }

    /// Compares the number of open reservations, on which every reply and the metrics rest.
    async fn count(&mut self) -> Step<()> {
        for look in 0..=CONFIRM {
            let watermark = self.watermark().await?;
            let (meta, _) = self.figures(watermark, &[], &[]).await?;
            let open = self.follower.open().len() as u64;
            if meta.reservations == open {
                return Ok(());
            } else if look < CONFIRM {
                tokio::time::sleep(REST).await;
                continue;
            }
            let finding = Finding {
                drift: Drift::LivePartition,
                place: format!("partition {}", self.place.keys.partition()),
                figure: "open reservations",
                kept: i64::try_from(meta.reservations).ok(),
                expected: i64::try_from(open).ok(),
                repaired: false,
            };
            self.report.found(finding, self.place.options.listed);
        }
        Ok(())
    }

    /// Counts what was looked at, and tells how far it is.
    pub(super) fn looked(&mut self, what: &'static str, rows: usize) {
        let count = self.report.looked_at.entry(what).or_default();
        *count += rows as u64;
        (self.place.progress)(what, *count);
    }

    /// Whether another finding would be listed, so that it is worth while to look its name up.
    pub(super) fn lists(&self) -> bool {
        self.report.findings.len() < self.place.options.listed
    }
}
