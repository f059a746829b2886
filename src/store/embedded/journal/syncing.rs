//! Brings what is written to the disk, on a thread of its own: nobody waits for it, and a power cut takes no more than the last
//! second or two.

use crate::engine::ports::StoreError;
use std::fs::File;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// The thread, until it is dropped.
#[derive(Debug)]
pub(super) struct Syncing {
    files: Arc<Mutex<Files>>,
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What is to be synced.
#[derive(Debug, Default)]
struct Files {
    /// The file that is written now.
    current: Option<Arc<File>>,
    /// Those that were written before it.
    done: Vec<Arc<File>>,
}

impl Syncing {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if there can't be one more.
    pub(super) fn start() -> Result<Syncing, StoreError> {
        let files: Arc<Mutex<Files>> = Arc::default();
        let (stop, stopped) = channel();
        let shared = files.clone();
        let thread = std::thread::Builder::new()
            .name("journal-sync".into())
            .spawn(move || run(&shared, &stopped))
            .map_err(|error| StoreError::Unavailable(format!("no thread: {error}")))?;
        Ok(Syncing { files, stop: Some(stop), thread: Some(thread) })
    }

    /// From now on another file is written.
    pub(super) fn follow(&self, file: Arc<File>) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let before = files.current.replace(file);
        files.done.extend(before);
    }
}

impl Drop for Syncing {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell.
            let _ = thread.join();
        }
    }
}

/// Syncs until stopped, and once more then.
fn run(files: &Mutex<Files>, stopped: &Receiver<()>) {
    loop {
        let ended = stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Disconnected);
        let todo: Vec<Arc<File>> = {
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            let done = std::mem::take(&mut files.done);
            done.into_iter().chain(files.current.clone()).collect()
        };
        for file in todo {
            if let Err(error) = file.sync_data() {
                tracing::warn!(%error, "the journal could not be brought to the disk; it is tried again");
            }
        }
        if ended {
            return;
        }
    }
}
