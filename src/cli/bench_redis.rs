//! What `quotad bench` found on Redis, as tables.

use super::bench::{figure, grouped};
use super::render::{Column, View};
use crate::bench::{Cost, RedisReport, Report, Served};

/// The tables, each with a line that says what it is.
pub(super) fn text(report: &Report, redis: &RedisReport, view: &View) -> String {
    let costs = [
        Column::Text("script, limits"),
        Column::Number("batch"),
        Column::Number("Reserve us"),
        Column::Number("Commit us"),
        Column::Number("bare us"),
        Column::Number("layout us"),
        Column::Number("Reserve x bare"),
        Column::Number("x layout"),
    ];
    let served = [
        Column::Text("over gRPC, replicas"),
        Column::Text("call"),
        Column::Number("per second"),
        Column::Number("server us"),
        Column::Number("flusher us"),
        Column::Number("Redis us"),
        Column::Number("batch"),
        Column::Number("script us"),
        Column::Number("of one thread"),
        Column::Number("p50 us"),
        Column::Number("p99 us"),
        Column::Number("p99.9 us"),
    ];
    let memory = [Column::Text("memory of"), Column::Number("count"), Column::Number("bytes each")];
    let flushing = &redis.flushing;
    format!(
        "quotad {version}, {build} build, {cores} cores shared with the load generator; Redis {server} without persistence, \
         ledger in {ledger}\n\
         Each figure is the median of {rounds} rounds. CPU of Redis, user and system, for each operation, one call after the \
         other; bare: EVALSHA of `return 1` with the same arguments; layout: its counters alone.\n{costs}\n\
         {in_flight} calls under way over {connections} connections, {levels} levels x {windows} windows, {accounts} accounts \
         ({spread}); script: the script alone in batches of that size, of three levels x two windows; of one thread: decisions as a \
         part of what Redis could do of the script alone.\n{served}\n\
         The flush alone, into {ledger}: {entries} entries and {effects} effects a second, {decided} x what one replica \
         decides.\n{memory}",
        version = report.version,
        build = report.build,
        cores = report.cores,
        rounds = report.rounds,
        in_flight = report.in_flight,
        connections = report.connections,
        levels = report.levels,
        windows = report.windows,
        accounts = grouped(report.accounts as f64),
        spread = report.spread,
        server = redis.version,
        ledger = redis.ledger,
        costs = view.table(&costs, redis.costs.iter().map(cost).collect()),
        served = view.table(&served, redis.served.iter().map(call).collect()),
        entries = grouped(flushing.entries_per_second),
        effects = grouped(flushing.effects_per_second),
        decided = figure(flushing.times_decided, 2),
        memory = view.table(
            &memory,
            redis.memory.iter().map(|row| vec![row.what.into(), row.count.to_string(), grouped(row.bytes)]).collect()
        ),
    )
}

fn cost(row: &Cost) -> Vec<String> {
    let figures = [row.reserve_us, row.commit_us, row.bare_us, row.packed_us, row.times_bare, row.times_packed];
    let name = format!("{} accounts x 2 windows", row.levels);
    [name, row.batch.to_string()].into_iter().chain(figures.map(|value| figure(Some(value), 1))).collect()
}

fn call(row: &Served) -> Vec<String> {
    vec![
        row.replicas.to_string(),
        row.call.into(),
        grouped(row.per_second),
        figure(row.server_us, 1),
        figure(row.flusher_us, 1),
        figure(row.redis_us, 1),
        figure(Some(row.batch), 1),
        figure(Some(row.raw_us), 1),
        figure(Some(row.of_raw), 2),
        figure(row.p50_us, 0),
        figure(row.p99_us, 0),
        figure(row.p999_us, 0),
    ]
}
