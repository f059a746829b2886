//! Redis as the counter store: whether it keeps what it has, how much room it has, and how its clock goes.

use super::database::skew;
use super::embedded::backlogs;
use super::report::{Promise, Report};
use crate::store::database::LedgerFacts;
use crate::store::redis::inspect::{self, NodeFacts};
use crate::store::redis::keys::Keys;
use crate::store::redis::link::Link;
use crate::store::redis::options::{RedisOptions, Topology};
use crate::store::redis::probe::{self, ProbeError};
use std::time::Duration;

/// How long is waited for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first version of each line whose scripts can't be broken out of (CVE-2025-49844).
const MENDED: [(u32, u32, u32); 5] = [(6, 2, 20), (7, 2, 11), (7, 4, 6), (8, 0, 4), (8, 2, 2)];
/// Part of maxmemory, in percent, from which on memory is short.
const SHORT: u64 = 70;
/// From which on there is none.
const FULL: u64 = 85;
/// What a Redis that forgets takes with it.
const TAIL: &str = "what the ledger did not have yet (some 200 ms of answers, none that was DURABLE)";

/// Looks at Redis and at the partitions in it.
pub(super) async fn look(options: RedisOptions, ledger: Option<&LedgerFacts>, report: &mut Report) {
    report.note(format!("counters: Redis at {}", options.place()));
    report.met(Promise::Kill, "counters and journal are in Redis, not in quotad");
    if let Some(open) = ledger.map(|ledger| &ledger.fail_open).filter(|open| !open.is_empty()) {
        let why = format!("while Redis can't be reached, these meters fail open and ask no limit: {}", open.join(", "));
        report.weakened(Promise::Limits, why);
    }
    let link = match Link::open(options) {
        Ok(link) => link,
        Err(error) => return report.broken(Promise::Safe, error.to_string()),
    };
    if let Err(error) = link.ready(PATIENCE).await {
        report.broken(Promise::Limits, format!("nothing can be decided: {error}"));
        return report.broken(Promise::Loss, error.to_string());
    }
    if let Err(why) = partitions(&link, ledger, report).await {
        report.broken(Promise::Loss, why);
    }
    match inspect::nodes(&link).await {
        Ok(nodes) => nodes.iter().for_each(|node| judge(node, report)),
        Err(error) => report.broken(Promise::Safe, format!("Redis can't be looked at: {error}")),
    }
    if let Topology::One(_) = link.options().topology {
        report.note("one Redis server: while it is away nothing is decided (no sentinels, no cluster)");
    }
    if ledger.is_some_and(|ledger| ledger.now.is_none()) {
        report.weakened(Promise::Safe, "the ledger is a SQLite file: for one quotad alone; several need PostgreSQL");
    }
    clocks(&link, report).await;
}

async fn partitions(link: &Link, ledger: Option<&LedgerFacts>, report: &mut Report) -> Result<(), String> {
    let keys = |partition| Keys::new(&link.options().prefix, partition).map_err(|error| error.to_string());
    // Rights are the server's to look at, with its scripts, when it starts.
    match probe::probe(link, &keys(0)?, &[]).await {
        Ok(_) => {}
        Err(ProbeError::Unsafe(faults)) => faults.into_iter().for_each(|fault| report.broken(Promise::Safe, fault)),
        Err(error) => return Err(error.to_string()),
    }
    let Some(ledger) = ledger else { return Ok(()) };
    let Some(number) = ledger.partitions else {
        report.note("no server has started on this database yet");
        return Ok(());
    };
    let mut found = Vec::new();
    for partition in 0..number {
        let watermark = ledger.watermarks.get(&partition).copied().unwrap_or_default();
        let backlog = inspect::backlog(link, &keys(partition)?, watermark).await.map_err(|error| error.to_string())?;
        match backlog {
            Some(backlog) => found.push(backlog),
            None => report.note(format!("partition {partition} is not in Redis: a server loads it from the ledger")),
        }
    }
    for partition in found.iter().filter(|partition| !partition.open) {
        report.note(format!("partition {} is being loaded", partition.partition));
    }
    let times = inspect::times(link).await.map_err(|error| error.to_string())?;
    backlogs(&found, times.first().map_or(0, |(_, time)| time.millis()), report);
    Ok(())
}

/// Compares the clocks of Redis with this machine's; the database's is compared with that, too.
async fn clocks(link: &Link, report: &mut Report) {
    let before = jiff::Timestamp::now().as_millisecond();
    let Ok(times) = inspect::times(link).await else { return };
    let after = jiff::Timestamp::now().as_millisecond();
    for (name, time) in times {
        skew(&format!("Redis ({name})"), time.millis(), "this machine", (before, after), report);
    }
}

