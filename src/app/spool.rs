//! The spool of a server on Redis: what is granted while Redis can't be reached (FAIL_OPEN).

use super::folder::{self, Taken};
use super::options::NodeOptions;
use crate::engine::ports::StoreError;
use crate::engine::spool::shelf::Shelf;
use crate::store::spool::FileSpool;
use std::path::Path;
use std::sync::Arc;

/// Opens the spool and takes its folder for this process. A folder that nobody named need not be usable: then there is none,
/// and what fails open is closed.
///
/// # Errors
/// [`StoreError`] if another process uses the folder, or it can't be written; if the spool can't be read.
pub(super) fn open(options: &NodeOptions) -> Result<Option<(Arc<Shelf>, Taken)>, StoreError> {
    let default = options.data_dir.join("spool");
    let dir = options.spool.dir.as_deref().unwrap_or(&default);
    match open_in(dir, options.spool.bytes) {
        Ok(opened) => Ok(Some(opened)),
        Err(error @ StoreError::Unavailable(_)) if options.spool.dir.is_none() => {
            tracing::warn!(%error, "no spool (--spool-dir): while Redis can't be reached, meters that fail open are closed");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn open_in(dir: &Path, bytes: u64) -> Result<(Arc<Shelf>, Taken), StoreError> {
    let lock = folder::lock(dir)?;
    let (spool, found) = FileSpool::open(&dir.join("spool"), bytes)?;
    Ok((Arc::new(Shelf::new(Arc::new(spool), &found)?), lock))
}
