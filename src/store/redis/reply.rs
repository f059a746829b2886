//! What the script answers: one header for the batch and a reply for each command, decoded into what the embedded store would
//! answer (`src/lua/README.md`, "The reply").

use super::entry::amounts;
use super::granted::Granted;
use super::pack::{Read, Reader, damaged};
use super::{denial, record, value};
use crate::domain::adjustment::Short;
use crate::domain::counter::Counter;
use crate::domain::error::RuleError;
use crate::domain::reservation::{Held, Reservation};
use crate::domain::time::Timestamp;
use crate::engine::call::{Denial, Extended, Freed};
use crate::engine::operation::{Caps, Done, Miss, Operation, Outcome, Plan, Reply, Verb};
use crate::engine::ports::StoreError;
use crate::engine::verdict;
use std::ops::Range;
use std::sync::Arc;

/// The format of a reply.
const FORMAT: i64 = 1;

/// What became of the whole call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Every command has its reply.
    Decided,
    /// Nothing was done: the partition is in another incarnation, on another server, or not loaded.
    Verify,
}

/// The server that runs a script: what tells one lifetime of Redis from another.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Server {
    /// Its process.
    pub run_id: Box<str>,
    /// Its replication history.
    pub replication_id: Box<str>,
}

/// What a reply says of the partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// What became of the call.
    pub status: Status,
    /// The store's time.
    pub now: Timestamp,
    /// The last entry of the journal.
    pub seq: u64,
    /// The last entry of which the store knows that the ledger has it.
    pub flushed: u64,
    /// Open reservations.
    pub open: u64,
    /// Counters.
    pub counters: u64,
    /// The incarnation that the partition is in; 0: it has none.
    pub incarnation: u64,
    /// The server, where the call must be verified.
    pub server: Option<Server>,
}

/// One command's reply, still packed.
#[derive(Clone, Debug)]
pub struct RawReply {
    all: Arc<Vec<u8>>,
    at: Range<usize>,
}

impl RawReply {
    fn reader(&self) -> Reader<'_> {
        Reader::new(self.all.get(self.at.clone()).unwrap_or_default())
    }
}

/// What a command of the store's own came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finished {
    /// Done: how many were ended, removed, installed.
    Done(usize),
    /// The reservation has changed with this entry, which the caller did not know.
    Changed(u64),
    /// More deadlines are due than one call may end.
    Again,
}

/// The codes of the contract.
mod code {
    pub(super) const RESERVATION: i64 = 1;
    pub(super) const VALUES: i64 = 2;
    pub(super) const DENIED: i64 = 3;
    pub(super) const EXTENDED: i64 = 4;
    pub(super) const FREED: i64 = 5;
    pub(super) const REFUSED: i64 = 6;
    pub(super) const AGAIN: i64 = 7;
    pub(super) const REPLAN: i64 = 8;
    pub(super) const STALE: i64 = 9;
    pub(super) const MISS: i64 = 10;
    pub(super) const NEED_PLAN: i64 = 11;
    pub(super) const OVERLOADED: i64 = 12;
    pub(super) const DONE: i64 = 13;
    pub(super) const REPRICE: i64 = 14;
}

/// Takes the answer of a call apart.
///
/// # Errors
/// [`StoreError::Corrupt`] if it is none.
pub fn split(bytes: Vec<u8>) -> Result<(Header, Vec<RawReply>), StoreError> {
    let all = Arc::new(bytes);
    let mut reader = Reader::new(&all);
    let more = reader.tuple(9)?;
    if reader.int()? != FORMAT {
        return Err(damaged("a reply of an unknown format"));
    }
    let status = match reader.int()? {
        0 => Status::Decided,
        1 => Status::Verify,
        _ => return Err(damaged("a reply of an unknown status")),
    };
    let mut header = Header {
        status,
        now: reader.time()?,
        seq: reader.uint()?,
        flushed: reader.uint()?,
        open: reader.uint()?,
        counters: reader.uint()?,
        incarnation: reader.uint()?,
        server: None,
    };
    let mut replies = Vec::new();
    match status {
        Status::Verify => header.server = Some(server(&mut reader)?),
        Status::Decided => {
            let count = reader.array()?;
            for _ in 0..count {
                let from = all.len() - reader.rest().len();
                let len = reader.skip()?.len();
                replies.push(RawReply { all: all.clone(), at: from..from + len });
            }
        }
    }
    reader.skip_many(more)?;
    reader.end()?;
    Ok((header, replies))
}

fn server(reader: &mut Reader<'_>) -> Read<Server> {
    let more = reader.tuple(2)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned().into_boxed_str();
    let server = Server { run_id: text(reader.bytes()?), replication_id: text(reader.bytes()?) };
    reader.skip_many(more)?;
    Ok(server)
}

