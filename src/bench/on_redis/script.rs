//! The real script and its yardsticks, called one after the other on one connection: processor time of Redis for each
//! decision.

use super::client::Client;
use super::load::{Batch, Call, Load};
use crate::engine::operation::{Outcome, Reply};
use crate::store::redis::command::Command;
use crate::store::redis::keys::Keys;
use crate::store::redis::reply::{decode, split};
use crate::store::redis::scripts::{BATCH, QUICK};
use anyhow::{Context, Result, bail, ensure};

/// Decisions of one measurement.
const DECISIONS: u64 = 4096;
/// What Redis does when it is asked for nothing, with the same keys and arguments.
const BARE: &str = "return 1";
/// The layout of counters alone, without records, journal, ids and fence (`benches/layouts`).
const PACKED: &str =
    concat!(include_str!("../../../benches/layouts/packed.lua"), include_str!("../../../benches/layouts/decide.lua"));
/// Counters of the layout, as its own benchmark has them.
const USERS: u64 = 2_000;
const TEAMS: u64 = 20;
/// Far above what is asked.
const LIMIT: u64 = 1 << 52;

/// One partition and a connection to its server.
pub(super) struct Script {
    client: Client,
    keys: Vec<String>,
    load: Load,
    bare: String,
    packed: String,
    next: u64,
}

/// Microseconds of Redis for each decision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Of a call that does nothing.
    pub(super) bare: f64,
    /// Of the layout alone.
    pub(super) packed: f64,
    /// Of a Reserve.
    pub(super) reserve: f64,
    /// Of a Commit.
    pub(super) commit: f64,
}

impl Sample {
    /// Of a Reserve and a Commit, the mean.
    pub(super) fn pair(&self) -> f64 {
        f64::midpoint(self.reserve, self.commit)
    }
}

impl Script {
    /// For a partition that is open.
    ///
    /// # Errors
    /// A server that refuses a script.
    pub(super) fn new(mut client: Client, keys: &Keys, load: Load, incarnation: u64) -> Result<Script> {
        let mut known = |text: &str| -> Result<String> {
            Ok(String::from_utf8(client.call(&[b"SCRIPT", b"LOAD", text.as_bytes()])?)?)
        };
        known(QUICK.text())?;
        known(BATCH.text())?;
        let (bare, packed) = (known(BARE)?, known(PACKED)?);
        Ok(Script { client, keys: keys.all(incarnation), load, bare, packed, next: 0 })
    }

    /// The connection, for other questions.
    pub(super) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Makes every counter, so that what follows is steady.
    ///
    /// # Errors
    /// A call that fails or is denied.
    pub(super) fn warm_up(&mut self, accounts: u64) -> Result<()> {
        for first in (0..accounts).step_by(64) {
            for call in [Call::Reserve, Call::Commit] {
                let batch = self.load.batch(call, first, 64)?;
                let answer = self.run(&batch)?;
                check(batch, answer)?;
            }
        }
        self.next = accounts.next_multiple_of(64);
        Ok(())
    }

    /// Reserves so many without a Commit.
    ///
    /// # Errors
    /// A call that fails or is denied.
    pub(super) fn hold(&mut self, count: u64) -> Result<()> {
        let (first, _) = self.reserve(64, count)?;
        self.next = first + count;
        Ok(())
    }

    /// Measures batches of one size: all in turn.
    ///
    /// # Errors
    /// A call that fails or is denied.
    pub(super) fn sample(&mut self, size: u64) -> Result<Sample> {
        let (first, reserve) = self.reserve(size, DECISIONS)?;
        let commits = self.batches(Call::Commit, first, size, DECISIONS)?;
        let commit = self.measure(commits)?;
        let bare = self.bare(size)?;
        let packed = self.packed(size)?;
        Ok(Sample { bare, packed, reserve, commit })
    }

    fn batches(&self, call: Call, first: u64, size: u64, decisions: u64) -> Result<Vec<Batch>> {
        (0..decisions.div_ceil(size)).map(|number| self.load.batch(call, first + number * size, size)).collect()
    }

