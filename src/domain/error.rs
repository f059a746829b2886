//! Refusals of the rules that are not denials: the reservation's state or the caller's ids don't allow the operation.
//! In order of precedence: ids first, then state, then contents.

use super::adjustment::Short;
use super::reservation::Reservation;
use thiserror::Error;

/// Why an operation is refused. It changed nothing.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RuleError {
    /// The id was used before with other contents.
    #[error("the id was used before with other contents")]
    IdReused,
    /// No such reservation.
    #[error("no such reservation")]
    NotFound,
    /// The reservation ended with a commit; its record says what was recorded.
    #[error("the reservation is committed")]
    Committed(Box<Reservation>),
    /// The reservation ended with a release.
    #[error("the reservation is released")]
    Released,
    /// The reservation's deadline has passed.
    #[error("the reservation's deadline has passed")]
    Expired,
    /// The reservation is parked.
    #[error("the reservation is parked until somebody resolves it")]
    Parked,
    /// The reservation still holds.
    #[error("the reservation still holds")]
    Open,
    /// The charge of that index in the request was never held.
    #[error("charge {0} was never held by this reservation")]
    ChargeNotHeld(usize),
    /// The charge of that index in the reservation does not fit, and its meter refuses overage.
    #[error("charge {0} is above what was held and does not fit")]
    OverageRefused(usize),
    /// The charge of that index in the request is on a consumption meter.
    #[error("charge {0} is on a consumption meter: what is committed stays committed")]
    NotFreeable(usize),
    /// More would go back than is in use there.
    #[error("line {}: no more than {} is in use there", .0.line, .0.in_use)]
    BelowZero(Short),
    /// Something else was charged to the account than the line expects.
    #[error("line {}: {} is charged to the account by now, and the line expects something else", .0.line, .0.in_use)]
    Unexpected(Short),
    /// More can't go back in a period that has ended.
    #[error("line {}: what was used in a period that has ended can only be raised", .0.line)]
    PeriodEnded(Short),
    /// A cap of the installation is reached.
    #[error("{0}")]
    CapReached(&'static str),
}
