//! A tenant with very many quotas of its own beside one with few: what it takes to write them, to load them and to change one,
//! and whether a decision costs more.

use super::child::Scratch;
use super::engine::{Call, calls_of};
use super::memory::resident;
use super::meter::Sample;
use super::options::Options;
use super::report::{Row, median};
use crate::app::{Node, NodeOptions};
use crate::domain::name::{AccountName, MeterName};
use crate::domain::price::Quantities;
use crate::domain::quota::{Limit, LimitValue, Quota, Subject};
use crate::domain::time::Timestamp;
use crate::domain::window::{WindowKind, WindowSpec};
use crate::engine::call::{ChargeRequest, ReserveCall};
use crate::engine::manage::{Apply, QuotaChange, QuotaContext};
use crate::engine::ports::{CatalogWrite, ScopeWrite, WriteContext, Written};
use anyhow::{Context, ensure};
use serde::Serialize;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};

/// The tenant, its meter, and what holds for users without a quota of their own.
const TENANT: &str = "tenants/bench";
const METER: &str = "bench.units";
const CATALOG: &str = "\
tenants:
  - name: tenants/bench
    meters: [{name: bench.units, unit: unit}]
    quotas: [{subject: tenants/bench/users/-, meter: bench.units, limits: {day: 1_000_000_000_000, month: 1_000_000_000_000}}]
";
/// Quotas of the tenant that has few.
const FEW: usize = 10;
/// Users that are charged.
const CHARGED: u64 = 10_000;
/// Quotas written in one transaction.
const CHUNK: usize = 5_000;
/// Quotas that are changed one by one.
const CHANGES: usize = 20;

/// A catalog with so many quotas.
#[derive(Clone, Debug, Serialize)]
pub struct Size {
    /// Quotas of the tenant's own.
    pub quotas: usize,
    /// How many a second were written, in transactions of 5,000, with history and audit.
    pub written_per_second: f64,
    /// From nothing to a snapshot that decisions are planned with, in milliseconds.
    pub load_ms: f64,
    /// The memory that the snapshot takes, where the system tells it, in bytes for each quota.
    pub bytes_each: Option<f64>,
    /// A change of one quota until it binds, in milliseconds; the median.
    pub change_ms: f64,
    /// A Consume by one of 10,000 users.
    pub consume: Row,
    /// Its processor time as a multiple of what it is with few quotas.
    pub times_few: Option<f64>,
}

/// Measures a catalog with few quotas and one with many, round by round in turn.
///
/// # Errors
/// A folder that can't be written, a call that fails.
pub(super) fn run(options: &Options, progress: impl Fn(&str)) -> anyhow::Result<Vec<Size>> {
    let mut subjects = Vec::new();
    for quotas in [FEW, options.quotas] {
        progress(&format!("a catalog with {quotas} quotas"));
        subjects.push(Subjects::open(options, quotas)?);
    }
    let mut samples: [Vec<Sample>; 2] = Default::default();
    for round in 1..=options.rounds {
        for (subject, samples) in subjects.iter_mut().zip(&mut samples) {
            progress(&format!("Consume beside {} quotas, round {round}", subject.quotas));
            samples.push(subject.round(options)?);
        }
    }
    let ratio = |(many, few): (&Sample, &Sample)| Some(many.cpu_us? / few.cpu_us?);
    let [few, many] = &samples;
    let times = median(many.iter().zip(few).filter_map(ratio).collect());
    subjects
        .iter_mut()
        .zip(&samples)
        .zip([None, times])
        .map(|((one, samples), times)| one.size(samples, times))
        .collect()
}

/// An open node whose tenant has so many quotas.
struct Subjects {
    quotas: usize,
    written_per_second: f64,
    load_ms: f64,
    bytes_each: Option<f64>,
    next: u64,
    node: Option<Node>,
    background: Runtime,
    _scratch: Scratch,
}

impl Subjects {
    fn open(options: &Options, quotas: usize) -> anyhow::Result<Subjects> {
        let scratch = Scratch::new(&options.data_dir)?;
        let background =
            Builder::new_multi_thread().worker_threads(2).thread_name("quotad-background").enable_all().build()?;
        let settings = NodeOptions { data_dir: scratch.path().join("catalog"), ..NodeOptions::default() };
        let node = background.block_on(Node::open(settings))?;
        let start = Instant::now();
        background.block_on(write(&node, quotas))?;
        let written_per_second = quotas as f64 / start.elapsed().as_secs_f64();

        let (start, before) = (Instant::now(), here());
        background.block_on(node.catalogs.snapshot(TENANT))?;
        let load_ms = millis(start);
        let bytes = here().zip(before).map(|(after, before)| after.saturating_sub(before) as f64);
        let bytes_each = bytes.filter(|_| quotas > FEW).map(|bytes| bytes / quotas as f64);
        let node = Some(node);
        Ok(Subjects { quotas, written_per_second, load_ms, bytes_each, next: 0, node, background, _scratch: scratch })
    }

