//! The state of a partition in Redis (KEYS[1] of the contract): read and written here while a partition changes hands, by the
//! scripts otherwise.

use super::pack::{Read, Reader, Writer, damaged};
use crate::domain::time::Timestamp;

const FORMAT: i64 = 1;
/// Items, before those of a claim.
const ITEMS: usize = 20;
const SLICES: usize = 3;

/// The state of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Meta {
    /// The incarnation whose data this is; 0: of none, because it is being loaded.
    pub incarnation: u64,
    /// The server that it lives on.
    pub server: Server,
    /// Whether operations may be decided.
    pub open: bool,
    /// The partition's time.
    pub now: Timestamp,
    /// The last journal entry.
    pub seq: u64,
    /// The last that is in the ledger, as far as this store was told.
    pub flushed: u64,
    /// Since when an absent counter is zero.
    pub complete_since: Timestamp,
    /// Since when an unknown id is new.
    pub ids_complete_since: Timestamp,
    /// The least catalog version.
    pub floor: u64,
    /// Generation of the counters, and since when it is the current one.
    pub generation: (u64, Timestamp),
    /// Slice of the outcomes, and since when it is the current one.
    pub slice: (u64, Timestamp),
    /// The last entry whose outcome is in each slice.
    pub slice_seqs: [u64; SLICES],
    /// Denials in each slice.
    pub slice_denials: [u64; SLICES],
    /// No deadline lies before this second.
    pub cursor: i64,
    /// Open reservations.
    pub reservations: u64,
    /// Counters.
    pub counters: u64,
    /// Who is at work on it, while it is not open.
    pub claim: Option<Claim>,
}

/// One lifetime of a Redis server as a master.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Server {
    /// Changes with every start.
    pub run_id: Vec<u8>,
    /// Changes with every promotion.
    pub replid: Vec<u8>,
}

/// Who is at work, and a number that grows while it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Claim {
    /// The recoverer's own number.
    pub who: u64,
    /// Its heartbeat.
    pub beat: u64,
}

impl Meta {
    /// The state of a partition that nobody has filled yet.
    pub(super) fn empty(server: &Server, now: Timestamp) -> Meta {
        Meta {
            incarnation: 0,
            server: server.clone(),
            open: false,
            now,
            seq: 0,
            flushed: 0,
            complete_since: Timestamp::MIN,
            ids_complete_since: Timestamp::MIN,
            floor: 0,
            generation: (0, now),
            slice: (0, now),
            slice_seqs: [0; SLICES],
            slice_denials: [0; SLICES],
            cursor: now.millis().div_euclid(1000),
            reservations: 0,
            counters: 0,
            claim: None,
        }
    }

    /// As bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(256);
        out.array(ITEMS + if self.claim.is_some() { 2 } else { 0 });
        out.int(FORMAT).uint(self.incarnation).bytes(&self.server.run_id).bytes(&self.server.replid);
        out.flag(self.open).time(self.now).uint(self.seq).uint(self.flushed);
        out.time(self.complete_since).time(self.ids_complete_since).uint(self.floor);
        out.uint(self.generation.0).time(self.generation.1).uint(self.slice.0).time(self.slice.1);
        for list in [&self.slice_seqs, &self.slice_denials] {
            out.array(SLICES);
            for item in list {
                out.uint(*item);
            }
        }
        out.int(self.cursor).uint(self.reservations).uint(self.counters);
        if let Some(Claim { who, beat }) = self.claim {
            out.uint(who).uint(beat);
        }
        out.finish()
    }

    /// Reads what [`Meta::encode`] wrote, or a script.
    ///
    /// # Errors
    /// [`crate::engine::ports::StoreError::Corrupt`] for anything else.
    pub(super) fn decode(bytes: &[u8]) -> Read<Meta> {
        let mut reader = Reader::new(bytes);
        let more = reader.tuple(ITEMS)?;
        if reader.int()? != FORMAT {
            return Err(damaged("a partition's state of another format"));
        }
        let mut meta = Meta {
            incarnation: reader.uint()?,
            server: Server { run_id: reader.bytes()?.to_vec(), replid: reader.bytes()?.to_vec() },
            open: reader.flag()?,
            now: reader.time()?,
            seq: reader.uint()?,
            flushed: reader.uint()?,
            complete_since: reader.time()?,
            ids_complete_since: reader.time()?,
            floor: reader.uint()?,
            generation: (reader.uint()?, reader.time()?),
            slice: (reader.uint()?, reader.time()?),
            slice_seqs: three(&mut reader)?,
            slice_denials: three(&mut reader)?,
            cursor: reader.int()?,
            reservations: reader.uint()?,
            counters: reader.uint()?,
            claim: None,
        };
        if more == 2 {
            meta.claim = Some(Claim { who: reader.uint()?, beat: reader.uint()? });
        } else {
            reader.skip_many(more)?;
        }
        reader.end()?;
        Ok(meta)
    }
}

fn three(reader: &mut Reader<'_>) -> Read<[u64; SLICES]> {
    if reader.array()? != SLICES {
        return Err(damaged("a partition's state with another number of slices"));
    }
    Ok([reader.uint()?, reader.uint()?, reader.uint()?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn a_state_comes_back_whole_and_damage_is_an_error() {
        let server = Server { run_id: b"3f".repeat(20), replid: b"8a".repeat(20) };
        let now = Timestamp::from_millis(1_700_000_000_123);
        let mut meta = Meta::empty(&server, now);
        assert_eq!(Meta::decode(&meta.encode()).unwrap(), meta);
        meta.claim = Some(Claim { who: (1 << 53) - 1, beat: 7 });
        assert_eq!(Meta::decode(&meta.encode()).unwrap(), meta);
        (meta.open, meta.incarnation, meta.seq, meta.slice_seqs) = (true, 9, 1 << 52, [1, 1 << 40, 3]);
        (meta.complete_since, meta.cursor, meta.claim) = (now, -1, None);
        let bytes = meta.encode();
        assert_eq!(Meta::decode(&bytes).unwrap(), meta);
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..2_000 {
            let mut bytes = bytes.clone();
            let at = rng.random_range(0..bytes.len());
            assert!(Meta::decode(&bytes[..at]).is_err());
            bytes[at] = rng.random();
            let _ = Meta::decode(&bytes);
        }
    }
}
