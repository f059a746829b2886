//! What is older than the ledger's retention: its entries go, and its postings become one a minute for each counter. Every sum
//! over whole minutes stays what it was, and roll-ups, lifetime sums and reservations are not touched.

use super::bulk::Bulk;
use super::connection::{Connection, sql};
use super::pool::{Database, Tries};
use super::values::Values;
use crate::domain::amount;
use crate::domain::time::{Span, Timestamp};
use crate::engine::ports::StoreError;
use std::collections::BTreeMap;

/// Where the work stands: the day before which all is done, or being done, and the counter it has come to.
const PLACE: &str = "retention.place";
/// It is done once for each day that has become too old.
const DAY: i64 = 24 * 3600 * 1000;
/// Periods begin at whole minutes, but for sliding windows and rates, which look back over 31 days at most.
const MINUTE: i64 = 60_000;
/// Rows that one step reads at most: the writer is not held longer than some tens of ms.
const ROWS: i64 = 5_000;
/// Counters that one step looks at.
const COUNTERS: i64 = 64;
/// The greatest amount of one posting, 2^53-1 (rule 16).
const MAX: i128 = amount::MAX as i128;

/// The least retention: as long as ids are remembered, and longer than any sliding window or rate looks back.
pub const LEAST_RETENTION: Span = Span::from_secs(35 * 24 * 3600);

/// Does a bounded part of what `retention` asks for at `now`; 0 if nothing is left to do until the next day.
pub(super) async fn step(database: &Database, retention: Span, now: Timestamp) -> Result<u64, StoreError> {
    let cut = (now - retention.max(LEAST_RETENTION)).millis().div_euclid(DAY) * DAY;
    let mut tries = Tries::default();
    loop {
        let mut transaction = database.write().await?;
        match step_in(&mut transaction, cut).await {
            Ok(done) => return transaction.commit().await.map(|()| done),
            Err(error) => tries.again(transaction, error).await?,
        }
    }
}

/// The time before which history is pruned, or being pruned; none if it never was.
pub(super) async fn pruned_before(database: &Database) -> Result<Option<Timestamp>, StoreError> {
    let Some(text) = database.setting(PLACE).await? else { return Ok(None) };
    let place = Place::read(&text)?;
    Ok((place.cut != i64::MIN).then(|| Timestamp::from_millis(place.cut)))
}

async fn step_in(transaction: &mut Connection, cut: i64) -> Result<u64, StoreError> {
    let place = Place::lock(transaction).await?;
    let place = match place.done {
        true if place.cut >= cut => return Ok(0),
        true => Place::begin(cut),
        false => place,
    };
    // Before the work, so that whoever finds the first entry gone finds out why.
    place.put(transaction).await?;
    let first = match entries(transaction, place.cut).await? {
        Ok(first) => first,
        Err(removed) => return Ok(removed.max(1)),
    };
    let (place, changed) = postings(transaction, place, &first).await?;
    place.put(transaction).await?;
    Ok(changed.max(u64::from(!place.done)))
}

/// The first entry that each partition still has: what was posted by an earlier one may be folded.
type First = BTreeMap<i64, (i64, i64)>;

/// Removes the oldest entries of a partition, but never the last: its time is what the partition's clock stands on. Where
/// there is nothing to remove, answers the first of each partition instead.
async fn entries(transaction: &mut Connection, cut: i64) -> Result<Result<First, u64>, StoreError> {
    let mut first = First::new();
    for watermark in transaction.fetch(sql!("watermark_list"), |_| {}).await? {
        let (partition, last) = (watermark.int(0)?, (watermark.int(1)?, watermark.int(2)?));
        let oldest = oldest(transaction, partition, last, 1).await?;
        match oldest.first() {
            Some((entry, time)) if *time >= cut => first.insert(partition, *entry),
            None => first.insert(partition, last),
            Some(_) => {
                let page = self::oldest(transaction, partition, last, ROWS).await?;
                let (incarnation, seq) = end_of_old(&page, last, cut);
                let remove = transaction.execute(sql!("entry_remove"), |values| {
                    values.int(partition).int(incarnation).int(seq);
                });
                return remove.await.map(Err);
            }
        };
    }
    Ok(Ok(first))
}

/// The oldest lines before an entry: the entry of each, and its time.
async fn oldest(
    transaction: &mut Connection,
    partition: i64,
    (incarnation, seq): (i64, i64),
    rows: i64,
) -> Result<Vec<((i64, i64), i64)>, StoreError> {
    let oldest = transaction.fetch(sql!("entry_oldest"), |values| {
        values.int(partition).int(incarnation).int(seq).int(rows);
    });
    oldest.await?.iter().map(|row| Ok(((row.int(0)?, row.int(1)?), row.int(2)?))).collect()
}

