//! What the journal has that the ledger lacks, to somebody who only looks.

use super::journal::beyond;
use crate::engine::audit::Backlog;
use crate::engine::ports::{StoreError, Watermark};
use std::collections::BTreeMap;
use std::path::Path;

/// The entries beyond the ledger's watermarks, by partition. Blocks.
///
/// # Errors
/// [`StoreError::Unavailable`] if the journal's folder can't be read, [`StoreError::Corrupt`] if it is damaged.
pub fn backlog(folder: &Path, watermarks: &BTreeMap<u32, Watermark>) -> Result<Vec<Backlog>, StoreError> {
    let flushed = |partition| watermarks.get(&partition).map_or(0, |watermark| watermark.seq);
    let found = beyond(folder, flushed)?.into_iter();
    let backlog = found.map(|(partition, entries, since)| Backlog { partition, entries, since, open: true });
    Ok(backlog.collect())
}
