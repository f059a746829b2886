//! A database file that goes away with the test.

use crate::store::database::{Database, Sync};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A folder of its own, removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        let name = format!("quotad-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("the temporary directory can be written");
        Folder(path)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("ledger.db")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) async fn database(&self) -> Database {
        Database::open(&self.file(), Sync::Normal).await.expect("a new database opens")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
