//! The data folder, which one process has at a time.

use crate::engine::ports::StoreError;
use std::fs::{File, TryLockError};
use std::path::Path;

/// Takes the folder for this process alone, and makes it if it is missing.
///
/// # Errors
/// [`StoreError::Unavailable`] if another process has it, or it can't be written.
pub(super) fn lock(data_dir: &Path) -> Result<File, StoreError> {
    let unavailable = |what: &str, error: &dyn std::fmt::Display| {
        StoreError::Unavailable(format!("{what} {}: {error}", data_dir.display()))
    };
    std::fs::create_dir_all(data_dir).map_err(|error| unavailable("can't make the data folder", &error))?;
    let file = File::create(data_dir.join("lock")).map_err(|error| unavailable("can't write in", &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::Unavailable(format!("another quotad uses {}", data_dir.display())))
        }
        Err(TryLockError::Error(error)) => Err(unavailable("can't lock", &error)),
    }
}