    /// Reserves; the first number and what each cost.
    fn reserve(&mut self, size: u64, decisions: u64) -> Result<(u64, f64)> {
        let first = self.next;
        let batches = self.batches(Call::Reserve, first, size, decisions)?;
        self.next += batches.len() as u64 * size;
        Ok((first, self.measure(batches)?))
    }

    /// Sends batches and answers what one decision cost. What they were answered is looked at afterwards.
    fn measure(&mut self, batches: Vec<Batch>) -> Result<f64> {
        let decisions: usize = batches.iter().map(|batch| batch.commands.len()).sum();
        let mut answers = Vec::with_capacity(batches.len());
        let before = self.client.cpu()?;
        for batch in &batches {
            answers.push(self.run(batch)?);
        }
        let used = self.client.cpu()? - before;
        for (batch, answer) in batches.into_iter().zip(answers) {
            check(batch, answer)?;
        }
        Ok(used.as_secs_f64() * 1e6 / decisions as f64)
    }

    fn bare(&mut self, size: u64) -> Result<f64> {
        let batches = self.batches(Call::Reserve, 0, size, DECISIONS)?;
        let sha = self.bare.clone();
        let before = self.client.cpu()?;
        for batch in &batches {
            self.send(&sha, &batch.requests[0])?;
        }
        Ok((self.client.cpu()? - before).as_secs_f64() * 1e6 / DECISIONS as f64)
    }

    fn packed(&mut self, size: u64) -> Result<f64> {
        let batches = (0..DECISIONS / size).map(|number| layout(number * size, size)).collect::<Result<Vec<_>>>()?;
        let sha = self.packed.clone();
        let mut granted = 0;
        let before = self.client.cpu()?;
        for batch in &batches {
            let answer = self.client.call(&[b"EVALSHA", sha.as_bytes(), b"1", b"layout", batch])?;
            granted += String::from_utf8(answer)?.parse::<u64>()?;
        }
        let used = self.client.cpu()? - before;
        ensure!(granted == DECISIONS, "{granted} of {DECISIONS} decisions of the layout were granted");
        Ok(used.as_secs_f64() * 1e6 / DECISIONS as f64)
    }

    /// As the store does: the quick way, and if that was given up the general one.
    fn run(&mut self, batch: &Batch) -> Result<Vec<u8>> {
        let answer = self.send(QUICK.sha(), &batch.requests[0])?;
        if answer.is_empty() { self.send(BATCH.sha(), &batch.requests[1]) } else { Ok(answer) }
    }

    fn send(&mut self, sha: &str, request: &[u8]) -> Result<Vec<u8>> {
        let count = self.keys.len().to_string();
        let mut parts: Vec<&[u8]> = vec![b"EVALSHA", sha.as_bytes(), count.as_bytes()];
        parts.extend(self.keys.iter().map(String::as_bytes));
        parts.push(request);
        self.client.call(&parts)
    }
}

/// Whether every operation of a batch got what it asked for.
fn check(batch: Batch, answer: Vec<u8>) -> Result<()> {
    let (header, replies) = split(answer)?;
    ensure!(replies.len() == batch.commands.len(), "a batch of {} got {header:?}", batch.commands.len());
    for (command, raw) in batch.commands.iter().zip(&replies) {
        let Command::Run(operation) = command else { bail!("a command of the store's own") };
        match decode(operation, raw, &header, 0)? {
            Reply::Done(done) if matches!(done.outcome, Outcome::Reservation(_)) => {}
            other => bail!("an operation of the benchmark was not granted: {other:?}"),
        }
    }
    Ok(())
}

/// The layout's arguments: `{limit, amount, {{user, team}, ...}}`.
fn layout(first: u64, size: u64) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    rmp::encode::write_array_len(&mut out, 3)?;
    rmp::encode::write_uint(&mut out, LIMIT)?;
    rmp::encode::write_uint(&mut out, 1)?;
    rmp::encode::write_array_len(&mut out, u32::try_from(size).context("a batch too large")?)?;
    for number in first..first + size {
        rmp::encode::write_array_len(&mut out, 2)?;
        rmp::encode::write_str(&mut out, &format!("user-{:019}", number % USERS))?;
        rmp::encode::write_str(&mut out, &format!("team-{:019}", number % TEAMS))?;
    }
    Ok(out)
}
