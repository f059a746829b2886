//! A start: how long a server that was killed takes until it listens and answers, with very many counters in its ledger and holds
//! that are open.

use super::options::Options;
use super::report::median;
use super::spread::Spread;
use super::wire::{Replicas, Wire};
use anyhow::Result;
use serde::Serialize;

/// Accounts where nothing else is said: with those above them a million counters, of three levels.
const ACCOUNTS: u64 = 800_000;
/// Steps of holds that are open: 102,400 holds.
const HOLDS: u64 = 16;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Start {
    /// Accounts that were charged.
    pub accounts: u64,
    /// Counters, with those of the accounts above them.
    pub counters: u64,
    /// Holds that were open.
    pub holds: u64,
    /// From the start of the process until it listens, in milliseconds; the median.
    pub listens_ms: f64,
    /// From the start of the process until it answered a Consume, in milliseconds; the median.
    pub answers_ms: f64,
}

/// Fills a server, then kills it and starts it again, round by round.
///
/// # Errors
/// A server that can't be started, a call that fails or is denied.
pub(super) fn run(options: &Options, progress: &dyn Fn(&str)) -> Result<Start> {
    let accounts = options.accounts.unwrap_or(ACCOUNTS);
    let options = &Options { accounts: Some(accounts), spread: Spread::Uniform, addr: None, ..options.clone() };
    let mut wire = Wire::start(options, &Replicas::embedded())?;
    progress(&format!("start: {accounts} accounts are made"));
    wire.fill(0..accounts, options.connections)?;
    progress("start: holds are opened");
    let holds = wire.hold(HOLDS, options.connections)?;
    let (mut listens, mut answers) = (Vec::new(), Vec::new());
    for round in 1..=options.rounds {
        progress(&format!("start: killed and started again, round {round}"));
        let (until_it_listens, until_it_answers) = wire.restart()?;
        listens.push(until_it_listens.as_secs_f64() * 1000.0);
        answers.push(until_it_answers.as_secs_f64() * 1000.0);
    }
    Ok(Start {
        accounts,
        counters: options.workload().counters(),
        holds,
        listens_ms: median(listens).unwrap_or_default(),
        answers_ms: median(answers).unwrap_or_default(),
    })
}