/// Decodes the reply to a command of the store's own.
///
/// # Errors
/// [`StoreError::Corrupt`] for a reply that does not belong to one.
pub fn finished(raw: &RawReply) -> Result<Finished, StoreError> {
    let mut reader = raw.reader();
    reader.tuple(1)?;
    match reader.int()? {
        code::DONE => Ok(Finished::Done(reader.count()?)),
        code::AGAIN => Ok(Finished::Again),
        code::MISS => {
            reader.skip_many(2)?;
            Ok(Finished::Changed(reader.uint()?))
        }
        _ => Err(damaged("a reply that does not belong to its command")),
    }
}

/// Decodes the reply to an operation: what the embedded store would answer.
///
/// # Errors
/// [`StoreError::Corrupt`] for a reply that is none, or that denies what the rule grants; [`StoreError::Unavailable`] if the
/// ledger is too far behind.
pub fn decode(operation: &Operation, raw: &RawReply, header: &Header, partition: u32) -> Result<Reply, StoreError> {
    Decoder { operation, now: header.now, partition }.reply(&mut raw.reader())
}

struct Decoder<'a> {
    operation: &'a Operation,
    now: Timestamp,
    partition: u32,
}

impl Decoder<'_> {
    fn reply(&self, reader: &mut Reader<'_>) -> Result<Reply, StoreError> {
        reader.tuple(1)?;
        match reader.int()? {
            code::RESERVATION => self.reservation(reader),
            code::VALUES => self.values(reader),
            code::DENIED => self.denied(reader),
            code::EXTENDED => self.extended(reader),
            code::FREED => self.freed(reader),
            code::REFUSED => Ok(self.done(Outcome::Refused(refusal(reader)?), false, 0)),
            code::AGAIN => Ok(Reply::Again),
            code::REPLAN => Ok(Reply::Replan(self.now)),
            code::STALE => Ok(Reply::Stale(reader.uint()?)),
            code::MISS => self.miss(reader),
            code::NEED_PLAN => Ok(Reply::NeedPlan(Arc::new(record::unpack(reader.bytes()?)?))),
            code::REPRICE => Ok(Reply::Reprice(Arc::new(record::unpack(reader.bytes()?)?))),
            code::OVERLOADED => Err(StoreError::Busy(Caps::UNFLUSHED.into())),
            _ => Err(damaged("a reply of an unknown code")),
        }
    }

    fn done(&self, outcome: Outcome, replayed: bool, seq: u64) -> Reply {
        self.shadow(outcome, replayed, seq, 0)
    }

    fn shadow(&self, outcome: Outcome, replayed: bool, seq: u64, shadowed: usize) -> Reply {
        Reply::Done(Box::new(Done { outcome, replayed, partition: self.partition, seq, now: self.now, shadowed }))
    }

    /// The plan that the reply is about.
    fn plan(&self) -> Read<&Plan> {
        self.operation.plan.as_deref().ok_or_else(|| damaged("figures of a plan that was never sent"))
    }

    fn reservation(&self, reader: &mut Reader<'_>) -> Result<Reply, StoreError> {
        let (replayed, seq) = (reader.flag()?, reader.uint()?);
        // A quick Reserve is not sent back: what it makes is known, but for the time.
        let reservation = match reader.bytes()? {
            b"" => {
                Granted::at(self.operation, self.now).ok_or_else(|| damaged("a granted operation without a record"))?
            }
            packed => record::unpack(packed)?,
        };
        let mut shadowed = 0;
        if !reader.is_nothing() {
            let (plan, values) = (self.plan()?, self.counters(reader)?);
            shadowed = verdict::shadowed(plan, self.charges(), |index| values.get(index), self.now);
        }
        // A repeat is answered in the words of its own call.
        let outcome = match &self.operation.verb {
            Verb::Extend { .. } => Outcome::Extended(Box::new(Extended { reservation, denied: None })),
            Verb::FreeReservation { .. } => {
                let amounts = reservation.charges.iter().map(|charge| charge.freed).collect();
                Outcome::Freed(Freed { reservation: Some(reservation), amounts })
            }
            _ => Outcome::Reservation(Arc::new(reservation)),
        };
        Ok(self.shadow(outcome, replayed, seq, shadowed))
    }

    fn charges(&self) -> &[Held] {
        match &self.operation.verb {
            Verb::Check { charges } | Verb::FreeAmounts { charges } => charges,
            Verb::Reserve { template, .. } => &template.charges,
            _ => &[],
        }
    }

    /// The values of the planned counters, all of them.
    fn counters(&self, reader: &mut Reader<'_>) -> Read<Vec<Counter>> {
        let count = reader.array()?;
        if count != self.plan()?.counters.len() {
            return Err(damaged("values of other counters than those of the plan"));
        }
        (0..count).map(|_| Ok(value::read(reader.bytes()?)?.counter)).collect()
    }

    fn values(&self, reader: &mut Reader<'_>) -> Result<Reply, StoreError> {
        let (plan, values) = (self.plan()?, self.counters(reader)?);
        let value = |index: usize| values.get(index);
        let outcome = match &self.operation.verb {
            Verb::Check { charges } => match verdict::decide(plan, charges, value, self.now) {
                Err(denial) => Outcome::Denied(denial),
                Ok(_) => Outcome::Allowed(verdict::allowance(plan, value, self.now)),
            },
            _ => Outcome::Usage(verdict::report(plan, value)),
        };
        Ok(self.done(outcome, false, 0))
    }

    fn denied(&self, reader: &mut Reader<'_>) -> Result<Reply, StoreError> {
        let replayed = reader.flag()?;
        let (denial, before) = denial::read(self.operation, reader.bytes()?)?;
        let outcome = match before {
            Some(reservation) => Outcome::Extended(Box::new(Extended { reservation, denied: Some(denial) })),
            None => Outcome::Denied(denial),
        };
        Ok(self.done(outcome, replayed, 0))
    }

    fn extended(&self, reader: &mut Reader<'_>) -> Result<Reply, StoreError> {
        let (replayed, seq) = (reader.flag()?, reader.uint()?);
        let reservation = record::unpack(reader.bytes()?)?;
        let denied: Option<Denial> =
            if reader.is_nothing() { None } else { Some(denial::read(self.operation, reader.bytes()?)?.0) };
        Ok(self.done(Outcome::Extended(Box::new(Extended { reservation, denied })), replayed, seq))
    }

    fn freed(&self, reader: &mut Reader<'_>) -> Result<Reply, StoreError> {
        let (replayed, seq) = (reader.flag()?, reader.uint()?);
        let reservation = maybe_record(reader)?;
        let amounts = amounts(reader)?;
        Ok(self.done(Outcome::Freed(Freed { reservation, amounts }), replayed, seq))
    }

    fn miss(&self, reader: &mut Reader<'_>) -> Result<Reply, StoreError> {
        let (reservation, request, flushed_to) = (reader.maybe_key()?, reader.maybe_key()?, reader.uint()?);
        let count = reader.array()?;
        let mut counters = Vec::with_capacity(count);
        for _ in 0..count {
            reader.tuple(2)?;
            let planned = self.plan()?.counters.get(reader.index()?);
            let planned = planned.ok_or_else(|| damaged("a miss of a counter that is not in the plan"))?;
            let windows = reader.array()?;
            let missing = (0..windows).map(|_| reader.index()).collect::<Read<Vec<usize>>>()?;
            if missing.iter().any(|window| *window >= planned.windows.len()) {
                return Err(damaged("a miss of a window that is not in the plan"));
            }
            counters.push((planned.bound.key, planned.windows.clone(), missing));
        }
        Ok(Reply::Miss(Miss {
            partition: self.partition,
            tenant: None,
            counters,
            reservation,
            request,
            flushed_to,
            now: self.now,
            // Of open reservations the store knows each by its id, not by the counters that it holds on.
            holds: true,
        }))
    }
}

