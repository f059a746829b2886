//! Figures that were cut to their range on the way (rule 16): they are no longer the sum of what was posted.

use super::super::connection::{Connection, sql};
use super::super::fold::QUARTER;
use super::context::{Amounts, Place, Quarter};
use super::streams::parts;
use crate::domain::amount;
use crate::engine::ports::StoreError;

/// The greatest amount, 2^53-1.
const MAX: i128 = amount::MAX as i128;
/// Entries that are read at a time.
const PAGE: i64 = 50_000;

/// Which figures of a lifetime counter left 0 to 2^53-1 after some entry: used, top-up, own. It can only have been cut if
/// it did.
pub(super) async fn counter(snapshot: &mut Connection, place: Place) -> Result<[bool; 3], StoreError> {
    let mut sum = Amounts::default();
    let mut cut = [false; 3];
    let mut last = (i64::MIN, i64::MIN);
    loop {
        let page = snapshot.fetch(sql!("verify_counter_walk"), |values| {
            values.bytes(&place.0.to_be_bytes()).int(place.1).int(last.0).int(last.1).int(PAGE);
        });
        let page = page.await?;
        for row in &page {
            last = (row.int(0)?, row.int(1)?);
            sum.add(Amounts { used: parts(row, 2)?, top_up: parts(row, 4)?, own: parts(row, 6)? });
            for (cut, figure) in cut.iter_mut().zip([sum.used, sum.top_up, sum.own]) {
                *cut |= !(0..=MAX).contains(&figure);
            }
        }
        if page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            return Ok(cut);
        }
    }
}

/// Whether the changes of a quarter could have taken a figure beyond 2^53-1 on either side of zero: used, top-up.
pub(super) async fn rollup(
    snapshot: &mut Connection,
    (account, meter, quarter): Quarter,
) -> Result<[bool; 2], StoreError> {
    let reach = snapshot.fetch_optional(sql!("verify_rollup_reach"), |values| {
        values.bytes(&account.to_be_bytes()).int(meter);
        values.int(quarter.saturating_mul(QUARTER)).int((quarter + 1).saturating_mul(QUARTER));
    });
    match reach.await? {
        Some(row) => Ok([parts(&row, 0)? > MAX, parts(&row, 2)? > MAX]),
        None => Ok([false; 2]),
    }
}
