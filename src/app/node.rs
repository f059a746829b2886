//! A node: stores, engine and tasks, put together and taken apart in order.

use crate::engine::authority::Authority;
use crate::engine::call::Durability;
use crate::engine::operation::Counters;
use crate::engine::ports::{CatalogStore, Clock, Ledger, StoreError};
use crate::engine::publish::Publisher;
use crate::engine::snapshots::Snapshots;
use crate::engine::tasks::{expire, flush::Flushers, tidy};
use crate::store::clock::{SystemClock, TestClock};
use crate::store::database::{Database, DatabaseCatalog, DatabaseLedger, Sync};
use crate::store::embedded::{Caps, Embedded, EmbeddedOptions, Safety};
use crate::telemetry::metrics;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The setting that keeps the number of partitions.
const PARTITIONS: &str = "partitions";
/// How long the ledger's connections may take to close.
const CLOSE: Duration = Duration::from_secs(5);

/// The setting that keeps the installation's id.
const INSTALLATION: &str = "installation";

/// What an answer waits for (DESIGN: embedded).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DurabilitySetting {
    /// Until it is on the disk: survives a power cut.
    Strict,
    /// Until it is in the journal: survives `kill -9`.
    #[default]
    Default,
    /// For nothing: what was not written yet is lost with the process.
    Relaxed,
}

/// How to open a node.
#[derive(Clone)]
pub struct NodeOptions {
    /// The one folder that holds everything.
    pub data_dir: PathBuf,
    /// A hand-wound clock instead of the machine's.
    pub clock: Option<Arc<TestClock>>,
    /// What an answer waits for.
    pub durability: DurabilitySetting,
    /// Number of partitions at the first start; `None`: one per core.
    pub partitions: Option<u32>,
    /// How long little work may wait for the flusher.
    pub flush_interval: Duration,
    /// Bounds.
    pub caps: Caps,
}

impl Default for NodeOptions {
    fn default() -> NodeOptions {
        NodeOptions {
            data_dir: PathBuf::from("./quotad-data"),
            clock: None,
            durability: DurabilitySetting::Default,
            partitions: None,
            flush_interval: Duration::from_millis(200),
            caps: Caps::default(),
        }
    }
}

/// Everything behind the sockets.
pub struct Node {
    /// The verbs.
    pub authority: Arc<Authority>,
    /// The catalog.
    pub catalogs: Arc<Publisher>,
    /// The clock that decides.
    pub clock: Arc<dyn Clock>,
    /// The counters.
    pub counters: Arc<dyn Counters>,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    flushers: Arc<Flushers>,
    embedded: Embedded,
    database: Database,
    tasks: Vec<JoinHandle<()>>,
    stop: CancellationToken,
    _lock: File,
}

impl Node {
    /// Opens the data folder, recovers what the last process left, and starts the tasks on the current runtime.
    ///
    /// # Errors
    /// [`StoreError`] if the folder is in use by another process, or can't be read or written.
    pub async fn open(options: NodeOptions) -> Result<Node, StoreError> {
        let lock = lock(&options.data_dir)?;
        let sync = if options.durability == DurabilitySetting::Strict { Sync::Full } else { Sync::Normal };
        let database = Database::open(&options.data_dir.join("ledger.db"), sync).await?;
        let ledger: Arc<dyn Ledger> = Arc::new(DatabaseLedger::new(database.clone()));
        let catalog: Arc<dyn CatalogStore> = Arc::new(DatabaseCatalog::new(database.clone()));
        let clock: Arc<dyn Clock> = match &options.clock {
            Some(clock) => clock.clone(),
            None => Arc::new(SystemClock),
        };

        let partitions = partitions(&database, options.partitions).await?;
        let embedded = EmbeddedOptions {
            path: options.data_dir.join("journal.db"),
            installation: installation(&database).await?,
            partitions,
            safety: if options.durability == DurabilitySetting::Strict { Safety::Power } else { Safety::Process },
            waits: options.durability != DurabilitySetting::Relaxed,
            caps: options.caps,
            clock: clock.clone(),
        };
        let embedded = Embedded::open(embedded, ledger.clone()).await?;
        let counters: Arc<dyn Counters> = embedded.counters.clone();

        let mut watermarks = Vec::new();
        for partition in 0..partitions {
            watermarks.push(ledger.watermark(partition).await?);
        }
        let interval = options.flush_interval;
        let flushers = Arc::new(Flushers::new(counters.clone(), ledger.clone(), interval, false, &watermarks));
        let snapshots = Arc::new(Snapshots::new(catalog.clone()));
        let promised = match options.durability {
            DurabilitySetting::Relaxed => Durability::Applied,
            DurabilitySetting::Default | DurabilitySetting::Strict => Durability::Journaled,
        };
        let authority = Authority::new(
            counters.clone(),
            ledger.clone(),
            snapshots.clone(),
            flushers.clone(),
            clock.clone(),
            promised,
        );

        let stop = CancellationToken::new();
        let mut tasks: Vec<JoinHandle<()>> =
            (0..partitions).map(|partition| tokio::spawn(flushers.clone().run(partition, stop.clone()))).collect();
        tasks.push(tokio::spawn(expire::run(counters.clone(), stop.clone())));
        tasks.push(tokio::spawn(tidy::run(counters.clone(), ledger.clone(), clock.clone(), stop.clone())));
        tasks.push(tokio::spawn(checkpoints(database.clone(), stop.clone())));

        Ok(Node {
            authority: Arc::new(authority),
            catalogs: Arc::new(Publisher::new(catalog, counters.clone(), snapshots)),
            clock,
            counters,
            ledger,
            flushers,
            embedded,
            database,
            tasks,
            stop,
            _lock: lock,
        })
    }