fn maybe_record(reader: &mut Reader<'_>) -> Read<Option<Reservation>> {
    match reader.bytes()? {
        b"" => Ok(None),
        packed => record::unpack(packed).map(Some),
    }
}

fn short(reader: &mut Reader<'_>, line: usize) -> Read<Short> {
    reader.skip()?;
    Ok(Short { line, level: reader.count()?, in_use: reader.uint()? })
}

fn refusal(reader: &mut Reader<'_>) -> Read<RuleError> {
    let rule = reader.int()?;
    // -1 where the rule has no index.
    let index = usize::try_from(reader.int()?).unwrap_or(0);
    Ok(match rule {
        1 => RuleError::IdReused,
        2 => RuleError::NotFound,
        3 => {
            let record = maybe_record(reader)?.ok_or_else(|| damaged("a refusal without the reservation"))?;
            RuleError::Committed(Box::new(record))
        }
        4 => RuleError::Released,
        5 => RuleError::Expired,
        6 => RuleError::Parked,
        7 => RuleError::Open,
        8 => RuleError::ChargeNotHeld(index),
        9 => RuleError::OverageRefused(index),
        10 => RuleError::NotFreeable(index),
        11 => RuleError::CapReached(Caps::OPEN_RESERVATIONS),
        12 => RuleError::CapReached(Caps::COUNTERS),
        13 => RuleError::BelowZero(short(reader, index)?),
        14 => RuleError::Unexpected(short(reader, index)?),
        15 => RuleError::PeriodEnded(short(reader, index)?),
        _ => return Err(damaged("a refusal by an unknown rule")),
    })
}
