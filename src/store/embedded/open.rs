//! Opens and closes the embedded store: loads its partitions, starts the journal's thread and the one for checkpoints.

use super::counters::EmbeddedCounters;
use super::group::{Removable, Shared, Writer};
use super::journal::{Journal, Safety};
use super::recover;
use crate::engine::operation::Caps;
use crate::engine::ports::{Clock, Ledger, StoreError};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the journal's log is moved into its file.
const CHECKPOINT: Duration = Duration::from_secs(1);

/// How to open.
pub struct EmbeddedOptions {
    /// The journal's file.
    pub path: PathBuf,
    /// The id that the ledger gave to this installation at its first start.
    pub installation: String,
    /// Number of partitions, fixed at the first start.
    pub partitions: u32,
    /// What a group commit survives.
    pub safety: Safety,
    /// Whether answers wait for it.
    pub waits: bool,
    /// Bounds.
    pub caps: Caps,
    /// The store's clock.
    pub clock: Arc<dyn Clock>,
}

/// An open embedded store.
pub struct Embedded {
    /// The port.
    pub counters: Arc<EmbeddedCounters>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Embedded {
    /// Loads every partition and starts the threads.
    ///
    /// # Errors
    /// [`StoreError`] if journal or ledger can't be read, or do not belong together.
    pub async fn open(options: EmbeddedOptions, ledger: Arc<dyn Ledger>) -> Result<Embedded, StoreError> {
        let mut journal = Journal::open(&options.path, options.safety).await?;
        recover::belong_together(&options.installation, &mut journal).await?;
        let mut partitions = Vec::new();
        for index in 0..options.partitions {
            let now = options.clock.now();
            partitions.push(recover::load(index, &mut journal, &*ledger, options.caps, now).await?);
        }
        // Only now that nothing speaks against the two files.
        journal.set_installation(&options.installation).await?;
        let shared = Arc::new(Shared::new(partitions, options.clock.clone(), options.waits));
        let stop = CancellationToken::new();
        let writer =
            Writer { shared: shared.clone(), journal, ledger, caps: options.caps, removable: Removable::new() };
        let checkpoints = checkpoints(options.path.clone(), options.safety, stop.clone());
        let threads = vec![spawn("journal", writer.run())?, spawn("journal-checkpoint", checkpoints)?];
        let counters = Arc::new(EmbeddedCounters::new(shared.clone()));
        Ok(Embedded { counters, shared, threads, stop })
    }

    /// Writes what is pending and ends the threads. Blocks.
    pub fn close(self) {
        self.shared.stop();
        self.stop.cancel();
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the journal ended in a panic");
            }
        }
    }
}

async fn checkpoints(path: PathBuf, safety: Safety, stop: CancellationToken) {
    let mut journal = match Journal::open(&path, safety).await {
        Ok(journal) => journal,
        Err(error) => {
            tracing::warn!(%error, "no checkpoints of the journal by their own thread; the writer makes them");
            return;
        }
    };
    loop {
        tokio::select! {
            () = tokio::time::sleep(CHECKPOINT) => {}
            () = stop.cancelled() => break,
        }
        if let Err(error) = journal.checkpoint().await {
            tracing::warn!(%error, "checkpoint of the journal failed; it is tried again");
        }
    }
    journal.close().await;
}

/// Runs a future on a thread of its own.
fn spawn(name: &str, work: impl Future<Output = ()> + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| StoreError::Unavailable(format!("no runtime: {error}")))?;
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || runtime.block_on(work))
        .map_err(|error| StoreError::Unavailable(format!("no thread: {error}")))
}
