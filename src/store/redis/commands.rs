//! The few plain commands that the journal and the recovery need, through the same link as the scripts.

use super::link::{Link, LinkError};
use crate::engine::ports::StoreError;
use std::collections::HashMap;

/// Fields of a hash with their values.
pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// Entries of a stream as Redis tells them: an id, and fields with values.
type Range = Vec<(String, HashMap<String, Vec<u8>>)>;

impl Link {
    /// The value of a string key.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, LinkError> {
        self.command(redis::cmd("GET").arg(key)).await
    }

    /// Some fields of a hash with their values, and the cursor to go on from; both begin and end with the cursor `0`.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn scan(&self, key: &str, cursor: &[u8], count: usize) -> Result<(Vec<u8>, Fields), LinkError> {
        let (next, all): (Vec<u8>, Vec<Vec<u8>>) =
            self.command(redis::cmd("HSCAN").arg(key).arg(cursor).arg("COUNT").arg(count)).await?;
        let mut all = all.into_iter();
        let fields = std::iter::from_fn(|| all.next().zip(all.next())).collect();
        Ok((next, fields))
    }

    /// Entries of a journal after number `after`, at most `limit`, oldest first: their numbers and their field `e`.
    ///
    /// # Errors
    /// [`LinkError`]; an entry with another id than `<seq>-0`, or without that field, is [`LinkError::Script`].
    pub async fn journal_after(&self, key: &str, after: u64, limit: usize) -> Result<Vec<(u64, Vec<u8>)>, LinkError> {
        let from = format!("{}-0", after.saturating_add(1));
        let range: Range =
            self.command(redis::cmd("XRANGE").arg(key).arg(from).arg("+").arg("COUNT").arg(limit)).await?;
        entries(key, range)
    }

    /// The newest entry of a journal.
    ///
    /// # Errors
    /// As [`Link::journal_after`].
    pub async fn journal_last(&self, key: &str) -> Result<Option<(u64, Vec<u8>)>, LinkError> {
        let range: Range = self.command(redis::cmd("XREVRANGE").arg(key).arg("+").arg("-").arg("COUNT").arg(1)).await?;
        Ok(entries(key, range)?.pop())
    }

    /// Drops the entries of a journal before number `keep`; answers how many.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn journal_trim(&self, key: &str, keep: u64) -> Result<u64, LinkError> {
        self.command(redis::cmd("XTRIM").arg(key).arg("MINID").arg("=").arg(format!("{keep}-0"))).await
    }

    /// Whether the server answers.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn ping(&self) -> Result<(), LinkError> {
        self.command(&redis::cmd("PING")).await
    }
}

fn entries(key: &str, range: Range) -> Result<Vec<(u64, Vec<u8>)>, LinkError> {
    let entry = |(id, mut fields): (String, HashMap<String, Vec<u8>>)| {
        let seq = id.strip_suffix("-0").and_then(|seq| seq.parse().ok());
        seq.zip(fields.remove("e"))
            .ok_or_else(|| LinkError::Script(format!("{key} has an entry {id} that is none of ours")))
    };
    range.into_iter().map(entry).collect()
}

impl LinkError {
    /// As the engine is told of it after something that changes nothing: an unknown outcome is no outcome.
    pub fn of_a_read(self) -> StoreError {
        match self {
            LinkError::NotSent(text) | LinkError::Unknown(text) => StoreError::Unavailable(text),
            LinkError::Script(text) => StoreError::Corrupt(text),
        }
    }
}