/// The entry before which all of a page is old. An entry goes as a whole; `last` is that at which the page would end.
fn end_of_old(page: &[((i64, i64), i64)], last: (i64, i64), cut: i64) -> (i64, i64) {
    let (Some((first, _)), Some((end, _))) = (page.first(), page.last()) else { return last };
    // Time never goes back within a partition.
    let new = page.iter().find(|(_, time)| *time >= cut).map(|(entry, _)| *entry);
    match new {
        Some(new) => new,
        None if i64::try_from(page.len()).is_ok_and(|rows| rows < ROWS) => last,
        // The page may end within an entry.
        None if end != first => *end,
        None => (first.0, first.1 + 1),
    }
}

/// Folds the postings of some counters; answers where to go on, and how many rows went.
async fn postings(transaction: &mut Connection, mut place: Place, first: &First) -> Result<(Place, u64), StoreError> {
    let counters = transaction.fetch(sql!("counter_next"), |values| {
        values.bytes(&place.account).int(place.meter).int(COUNTERS);
    });
    let counters = counters.await?;
    let (mut left, mut gone) = (ROWS, 0);
    for counter in &counters {
        let (account, meter) = (counter.bytes(0)?.to_vec(), counter.int(1)?);
        if (account.as_slice(), meter) != (place.account.as_slice(), place.meter) {
            place = Place { account, meter, from: i64::MIN, ..place };
        }
        let found = transaction.fetch(sql!("posting_next"), |values| {
            values.bytes(&place.account).int(place.meter).int(place.from).int(place.cut).int(left);
        });
        let found: Vec<Posting> = found.await?.iter().map(Posting::read).collect::<Result<_, _>>()?;
        let last = found.last().map(|posting| posting.effective.div_euclid(MINUTE) * MINUTE);
        left -= i64::try_from(found.len()).unwrap_or(left);
        // A posting stays as long as its entry: the two are compared.
        let alone = |posting: &Posting| {
            first.get(&posting.partition).is_some_and(|first| (posting.incarnation, posting.seq) < *first)
        };
        let found: Vec<Posting> = found.into_iter().filter(alone).collect();
        gone += fold(transaction, &place, &found).await?;
        if left <= 0 {
            // The last minute may go on, unless nothing more can be made of it.
            let last = last.unwrap_or(place.cut);
            let from = if gone == 0 && last <= place.from { last + MINUTE } else { last };
            return Ok((Place { from, ..place }, gone));
        }
        place.from = place.cut;
    }
    place.done = i64::try_from(counters.len()).is_ok_and(|count| count < COUNTERS);
    Ok((place, gone))
}

/// Makes one posting of all of a minute; answers how many fewer there are.
async fn fold(transaction: &mut Connection, place: &Place, found: &[Posting]) -> Result<u64, StoreError> {
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for minute in found.chunk_by(|one, next| one.effective.div_euclid(MINUTE) == next.effective.div_euclid(MINUTE)) {
        let sums = folded(minute);
        if sums.len() < minute.len() {
            old.extend_from_slice(minute);
            new.extend(sums);
        }
    }
    let remove = Bulk::new(sql!("posting_remove"));
    remove.execute(transaction, &old, |values, posting| posting.bind_key(place, values)).await?;
    let add = Bulk::new(sql!("posting_add"));
    add.execute(transaction, &new, |values, posting| {
        posting.bind_key(place, values);
        values.int(posting.used).int(posting.top_up);
    })
    .await?;
    Ok((old.len() - new.len()) as u64)
}

/// The postings of one minute as few: more than one only where a sum is beyond what a posting holds. Entries are numbered
/// from 1, so that none has the number 0 of these.
fn folded(minute: &[Posting]) -> Vec<Posting> {
    let Some(first) = minute.first() else { return Vec::new() };
    let mut used: i128 = minute.iter().map(|posting| i128::from(posting.used)).sum();
    let mut top_up: i128 = minute.iter().map(|posting| i128::from(posting.top_up)).sum();
    let part = |sum: &mut i128| {
        let part = (*sum).clamp(-MAX, MAX);
        *sum -= part;
        i64::try_from(part).unwrap_or_default()
    };
    let effective = first.effective.div_euclid(MINUTE) * MINUTE;
    let mut parts = Vec::new();
    while used != 0 || top_up != 0 {
        let idx = i64::try_from(parts.len()).unwrap_or_default();
        let (used, top_up) = (part(&mut used), part(&mut top_up));
        parts.push(Posting { effective, incarnation: 0, seq: 0, idx, used, top_up, ..*first });
    }
    parts
}

/// A row of `posting` without its counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Posting {
    effective: i64,
    partition: i64,
    incarnation: i64,
    seq: i64,
    idx: i64,
    used: i64,
    top_up: i64,
}

