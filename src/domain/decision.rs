//! Answers of a decision: a denial is a value with every limit that stands in the way (rule 4).

use super::time::Timestamp;
use super::window::WindowKind;

/// Why a limit stands in the way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cause {
    /// Used up as far as this request is concerned.
    Spent,
    /// It would fit if what others hold were given back.
    HeldByOthers,
    /// No quota at any level, and the meter denies in that case.
    NoQuota,
    /// The amount, or the sum it leads to, is beyond 2^53-1.
    AmountRange,
    /// The hold's period has ended, so it can't be raised.
    PeriodEnded,
    /// More than the share of the limit that one hold may take.
    HoldShare,
    /// The pool that the account chose is no more.
    PoolNotFound,
    /// The pool is disabled.
    PoolDisabled,
    /// The account is no member of the pool now.
    NotAMember,
    /// The pool does not permit the item, or the account is suspended or closed.
    NotPermitted,
}

impl Cause {
    /// Whether no amount and no waiting would help: who may not, is not told what others have left.
    pub fn forbids(self) -> bool {
        matches!(self, Cause::PoolNotFound | Cause::PoolDisabled | Cause::NotAMember | Cause::NotPermitted)
    }
}

/// One limit that stands in the way, with its figures before the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The window's kind.
    pub kind: WindowKind,
    /// The limit; `None` where none exists.
    pub limit: Option<u64>,
    /// Used in the period.
    pub used: u64,
    /// Held by open reservations in the period.
    pub held: u64,
    /// limit - used - held.
    pub remaining: i64,
    /// What was asked of this limit.
    pub requested: u64,
    /// What one hold may take of the limit, if that is less.
    pub hold_cap: Option<u64>,
    /// What the top-up leaves beside it.
    pub top_up: u64,
    /// When what stands in the way is gone.
    pub reset: Option<Timestamp>,
    /// Why.
    pub cause: Cause,
    /// Whether it denies, or would have.
    pub enforced: bool,
}
