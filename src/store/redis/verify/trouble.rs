//! What keeps a partition from being compared at one entry: it is looked at again, and told if it stays so.

use crate::engine::audit::{Drift, Finding};
use crate::engine::ports::StoreError;

/// The result of a step that may have to begin anew.
pub(super) type Step<T> = Result<T, Stop>;

/// Why a look at a partition ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// Store and ledger could not be brought together this time.
    Again(Trouble),
    /// One of them can't be read.
    Store(StoreError),
}

/// What is between store and ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    /// The partition is being loaded.
    Loading,
    /// It is of another incarnation than the ledger's watermark.
    Incarnation { store: u64, ledger: u64 },
    /// The ledger has entries that the store does not know of.
    Behind { store: u64, ledger: u64 },
    /// An entry that neither the ledger nor the journal has.
    Missing { seq: u64 },
    /// The journal was trimmed before it could be read.
    Trimmed,
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Stop {
        Stop::Store(error)
    }
}

impl Trouble {
    /// What it is if it stays: drift of the partition.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where it says nothing against the store.
    pub(super) fn finding(self, partition: u32) -> Result<Finding, StoreError> {
        let (figure, kept, expected) = match self {
            Trouble::Loading => {
                return Err(StoreError::Unavailable(format!(
                    "partition {partition} is being loaded; look again later"
                )));
            }
            Trouble::Trimmed => {
                let why = format!("the journal of partition {partition} goes on faster than it can be read");
                return Err(StoreError::Unavailable(why));
            }
            Trouble::Incarnation { store, ledger } => ("incarnation", Some(store), Some(ledger)),
            Trouble::Behind { store, ledger } => ("last entry", Some(store), Some(ledger)),
            Trouble::Missing { seq } => ("journal entry", None, Some(seq)),
        };
        let number = |number: Option<u64>| number.and_then(|number| i64::try_from(number).ok());
        Ok(Finding {
            drift: Drift::LivePartition,
            place: format!("partition {partition}"),
            figure,
            kept: number(kept),
            expected: number(expected),
            repaired: false,
        })
    }
}
