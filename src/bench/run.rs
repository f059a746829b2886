//! The whole benchmark, layer by layer.

use super::catalog;
use super::engine::{self, Engine};
use super::growth;
use super::meter::Sample;
use super::on_redis;
use super::options::{Options, Part};
use super::report::{Report, Row};
use super::rows;
use super::rule;
use super::{soak, start, strict};

/// What is measured of the engine.
const ENGINE: [(engine::Call, &str, &str); 2] = [
    (engine::Call::Pair, "engine: Reserve and Commit", "pair"),
    (engine::Call::Consume, "engine: Consume", "decision"),
];

/// Runs what `options` want and says, by `progress`, what is being done.
///
/// # Errors
/// Servers that can't be started or reached, a call that fails.
pub fn run(options: &Options, progress: impl Fn(&str)) -> anyhow::Result<Report> {
    let mut report = Report::new(options);
    if options.wants(Part::Rule) {
        progress("the rule alone");
        let rounds: Vec<Sample> = (0..options.rounds).map(|_| rule::round(options)).collect::<anyhow::Result<_>>()?;
        report.rows.push(Row::new("rule alone", "decision", &rounds, None));
    }
    if options.wants(Part::Engine) {
        let mut engine = Engine::open(options)?;
        let mut samples: [Vec<Sample>; ENGINE.len()] = Default::default();
        for round in 1..=options.rounds {
            for ((call, name, _), samples) in ENGINE.iter().zip(&mut samples) {
                progress(&format!("{name}, round {round}"));
                samples.push(engine.round(options, *call)?);
            }
        }
        let rows = ENGINE.iter().zip(&samples).map(|((_, name, unit), samples)| Row::new(name, unit, samples, None));
        report.rows.extend(rows);
    }
    if options.wants(Part::Grpc) {
        rows::run(options, &progress, &mut report)?;
    }
    if options.wants(Part::Redis) {
        match on_redis::run(options, &progress)? {
            Some(found) => report.redis = Some(found),
            None => {
                report.redis_missing = Some("redis-server is not installed: what it would cost there is not measured")
            }
        }
    }
    if options.wants(Part::Catalog) {
        report.catalog = catalog::run(options, &progress)?;
    }
    if options.wants(Part::Strict) {
        report.strict = Some(strict::run(options, &progress)?);
    }
    if options.wants(Part::Growth) {
        report.growth = Some(growth::run(options, &progress)?);
    }
    if options.wants(Part::Start) {
        report.start = Some(start::run(options, &progress)?);
    }
    if options.wants(Part::Soak) {
        report.soak = Some(soak::run(options, &progress)?);
    }
    Ok(report)
}