impl Posting {
    fn read(row: &super::row::Row) -> Result<Posting, StoreError> {
        Ok(Posting {
            effective: row.int(0)?,
            partition: row.int(1)?,
            incarnation: row.int(2)?,
            seq: row.int(3)?,
            idx: row.int(4)?,
            used: row.int(5)?,
            top_up: row.int(6)?,
        })
    }

    fn bind_key(&self, place: &Place, values: &mut Values) {
        values.bytes(&place.account).int(place.meter).int(self.effective);
        values.int(self.partition).int(self.incarnation).int(self.seq).int(self.idx);
    }
}

/// Where the work stands.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Place {
    /// Older than this is folded.
    cut: i64,
    done: bool,
    account: Vec<u8>,
    meter: i64,
    /// The effective time from which on this counter's postings are still to be looked at.
    from: i64,
}

impl Place {
    fn begin(cut: i64) -> Place {
        Place { cut, done: false, account: vec![0; 16], meter: i64::MIN, from: i64::MIN }
    }

    /// Reads it, and keeps other processes from going on until the transaction ends.
    async fn lock(transaction: &mut Connection) -> Result<Place, StoreError> {
        let never = Place { done: true, ..Place::begin(i64::MIN) };
        let add = transaction.execute(sql!("setting_add"), |values| {
            values.text(PLACE).text(&never.text());
        });
        add.await?;
        let row = transaction.fetch_optional(sql!(each "setting_lock"), |values| {
            values.text(PLACE);
        });
        let text = row.await?.map(|row| row.text(0)).transpose()?.unwrap_or_default();
        Place::read(&text)
    }

    fn read(text: &str) -> Result<Place, StoreError> {
        Place::parse(text).ok_or_else(|| StoreError::Corrupt(format!("the setting {PLACE} is {text:?}")))
    }

    async fn put(&self, transaction: &mut Connection) -> Result<(), StoreError> {
        let put = transaction.execute(sql!("setting_put"), |values| {
            values.text(PLACE).text(&self.text());
        });
        put.await.map(|_| ())
    }

    fn text(&self) -> String {
        let account: String = self.account.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{} {} {account} {} {}", self.cut, u8::from(self.done), self.meter, self.from)
    }

    fn parse(text: &str) -> Option<Place> {
        let mut parts = text.split(' ');
        let (cut, done) = (parts.next()?.parse().ok()?, parts.next()? == "1");
        let account = u128::from_str_radix(parts.next()?, 16).ok()?.to_be_bytes().to_vec();
        Some(Place { cut, done, account, meter: parts.next()?.parse().ok()?, from: parts.next()?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posting(effective: i64, seq: i64, used: i64, top_up: i64) -> Posting {
        Posting { effective, partition: 3, incarnation: 1, seq, idx: 0, used, top_up }
    }

    #[test]
    fn a_minute_is_one_posting_unless_its_sum_is_too_great() {
        let one = folded(&[posting(-1, 1, 5, 1), posting(-59_999, 2, -2, 0)]);
        let sum = Posting { incarnation: 0, seq: 0, ..posting(-60_000, 0, 3, 1) };
        assert_eq!(one, [sum]);
        assert_eq!(folded(&[posting(1, 1, 5, 1), posting(2, 2, -5, -1)]), []);
        let most = i64::try_from(MAX).unwrap();
        let many = folded(&[posting(1, 1, most, 0), posting(2, 2, most, most), posting(3, 3, 1, 0)]);
        let values: Vec<_> = many.iter().map(|part| (part.effective, part.idx, part.used, part.top_up)).collect();
        assert_eq!(values, [(0, 0, most, most), (0, 1, most, 0), (0, 2, 1, 0)]);
    }

    #[test]
    fn entries_go_as_a_whole() {
        let page = |times: &[(i64, i64)]| times.iter().map(|(seq, time)| ((1, *seq), *time)).collect::<Vec<_>>();
        let end = |times: &[(i64, i64)]| end_of_old(&page(times), (2, 9), 100);
        assert_eq!(end(&[(1, 5), (1, 5), (2, 99), (3, 100), (3, 101)]), (1, 3));
        assert_eq!(end(&[(1, 99), (1, 100)]), (1, 1));
        assert_eq!(end(&[(1, 99)]), (2, 9));
        let full = |last: i64| (0..ROWS).map(|n| (if n < 3 { 1 } else { last }, 5)).collect::<Vec<_>>();
        assert_eq!(end(&full(2)), (1, 2));
        assert_eq!(end(&full(1)), (1, 2));
    }

    #[test]
    fn a_place_is_kept_as_text() {
        let places = [
            Place::begin(i64::MIN),
            Place { cut: -5, done: true, account: vec![255; 16], meter: i64::MAX, from: i64::MAX },
            Place { account: (0..16).collect(), ..Place::begin(86_400_000) },
        ];
        for place in places {
            assert_eq!(Place::parse(&place.text()), Some(place));
        }
        assert_eq!(Place::parse("1 0 xyz 1 1"), None);
    }
}
