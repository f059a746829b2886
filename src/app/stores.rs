//! The stores of a node, whichever they are: what the engine needs of them, and how they end.

use super::folder::Taken;
use crate::engine::call::Durability;
use crate::engine::operation::Counters;
use crate::engine::ports::{CatalogStore, Clock, Ledger};
use crate::store::database::Database;
use crate::store::embedded::Embedded;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long the ledger's connections may take to close.
const CLOSE: Duration = Duration::from_secs(5);

/// Open stores.
pub(super) struct Stores {
    /// The counters.
    pub counters: Arc<dyn Counters>,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// The catalog.
    pub catalog: Arc<dyn CatalogStore>,
    /// The clock that decides, or is near the one that does.
    pub clock: Arc<dyn Clock>,
    /// What the counters have done by the time they answer.
    pub promised: Durability,
    /// Whether other processes use them too.
    pub shared: bool,
    /// What is to be closed.
    pub holdings: Holdings,
}

/// What a node holds open.
pub(super) struct Holdings {
    /// The database behind ledger and catalog.
    pub database: Database,
    /// The embedded counters.
    pub embedded: Option<Embedded>,
    /// Tasks that the stores need; they end when told to stop.
    pub tasks: Vec<JoinHandle<()>>,
    /// Keeps other processes out of the folder.
    pub lock: Option<Taken>,
    /// Keeps other processes out of the spool's folder.
    pub spool_lock: Option<Taken>,
}

impl Holdings {
    /// Writes everything and closes. `kindly`: connections may take their time.
    pub(super) async fn close(self, kindly: bool) {
        for task in &self.tasks {
            if !kindly {
                task.abort();
            }
        }
        for task in self.tasks {
            // A task's panic has been logged by the panic hook.
            let _ = task.await;
        }
        if let Some(embedded) = self.embedded {
            // Joining threads blocks.
            let _ = tokio::task::spawn_blocking(move || embedded.close()).await;
        }
        // Everything is written; a connection that does not come back must not hold up the end.
        let closing = self.database.close();
        if !kindly {
            closing.await;
        } else if tokio::time::timeout(CLOSE, closing).await.is_err() {
            tracing::warn!("the ledger's connections did not close in time; nothing is lost");
        }
        drop((self.lock, self.spool_lock));
    }
}
