//! Lifetimes of a counter store in the ledger: where one ended, where the next begins, and what was lost between.

use super::append::{lock_watermark, move_watermark};
use super::connection::{Connection, sql};
use super::pool::{Database, Tries};
use crate::engine::ports::{StoreError, Watermark};

/// Moves a partition's watermark from `expect` to `next` and keeps the numbers between as lost, if it still is `expect`;
/// answers whether it did.
///
/// # Errors
/// [`StoreError::Corrupt`] if `next` does not lie beyond `expect`; [`StoreError`] of the database, after which it may or may
/// not be written: the watermark tells.
pub(super) async fn open(
    database: &Database,
    partition: u32,
    expect: Watermark,
    next: Watermark,
) -> Result<bool, StoreError> {
    if next.incarnation <= expect.incarnation || next.seq < expect.seq {
        return Err(StoreError::Corrupt(format!("partition {partition}: {next:?} does not come after {expect:?}")));
    }
    let mut tries = Tries::default();
    loop {
        let mut transaction = database.write().await?;
        match open_in(&mut transaction, partition, expect, next).await {
            Ok(true) => return transaction.commit().await.map(|()| true),
            Ok(false) => return transaction.rollback().await.map(|()| false),
            Err(error) => tries.again(transaction, error).await?,
        }
    }
}

async fn open_in(
    transaction: &mut Connection,
    partition: u32,
    expect: Watermark,
    next: Watermark,
) -> Result<bool, StoreError> {
    if lock_watermark(transaction, partition).await? != expect {
        return Ok(false);
    }
    let add = transaction.execute(sql!("incarnation_add"), |values| {
        values.int(i64::from(partition)).int(next.incarnation.cast_signed());
        values.int(expect.seq.cast_signed()).int(next.seq.cast_signed());
    });
    add.await?;
    move_watermark(transaction, partition, next).await?;
    Ok(true)
}

/// The numbers of a partition's entries that never reached the ledger: ranges of first and last, in order.
pub(super) async fn lost(database: &Database, partition: u32) -> Result<Vec<(u64, u64)>, StoreError> {
    let mut connection = database.read().await?;
    let rows = connection.fetch(sql!("incarnation_lost"), |values| {
        values.int(i64::from(partition));
    });
    rows.await?.iter().map(|row| Ok((row.int(0)?.cast_unsigned(), row.int(1)?.cast_unsigned()))).collect()
}
