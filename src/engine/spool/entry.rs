//! One call that was answered without the counter store, with all that is needed to tell the store later.

use crate::domain::error::RuleError;
use crate::domain::name::IdKey;
use crate::domain::reservation::{Reservation, State};
use crate::domain::settlement::{self, Settlement, Uncounted};
use crate::domain::time::{Span, Timestamp};
use crate::engine::listed::Charges;
use serde::{Deserialize, Serialize};

/// The format of an encoded entry; its first byte.
const FORMAT: u8 = 2;

/// An answered call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Spooled {
    /// When it was answered, by this process's clock.
    pub at: Timestamp,
    /// The request id's key; for a release of a part the server makes one, so that it has its effect once.
    pub request: Option<IdKey>,
    /// The fingerprint of the call.
    pub fingerprint: u64,
    /// What was asked.
    pub act: Act,
    /// The reservation as it was answered: as it stands after it.
    pub reservation: Reservation,
}

/// What was asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Act {
    /// Reserve.
    Reserve {
        /// Time to live.
        ttl: Span,
    },
    /// Consume.
    Consume,
    /// Commit.
    Commit {
        /// What was listed.
        listed: Charges,
        /// Whether it ends the reservation.
        is_final: bool,
    },
    /// Release.
    Release {
        /// What was listed.
        listed: Charges,
    },
}

impl Act {
    /// Whether what it lists must be priced again: more was priced on the reservation since.
    pub fn needs_price(&self, before: &Reservation) -> bool {
        match self {
            Act::Commit { listed, .. } => {
                listed.matched(before).is_ok_and(|matched| settlement::needs_price(before, &matched))
            }
            Act::Reserve { .. } | Act::Consume | Act::Release { .. } => false,
        }
    }

    /// What it makes of a reservation that stands in the spool; `None`: it repeats what was done.
    ///
    /// # Errors
    /// [`RuleError`] as the counter store would say. Limits are not known here, so that no overage is refused.
    pub fn follow(&self, before: &Reservation, fingerprint: u64) -> Result<Option<Reservation>, RuleError> {
        let after = |settlement: Settlement| Some(settlement.reservation);
        match self {
            Act::Reserve { .. } | Act::Consume if before.fingerprint == fingerprint => Ok(None),
            Act::Reserve { .. } | Act::Consume => Err(RuleError::IdReused),
            Act::Commit { listed, is_final } => match (before.state, listed.matched(before)) {
                (State::Committed, Ok(matched))
                    if *is_final && settlement::repeats_commit(before, &matched, listed.0.is_empty()) =>
                {
                    Ok(None)
                }
                (State::Committed, _) => Err(RuleError::Committed(Box::new(before.clone()))),
                (State::Released, _) => Err(RuleError::Released),
                (_, matched) => settlement::commit(before, &matched?, *is_final, &mut Uncounted).map(after),
            },
            Act::Release { listed } => match settlement::release(before, &[], true)? {
                None => Ok(None),
                Some(_) => {
                    Ok(settlement::release(before, &listed.matched(before)?, listed.0.is_empty())?.and_then(after))
                }
            },
        }
    }
}

impl Spooled {
    /// As bytes, the format first.
    pub fn encode(&self) -> Vec<u8> {
        // Serializing plain data into a growing vector has nothing that can fail.
        postcard::to_extend(self, vec![FORMAT]).unwrap_or_default()
    }

    /// Reads what [`Spooled::encode`] wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Spooled> {
        match bytes.split_first()? {
            (&FORMAT, body) => postcard::from_bytes(body).ok(),
            (1, body) => super::legacy::read(body),
            _ => None,
        }
    }
}
