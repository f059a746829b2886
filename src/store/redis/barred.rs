//! The charges that are denied whatever the counters have, as bytes that the scripts carry along without looking inside: so a
//! remembered denial keeps its causes.

use super::pack::{Read, Reader, Writer, damaged};
use crate::domain::decision::Cause;
use crate::engine::operation::Barred;

/// The causes by their numbers, which stand in Redis: new ones go to the end.
const CAUSES: [Cause; 5] =
    [Cause::NoQuota, Cause::PoolNotFound, Cause::PoolDisabled, Cause::NotAMember, Cause::NotPermitted];

/// The bytes; none if nothing is barred.
pub fn pack(barred: &[Barred]) -> Vec<u8> {
    if barred.is_empty() {
        return Vec::new();
    }
    let mut out = Writer::with_capacity(64 * barred.len());
    out.array(barred.len());
    for Barred { charge, cause, account } in barred {
        let number = CAUSES.iter().position(|known| known == cause).unwrap_or(CAUSES.len());
        out.array(3).count(*charge).count(number).bytes(account.as_bytes());
    }
    out.finish()
}

/// What [`pack`] made.
///
/// # Errors
/// [`crate::engine::ports::StoreError::Corrupt`] if it is none.
pub fn read(bytes: &[u8]) -> Read<Vec<Barred>> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(bytes);
    let count = reader.array()?;
    let barred = (0..count).map(|_| one(&mut reader)).collect::<Read<Vec<Barred>>>()?;
    reader.end()?;
    Ok(barred)
}

fn one(reader: &mut Reader<'_>) -> Read<Barred> {
    let more = reader.tuple(3)?;
    let charge = reader.count()?;
    let cause = *CAUSES.get(reader.count()?).ok_or_else(|| damaged("a denial of an unknown cause"))?;
    let account = std::str::from_utf8(reader.bytes()?).map_err(|_| damaged("an account that is no text"))?.into();
    reader.skip_many(more)?;
    Ok(Barred { charge, cause, account })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_that_bars_comes_back() {
        let all: Vec<Barred> = CAUSES
            .iter()
            .enumerate()
            .map(|(charge, cause)| Barred { charge, cause: *cause, account: format!("tenants/a/b/{charge}").into() })
            .collect();
        assert_eq!(read(&pack(&all)).unwrap(), all);
        assert_eq!((pack(&[]).len(), read(b"").unwrap()), (0, Vec::new()));
        assert!(read(&pack(&[Barred { cause: Cause::Spent, ..all[0].clone() }])).is_err(), "no counter's cause");
        assert!(read(b"\x91\x01").is_err());
    }
}
