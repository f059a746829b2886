//! A journal entry as the scripts write it, to the entry that the ledger takes.

use super::pack::{Read, Reader, damaged};
use super::record;
use crate::domain::entry::{Effect, Entry, Kind, Line, RequestStamp};
use crate::domain::levels::Levels;
use crate::domain::reservation::Held;
use crate::domain::time::Timestamp;
use std::sync::Arc;

/// The format of an entry.
const FORMAT: i64 = 1;

/// Reads the field `e` of one entry of the stream.
///
/// # Errors
/// [`crate::engine::ports::StoreError::Corrupt`] if it is none.
pub fn read(bytes: &[u8]) -> Read<Entry> {
    let mut reader = Reader::new(bytes);
    let more = reader.tuple(3)?;
    if reader.int()? != FORMAT {
        return Err(damaged("a journal entry of an unknown format"));
    }
    let time = reader.time()?;
    let count = reader.array()?;
    let effects = (0..count).map(|_| effect(&mut reader, time)).collect::<Read<_>>()?;
    reader.skip_many(more)?;
    reader.end()?;
    Ok(Entry { time, effects })
}

fn effect(reader: &mut Reader<'_>, time: Timestamp) -> Read<Effect> {
    let more = reader.tuple(7)?;
    let (tenant, catalog_version) = (reader.uid()?, reader.uint()?);
    let kind = kind(reader.int()?)?;
    let request = if reader.is_nothing() { None } else { Some(stamp(reader)?) };
    let reservation = match reader.bytes()? {
        b"" => None,
        packed => Some(Arc::new(record::unpack(packed)?)),
    };
    // The lines take their names from charges that may stand behind them.
    let lines = reader.skip()?;
    let fixed = reader.bytes()?;
    let freed;
    let charges: &[Held] = match &reservation {
        Some(reservation) => &reservation.charges,
        None if !fixed.is_empty() && more > 0 => {
            freed = record::read_charges(&mut Reader::new(reader.skip()?), fixed)?;
            &freed
        }
        None => &[],
    };
    if reservation.is_some() || fixed.is_empty() {
        reader.skip_many(more)?;
    } else {
        reader.skip_many(more.saturating_sub(1))?;
    }
    let note = (kind == Kind::Adjust).then(|| record::read_note(fixed)).transpose()?;
    let mut lines = Reader::new(lines);
    let count = lines.array()?;
    let lines = (0..count).map(|_| line(&mut lines, charges)).collect::<Read<_>>()?;
    Ok(Effect { tenant, time, catalog_version, kind, request, reservation, lines, note })
}

fn kind(code: i64) -> Read<Kind> {
    let all = [
        Kind::Reserve,
        Kind::Commit,
        Kind::Release,
        Kind::Extend,
        Kind::Consume,
        Kind::Free,
        Kind::Expire,
        Kind::Reverse,
        Kind::Adjust,
    ];
    all.into_iter().find(|kind| *kind as i64 == code).ok_or_else(|| damaged("an effect of an unknown kind"))
}

fn stamp(reader: &mut Reader<'_>) -> Read<RequestStamp> {
    let more = reader.tuple(4)?;
    let (key, fingerprint, reservation) = (reader.key()?, reader.word()?, reader.maybe_key()?);
    let amounts = amounts(reader)?;
    reader.skip_many(more)?;
    Ok(RequestStamp { key, fingerprint, reservation, amounts })
}

/// Reads amounts, none where nothing stands.
///
/// # Errors
/// [`crate::engine::ports::StoreError::Corrupt`] if something else stands here.
pub fn amounts(reader: &mut Reader<'_>) -> Read<Vec<u64>> {
    if reader.is_nothing() {
        return Ok(Vec::new());
    }
    let count = reader.array()?;
    (0..count).map(|_| reader.uint()).collect()
}

