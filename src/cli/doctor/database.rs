//! The ledger's database: whether what is written there stays, and how its clock goes.

use super::report::{Promise, Report};
use crate::store::database::LedgerFacts;
use std::cmp::Ordering;
use std::path::Path;

/// Difference of clocks, in milliseconds, from which on it is told.
const SKEW: i64 = 1_000;
/// From which on it is a fault.
const MUCH: i64 = 5_000;

/// Looks at the database that the URL names, else at the file.
pub(super) async fn look(url: Option<&str>, file: &Path, report: &mut Report) -> Option<LedgerFacts> {
    let before = jiff::Timestamp::now().as_millisecond();
    let facts = match url {
        Some(url) => LedgerFacts::of_url(url).await,
        None => LedgerFacts::of_file(file).await,
    };
    let after = jiff::Timestamp::now().as_millisecond();
    let facts = match facts {
        Ok(facts) => facts,
        Err(error) => {
            let why = format!("the ledger can't be looked at: {error}");
            report.broken(Promise::Flush, why.clone());
            report.broken(Promise::Durable, why);
            return None;
        }
    };
    report.note(format!("ledger: {} {}, schema {}", facts.product, facts.version, facts.schema));
    schema(&facts, report);
    if facts.product == "PostgreSQL" {
        postgres(&facts, report);
    } else if facts.settings.get("journal_mode").is_some_and(|mode| mode != "wal") {
        report.weakened(Promise::Safe, "ledger.db has no write-ahead log; a start of the server mends that");
    }
    if let Some(now) = facts.now {
        skew("PostgreSQL", now.millis(), "this machine", (before, after), report);
    }
    if facts.lost > 0 {
        let why = format!("{} entries were lost with a counter store in the past: they are in no sum", facts.lost);
        report.weakened(Promise::Loss, why);
    }
    Some(facts)
}

fn schema(facts: &LedgerFacts, report: &mut Report) {
    let LedgerFacts { schema, known, .. } = facts;
    let has = format!("the ledger has schema {schema}, this quotad {known}");
    match schema.cmp(known) {
        Ordering::Equal => {}
        Ordering::Less => {
            report.weakened(Promise::Safe, format!("{has}: the next start of a server brings it there"));
        }
        Ordering::Greater => report.broken(Promise::Safe, format!("{has}: use a newer quotad")),
    }
}

fn postgres(facts: &LedgerFacts, report: &mut Report) {
    let setting = |name: &str| facts.settings.get(name).map_or("", String::as_str);
    if facts.standby {
        report.broken(Promise::Flush, "this PostgreSQL follows another one and can't be written: name its primary");
    }
    if setting("default_transaction_read_only") == "on" {
        report.weakened(Promise::Flush, "PostgreSQL has default_transaction_read_only = on");
    }
    match (setting("fsync"), setting("full_page_writes")) {
        ("off", _) => report.broken(Promise::Durable, "PostgreSQL has fsync = off: a power cut damages the ledger"),
        (_, "off") => {
            report
                .weakened(Promise::Durable, "PostgreSQL has full_page_writes = off: a power cut may damage the ledger");
        }
        _ => report.met(Promise::Durable, "PostgreSQL writes to the disk before it answers"),
    }
    match setting("synchronous_commit") {
        "off" => report.note("PostgreSQL has synchronous_commit = off; quotad sets it to on for itself"),
        "local" if !setting("synchronous_standby_names").is_empty() => {
            report.weakened(Promise::Durable, "synchronous_commit = local does not wait for the synchronous standbys");
        }
        _ => {}
    }
    let (major, connections) = (facts.version.split('.').next().unwrap_or_default(), setting("max_connections"));
    if major.parse::<u32>().is_ok_and(|major| major < 13) {
        report.broken(Promise::Safe, format!("PostgreSQL {}: 13 is the oldest that will do", facts.version));
    }
    if connections.parse::<u32>().is_ok_and(|most| most < 20) {
        let why = format!("PostgreSQL has max_connections = {connections}; each quotad uses up to 12");
        report.weakened(Promise::Safe, why);
    }
}

/// Tells if two clocks differ: one said `time`, the other the two times before and after that.
pub(super) fn skew(name: &str, time: i64, other: &str, (before, after): (i64, i64), report: &mut Report) {
    let off = if time < before { before - time } else { (time - after).max(0) };
    let why = || format!("the clocks of {name} and {other} are at least {}.{:03} s apart", off / 1000, off % 1000);
    match off {
        MUCH.. => report.broken(Promise::Time, why()),
        SKEW.. => report.weakened(Promise::Time, why()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::report::Verdict;

    fn facts(settings: &[(&str, &str)]) -> LedgerFacts {
        let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let (product, version) = ("PostgreSQL", "15.1".into());
        LedgerFacts { product, version, schema: 3, known: 3, settings, ..LedgerFacts::default() }
    }

    fn judged(facts: &LedgerFacts) -> Verdict {
        let mut report = Report::default();
        schema(facts, &mut report);
        postgres(facts, &mut report);
        report.verdict()
    }

    #[test]
    fn settings_under_which_the_ledger_may_break_are_told() {
        assert_eq!(judged(&facts(&[("fsync", "on"), ("synchronous_commit", "off")])), Verdict::Met);
        assert_eq!(judged(&facts(&[("fsync", "off")])), Verdict::Broken);
        assert_eq!(judged(&facts(&[("full_page_writes", "off")])), Verdict::Weakened);
        assert_eq!(judged(&LedgerFacts { standby: true, ..facts(&[]) }), Verdict::Broken);
        assert_eq!(judged(&LedgerFacts { schema: 2, ..facts(&[]) }), Verdict::Weakened);
        assert_eq!(judged(&LedgerFacts { schema: 4, ..facts(&[]) }), Verdict::Broken);
        assert_eq!(judged(&LedgerFacts { version: "12.1".into(), ..facts(&[]) }), Verdict::Broken);
    }

    #[test]
    fn clocks_may_differ_by_as_much_as_asking_took() {
        let told = |time| {
            let mut report = Report::default();
            skew("a", time, "b", (10_000, 10_500), &mut report);
            report.verdict()
        };
        assert_eq!([told(10_200), told(9_500), told(11_400)], [Verdict::Met; 3]);
        assert_eq!([told(9_000), told(11_500)], [Verdict::Weakened; 2]);
        assert_eq!([told(4_000), told(15_500)], [Verdict::Broken; 2]);
    }
}
