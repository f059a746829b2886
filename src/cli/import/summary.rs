//! What an import leaves for its reader: how many lines, and how much on each meter.

use super::record::Outcome;
use super::row::Use;
use crate::cli::output::{Answer, Fault};
use crate::cli::render::{Column, View};
use serde::Serialize;
use std::collections::BTreeMap;

/// The answer of `--json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    file: String,
    dry_run: bool,
    lines: usize,
    recorded: usize,
    recorded_before: usize,
    meters: Vec<Total>,
}

/// All lines of one tenant on one meter. A sum may be beyond what a number in JSON holds.
#[derive(Debug, Serialize)]
struct Total {
    tenant: String,
    meter: String,
    lines: usize,
    amount: String,
}

/// The answer; `outcome` is none after a dry run.
///
/// # Errors
/// [`Fault::Usage`] if it can't be written as JSON.
pub(super) fn answer(view: View, file: &str, uses: &[Use], outcome: Option<&Outcome>) -> Result<Answer, Fault> {
    let meters = totals(uses);
    let (recorded, before) = outcome.map_or((0, 0), |outcome| (outcome.recorded, outcome.repeated));
    let mut text = match outcome {
        None => format!("{} lines are well; nothing was recorded (dry run)", uses.len()),
        Some(_) if before == 0 => format!("recorded {recorded} lines"),
        Some(_) => format!("recorded {recorded} lines; {before} had been recorded before"),
    };
    if !meters.is_empty() {
        let columns =
            [Column::Text("tenant"), Column::Text("meter"), Column::Number("lines"), Column::Number("amount")];
        let rows = meters.iter().map(|total| {
            vec![total.tenant.clone(), total.meter.clone(), total.lines.to_string(), total.amount.clone()]
        });
        text = format!("{text}\n{}", view.table(&columns, rows.collect()));
    }
    let summary = Summary {
        file: file.to_owned(),
        dry_run: outcome.is_none(),
        lines: uses.len(),
        recorded,
        recorded_before: before,
        meters,
    };
    Answer::new(&summary, text)
}

fn totals(uses: &[Use]) -> Vec<Total> {
    let mut sums: BTreeMap<(&str, &str), (usize, u128)> = BTreeMap::new();
    for used in uses {
        let (lines, amount) = sums.entry((&used.tenant, &used.charge.meter)).or_default();
        *lines += 1;
        *amount += u128::from(used.amount());
    }
    let total = |((tenant, meter), (lines, amount)): ((&str, &str), (usize, u128))| Total {
        tenant: tenant.to_owned(),
        meter: meter.to_owned(),
        lines,
        amount: amount.to_string(),
    };
    sums.into_iter().map(total).collect()
}
