//! Reservations.

use super::time::timestamp;
use crate::domain::price::{Priced, Quantities};
use crate::domain::reservation::{Held, Reservation, State};
use crate::engine::call::Durability;
use crate::proto::v1;
use std::collections::HashMap;

/// A reservation as the protocol shows it.
pub fn reservation(reservation: &Reservation) -> v1::Reservation {
    // A reservation that holds 0 ends at its deadline like any other; a parked one waits for somebody.
    let ends = matches!(reservation.state, State::Held | State::PartiallyCommitted);
    v1::Reservation {
        tenant: reservation.tenant_name.to_string(),
        reservation_id: reservation.id.to_string(),
        state: state(reservation.state).into(),
        charges: reservation.charges.iter().map(charge).collect(),
        create_time: timestamp(reservation.create_time),
        expire_time: if ends { timestamp(reservation.expire_time) } else { None },
        committed: reservation.charges.iter().map(charge_state).collect(),
        overrun: reservation.flags.overrun,
        late: reservation.flags.late,
        recovered: reservation.flags.recovered,
        unenforced: reservation.flags.unenforced,
        saturated: reservation.flags.saturated,
        labels: reservation.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
    }
}

fn charge(held: &Held) -> v1::Charge {
    v1::Charge {
        account: held.account.to_string(),
        meter: held.meter.to_string(),
        amount: held.asked.map(signed),
        quantities: held.estimate.as_deref().map(quantities).unwrap_or_default(),
        item: held.item.to_string(),
        service: held.price.as_ref().map(|price| price.tariff.service.to_string()).unwrap_or_default(),
        also: held.also.iter().map(ToString::to_string).collect(),
    }
}

fn charge_state(held: &Held) -> v1::ChargeState {
    v1::ChargeState {
        account: held.account.to_string(),
        meter: held.meter.to_string(),
        item: held.item.to_string(),
        held: signed(held.held),
        committed: signed(held.committed),
        freed: signed(held.freed),
        cost: held.price.as_deref().map(|price| cost(price, held.committed)),
    }
}

/// The prices that a charge froze, and what it came to by them.
fn cost(price: &Priced, committed: u64) -> v1::ChargeCost {
    let tariff = &price.tariff;
    let (currency, rate) =
        tariff.exchange.as_ref().map(|(currency, rate)| (currency.to_string(), rate.to_string())).unzip();
    v1::ChargeCost {
        service: tariff.service.to_string(),
        rate_card_time: timestamp(tariff.card),
        prices: tariff.components.iter().map(|(name, price)| (name.to_string(), price.to_string())).collect(),
        per: signed(tariff.per),
        currency: currency.unwrap_or_default(),
        exchange_rate: rate.unwrap_or_default(),
        quantities: quantities(&price.quantities),
        original: price.cost().original.to_string(),
        discount: tariff.discount.to_string(),
        r#final: price.recorded(committed).to_string(),
    }
}

fn quantities(quantities: &Quantities) -> HashMap<String, i64> {
    quantities.iter().map(|(component, quantity)| (component.to_owned(), signed(quantity))).collect()
}

fn state(state: State) -> v1::ReservationState {
    match state {
        State::Held => v1::ReservationState::Held,
        State::PartiallyCommitted => v1::ReservationState::PartiallyCommitted,
        State::Committed => v1::ReservationState::Committed,
        State::Released => v1::ReservationState::Released,
        State::Expired => v1::ReservationState::Expired,
        State::Parked => v1::ReservationState::Parked,
    }
}

/// A state as it came; `None` for one that is not set or not known.
pub fn from_state(state: v1::ReservationState) -> Option<State> {
    match state {
        v1::ReservationState::Unspecified => None,
        v1::ReservationState::Held => Some(State::Held),
        v1::ReservationState::PartiallyCommitted => Some(State::PartiallyCommitted),
        v1::ReservationState::Committed => Some(State::Committed),
        v1::ReservationState::Released => Some(State::Released),
        v1::ReservationState::Expired => Some(State::Expired),
        v1::ReservationState::Parked => Some(State::Parked),
    }
}

/// How safely an effect is stored.
pub fn durability(durability: Durability) -> i32 {
    match durability {
        Durability::Applied => v1::Durability::Applied,
        Durability::Journaled => v1::Durability::Journaled,
        Durability::Durable => v1::Durability::Durable,
    }
    .into()
}

/// An amount on the wire.
pub fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}
