//! The stores of the embedded mode: everything in one folder, for this process alone.

use super::folder;
use super::options::{DurabilitySetting, NodeOptions};
use super::settings;
use super::stores::{Holdings, Stores};
use crate::engine::call::Durability;
use crate::engine::ports::{Clock, Ledger, StoreError};
use crate::store::clock::SystemClock;
use crate::store::database::{Database, DatabaseCatalog, DatabaseLedger, Sync};
use crate::store::embedded::{Embedded, EmbeddedOptions, Safety, refuse_a_lost_ledger};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A checkpoint of a busy ledger takes a second or two; beyond this somebody should look.
const LONG: Duration = Duration::from_secs(30);

/// Opens the data folder and recovers what the last process left.
///
/// # Errors
/// [`StoreError`] if the folder is in use by another process, or can't be read or written, or has a journal and not the
/// ledger that belongs to it.
pub(super) async fn open(options: &NodeOptions, stop: &CancellationToken) -> Result<Stores, StoreError> {
    let lock = folder::lock(&options.data_dir)?;
    let strict = options.durability == DurabilitySetting::Strict;
    let sync = if strict { Sync::Full } else { Sync::Normal };
    let (ledger_file, journal) = (options.data_dir.join("ledger.db"), options.data_dir.join("journal"));
    refuse_a_lost_ledger(&ledger_file, &journal).await?;
    let database = Database::open(&ledger_file, sync).await?;
    let ledger: Arc<dyn Ledger> = Arc::new(DatabaseLedger::new(database.clone()).with_retention(options.retention));
    let clock: Arc<dyn Clock> = match &options.clock {
        Some(clock) => clock.clone(),
        None => Arc::new(SystemClock),
    };
    let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
    let embedded = EmbeddedOptions {
        path: journal,
        installation: settings::installation(&database).await?,
        partitions: settings::partitions(&database, options.partitions.unwrap_or(cores)).await?,
        safety: if strict { Safety::Power } else { Safety::Process },
        waits: options.durability != DurabilitySetting::Relaxed,
        caps: options.caps,
        clock: clock.clone(),
    };
    let embedded = Embedded::open(embedded, ledger.clone()).await?;
    let promised = match options.durability {
        DurabilitySetting::Relaxed => Durability::Applied,
        DurabilitySetting::Default | DurabilitySetting::Strict => Durability::Journaled,
    };
    let checkpoints = tokio::spawn(checkpoints(database.clone(), stop.clone()));
    Ok(Stores {
        counters: embedded.counters.clone(),
        ledger,
        catalog: Arc::new(DatabaseCatalog::new(database.clone())),
        clock,
        promised,
        shared: false,
        holdings: Holdings {
            database,
            embedded: Some(embedded),
            tasks: vec![checkpoints],
            lock: Some(lock),
            spool_lock: None,
        },
    })
}

/// Keeps the ledger's log short, on a connection of its own.
pub(super) async fn checkpoints(database: Database, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
            () = stop.cancelled() => return,
        }
        let mut checkpoint = pin!(database.checkpoint());
        let done = match tokio::time::timeout(LONG, &mut checkpoint).await {
            Ok(done) => done,
            Err(_) => {
                tracing::warn!("a checkpoint of the ledger takes long: the disk is slow, or busy");
                checkpoint.await
            }
        };
        if let Err(error) = done {
            tracing::warn!(%error, "checkpoint of the ledger failed; it is tried again");
        }
    }
}