fn line(reader: &mut Reader<'_>, charges: &[Held]) -> Read<Line> {
    let more = reader.tuple(5)?;
    let charge = reader.count()?;
    let held = charges.get(charge).ok_or_else(|| damaged("a line of a charge that is not there"))?;
    let (effective, used, on_hold) = (reader.time()?, reader.int()?, reader.int()?);
    let count = reader.array()?;
    if count > held.path.len() {
        return Err(damaged("a line of more levels than its charge has"));
    }
    let accounts = held.path.accounts();
    let accounts = if count == accounts.len() { accounts.clone() } else { accounts[..count].into() };
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        let more = reader.tuple(2)?;
        parts.push((reader.int()?, reader.int()?));
        reader.skip_many(more)?;
    }
    // A sixth place is there where a part was priced: the price state before it.
    let before = if more > 0 { Some(record::read_price(reader.bytes()?)?) } else { None };
    reader.skip_many(more.saturating_sub(1))?;
    let before = before.map(|before| before.map(|before| before.quantities).unwrap_or_default());
    Ok(Line {
        charge: u8::try_from(charge).unwrap_or(u8::MAX),
        about: held.about.clone(),
        effective,
        used,
        held: on_hold,
        levels: Levels::new(accounts, parts),
        chain: u8::try_from(held.chain_len()).unwrap_or(u8::MAX),
        price: held.line_price(used, before.as_ref()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::pack::Writer;
    use super::super::samples;
    use super::*;
    use crate::domain::entry::{LineLevel, Note};
    use crate::domain::name::{IdKey, Uid};
    use crate::domain::price::Quantities;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    /// An entry as a script writes it.
    fn write(entry: &Entry, freed: &[Held]) -> Vec<u8> {
        let mut out = Writer::default();
        out.array(3).int(FORMAT).time(entry.time).array(entry.effects.len());
        for effect in &entry.effects {
            let free = effect.reservation.is_none();
            out.array(if free { 8 } else { 7 }).uid(effect.tenant).uint(effect.catalog_version).int(effect.kind as i64);
            match &effect.request {
                None => out.nothing(),
                Some(stamp) => {
                    out.array(4).key(Some(stamp.key)).word(stamp.fingerprint).key(stamp.reservation);
                    out.array(stamp.amounts.len());
                    stamp.amounts.iter().for_each(|amount| {
                        out.uint(*amount);
                    });
                    &mut out
                }
            };
            out.bytes(&effect.reservation.as_deref().map(record::pack).unwrap_or_default());
            out.array(effect.lines.len());
            for line in &effect.lines {
                let charges = effect.reservation.as_ref().map_or(freed, |reservation| &reservation.charges);
                let before = before(&charges[usize::from(line.charge)], line);
                out.array(if before.is_some() { 6 } else { 5 }).count(usize::from(line.charge));
                out.time(line.effective).int(line.used).int(line.held);
                out.array(line.levels.len());
                line.levels.iter().for_each(|level| {
                    out.array(2).int(level.used_top_up).int(level.held_top_up);
                });
                if let Some(before) = before {
                    out.bytes(&before);
                }
            }
            if free {
                out.bytes(&match &effect.note {
                    Some(note) => record::noted_charges(freed, note),
                    None => record::fixed_charges(freed),
                });
                record::write_charges(&mut out, freed);
            } else {
                out.bytes(b"");
            }
        }
        out.finish()
    }

    /// The price state before a line that priced a part.
    fn before(held: &Held, line: &Line) -> Option<Vec<u8>> {
        let (part, _) = line.price.as_ref()?.part.as_ref()?;
        let price = held.price.as_deref()?;
        Some(record::price(Some(&price.holding(held.priced().minus(part)?))))
    }

    fn signed(rng: &mut StdRng) -> i64 {
        let amount = samples::amount(rng) as i64;
        if rng.random() { amount } else { -amount }
    }

    fn lines(rng: &mut StdRng, charges: &[Held]) -> Vec<Line> {
        let used: Vec<i64> = charges.iter().map(|_| signed(rng)).collect();
        let line = |(index, held): (usize, &Held)| Line {
            charge: index as u8,
            about: held.about.clone(),
            effective: samples::time(rng),
            used: used[index],
            held: signed(rng),
            levels: held
                .path
                .iter()
                .map(|level| LineLevel { account: level.account, used_top_up: signed(rng), held_top_up: signed(rng) })
                .collect(),
            chain: held.chain_len() as u8,
            price: held.line_price(used[index], [None, Some(Quantities::default())][rng.random_range(0..2)].as_ref()),
        };
        charges.iter().enumerate().map(line).collect()
    }

    fn entry(rng: &mut StdRng) -> (Entry, Vec<Held>) {
        let freed = vec![samples::charge(rng), samples::charge(rng)];
        let time = samples::time(rng);
        let mut effects = Vec::new();
        for code in 1..=9 {
            let kind = kind(code).unwrap();
            let reservation = (!matches!(kind, Kind::Free | Kind::Adjust)).then(|| Arc::new(samples::reservation(rng)));
            let lines = lines(rng, reservation.as_ref().map_or(&freed, |reservation| &reservation.charges));
            let request = rng.random::<bool>().then(|| RequestStamp {
                key: IdKey(rng.random()),
                fingerprint: rng.random(),
                reservation: rng.random::<bool>().then(|| IdKey(rng.random())),
                amounts: (0..rng.random_range(0..3)).map(|_| samples::amount(rng)).collect(),
            });
            let catalog_version = rng.random_range(0..1_000);
            effects.push(Effect {
                tenant: Uid(rng.random()),
                time,
                catalog_version,
                kind,
                request,
                reservation,
                lines,
                note: (kind == Kind::Adjust).then(|| Note { actor: "ann".into(), reason: "twice".into() }),
            });
        }
        (Entry { time, effects }, freed)
    }

    #[test]
    fn entries_come_back_whole() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..200 {
            let (entry, freed) = entry(&mut rng);
            assert_eq!(read(&write(&entry, &freed)).unwrap(), entry);
        }
    }

    #[test]
    fn damaged_entries_never_panic() {
        let mut rng = StdRng::seed_from_u64(2);
        for _ in 0..100 {
            let (entry, freed) = entry(&mut rng);
            let mut bytes = write(&entry, &freed);
            assert!(read(&bytes[..rng.random_range(0..bytes.len())]).is_err());
            for _ in 0..8 {
                let at = rng.random_range(0..bytes.len());
                bytes[at] = rng.random();
                let _ = read(&bytes);
            }
        }
    }
}
