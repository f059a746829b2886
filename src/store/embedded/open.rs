//! Opens and closes the embedded store: loads its partitions and starts the journal's thread.

use super::counters::EmbeddedCounters;
use super::group::Shared;
use super::journal::{self, Journal, Safety};
use super::recover;
use super::writer::{Commit, Writer};
use crate::engine::operation::Caps;
use crate::engine::ports::{Clock, Ledger, StoreError};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

/// How to open.
pub struct EmbeddedOptions {
    /// The journal's folder. The journal of an earlier version lies beside it, with the extension `db`.
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
    writer: JoinHandle<()>,
}

impl Embedded {
    /// Loads every partition and starts the threads.
    ///
    /// # Errors
    /// [`StoreError`] if journal or ledger can't be read, or do not belong together.
    pub async fn open(options: EmbeddedOptions, ledger: Arc<dyn Ledger>) -> Result<Embedded, StoreError> {
        let mut journal = Journal::open(&options.path, options.safety)?;
        recover::belong_together(&options.installation, &journal)?;
        journal::import(&options.path.with_extension("db"), &options.installation, &mut journal).await?;
        let mut partitions = Vec::new();
        for index in 0..options.partitions {
            let now = options.clock.now();
            partitions.push(recover::load(index, &journal, &*ledger, options.caps, now).await?);
        }
        // Only now that nothing speaks against the two.
        journal.set_installation(&options.installation)?;
        let writes_here = options.waits && options.safety == Safety::Process;
        let commit = Commit::new(journal);
        let shared = Arc::new(Shared::new(partitions, commit, options.clock.clone(), (options.waits, writes_here)));
        let writer = Writer { shared: shared.clone(), ledger, caps: options.caps };
        let writer = spawn("journal", writer.run())?;
        let counters = Arc::new(EmbeddedCounters::new(shared.clone()));
        Ok(Embedded { counters, shared, writer })
    }

    /// Writes what is pending and ends the thread. Blocks.
    pub fn close(self) {
        self.shared.stop();
        if self.writer.join().is_err() {
            tracing::error!("the journal's thread ended in a panic");
        }
    }
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
