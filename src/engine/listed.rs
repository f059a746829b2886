//! What a settlement lists: charges by name, matched with those of a reservation.

use crate::domain::error::RuleError;
use crate::domain::reservation::Reservation;
use crate::domain::settlement::Listed;
use serde::{Deserialize, Serialize};

/// The charges that a settlement lists, before they are matched with the reservation's.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Charges(pub Vec<ListedCharge>);

/// One of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListedCharge {
    /// The account's name.
    pub account: Box<str>,
    /// The meter's name.
    pub meter: Box<str>,
    /// The item.
    pub item: Box<str>,
    /// How much; `None`: as held.
    pub amount: Option<u64>,
}

impl Charges {
    /// Matches by account, meter and item (rule 6); empty lists every charge, as held.
    ///
    /// # Errors
    /// [`RuleError::ChargeNotHeld`] with the index of a charge that the reservation does not have.
    pub fn matched(&self, reservation: &Reservation) -> Result<Vec<Listed>, RuleError> {
        if self.0.is_empty() {
            return Ok((0..reservation.charges.len()).map(|charge| Listed { charge, amount: None }).collect());
        }
        let find = |listed: &ListedCharge| {
            reservation.charges.iter().position(|held| {
                held.account == listed.account && held.meter == listed.meter && held.item == listed.item
            })
        };
        self.0
            .iter()
            .enumerate()
            .map(|(index, listed)| {
                let charge = find(listed).ok_or(RuleError::ChargeNotHeld(index))?;
                Ok(Listed { charge, amount: listed.amount })
            })
            .collect()
    }
}
