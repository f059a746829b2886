//! What `quotad bench` found of this store, of growth and of big catalogs, as tables.

use super::bench::{figure, grouped};
use super::render::{Column, View};
use crate::bench::{Grown, Growth, OpenRow, Report, Row, Size, Soak, SoakPart, Start, Strict, StrictRow};

/// The rows, closed loop.
pub(super) fn rows(report: &Report, view: &View) -> String {
    let columns = [
        Column::Text("what"),
        Column::Text("of each"),
        Column::Number("per second"),
        Column::Number("CPU us"),
        Column::Number("of it journal"),
        Column::Number("flusher us"),
        Column::Number("per core-second"),
        Column::Number("x echo"),
        Column::Number("p50 us"),
        Column::Number("p99 us"),
        Column::Number("p99.9 us"),
    ];
    let table = view.table(&columns, report.rows.iter().map(row).collect());
    format!(
        "quotad {version}, {build} build, {cores} cores shared with the load generator; {in_flight} calls under way over \
         {connections} connections, {levels} levels x {windows} windows, {accounts} accounts charged ({spread}), embedded, \
         default durability\n\
         Each figure is the median of {rounds} runs of {seconds} s. CPU: user and system of the server, without the \
         flusher (which has its own column).\n{table}",
        version = report.version,
        build = report.build,
        cores = report.cores,
        in_flight = report.in_flight,
        connections = report.connections,
        levels = report.levels,
        windows = report.windows,
        accounts = grouped(report.accounts as f64),
        spread = report.spread,
        rounds = report.rounds,
        seconds = report.seconds,
    )
}

fn row(row: &Row) -> Vec<String> {
    vec![
        row.name.into(),
        row.unit.into(),
        grouped(row.per_second),
        figure(row.cpu_us, 2),
        figure(row.journal_us, 2),
        figure(row.flusher_us, 2),
        row.per_core_second.map_or_else(|| "-".into(), grouped),
        figure(row.times_echo, 2),
        figure(row.p50_us, 0),
        figure(row.p99_us, 0),
        figure(row.p999_us, 0),
    ]
}

/// The rows, open loop.
pub(super) fn open(report: &Report, view: &View) -> String {
    let columns = [
        Column::Text("open loop"),
        Column::Text("of each"),
        Column::Number("asked per second"),
        Column::Number("answered"),
        Column::Number("CPU us"),
        Column::Number("p50 us"),
        Column::Number("p99 us"),
        Column::Number("p99.9 us"),
        Column::Text("kept up"),
    ];
    let row = |row: &OpenRow| {
        let kept_up = report.rounds - row.full_rounds;
        vec![
            row.name.into(),
            row.unit.into(),
            grouped(row.asked_per_second),
            grouped(row.per_second),
            figure(row.cpu_us, 2),
            figure(row.p50_us, 0),
            figure(row.p99_us, 0),
            figure(row.p999_us, 0),
            format!("{kept_up} of {} rounds", report.rounds),
        ]
    };
    let table = view.table(&columns, report.open.iter().map(row).collect());
    format!(
        "Calls begin at their times whatever the answers do; latency is counted from then. Kept up: never were {under_way} calls \
         under way.\n{table}",
        under_way = grouped(report.open_under_way as f64),
    )
}

/// Answers that wait for the disk.
pub(super) fn strict(strict: &Strict, view: &View) -> String {
    let columns = [
        Column::Text("durability strict"),
        Column::Text("of each"),
        Column::Number("per second"),
        Column::Number("x append"),
        Column::Number("CPU us"),
        Column::Number("p50 us"),
        Column::Number("p99 us"),
    ];
    let row = |row: &StrictRow| {
        let StrictRow { row, times_append } = row;
        vec![
            row.name.into(),
            row.unit.into(),
            grouped(row.per_second),
            figure(*times_append, 1),
            figure(row.cpu_us, 2),
            figure(row.p50_us, 0),
            figure(row.p99_us, 0),
        ]
    };
    let table = view.table(&columns, strict.rows.iter().map(row).collect());
    format!(
        "{callers} callers whose answers wait for the disk, which alone takes {appends} appends a second (fdatasync after each).\n{table}",
        callers = strict.callers,
        appends = grouped(strict.appends_per_second),
    )
}

