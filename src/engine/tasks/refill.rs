//! The miss path: what a counter store does not have is read from the ledger and installed (DESIGN: recovery).

use crate::domain::counter::{WindowPlan, begin};
use crate::domain::time::{Period, Timestamp};
use crate::domain::window::WindowKind;
use crate::engine::operation::{Counters, Miss, Refill};
use crate::engine::ports::{Ledger, StoreError, UsageQuery};

/// Reads every missing window of a miss in one snapshot of the ledger, and installs them.
///
/// # Errors
/// [`StoreError`] if the ledger can't be read or the store can't be written.
pub async fn counters(ledger: &dyn Ledger, store: &dyn Counters, miss: &Miss) -> Result<(), StoreError> {
    let mut queries = Vec::new();
    for (key, windows, missing) in &miss.counters {
        queries.push(UsageQuery { counter: *key, period: Period::ALWAYS, step: None, holds: miss.holds });
        queries.extend(missing.iter().map(|index| {
            let (period, step) = span(&windows[*index], miss.now);
            UsageQuery { counter: *key, period, step, holds: false }
        }));
    }
    let (as_of, answers) = ledger.usage(miss.partition, &queries).await?;
    let mut answers = answers.into_iter();
    let refills: Vec<Refill> = miss
        .counters
        .iter()
        .map(|(key, windows, missing)| Refill {
            tenant: miss.tenant,
            key: *key,
            windows: windows.clone(),
            lifetime: answers.next().unwrap_or_default(),
            answers: missing.iter().map(|index| (*index, answers.next().unwrap_or_default())).collect(),
        })
        .collect();
    store.install(miss.partition, as_of, &refills).await
}

/// Which effective times a window asks for: its period; the steps that still count; a full drain time (rule 8).
fn span(window: &WindowPlan, now: Timestamp) -> (Period, Option<i64>) {
    match window.kind {
        WindowKind::Sliding => (Period { start: begin(window, now), end: Timestamp::MAX }, Some(window.step.max(1))),
        WindowKind::Rate => (Period { start: begin(window, now), end: Timestamp::MAX }, None),
        _ => (window.period, None),
    }
}