    /// Flushes what is left, writes everything and closes.
    pub async fn close(self) {
        self.stop.cancel();
        for task in self.tasks {
            // A task's panic has been logged by the panic hook.
            let _ = task.await;
        }
        let embedded = self.embedded;
        // Joining threads blocks.
        let _ = tokio::task::spawn_blocking(move || embedded.close()).await;
        // Everything is written; a connection that does not come back must not hold up the end.
        if tokio::time::timeout(CLOSE, self.database.close()).await.is_err() {
            tracing::warn!("the ledger's connections did not close in time; nothing is lost");
        }
    }

    /// Ends without flushing, as a killed process would; for tests.
    pub async fn abandon(self) {
        for task in &self.tasks {
            task.abort();
        }
        for task in self.tasks {
            let _ = task.await;
        }
        let embedded = self.embedded;
        let _ = tokio::task::spawn_blocking(move || embedded.close()).await;
        self.database.close().await;
    }

    /// Resolves once the ledger has all that the journal has now.
    ///
    /// # Errors
    /// [`StoreError`] if it does not get there in time.
    pub async fn flushed(&self) -> Result<(), StoreError> {
        for partition in 0..self.counters.partitions() {
            self.flushers.flushed(partition, self.counters.head(partition).seq).await?;
        }
        Ok(())
    }

    /// Sets the gauges that nobody keeps up to date.
    pub fn observe(&self) {
        observe(&*self.counters, &self.flushers);
    }

    /// A function that does as [`Node::observe`], to be kept.
    pub fn observer(&self) -> impl Fn() + Send + std::marker::Sync + use<> {
        let (counters, flushers) = (self.counters.clone(), self.flushers.clone());
        move || observe(&*counters, &flushers)
    }
}

fn observe(counters: &dyn Counters, flushers: &Flushers) {
    let engine = metrics::engine();
    let (mut head, mut flushed, mut entries, mut open, mut values) = (0, 0, 0, 0, 0);
    for partition in 0..counters.partitions() {
        let figures = counters.figures(partition);
        head += counters.head(partition).seq;
        flushed += flushers.watermark(partition);
        entries += figures.unflushed;
        open += figures.open_reservations;
        values += figures.counters;
    }
    engine.journal_head.set(head as f64);
    engine.journal_watermark.set(flushed as f64);
    engine.unflushed_entries.set(entries as f64);
    engine.open_reservations.set(open as f64);
    engine.counters.set(values as f64);
    engine.unflushed_seconds.set(flushers.behind().as_secs_f64());
}

/// Takes the folder for this process alone.
fn lock(data_dir: &Path) -> Result<File, StoreError> {
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

/// The number of partitions, fixed at the first start.
async fn partitions(database: &Database, wanted: Option<u32>) -> Result<u32, StoreError> {
    if let Some(kept) = database.setting(PARTITIONS).await? {
        return kept.parse().map_err(|_| StoreError::Corrupt(format!("the setting {PARTITIONS} is {kept:?}")));
    }
    let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
    let number = wanted.unwrap_or(cores).clamp(1, 256);
    database.set_setting(PARTITIONS, &number.to_string()).await?;
    Ok(number)
}

/// The installation's id, drawn at the first start: by it the ledger and the journal know each other.
async fn installation(database: &Database) -> Result<String, StoreError> {
    if let Some(kept) = database.setting(INSTALLATION).await? {
        return Ok(kept);
    }
    let id = uuid::Uuid::now_v7().to_string();
    database.set_setting(INSTALLATION, &id).await?;
    Ok(id)
}

/// Keeps the ledger's log short, on a connection of its own.
async fn checkpoints(database: Database, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
            () = stop.cancelled() => return,
        }
        if let Err(error) = database.checkpoint().await {
            tracing::warn!(%error, "checkpoint of the ledger failed; it is tried again");
        }
    }
}
