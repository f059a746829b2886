//! What a settlement lists: charges by name, matched with those of a reservation.

use crate::domain::error::RuleError;
use crate::domain::price::Quantities;
use crate::domain::reservation::{Held, Reservation};
use crate::domain::settlement::{Listed, Pricing};
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
    /// What the amount is the price of; empty: it was said.
    pub quantities: Quantities,
    /// The service, where the reservation froze no prices.
    pub service: Box<str>,
    /// How the amount was priced.
    pub pricing: Pricing,
}

impl ListedCharge {
    /// Whether it is this charge of a reservation (rule 6).
    pub fn is(&self, held: &Held) -> bool {
        *held.account == *self.account && *held.meter == *self.meter && held.item == self.item
    }
}

impl Charges {
    /// Matches by account, meter and item (rule 6); empty lists every charge, as held.
    ///
    /// # Errors
    /// [`RuleError::ChargeNotHeld`] with the index of a charge that the reservation does not have.
    pub fn matched(&self, reservation: &Reservation) -> Result<Vec<Listed>, RuleError> {
        if self.0.is_empty() {
            let as_held = |charge| Listed { charge, amount: None, pricing: Pricing::Said };
            return Ok((0..reservation.charges.len()).map(as_held).collect());
        }
        let find = |listed: &ListedCharge| reservation.charges.iter().position(|held| listed.is(held));
        self.0
            .iter()
            .enumerate()
            .map(|(index, listed)| {
                let charge = find(listed).ok_or(RuleError::ChargeNotHeld(index))?;
                Ok(Listed { charge, amount: listed.amount, pricing: listed.pricing.clone() })
            })
            .collect()
    }
}
