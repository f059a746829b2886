//! A node: stores, engine and tasks, put together and taken apart in order.

use super::options::{NodeOptions, Storage};
use super::stores::{Holdings, Stores};
use super::{embedded, observe};
use crate::engine::authority::Authority;
use crate::engine::operation::Counters;
use crate::engine::ports::{Clock, Ledger, StoreError};
use crate::engine::publish::Publisher;
use crate::engine::relocate::Mover;
use crate::engine::snapshots::Snapshots;
use crate::engine::spool::shelf::Shelf;
use crate::engine::tasks::{expire, flush::Flushers, moves, refresh, replay, tidy};
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Everything behind the sockets.
pub struct Node {
    /// The verbs.
    pub authority: Arc<Authority>,
    /// The catalog.
    pub catalogs: Arc<Publisher>,
    /// Moves accounts.
    pub mover: Arc<Mover>,
    /// The clock that decides.
    pub clock: Arc<dyn Clock>,
    /// The counters.
    pub counters: Arc<dyn Counters>,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    flushers: Arc<Flushers>,
    shelf: Option<Arc<Shelf>>,
    holdings: Holdings,
    tasks: Vec<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Node {
    /// Opens the stores, recovers what the last process left, and starts the tasks on the current runtime. Waits for Redis
    /// and a database server as long as they can't be reached.
    ///
    /// # Errors
    /// [`StoreError`] if the folder is in use by another process, or can't be read or written; if Redis or the database can't
    /// be used as they are.
    pub async fn open(options: NodeOptions) -> Result<Node, StoreError> {
        let stop = CancellationToken::new();
        // Whoever gives up waiting leaves no task behind.
        let unless_done = stop.clone().drop_guard();
        let spool = match &options.storage {
            Storage::Embedded => None,
            Storage::Redis(_) => super::spool::open(&options)?,
        };
        let (shelf, spool_lock) = spool.unzip();
        let stores = match &options.storage {
            Storage::Embedded => embedded::open(&options, &stop).await?,
            Storage::Redis(storage) => super::redis::open(&options, storage, &stop).await?,
        };
        let Stores { counters, ledger, catalog, clock, promised, shared, holdings } = stores;
        let holdings = Holdings { spool_lock, ..holdings };
        let partitions = counters.partitions();

        let mut watermarks = Vec::new();
        for partition in 0..partitions {
            watermarks.push(ledger.watermark(partition).await?);
        }
        let interval = options.flush_interval;
        let flushers = Arc::new(Flushers::new(counters.clone(), ledger.clone(), interval, shared, &watermarks));
        let seen = catalog.version(None).await?;
        let snapshots = Arc::new(Snapshots::new(catalog.clone()));
        let authority = Authority::new(
            counters.clone(),
            ledger.clone(),
            snapshots.clone(),
            flushers.clone(),
            clock.clone(),
            promised,
            shelf.clone(),
        );
        let authority = Arc::new(authority);
        let catalogs = Arc::new(Publisher::new(catalog, counters.clone(), snapshots, authority.clone()));
        let mover = Arc::new(Mover::new(catalogs.clone(), authority.clone()));

        let mut tasks: Vec<JoinHandle<()>> =
            (0..partitions).map(|partition| tokio::spawn(flushers.clone().run(partition, stop.clone()))).collect();
        tasks.push(tokio::spawn(expire::run(counters.clone(), stop.clone())));
        if let Some(shelf) = &shelf {
            tasks.push(tokio::spawn(replay::run(authority.clone(), shelf.clone(), stop.clone())));
        }
        if shared {
            tasks.push(tokio::spawn(refresh::run(catalogs.clone(), seen, options.catalog_poll, stop.clone())));
        }
        tasks.push(tokio::spawn(moves::run(mover.clone(), clock.clone(), stop.clone())));
        tasks.push(tokio::spawn(tidy::run(counters.clone(), ledger.clone(), clock.clone(), stop.clone())));

        Ok(Node {
            authority,
            catalogs,
            mover,
            clock,
            counters,
            ledger,
            flushers,
            shelf,
            holdings,
            tasks,
            stop: unless_done.disarm(),
        })
    }

    /// Runs beside the calls on the runtime of one thread, and writes what they leave where they are: nobody wakes another thread
    /// then. Does nothing on a store that is not in this process.
    pub fn write_here(&self) -> impl Future<Output = ()> + Send + use<> {
        let counters = self.holdings.embedded.as_ref().map(|embedded| embedded.counters.clone());
        async move {
            if let Some(counters) = counters {
                counters.write_here().await;
            }
        }
    }

    /// Flushes what is left, writes everything and closes.
    pub async fn close(self) {
        self.stop.cancel();
        for task in self.tasks {
            // A task's panic has been logged by the panic hook.
            let _ = task.await;
        }
        self.holdings.close(true).await;
    }

    /// Ends without flushing, as a killed process would; for tests.
    pub async fn abandon(self) {
        for task in &self.tasks {
            task.abort();
        }
        for task in self.tasks {
            let _ = task.await;
        }
        self.holdings.close(false).await;
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
        observe::gauges(&*self.counters, &self.flushers, self.shelf.as_deref());
    }

    /// A function that does as [`Node::observe`], to be kept.
    pub fn observer(&self) -> impl Fn() + Send + Sync + use<> {
        let (counters, flushers, shelf) = (self.counters.clone(), self.flushers.clone(), self.shelf.clone());
        move || observe::gauges(&*counters, &flushers, shelf.as_deref())
    }
}