/// Judges one master.
fn judge(node: &NodeFacts, report: &mut Report) {
    let (name, version) = (&node.name, node.field("redis_version"));
    report.note(format!("{name}: Redis {version}, {} MiB used", node.number("used_memory") >> 20));
    if needs_mending(version) {
        let why = format!(
            "{name} has Redis {version}: its scripts can be broken out of (CVE-2025-49844) unless the distribution \
             mended that; let nobody but quotad use EVAL"
        );
        report.weakened(Promise::Safe, why);
    }
    keeps(node, report);
    let (used, most) = (node.number("used_memory"), node.number("maxmemory"));
    match used.saturating_mul(100).checked_div(most) {
        None => {
            let why = format!("{name} has no maxmemory: out of memory it is killed, where it should refuse");
            report.weakened(Promise::Room, why);
        }
        Some(percent) if percent >= FULL => {
            report.broken(Promise::Room, format!("{name} uses {percent} % of its maxmemory"));
        }
        Some(percent) if percent >= SHORT => {
            report.weakened(Promise::Room, format!("{name} uses {percent} % of its maxmemory"));
        }
        Some(_) => {}
    }
    if node.field("aof_last_write_status") == "err" || node.field("rdb_last_bgsave_status") == "err" {
        report.broken(Promise::Room, format!("{name} could not write to its disk"));
    }
    if node.field("loading") == "1" {
        report.broken(Promise::Limits, format!("{name} is loading its data: nothing is decided until it has"));
    }
}

/// Whether a master's data survives its process, its machine's power, and its machine.
fn keeps(node: &NodeFacts, report: &mut Report) {
    let name = &node.name;
    let append_only = node.field("aof_enabled") == "1";
    match (append_only, node.settings.get("appendfsync").map(String::as_str)) {
        (true, Some("always")) => report.met(Promise::Power, format!("{name} writes to the disk before it answers")),
        (true, Some("no")) => {
            report.weakened(Promise::Power, format!("{name} has appendfsync no: a power cut loses {TAIL}"));
        }
        (true, _) => report.weakened(Promise::Power, format!("{name} syncs once a second: a power cut loses {TAIL}")),
        (false, _) => {
            let why = format!("{name} has appendonly no: its end loses {TAIL}; it is noticed");
            report.weakened(Promise::Power, why.clone());
            report.weakened(Promise::Loss, why);
        }
    }
    let waits = node.settings.get("min-replicas-to-write").is_some_and(|least| least != "0");
    if node.number("connected_slaves") == 0 {
        report.note(format!("{name} has no replica"));
    } else if !waits {
        let why = format!("{name} writes without replicas too (min-replicas-to-write 0): a fail over loses {TAIL}");
        report.weakened(Promise::Loss, why);
    }
}

/// Whether a version of Redis is known to be broken.
fn needs_mending(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    let version = (next(), next(), next());
    match MENDED.iter().find(|line| (line.0, line.1) == (version.0, version.1)) {
        Some(line) => version < *line,
        None => version < (8, 2, 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::report::Verdict;

    fn judged(info: &[(&str, &str)], settings: &[(&str, &str)]) -> Verdict {
        let good = [("redis_version", "8.2.2"), ("aof_enabled", "1"), ("used_memory", "10"), ("maxmemory", "100")];
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let info = good.iter().chain(info).map(text).collect();
        let node = NodeFacts { name: "h:6379".into(), info, settings: settings.iter().map(text).collect() };
        let mut report = Report::default();
        judge(&node, &mut report);
        report.verdict()
    }

    #[test]
    fn what_weakens_is_told() {
        let always = ("appendfsync", "always");
        assert_eq!(judged(&[], &[always]), Verdict::Met);
        assert_eq!(judged(&[], &[("appendfsync", "everysec")]), Verdict::Weakened);
        assert_eq!(judged(&[("aof_enabled", "0")], &[always]), Verdict::Weakened);
        assert_eq!(judged(&[("redis_version", "7.0.15")], &[always]), Verdict::Weakened);
        assert_eq!(judged(&[("maxmemory", "0")], &[always]), Verdict::Weakened);
        assert_eq!(judged(&[("used_memory", "70")], &[always]), Verdict::Weakened);
        assert_eq!(judged(&[("used_memory", "85")], &[always]), Verdict::Broken);
        assert_eq!(judged(&[("connected_slaves", "1")], &[always]), Verdict::Weakened);
        assert_eq!(judged(&[("connected_slaves", "1")], &[always, ("min-replicas-to-write", "1")]), Verdict::Met);
        assert_eq!(judged(&[("aof_last_write_status", "err")], &[always]), Verdict::Broken);
    }

    #[test]
    fn versions_that_need_mending() {
        for (version, bad) in [("7.0.15", true), ("7.2.10", true), ("7.2.11", false), ("8.0.4", false), ("8.1.9", true)]
        {
            assert_eq!(needs_mending(version), bad, "{version}");
        }
        assert!(!needs_mending("8.2.2") && !needs_mending("9.0.0") && needs_mending("8.2.1"));
    }
}
