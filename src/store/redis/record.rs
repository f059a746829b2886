//! A reservation as the scripts keep it: what they change as numbers and ids, what is the caller's own in one piece of bytes
//! that they carry and never look into.

use super::pack::{Read, Reader, Writer, damaged};
use crate::domain::amount;
use crate::domain::entry::Note;
use crate::domain::meter::{ChargeMoment, Expiry, Overage, Rules};
use crate::domain::price::Priced;
use crate::domain::reservation::{About, Flags, Held, Level, Reservation, State};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The format of the fixed part; its first byte.
const FORMAT: u8 = 1;
/// Items of a record, and of one of its charges.
const ITEMS: usize = 10;
const CHARGE_ITEMS: usize = 18;
/// Items of a charge before there were prices.
const PRICELESS_ITEMS: usize = 15;
const LEVEL_ITEMS: usize = 4;

/// What no operation changes.
#[derive(Serialize, Deserialize)]
struct Fixed<'a> {
    #[serde(borrow)]
    tenant_name: &'a str,
    id: &'a str,
    charges: Vec<FixedCharge<'a>>,
    labels: Vec<(&'a str, &'a str)>,
}

#[derive(Serialize, Deserialize)]
struct FixedCharge<'a> {
    account: &'a str,
    meter: &'a str,
    item: &'a str,
    #[serde(borrow)]
    also: Vec<&'a str>,
    asked: Option<u64>,
    rules: Rules,
}

impl<'a> FixedCharge<'a> {
    fn of(held: &'a Held) -> FixedCharge<'a> {
        FixedCharge {
            account: &held.account,
            meter: &held.meter,
            item: &held.item,
            also: held.also.iter().map(|name| &**name).collect(),
            asked: held.asked,
            rules: held.rules,
        }
    }
}

/// The fixed part of a reservation.
pub fn fixed(reservation: &Reservation) -> Vec<u8> {
    let labels = reservation.labels.iter().map(|(name, value)| (&**name, &**value)).collect();
    let charges = reservation.charges.iter().map(FixedCharge::of).collect();
    encode(&Fixed { tenant_name: &reservation.tenant_name, id: &reservation.id, charges, labels })
}

/// The fixed part of charges that belong to no reservation (Free by amount).
pub fn fixed_charges(charges: &[Held]) -> Vec<u8> {
    let charges = charges.iter().map(FixedCharge::of).collect();
    encode(&Fixed { tenant_name: "", id: "", charges, labels: Vec::new() })
}

/// The same of an adjustment's, with who it was and why in the place of labels.
pub fn noted_charges(charges: &[Held], note: &Note) -> Vec<u8> {
    let charges = charges.iter().map(FixedCharge::of).collect();
    let labels = vec![("actor", &*note.actor), ("reason", &*note.reason)];
    encode(&Fixed { tenant_name: "", id: "", charges, labels })
}

/// Who adjusted, and why.
///
/// # Errors
/// [`crate::engine::ports::StoreError::Corrupt`] if something else stands here.
pub fn read_note(fixed: &[u8]) -> Read<Note> {
    match decode(fixed)?.labels.as_slice() {
        [("actor", actor), ("reason", reason)] => Ok(Note { actor: (*actor).into(), reason: (*reason).into() }),
        _ => Err(damaged("an adjustment without who and why")),
    }
}

fn encode(fixed: &Fixed<'_>) -> Vec<u8> {
    // Serializing plain data into a growing vector has nothing that can fail.
    postcard::to_extend(fixed, vec![FORMAT]).unwrap_or_default()
}

fn decode(bytes: &[u8]) -> Read<Fixed<'_>> {
    match bytes.split_first() {
        Some((&FORMAT, body)) => postcard::from_bytes(body).map_err(|_| damaged("the fixed part of a record")),
        _ => Err(damaged("the fixed part of a record has an unknown format")),
    }
}

