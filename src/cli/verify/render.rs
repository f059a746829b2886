//! What an audit found, as text and as JSON.

use crate::cli::render::{Column, View};
use crate::engine::audit::{AuditReport, Drift, Finding};

/// What was audited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Audited {
    /// The ledger by itself.
    pub ledger: bool,
    /// What is live in Redis.
    pub live: bool,
    /// Whether repairs were asked for.
    pub repair: bool,
}

/// The report for programs.
pub(super) fn json(report: &AuditReport) -> String {
    let mut value = serde_json::json!(report);
    value["clean"] = report.is_clean().into();
    value["remaining"] = report.remaining().into();
    format!("{value:#}")
}

/// The report for people.
pub(super) fn text(report: &AuditReport, view: &View, audited: Audited) -> String {
    let mut lines = vec![verdict(report, audited)];
    let looked: Vec<String> = report.looked_at.iter().map(|(table, rows)| format!("{rows} {table}")).collect();
    lines.push(format!(
        "looked at {}",
        if looked.is_empty() { "nothing: it is empty".into() } else { looked.join(", ") }
    ));
    if report.cut > 0 {
        lines.push(format!("{} figures were cut to their range on the way (rule 16) and not compared", report.cut));
    }
    if report.lost > 0 {
        lines.push(format!("{} entries were lost with a counter store: they are no drift", report.lost));
    }
    if let Some(before) = report.pruned_before {
        lines.push(format!(
            "history before {before} was pruned: {} figures that it made could not be summed again",
            report.pruned
        ));
    }
    if report.loading > 0 {
        lines.push(format!(
            "{} counters in Redis are being loaded from the ledger and were not compared",
            report.loading
        ));
    }
    lines.extend(report.notes.iter().cloned());
    if !report.drift.is_empty() {
        let columns = [Column::Text("wrong"), Column::Number("how many")];
        let rows = report.drift.iter().map(|(drift, count)| vec![drift.name().to_owned(), count.to_string()]);
        lines.push(view.table(&columns, rows.collect()));
    }
    if !report.findings.is_empty() {
        let columns = [
            Column::Text("wrong"),
            Column::Text("where"),
            Column::Text("figure"),
            Column::Number("kept"),
            Column::Number("by the entries"),
            Column::Text("repaired"),
        ];
        lines.push(view.table(&columns, report.findings.iter().map(cells).collect()));
        let listed = report.findings.len() as u64;
        let all: u64 = report.drift.values().sum();
        if all > listed {
            lines.push(format!("and {} more; --list N lists more of them", all - listed));
        }
    }
    if [Drift::LivePartition, Drift::LiveReservation].iter().any(|drift| report.drift.contains_key(drift)) {
        lines.push(
            "Reservations and partitions in Redis are put right by loading the partition anew: deploy/RUNBOOK.md"
                .into(),
        );
    }
    lines.join("\n")
}

fn verdict(report: &AuditReport, audited: Audited) -> String {
    let all: u64 = report.drift.values().sum();
    let right = match (audited.ledger, audited.live) {
        (true, false) => "every sum of the ledger is that of its entries",
        (true, true) => {
            "every sum of the ledger is that of its entries, and what is live in Redis is that of the ledger"
        }
        (false, _) => "what is live in Redis is that of the ledger",
    };
    match (all, report.remaining()) {
        (0, _) => format!("clean: {right}"),
        (_, 0) => format!(
            "repaired: {all} figures were wrong and are written anew, or read from the ledger at their next use"
        ),
        (_, remaining) if audited.repair => {
            format!("DRIFT: {all} things are wrong: {} repaired, {remaining} can't be", report.repaired)
        }
        _ => format!("DRIFT: {all} things are wrong; --repair puts right what follows from the entries"),
    }
}

fn cells(finding: &Finding) -> Vec<String> {
    let figure = |figure: Option<i64>| figure.map_or_else(|| "-".into(), |figure| figure.to_string());
    vec![
        finding.drift.name().into(),
        finding.place.clone(),
        finding.figure.into(),
        figure(finding.kept),
        figure(finding.expected),
        if finding.repaired { "yes" } else { "no" }.into(),
    ]
}
