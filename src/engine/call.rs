//! What callers ask of the authority and what they are told, in the domain's words.

use super::ports::StoreError;
use crate::domain::decision::Refusal;
use crate::domain::error::RuleError;
use crate::domain::name::{AccountName, MeterName};
use crate::domain::price::Quantities;
use crate::domain::quota::{Enforcement, Origin};
use crate::domain::reservation::Reservation;
use crate::domain::time::{Period, Span, Timestamp};
use crate::domain::window::WindowKind;
use std::sync::Arc;
use thiserror::Error;

/// One charge as it is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChargeRequest {
    /// The charged account.
    pub account: AccountName,
    /// The meter.
    pub meter: MeterName,
    /// How much, in the smallest unit; `None`: not known yet, or as held.
    pub amount: Option<u64>,
    /// What a rate card makes the amount from; empty: it is said, or not known.
    pub quantities: Quantities,
    /// What it is for.
    pub item: String,
    /// The service that uses it, by which discounts go.
    pub service: String,
    /// Further accounts on the path.
    pub also: Vec<AccountName>,
}

impl ChargeRequest {
    /// Of an account on a meter, with nothing else said.
    pub fn of(account: AccountName, meter: MeterName) -> ChargeRequest {
        let (item, service) = (String::new(), String::new());
        ChargeRequest {
            account,
            meter,
            amount: None,
            quantities: Quantities::default(),
            item,
            service,
            also: Vec::new(),
        }
    }

    /// Whether it says how much, as an amount or in quantities.
    pub fn says_how_much(&self) -> bool {
        self.amount.is_some() || !self.quantities.is_empty()
    }
}

/// Asks only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckCall {
    /// The tenant.
    pub tenant: AccountName,
    /// What would be charged.
    pub charges: Vec<ChargeRequest>,
}

/// Asks to hold (Reserve), or to record at once (Consume).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReserveCall {
    /// The tenant.
    pub tenant: AccountName,
    /// The caller's name for the reservation.
    pub reservation_id: Option<String>,
    /// The caller's name for this call.
    pub request_id: Option<String>,
    /// What to charge.
    pub charges: Vec<ChargeRequest>,
    /// Time until the hold ends by itself; `None`: the default. Not used by Consume.
    pub ttl: Option<Span>,
    /// Kept with the reservation.
    pub labels: Vec<(String, String)>,
    /// Answer once it is in the ledger.
    pub wait_for_durable: bool,
}

/// Asks to settle a reservation: Commit, Release or Extend.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettleCall {
    /// The tenant.
    pub tenant: AccountName,
    /// Which reservation.
    pub reservation_id: String,
    /// The caller's name for this call.
    pub request_id: Option<String>,
    /// Which charges and how much of each; empty: all, as held (Extend: none).
    pub charges: Vec<ChargeRequest>,
    /// Answer once it is in the ledger.
    pub wait_for_durable: bool,
}

/// Asks to give back committed allocation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FreeCall {
    /// The tenant.
    pub tenant: AccountName,
    /// The caller's name for this call.
    pub request_id: Option<String>,
    /// What to free.
    pub what: FreeWhat,
    /// Answer once it is in the ledger.
    pub wait_for_durable: bool,
}

/// What to free.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FreeWhat {
    /// All that a reservation committed.
    Reservation(String),
    /// Amounts, clamped at what was charged to the named accounts.
    Charges(Vec<ChargeRequest>),
}

/// An answer with what is known about its safety.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer<T> {
    /// The answer proper.
    pub value: T,
    /// It answers a repeat.
    pub replayed: bool,
    /// How safely the effect is stored.
    pub durability: Durability,
}

/// How safely an effect is stored, weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Durability {
    /// In the counter store.
    Applied,
    /// In the journal on disk.
    Journaled,
    /// In the ledger.
    Durable,
}

/// Yes or no; both are answers (rule 4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict<T> {
    /// It fits.
    Granted(T),
    /// It does not; nothing changed.
    Denied(Denial),
}

/// Every limit that stands in the way, the one with the least left first (S4.25).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denial {
    /// Never empty.
    pub violations: Vec<Violation>,
    /// The pools that had no room either, by the overflow list of the one that is in the way; none in a repeat.
    pub tried: Vec<Arc<str>>,
}

/// One limit that stands in the way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Whose limit it is.
    pub account: Arc<str>,
    /// On which meter.
    pub meter: Arc<str>,
    /// Its figures.
    pub refusal: Refusal,
}

