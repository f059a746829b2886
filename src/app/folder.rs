//! The data folder, or file, which one process has at a time.

use crate::engine::ports::StoreError;
use std::fs::{File, TryLockError};
use std::path::Path;

/// A folder, or file, of this process alone, until dropped.
pub(super) struct Taken(File);

impl Drop for Taken {
    fn drop(&mut self) {
        // Closing alone is not enough: a child that another thread is just starting has the file open too for a moment.
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the lock of the data folder could not be given back; it goes with the process");
        }
    }
}

/// Takes the data folder for this process alone, and makes it if it is missing.
///
/// # Errors
/// [`StoreError::Unavailable`] if another process has it, or it can't be written.
pub(super) fn lock(data_dir: &Path) -> Result<Taken, StoreError> {
    std::fs::create_dir_all(data_dir).map_err(|error| unavailable("can't make the data folder", data_dir, &error))?;
    take(data_dir, &data_dir.join("lock"))
}

/// Takes a database file for this process alone, by a file beside it.
///
/// # Errors
/// [`StoreError::Unavailable`] if another process has it, or the folder can't be written.
pub(super) fn lock_beside(file: &str) -> Result<Taken, StoreError> {
    take(Path::new(file), Path::new(&format!("{file}.lock")))
}

fn take(what: &Path, lock: &Path) -> Result<Taken, StoreError> {
    let file = File::create(lock).map_err(|error| unavailable("can't write in", what, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Taken(file)),
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::Unavailable(format!("another quotad uses {}", what.display())))
        }
        Err(TryLockError::Error(error)) => Err(unavailable("can't lock", what, &error)),
    }
}

fn unavailable(what: &str, place: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("{what} {}: {error}", place.display()))
}

#[cfg(test)]
mod tests {
    use super::lock;

    #[test]
    fn a_folder_is_free_once_it_is_given_back_even_if_a_child_still_has_the_file_open() {
        let folder = std::env::temp_dir().join(format!("quotad-folder-{}", std::process::id()));
        let first = lock(&folder).unwrap();
        assert!(lock(&folder).is_err(), "two at a time");
        let of_a_child = first.0.try_clone().unwrap();
        drop(first);
        let again = lock(&folder).map(drop);
        drop(of_a_child);
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(again.is_ok(), "{again:?}");
    }
}
