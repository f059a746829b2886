//! What is known of a partition without asking: from the headers of replies, or from its state.

use super::pack::{Read, Reader};
use super::reply::Header;
use crate::engine::ports::Watermark;

/// What is known of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Seen {
    /// Its incarnation and the last entry of its journal.
    pub(super) head: Watermark,
    /// The last entry of which it knows that the ledger has it.
    pub(super) flushed: u64,
    /// Open reservations.
    pub(super) open: usize,
    /// Counters.
    pub(super) counters: usize,
}

impl Seen {
    /// From a reply.
    pub(super) fn of(header: &Header) -> Seen {
        Seen {
            head: Watermark { incarnation: header.incarnation, seq: header.seq },
            flushed: header.flushed,
            open: usize::try_from(header.open).unwrap_or(usize::MAX),
            counters: usize::try_from(header.counters).unwrap_or(usize::MAX),
        }
    }

    /// From `meta`, if the partition is open.
    pub(super) fn of_meta(bytes: &[u8]) -> Read<Option<Seen>> {
        let mut reader = Reader::new(bytes);
        reader.tuple(20)?;
        reader.skip()?;
        let incarnation = reader.uint()?;
        reader.skip_many(2)?;
        let is_open = reader.flag()?;
        reader.skip()?;
        let (seq, flushed) = (reader.uint()?, reader.uint()?);
        reader.skip_many(10)?;
        let (open, counters) = (reader.count()?, reader.count()?);
        let head = Watermark { incarnation, seq };
        Ok(is_open.then_some(Seen { head, flushed, open, counters }))
    }
}
