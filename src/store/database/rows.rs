//! Rows to domain values and back: the only place that knows how either looks in a column.

use super::row::Row;
use crate::domain::amount;
use crate::domain::legacy::ReservationV1;
use crate::domain::name::{IdKey, MeterId, Uid};
use crate::domain::price::Quantities;
use crate::domain::reservation::Reservation;
use crate::engine::ports::StoreError;

/// The format of a reservation's record; its first byte.
const RECORD: u8 = 2;
/// The greatest amount that a column holds, 2^53-1 (rule 16).
const MAX: i64 = amount::MAX as i64;

/// A change as a column holds it: within 2^53-1 on both sides of zero, so that no sum of two can overflow (rule 16).
pub(super) fn clamp(change: i64) -> i64 {
    change.clamp(-MAX, MAX)
}

/// A sum from the two parts in which statements give it: multiples of 2^20, and the rest.
pub(super) fn from_parts(high: i64, low: i64) -> i64 {
    let sum = (i128::from(high) << 20) + i128::from(low);
    sum.clamp(i128::from(-MAX), i128::from(MAX)) as i64
}

/// A meter's number as a column holds it: the same 64 bits, signed.
pub(super) fn meter(id: MeterId) -> i64 {
    id.0.cast_signed()
}

/// A reservation as a column holds it.
pub(super) fn record(reservation: &Reservation) -> Vec<u8> {
    // Serializing plain data into a growing vector has nothing that can fail.
    postcard::to_extend(reservation, vec![RECORD]).unwrap_or_default()
}

/// Reads what [`record`] wrote.
///
/// # Errors
/// [`StoreError::Corrupt`] for another format or damaged bytes.
pub(super) fn reservation(bytes: &[u8]) -> Result<Reservation, StoreError> {
    let damaged = |_| StoreError::Corrupt("a reservation's record is damaged".into());
    match bytes.split_first() {
        Some((&RECORD, body)) => postcard::from_bytes(body).map_err(damaged),
        Some((1, body)) => postcard::from_bytes::<ReservationV1>(body).map(Reservation::from).map_err(damaged),
        Some((other, _)) => Err(StoreError::Corrupt(format!("a reservation's record has the unknown format {other}"))),
        None => Err(StoreError::Corrupt("a reservation's record is empty".into())),
    }
}

/// Reads many records, each from the first column of its row.
///
/// # Errors
/// As [`reservation`].
pub(super) fn reservations(rows: &[Row]) -> Result<Vec<Reservation>, StoreError> {
    rows.iter().map(|row| reservation(row.bytes(0)?)).collect()
}

/// Quantities as a column holds them: `{"input":1200,"output":300}`.
pub(super) fn quantities(quantities: &Quantities) -> String {
    let entries = quantities.iter().map(|(name, quantity)| (name.to_owned(), quantity.into()));
    serde_json::Value::Object(entries.collect()).to_string()
}

/// Amounts as a column holds them.
pub(super) fn amounts(amounts: &[u64]) -> Vec<u8> {
    amounts.iter().flat_map(|amount| amount.to_be_bytes()).collect()
}

/// Reads what [`amounts`] wrote.
///
/// # Errors
/// [`StoreError::Corrupt`] if bytes are left over.
pub(super) fn read_amounts(bytes: &[u8]) -> Result<Vec<u64>, StoreError> {
    let (amounts, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(StoreError::Corrupt("a request's amounts are damaged".into()));
    }
    Ok(amounts.iter().map(|amount| u64::from_be_bytes(*amount)).collect())
}

/// Reads a uid.
///
/// # Errors
/// [`StoreError::Corrupt`] if it has not 16 bytes.
pub(super) fn uid(bytes: &[u8]) -> Result<Uid, StoreError> {
    sixteen(bytes).map(Uid)
}

/// Reads a key.
///
/// # Errors
/// [`StoreError::Corrupt`] if it has not 16 bytes.
pub(super) fn key(bytes: &[u8]) -> Result<IdKey, StoreError> {
    sixteen(bytes).map(IdKey)
}

fn sixteen(bytes: &[u8]) -> Result<u128, StoreError> {
    match bytes.try_into() {
        Ok(bytes) => Ok(u128::from_be_bytes(bytes)),
        Err(_) => Err(StoreError::Corrupt(format!("an id of {} bytes instead of 16", bytes.len()))),
    }
}
