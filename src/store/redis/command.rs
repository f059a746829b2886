//! What one call of the script may be asked to do: an operation of the port, or one of the store's own.

use crate::domain::name::{IdKey, Uid};
use crate::domain::reservation::Reservation;
use crate::domain::time::Span;
use crate::engine::operation::{Operation, Refill, Verb};

/// One item of a batch.
#[derive(Clone, Debug)]
pub enum Command {
    /// An operation of the port.
    Run(Box<Operation>),
    /// Installs what the ledger answered.
    Install {
        /// The ledger's watermark of that answer.
        as_of: u64,
        /// The counters.
        refills: Vec<Refill>,
    },
    /// Raises the catalog version under which may be decided.
    Raise {
        /// Whose; `None`: everybody's.
        tenant: Option<Uid>,
        /// To this one.
        version: u64,
    },
    /// Says what the ledger has, and removes older entries.
    Trim {
        /// The ledger has everything up to this entry.
        flushed: u64,
        /// The least entry to keep.
        keep: u64,
    },
    /// Drops counters that nobody touched, a bounded part of it.
    Tidy {
        /// For so long.
        idle: Span,
    },
    /// Ends reservations whose deadline has passed.
    Expire {
        /// At most so many.
        limit: usize,
    },
    /// Undoes a repeat that came too late to be recognised.
    Reverse {
        /// Its last known state.
        reservation: Box<Reservation>,
        /// The entry that has that state.
        as_of: u64,
    },
}

impl Command {
    /// Whether sending it again after an unknown outcome does no harm: by its ids it is recognised, or it says how things
    /// shall be. A reservation without ids would be made twice.
    pub fn is_repeatable(&self) -> bool {
        let Command::Run(operation) = self else { return true };
        match &operation.verb {
            _ if operation.request.is_some() => true,
            Verb::Reserve { .. } => operation.reservation().is_some(),
            Verb::Commit { is_final, .. } => *is_final,
            // A raise without a request id would raise again.
            Verb::Extend { listed, .. } => listed.0.is_empty(),
            // So would a list give back twice, and the amounts of a Free.
            Verb::Release { listed, .. } => listed.0.is_empty(),
            Verb::FreeAmounts { .. } | Verb::Adjust { .. } => false,
            Verb::FreeReservation { .. } | Verb::Check { .. } | Verb::Get { .. } | Verb::Usage => true,
        }
    }

    /// Which reservation it is about: of one, calls must not overtake each other.
    pub fn reservation(&self) -> Option<IdKey> {
        match self {
            Command::Run(operation) => operation.reservation(),
            Command::Reverse { reservation, .. } => Some(reservation.key),
            _ => None,
        }
    }

    /// How many counters it may touch, for the bound of a batch.
    pub fn counters(&self) -> usize {
        match self {
            Command::Run(operation) => operation.plan.as_ref().map_or(1, |plan| plan.counters.len()),
            Command::Install { refills, .. } => refills.len(),
            Command::Expire { limit } => *limit,
            _ => 1,
        }
    }
}