/// A start.
pub(super) fn start(start: &Start) -> String {
    format!(
        "A server with {counters} counters ({accounts} accounts charged) and {holds} open holds, whose ledger has all, killed and started again, listens after \
         {listens} ms and has answered a Consume after {answers} ms.",
        counters = grouped(start.counters as f64),
        accounts = grouped(start.accounts as f64),
        holds = grouped(start.holds as f64),
        listens = grouped(start.listens_ms),
        answers = grouped(start.answers_ms),
    )
}

/// An even load for long.
pub(super) fn soak(soak: &Soak, view: &View) -> String {
    let columns = [
        Column::Number("after s"),
        Column::Number("answered/s"),
        Column::Number("CPU us"),
        Column::Number("x first"),
        Column::Number("flusher us"),
        Column::Number("x first"),
        Column::Number("p50 us"),
        Column::Number("p99 us"),
        Column::Number("memory MiB"),
        Column::Text("kept up"),
    ];
    let row = |part: &SoakPart| {
        vec![
            grouped(part.seconds),
            grouped(part.per_second),
            figure(part.cpu_us, 2),
            figure(part.times_first, 2),
            figure(part.flusher_us, 2),
            figure(part.flusher_times_first, 2),
            figure(part.p50_us, 0),
            figure(part.p99_us, 0),
            figure(part.resident_bytes.map(mebibytes), 0),
            if part.kept_up { "yes" } else { "no" }.into(),
        ]
    };
    let table = view.table(&columns, soak.parts.iter().map(row).collect());
    format!(
        "A mix of {rate} calls a second, open loop, on one server, part by part.\n{table}",
        rate = grouped(soak.rate as f64)
    )
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Growth.
pub(super) fn growth(report: &Report, growth: &Growth, view: &View) -> String {
    let columns = [
        Column::Number("accounts"),
        Column::Number("touched/s"),
        Column::Number("Consume/s"),
        Column::Number("CPU us"),
        Column::Number("x fewest"),
        Column::Number("flusher us"),
        Column::Number("x fewest"),
        Column::Number("p99 us"),
        Column::Number("memory MiB"),
        Column::Number("bytes each"),
    ];
    let row = |size: &Grown| {
        vec![
            grouped(size.accounts as f64),
            size.touched_per_second.map_or_else(|| "-".into(), grouped),
            grouped(size.consume.per_second),
            figure(size.consume.cpu_us, 2),
            figure(size.times_fewest, 2),
            figure(size.consume.flusher_us, 2),
            figure(size.flusher_times_fewest, 2),
            figure(size.consume.p99_us, 0),
            figure(size.resident_bytes.map(mebibytes), 0),
            figure(size.bytes_each, 0),
        ]
    };
    let table = view.table(&columns, growth.sizes.iter().map(row).collect());
    format!(
        "Growth, embedded, {levels} levels x {windows} windows, {build} build: Consume over gRPC by all accounts in turn, beside a \
         server that stays at the fewest; bytes each: memory of an account with its part of those above it.\n{table}\n\
         Without the limits that were looked up for it, an account takes {idle_bytes} bytes ({idle} were weighed); an open hold \
         takes {hold} bytes ({holds} were opened).",
        idle_bytes = figure(growth.bytes_each_idle, 0),
        idle = grouped(growth.idle as f64),
        levels = report.levels,
        windows = report.windows,
        build = report.build,
        hold = figure(growth.bytes_each_hold, 0),
        holds = grouped(growth.holds as f64),
    )
}

/// Big catalogs.
pub(super) fn catalogs(report: &Report, view: &View) -> String {
    let columns = [
        Column::Number("quotas"),
        Column::Number("written/s"),
        Column::Number("load ms"),
        Column::Number("bytes each"),
        Column::Number("change ms"),
        Column::Number("Consume/s"),
        Column::Number("CPU us"),
        Column::Number("x few"),
    ];
    let row = |size: &Size| {
        vec![
            grouped(size.quotas as f64),
            grouped(size.written_per_second),
            figure(Some(size.load_ms), 1),
            figure(size.bytes_each, 0),
            figure(Some(size.change_ms), 1),
            grouped(size.consume.per_second),
            figure(size.consume.cpu_us, 2),
            figure(size.times_few, 2),
        ]
    };
    let table = view.table(&columns, report.catalog.iter().map(row).collect());
    format!(
        "One tenant's own quotas, each with two windows, embedded; change: one quota, until it binds everywhere.\n{table}"
    )
}
