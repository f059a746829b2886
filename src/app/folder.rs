//! The data folder, or file, which one process has at a time.

use crate::engine::ports::StoreError;
use std::fs::{File, TryLockError};
use std::path::Path;

/// Takes the data folder for this process alone, and makes it if it is missing.
///
/// # Errors
/// [`StoreError::Unavailable`] if another process has it, or it can't be written.
pub(super) fn lock(data_dir: &Path) -> Result<File, StoreError> {
    std::fs::create_dir_all(data_dir).map_err(|error| unavailable("can't make the data folder", data_dir, &error))?;
    take(data_dir, &data_dir.join("lock"))
}

/// Takes a database file for this process alone, by a file beside it.
///
/// # Errors
/// [`StoreError::Unavailable`] if another process has it, or the folder can't be written.
pub(super) fn lock_beside(file: &str) -> Result<File, StoreError> {
    take(Path::new(file), Path::new(&format!("{file}.lock")))
}

fn take(what: &Path, lock: &Path) -> Result<File, StoreError> {
    let file = File::create(lock).map_err(|error| unavailable("can't write in", what, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::Unavailable(format!("another quotad uses {}", what.display())))
        }
        Err(TryLockError::Error(error)) => Err(unavailable("can't lock", what, &error)),
    }
}

fn unavailable(what: &str, place: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("{what} {}: {error}", place.display()))
}
