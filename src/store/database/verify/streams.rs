//! Tables read side by side in the order of their keys, a page at a time.

use super::super::connection::{Connection, sql};
use super::super::row::Row;
use super::super::rows;
use super::context::{Amounts, Place, Quarter};
use crate::engine::ports::StoreError;
use std::collections::VecDeque;

/// What lies behind every account's uid: a byte string that is longer than the greatest.
const END: [u8; 17] = [0xff; 17];

/// Sums of the postings of one counter in one quarter of an hour.
#[derive(Clone, Copy, Default)]
pub(super) struct Posted {
    pub(super) rows: i64,
    /// Postings without an entry.
    pub(super) alone: i64,
    /// Postings unlike their entry, which are not in the sums.
    pub(super) unlike: i64,
    /// How much adjustments took back of what was charged to the account itself.
    pub(super) taken_back: i128,
    pub(super) amounts: Amounts,
}

/// The postings, summed by counter and quarter.
pub(super) struct PostingStream {
    step: u32,
    /// Account, meter, effective time of the next stretch; `None`: all was read.
    next: Option<(Vec<u8>, i64, i64)>,
    waiting: VecDeque<(Quarter, Posted)>,
}

impl PostingStream {
    pub(super) fn new(step: u32) -> PostingStream {
        PostingStream { step, next: Some((Vec::new(), i64::MIN, i64::MIN)), waiting: VecDeque::new() }
    }

    /// The next quarter, without taking it.
    pub(super) async fn peek(&mut self, snapshot: &mut Connection) -> Result<Option<Quarter>, StoreError> {
        // A quarter can go on in the next stretch: it is whole when another one follows.
        while self.waiting.len() < 2
            && let Some(from) = self.next.take()
        {
            self.stretch(snapshot, from).await?;
        }
        Ok(self.waiting.front().map(|(key, _)| *key))
    }

    /// Takes what [`PostingStream::peek`] showed.
    pub(super) fn pop(&mut self) -> Posted {
        self.waiting.pop_front().map(|(_, posted)| posted).unwrap_or_default()
    }

    async fn stretch(&mut self, snapshot: &mut Connection, from: (Vec<u8>, i64, i64)) -> Result<(), StoreError> {
        let end = snapshot.fetch_optional(sql!("verify_posting_step"), |values| {
            values.bytes(&from.0).int(from.1).int(from.2).int(i64::from(self.step));
        });
        let end = match end.await? {
            Some(row) => Some((row.bytes(0)?.to_vec(), row.int(1)?, row.int(2)?)),
            None => None,
        };
        // So many postings at one time: all of them, so that it goes on.
        let end = end.map(|end| if end == from { (end.0, end.1, end.2.saturating_add(1)) } else { end });
        let sums = snapshot.fetch(sql!("verify_posting_sums"), |values| {
            values.bytes(&from.0).int(from.1).int(from.2);
            match &end {
                Some((account, meter, effective)) => values.bytes(account).int(*meter).int(*effective),
                None => values.bytes(&END).int(i64::MAX).int(i64::MAX),
            };
        });
        for row in sums.await? {
            let (key, posted) = (quarter(&row)?, posted(&row)?);
            match self.waiting.back_mut().filter(|(last, _)| *last == key) {
                Some((_, sum)) => sum.add(posted),
                None => self.waiting.push_back((key, posted)),
            }
        }
        self.next = end;
        Ok(())
    }
}

impl Posted {
    fn add(&mut self, more: Posted) {
        self.rows += more.rows;
        self.alone += more.alone;
        self.unlike += more.unlike;
        self.taken_back += more.taken_back;
        self.amounts.add(more.amounts);
    }
}

fn posted(row: &Row) -> Result<Posted, StoreError> {
    let amounts = Amounts { used: parts(row, 6)?, top_up: parts(row, 8)?, own: parts(row, 10)? };
    Ok(Posted { rows: row.int(3)?, alone: row.int(4)?, unlike: row.int(5)?, taken_back: parts(row, 12)?, amounts })
}

/// A sum from the two columns in which a statement gives it: multiples of 2^20, and the rest.
pub(super) fn parts(row: &Row, at: usize) -> Result<i128, StoreError> {
    Ok((i128::from(row.int(at)?) << 20) + i128::from(row.int(at + 1)?))
}

fn quarter(row: &Row) -> Result<Quarter, StoreError> {
    Ok((rows::uid(row.bytes(0)?)?.0, row.int(1)?, row.int(2)?))
}

/// The roll-ups: used, top-up.
pub(super) struct RollupStream {
    step: u32,
    /// The last one read: account, meter, quarter.
    last: (Vec<u8>, i64, i64),
    done: bool,
    waiting: VecDeque<(Quarter, [i64; 2])>,
}

impl RollupStream {
    pub(super) fn new(step: u32) -> RollupStream {
        RollupStream { step, last: (Vec::new(), i64::MIN, i64::MIN), done: false, waiting: VecDeque::new() }
    }

    /// The next one, without taking it.
    pub(super) async fn peek(&mut self, snapshot: &mut Connection) -> Result<Option<Quarter>, StoreError> {
        if self.waiting.is_empty() && !self.done {
            let page = snapshot.fetch(sql!("verify_rollups"), |values| {
                values.bytes(&self.last.0).int(self.last.1).int(self.last.2).int(i64::from(self.step));
            });
            for row in page.await? {
                let key = quarter(&row)?;
                self.last = (key.0.to_be_bytes().to_vec(), key.1, key.2);
                self.waiting.push_back((key, [row.int(3)?, row.int(4)?]));
            }
            self.done = self.waiting.is_empty();
        }
        Ok(self.waiting.front().map(|(key, _)| *key))
    }

    /// Takes what [`RollupStream::peek`] showed.
    pub(super) fn pop(&mut self) -> Option<[i64; 2]> {
        self.waiting.pop_front().map(|(_, figures)| figures)
    }
}

/// The lifetime counters: used, top-up used, own used.
pub(super) struct CounterStream {
    step: u32,
    /// The last one read: account, meter.
    last: (Vec<u8>, i64),
    done: bool,
    waiting: VecDeque<(Place, [i64; 3])>,
}

impl CounterStream {
    pub(super) fn new(step: u32) -> CounterStream {
        CounterStream { step, last: (Vec::new(), i64::MIN), done: false, waiting: VecDeque::new() }
    }

    /// The next one, without taking it.
    pub(super) async fn peek(&mut self, snapshot: &mut Connection) -> Result<Option<Place>, StoreError> {
        if self.waiting.is_empty() && !self.done {
            let page = snapshot.fetch(sql!("verify_counters"), |values| {
                values.bytes(&self.last.0).int(self.last.1).int(i64::from(self.step));
            });
            for row in page.await? {
                let key = (rows::uid(row.bytes(0)?)?.0, row.int(1)?);
                self.last = (key.0.to_be_bytes().to_vec(), key.1);
                self.waiting.push_back((key, [row.int(2)?, row.int(3)?, row.int(4)?]));
            }
            self.done = self.waiting.is_empty();
        }
        Ok(self.waiting.front().map(|(key, _)| *key))
    }

    /// Takes what [`CounterStream::peek`] showed.
    pub(super) fn pop(&mut self) -> Option<[i64; 3]> {
        self.waiting.pop_front().map(|(_, figures)| figures)
    }
}
