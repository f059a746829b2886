//! Writing anew what an audit found wrong: a bounded number of rows a transaction, each only if it still is what was read.

use super::super::connection::{Connection, sql};
use super::super::pool::Database;
use super::super::values::Values;
use super::context::{Audit, Place, Quarter};
use crate::engine::ports::StoreError;

/// Rows that one transaction writes.
const AT_ONCE: usize = 500;

/// The key of a posting's row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct PostingKey {
    pub(super) account: u128,
    pub(super) meter: i64,
    pub(super) effective: i64,
    pub(super) partition: i64,
    pub(super) incarnation: i64,
    pub(super) seq: i64,
    pub(super) idx: i64,
}

impl PostingKey {
    /// Binds the seven columns of the key.
    pub(super) fn bind(&self, values: &mut Values) {
        values.bytes(&self.account.to_be_bytes()).int(self.meter).int(self.effective);
        values.int(self.partition).int(self.incarnation).int(self.seq).int(self.idx);
    }
}

/// A row as it must be.
pub(super) enum Fix {
    /// A lifetime counter: used, top-up used, own used; as it was read, if it was there.
    Counter { key: Place, kept: Option<[i64; 3]>, right: [i64; 3] },
    /// A quarter-hour roll-up: used, top-up.
    Rollup { key: Quarter, kept: Option<[i64; 2]>, right: [i64; 2] },
    /// A posting that is missing; none of it in the top-up.
    PostingPut { key: PostingKey, used: i64 },
    /// A posting with another amount than its entry's.
    PostingSet { key: PostingKey, kept: i64, right: i64 },
    /// A posting whose entry says another meter or time.
    PostingRemove { key: PostingKey },
}

/// What waits to be written, and the findings that it mends.
#[derive(Default)]
pub(super) struct Fixes(Vec<(Fix, Vec<Option<usize>>)>);

impl Fixes {
    /// Adds a row, and writes those that wait if they are many. Without `repair` nothing is ever written.
    pub(super) async fn add(
        &mut self,
        audit: &mut Audit<'_>,
        database: &Database,
        fix: Fix,
        findings: Vec<Option<usize>>,
    ) -> Result<(), StoreError> {
        if !audit.options.repair {
            return Ok(());
        }
        self.0.push((fix, findings));
        if self.0.len() >= AT_ONCE { self.write(audit, database).await } else { Ok(()) }
    }

    /// Writes what waits in one transaction.
    pub(super) async fn write(&mut self, audit: &mut Audit<'_>, database: &Database) -> Result<(), StoreError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut transaction = database.write().await?;
        let mut done = Vec::new();
        for (fix, findings) in std::mem::take(&mut self.0) {
            if fix.write(&mut transaction).await? > 0 {
                done.extend(findings);
            }
        }
        transaction.commit().await?;
        audit.repaired(&done);
        Ok(())
    }
}

impl Fix {
    /// Answers how many rows it changed: none if the row is no longer what was read.
    async fn write(&self, transaction: &mut Connection) -> Result<u64, StoreError> {
        match self {
            Fix::Counter { key, kept, right } => {
                let sql = if kept.is_some() { sql!("verify_counter_set") } else { sql!("verify_counter_put") };
                let write = transaction.execute(sql, |values| {
                    values.bytes(&key.0.to_be_bytes()).int(key.1);
                    ints(values, right);
                    ints(values, kept.as_ref().map_or(&[], |kept| &kept[..]));
                });
                write.await
            }
            Fix::Rollup { key, kept, right } => {
                let sql = if kept.is_some() { sql!("verify_rollup_set") } else { sql!("verify_rollup_put") };
                let write = transaction.execute(sql, |values| {
                    values.bytes(&key.0.to_be_bytes()).int(key.1).int(key.2);
                    ints(values, right);
                    ints(values, kept.as_ref().map_or(&[], |kept| &kept[..]));
                });
                write.await
            }
            Fix::PostingPut { key, used } => {
                let write = transaction.execute(sql!("verify_posting_put"), |values| {
                    key.bind(values);
                    values.int(*used).int(0);
                });
                write.await
            }
            Fix::PostingSet { key, kept, right } => {
                let write = transaction.execute(sql!("verify_posting_set"), |values| {
                    key.bind(values);
                    values.int(*right).int(*kept);
                });
                write.await
            }
            Fix::PostingRemove { key } => {
                transaction.execute(sql!("verify_posting_remove"), |values| key.bind(values)).await
            }
        }
    }
}

fn ints(values: &mut Values, numbers: &[i64]) {
    for number in numbers {
        values.int(*number);
    }
}
