//! Entries of the spool as they were before rate cards: format 1.

use super::entry::{Act, Spooled};
use crate::domain::legacy::ReservationV1;
use crate::domain::name::IdKey;
use crate::domain::price::Quantities;
use crate::domain::settlement::Pricing;
use crate::domain::time::{Span, Timestamp};
use crate::engine::listed::{Charges, ListedCharge};
use serde::Deserialize;

#[derive(Deserialize)]
struct SpooledV1 {
    at: Timestamp,
    request: Option<IdKey>,
    fingerprint: u64,
    act: ActV1,
    reservation: ReservationV1,
}

#[derive(Deserialize)]
enum ActV1 {
    Reserve { ttl: Span },
    Consume,
    Commit { listed: Vec<ListedV1>, is_final: bool },
    Release { listed: Vec<ListedV1> },
}

#[derive(Deserialize)]
struct ListedV1 {
    account: Box<str>,
    meter: Box<str>,
    item: Box<str>,
    amount: Option<u64>,
}

/// Reads an entry behind its format; `None` if it is none.
pub(super) fn read(body: &[u8]) -> Option<Spooled> {
    let old: SpooledV1 = postcard::from_bytes(body).ok()?;
    let act = match old.act {
        ActV1::Reserve { ttl } => Act::Reserve { ttl },
        ActV1::Consume => Act::Consume,
        ActV1::Commit { listed, is_final } => Act::Commit { listed: charges(listed), is_final },
        ActV1::Release { listed } => Act::Release { listed: charges(listed) },
    };
    let reservation = old.reservation.into();
    Some(Spooled { at: old.at, request: old.request, fingerprint: old.fingerprint, act, reservation })
}

fn charges(listed: Vec<ListedV1>) -> Charges {
    let charge = |old: ListedV1| ListedCharge {
        account: old.account,
        meter: old.meter,
        item: old.item,
        amount: old.amount,
        quantities: Quantities::default(),
        service: Box::default(),
        pricing: Pricing::Said,
    };
    Charges(listed.into_iter().map(charge).collect())
}