/// One limit that a check passed, before the request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AllowanceLine {
    /// Whose limit it is.
    pub account: Arc<str>,
    /// On which meter.
    pub meter: Arc<str>,
    /// The window's kind.
    pub kind: WindowKind,
    /// The limit; `None`: none.
    pub limit: Option<u64>,
    /// Used in the period.
    pub used: u64,
    /// Held in the period.
    pub held: u64,
    /// What the limit leaves.
    pub remaining: Option<i64>,
}

/// What Extend answers: the reservation as it stands, and why it was not raised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extended {
    /// The reservation.
    pub reservation: Reservation,
    /// Why neither the hold nor the deadline changed.
    pub denied: Option<Denial>,
}

/// What Free answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Freed {
    /// The reservation, where one was named.
    pub reservation: Option<Reservation>,
    /// What went back, by charge.
    pub amounts: Vec<u64>,
}

/// One meter of one account, live.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeterUsage {
    /// The meter.
    pub meter: MeterName,
    /// Its smallest unit.
    pub unit: String,
    /// Decimals of the shown unit.
    pub decimals: u8,
    /// Every window.
    pub windows: Vec<WindowUsage>,
    /// What the top-up leaves, where one is set.
    pub top_up_remaining: Option<u64>,
}

/// One window of one meter of one account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WindowUsage {
    /// The window's kind.
    pub kind: WindowKind,
    /// The limit; `None`: unlimited.
    pub limit: Option<u64>,
    /// The quota's own limit, where that is raised; else the same.
    pub own: Option<u64>,
    /// Until when it is raised above the quota's own; `None`: it is not.
    pub raised_until: Option<Timestamp>,
    /// Where it comes from, and whose quota that is.
    pub origin: Option<(Origin, Arc<str>)>,
    /// Used in the period.
    pub used: u64,
    /// Held in the period.
    pub held: u64,
    /// NORMAL, LOW or EXHAUSTED.
    pub state: UsageState,
    /// The period.
    pub period: Period,
    /// When it resets, where it does.
    pub reset: Option<Timestamp>,
    /// The zone in which it is reckoned.
    pub time_zone: String,
    /// Whether it denies.
    pub enforcement: Enforcement,
}

/// State of an account on a meter (rule 12).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UsageState {
    /// Neither of the others.
    Normal,
    /// Above the meter's threshold, strictly.
    Low,
    /// Limited, and nothing remains.
    Exhausted,
}

/// Why a call has no answer.
#[derive(Clone, Debug, Error)]
pub enum CallError {
    /// A rule refuses it; nothing changed.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// Meters that the tenant's catalog does not have: index of the charge and the name.
    #[error("no such meter: {}", .0.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", "))]
    MeterNotFound(Vec<(usize, String)>),
    /// Accounts that the tenant, which registers them, has no record of: index of the charge, the place in `also` if it stands
    /// there, and the name.
    #[error("no such account: {}", .0.iter().map(|(_, _, name)| name.as_str()).collect::<Vec<_>>().join(", "))]
    AccountNotFound(Vec<(usize, Option<usize>, String)>),
    /// Fields that only the catalog could judge: index of the charge and what is wrong with it.
    #[error("{}", .0.iter().map(|(at, why)| format!("charges[{at}]: {why}")).collect::<Vec<_>>().join("; "))]
    BadCharges(Vec<(usize, &'static str)>),
    /// Charges that no rate card prices: index, field and why.
    #[error("{}", .0.iter().map(|(at, field, why)| format!("charges[{at}].{field}: {why}")).collect::<Vec<_>>().join("; "))]
    NoRateCard(Vec<(usize, &'static str, String)>),
    /// More limits than one decision may touch (rule 17).
    #[error("the request touches {0} limits, and one decision may touch 128")]
    TooManyLimits(usize),
    /// A store can't be reached; nothing of the call is known to have happened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The counter store can't be reached: what fails open may be granted without it (rule 14).
    #[error(transparent)]
    OutOfReach(StoreError),
    /// The effect stands in the counter store, but the ledger did not confirm it in time.
    #[error("applied, but not confirmed by the ledger in time")]
    NotDurable,
    /// The account is being moved: the call can be made again in a moment.
    #[error("{0} is being moved")]
    Moving(String),
    /// A bound of waiting work is reached.
    #[error("too much work is waiting")]
    Overloaded,
}
