//! Exact amounts: whole smallest units from 0 to 2^53-1, the range in which every store and script is exact (rule 16).

use thiserror::Error;

/// The greatest amount and the greatest counter: 2^53-1.
pub const MAX: u64 = (1 << 53) - 1;

/// An amount in a meter's smallest unit, 0 to [`MAX`].
///
/// ```
/// use quotad::domain::amount::{Amount, AmountError, MAX};
/// assert_eq!(Amount::new(5).unwrap().get(), 5);
/// assert_eq!(Amount::new(-1), Err(AmountError::Negative));
/// assert_eq!(Amount::new(MAX as i64 + 1), Err(AmountError::OutOfRange));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Amount(u64);

/// Why a number is not an amount.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum AmountError {
    /// Below zero: bad input.
    #[error("must not be negative")]
    Negative,
    /// Above 2^53-1: denied, not an error (rule 16).
    #[error("is beyond 2^53-1")]
    OutOfRange,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);

    /// From a wire integer.
    ///
    /// # Errors
    /// [`AmountError::Negative`] below zero, [`AmountError::OutOfRange`] above [`MAX`].
    pub fn new(value: i64) -> Result<Amount, AmountError> {
        match u64::try_from(value) {
            Err(_) => Err(AmountError::Negative),
            Ok(value) if value > MAX => Err(AmountError::OutOfRange),
            Ok(value) => Ok(Amount(value)),
        }
    }

    /// From a number that the caller knows to be in range; more is cut to [`MAX`].
    pub const fn saturating(value: u64) -> Amount {
        Amount(if value > MAX { MAX } else { value })
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum, or `None` beyond [`MAX`].
    pub const fn checked_add(self, other: Amount) -> Option<Amount> {
        let sum = self.0 + other.0;
        if sum > MAX { None } else { Some(Amount(sum)) }
    }

    /// The sum, cut to [`MAX`], and whether it was cut.
    pub const fn saturating_add(self, other: Amount) -> (Amount, bool) {
        match self.checked_add(other) {
            Some(sum) => (sum, false),
            None => (Amount(MAX), true),
        }
    }

    /// The difference, not below zero.
    pub const fn saturating_sub(self, other: Amount) -> Amount {
        Amount(self.0.saturating_sub(other.0))
    }

    /// Whether it is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// `limit - used - held` as a signed number: what is left, below zero after an overrun or a lowered limit (S0.06).
pub fn remaining(limit: u64, used: Amount, held: Amount) -> i64 {
    let limit = Amount::saturating(limit).get() as i64;
    limit - used.get() as i64 - held.get() as i64
}

/// Adds to a figure that stays within [`MAX`], like every counter: more is cut to it (rule 16).
pub const fn grow(figure: &mut u64, by: u64) {
    *figure = Amount::saturating(figure.saturating_add(by)).get();
}