/// By what a listed charge is matched with a held one: a hash of account, meter and item.
pub fn match_key(account: &str, meter: &str, item: &str) -> u64 {
    let mut hash = Sha256::new();
    for text in [account, meter, item] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let digest = hash.finalize();
    digest[..8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Writes a record.
pub fn write(out: &mut Writer, reservation: &Reservation) {
    write_head(out, reservation);
    out.time(reservation.create_time).time(reservation.expire_time);
    write_tail(out, reservation);
}

/// Writes what stands before the two times of a record.
pub fn write_head(out: &mut Writer, reservation: &Reservation) {
    let Flags { overrun, late, recovered, unenforced, saturated } = reservation.flags;
    let bits = [overrun, late, recovered, unenforced, saturated];
    let flags = bits.iter().rev().fold(0, |flags, bit| flags << 1 | i64::from(*bit));
    out.array(ITEMS).bytes(&fixed(reservation)).uid(reservation.tenant).key(Some(reservation.key));
    out.word(reservation.fingerprint).int(reservation.state as i64).int(flags);
}

/// Writes what stands after the two times of a record.
pub fn write_tail(out: &mut Writer, reservation: &Reservation) {
    write_charges(out, &reservation.charges);
    out.array(reservation.requests.len());
    for request in &reservation.requests {
        out.key(Some(*request));
    }
}

/// Writes charges.
pub fn write_charges(out: &mut Writer, charges: &[Held]) {
    out.array(charges.len());
    for held in charges {
        out.array(CHARGE_ITEMS).word(match_key(&held.account, &held.meter, &held.item)).word(held.meter_id.0);
        out.count(held.chain_len());
        match held.asked {
            Some(asked) => out.asked(asked),
            None => out.int(-1),
        };
        out.uint(held.held).uint(held.committed).uint(held.unconfirmed).uint(held.lapsed).uint(held.freed);
        out.maybe(held.final_amount);
        let overage = match held.rules.overage {
            Overage::Record => 0,
            Overage::Cap => 1,
            Overage::Refuse => 2,
        };
        let expiry = match held.rules.expiry {
            Expiry::GiveBack => 0,
            Expiry::Charge => 1,
            Expiry::Park => 2,
        };
        out.int(overage).int(expiry).flag(held.rules.charge == ChargeMoment::OnReserve).flag(held.is_allocation());
        out.array(held.path.len());
        for level in held.path.iter() {
            out.array(LEVEL_ITEMS).uid(level.account).flag(level.has_top_up);
            out.uint(level.held_top_up).uint(level.used_top_up);
        }
        out.bytes(&price(held.price.as_deref())).bytes(&price(held.estimated().as_ref()));
        out.flag(!held.priced().is_empty());
    }
}

/// A price state as scripts carry it: they compare it whole.
pub fn price(price: Option<&Priced>) -> Vec<u8> {
    // Serializing plain data into a growing vector has nothing that can fail.
    price.map(|price| postcard::to_extend(price, vec![FORMAT]).unwrap_or_default()).unwrap_or_default()
}

/// Reads what [`price`] wrote.
///
/// # Errors
/// [`crate::engine::ports::StoreError::Corrupt`] for anything else.
pub fn read_price(bytes: &[u8]) -> Read<Option<Box<Priced>>> {
    match bytes.split_first() {
        None => Ok(None),
        Some((&FORMAT, body)) => postcard::from_bytes(body).map(Some).map_err(|_| damaged("the prices of a charge")),
        Some(_) => Err(damaged("the prices of a charge have an unknown format")),
    }
}

/// A record as bytes.
pub fn pack(reservation: &Reservation) -> Vec<u8> {
    let mut out = Writer::with_capacity(512);
    write(&mut out, reservation);
    out.finish()
}

/// Reads what [`pack`] wrote, or a script.
///
/// # Errors
/// [`crate::engine::ports::StoreError::Corrupt`] for anything else.
pub fn unpack(bytes: &[u8]) -> Read<Reservation> {
    let mut reader = Reader::new(bytes);
    let reservation = read(&mut reader)?;
    reader.end()?;
    Ok(reservation)
}

/// Reads a record.
///
/// # Errors
/// [`crate::engine::ports::StoreError::Corrupt`] if something else stands here.
pub fn read(reader: &mut Reader<'_>) -> Read<Reservation> {
    let more = reader.tuple(ITEMS)?;
    let fixed = decode(reader.bytes()?)?;
    let (tenant, key, fingerprint) = (reader.uid()?, reader.key()?, reader.word()?);
    let state = State::from_code(reader.int()?).ok_or_else(|| damaged("the state of a reservation"))?;
    let flags = reader.int()?;
    let flag = |bit: u32| flags >> bit & 1 == 1;
    let flags = Flags { overrun: flag(0), late: flag(1), recovered: flag(2), unenforced: flag(3), saturated: flag(4) };
    let (create_time, expire_time) = (reader.time()?, reader.time()?);
    let charges = charges(reader, &fixed)?;
    let count = reader.array()?;
    let requests = (0..count).map(|_| reader.key()).collect::<Read<_>>()?;
    reader.skip_many(more)?;
    Ok(Reservation {
        tenant,
        tenant_name: fixed.tenant_name.into(),
        id: fixed.id.into(),
        key,
        fingerprint,
        state,
        flags,
        create_time,
        expire_time,
        charges,
        labels: fixed.labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        requests,
    })
}

/// Reads charges with their fixed part, as a Free by amount leaves them in the journal.
///
/// # Errors
/// [`crate::engine::ports::StoreError::Corrupt`] if something else stands here.
pub fn read_charges(reader: &mut Reader<'_>, fixed: &[u8]) -> Read<Vec<Held>> {
    charges(reader, &decode(fixed)?)
}

fn charges(reader: &mut Reader<'_>, fixed: &Fixed<'_>) -> Read<Vec<Held>> {
    let count = reader.array()?;
    if count != fixed.charges.len() {
        return Err(damaged("a record with other charges than its fixed part"));
    }
    fixed.charges.iter().map(|fixed| charge(reader, fixed)).collect()
}

fn charge(reader: &mut Reader<'_>, fixed: &FixedCharge<'_>) -> Read<Held> {
    let mut more = reader.tuple(PRICELESS_ITEMS)?;
    if reader.word()? != match_key(fixed.account, fixed.meter, fixed.item) {
        return Err(damaged("a charge that is not that of its fixed part"));
    }
    let meter_id = crate::domain::name::MeterId(reader.word()?);
    reader.skip()?;
    let asked = reader.maybe()?;
    let mut held = Held {
        about: Arc::new(About {
            account: fixed.account.into(),
            meter: fixed.meter.into(),
            meter_id,
            item: fixed.item.into(),
            also: fixed.also.iter().map(|name| (*name).into()).collect(),
        }),
        // Beyond the range the scripts know only that it is beyond.
        asked: if asked.is_some_and(|asked| asked > amount::MAX) { fixed.asked } else { asked },
        held: reader.uint()?,
        committed: reader.uint()?,
        unconfirmed: reader.uint()?,
        lapsed: reader.uint()?,
        freed: reader.uint()?,
        final_amount: reader.maybe()?,
        rules: fixed.rules,
        path: Vec::new().into(),
        price: None,
        estimate: None,
    };
    // The rules stand in the fixed part too.
    reader.skip_many(4)?;
    let levels = reader.array()?;
    let mut path = Vec::new();
    for _ in 0..levels {
        let more = reader.tuple(LEVEL_ITEMS)?;
        path.push(Level {
            account: reader.uid()?,
            has_top_up: reader.flag()?,
            held_top_up: reader.uint()?,
            used_top_up: reader.uint()?,
        });
        reader.skip_many(more)?;
    }
    held.path = path.into();
    if more >= CHARGE_ITEMS - PRICELESS_ITEMS {
        held.price = read_price(reader.bytes()?)?;
        held.estimate = read_price(reader.bytes()?)?.map(|priced| Box::new(priced.quantities));
        reader.skip()?;
        more -= CHARGE_ITEMS - PRICELESS_ITEMS;
    }
    reader.skip_many(more)?;
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn records_come_back_whole() {
        let mut rng = StdRng::seed_from_u64(3);
        for _ in 0..500 {
            let one = samples::reservation(&mut rng);
            let bytes = pack(&one);
            assert_eq!(unpack(&bytes).unwrap(), one);
        }
    }

    #[test]
    fn charges_without_a_reservation_come_back() {
        let mut rng = StdRng::seed_from_u64(4);
        let one = samples::reservation(&mut rng);
        let mut out = Writer::default();
        write_charges(&mut out, &one.charges);
        let bytes = out.finish();
        let read = read_charges(&mut Reader::new(&bytes), &fixed_charges(&one.charges)).unwrap();
        assert_eq!(read, one.charges);
        assert!(read_charges(&mut Reader::new(&bytes), &fixed_charges(&[])).is_err(), "other charges");
    }

    #[test]
    fn what_is_asked_beyond_the_range_is_kept_exactly() {
        let mut one = samples::reservation(&mut StdRng::seed_from_u64(5));
        one.charges[0].asked = Some(u64::MAX - 7);
        assert_eq!(unpack(&pack(&one)).unwrap().charges[0].asked, Some(u64::MAX - 7));
    }

    #[test]
    fn damaged_records_never_panic() {
        let mut rng = StdRng::seed_from_u64(6);
        for _ in 0..300 {
            let mut bytes = pack(&samples::reservation(&mut rng));
            assert!(unpack(&bytes[..rng.random_range(0..bytes.len())]).is_err());
            for _ in 0..8 {
                let at = rng.random_range(0..bytes.len());
                bytes[at] = rng.random();
                let _ = unpack(&bytes);
            }
        }
    }

    #[test]
    fn a_match_key_tells_where_a_name_ends() {
        assert_ne!(match_key("a", "bc", ""), match_key("ab", "c", ""));
        assert_ne!(match_key("a", "b", "c"), match_key("a", "b", ""));
        assert_eq!(match_key("a", "b", "c"), match_key("a", "b", "c"));
    }
}