    fn node(&self) -> anyhow::Result<&Node> {
        self.node.as_ref().context("the node is closed")
    }

    fn round(&mut self, options: &Options) -> anyhow::Result<Sample> {
        let first = self.next;
        // More than a round can use: numbers are not used twice.
        self.next += 1 << 32;
        calls_of(self.node()?, options, Call::Consume, first, consume)
    }

    /// All figures; changes what was measured.
    fn size(&mut self, samples: &[Sample], times_few: Option<f64>) -> anyhow::Result<Size> {
        let node = self.node()?;
        let changes = (0..CHANGES.min(self.quotas)).map(|number| self.background.block_on(change(node, number)));
        let changes: Vec<f64> = changes.collect::<anyhow::Result<_>>()?;
        Ok(Size {
            quotas: self.quotas,
            written_per_second: self.written_per_second,
            load_ms: self.load_ms,
            bytes_each: self.bytes_each,
            change_ms: median(changes).unwrap_or_default(),
            consume: Row::new("engine: Consume", "decision", samples, None),
            times_few,
        })
    }
}

impl Drop for Subjects {
    fn drop(&mut self) {
        if let Some(node) = self.node.take() {
            self.background.block_on(node.close());
        }
    }
}

/// Gives the tenant's first users quotas of their own.
async fn write(node: &Node, quotas: usize) -> anyhow::Result<()> {
    let now = node.clock.now();
    let yaml = CATALOG.as_bytes();
    let catalog = Apply { tenant: None, yaml, dry_run: false, prune: false, etag: None, actor: "bench", now };
    node.catalogs.apply(catalog).await.context("the benchmark's catalog")?;
    let context = WriteContext::new("bench", now);
    for first in (0..quotas).step_by(CHUNK) {
        let numbers = first..quotas.min(first + CHUNK);
        let changes =
            numbers.map(|number| quota(number, now).map(CatalogWrite::PutQuota)).collect::<anyhow::Result<_>>()?;
        let write = ScopeWrite { tenant: Some(TENANT.into()), expect_version: None, changes };
        let written = node.catalogs.store().write(&context, &[write]).await?;
        ensure!(matches!(written, Written::Done(_)), "somebody else writes: {written:?}");
    }
    Ok(())
}

/// Deletes the quota of a user, as an administrator does; answers how long it took until that bound.
async fn change(node: &Node, number: usize) -> anyhow::Result<f64> {
    let (subject, meter) = (Subject::Account(user(number)?), METER.parse()?);
    let context = QuotaContext { tenant: Some(TENANT), etag: None, actor: "bench", now: node.clock.now() };
    let change = QuotaChange::Delete { subject: &subject, meter: &meter, version: None, reopen: false };
    let start = Instant::now();
    node.catalogs.change_quotas(context, &change).await?;
    Ok(millis(start))
}

fn user(number: usize) -> anyhow::Result<AccountName> {
    Ok(format!("{TENANT}/users/{number}").parse()?)
}

fn quota(number: usize, now: Timestamp) -> anyhow::Result<Quota> {
    let limit = |kind| Limit { window: WindowSpec::of(kind), value: LimitValue::Finite(1 << 40) };
    let limits = vec![limit(WindowKind::Day), limit(WindowKind::Month)];
    let quota = Quota::plain(TENANT, Subject::Account(user(number)?), METER.parse()?, limits, now);
    Ok(Quota { version: 0, ..quota })
}

fn consume(number: u64) -> Option<ReserveCall> {
    let user = usize::try_from(number.wrapping_mul(7919) % CHARGED).ok()?;
    let charge = ChargeRequest {
        account: self::user(user).ok()?,
        meter: METER.parse::<MeterName>().ok()?,
        amount: Some(1),
        quantities: Quantities::default(),
        item: String::new(),
        service: String::new(),
        also: Vec::new(),
    };
    Some(ReserveCall {
        tenant: AccountName::tenant_from(TENANT).ok()?,
        reservation_id: Some(format!("bench-{number:012x}")),
        request_id: None,
        charges: vec![charge],
        ttl: None,
        labels: Vec::new(),
        wait_for_durable: false,
    })
}

/// This process's memory.
fn here() -> Option<u64> {
    resident(std::process::id())
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_charged_user_is_one() {
        let call = consume(u64::from(u32::MAX)).unwrap();
        assert!(call.charges[0].account.is_within(TENANT));
    }
}
