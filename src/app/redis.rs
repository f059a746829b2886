//! The stores of a server among others: counters in Redis, ledger and catalog in a database.

use super::embedded::checkpoints;
use super::folder::{self, Taken};
use super::options::{NodeOptions, RedisStorage};
use super::settings;
use super::stores::{Holdings, Stores};
use super::waiting::until_there;
use crate::engine::call::Durability;
use crate::engine::operation::Counters;
use crate::engine::ports::{CatalogStore, Clock, Ledger, StoreError};
use crate::store::clock::SystemClock;
use crate::store::database::{CatalogListener, Database, DatabaseCatalog, DatabaseLedger, Sync};
use crate::store::redis::counters::RedisCounters;
use crate::store::redis::keys::Keys;
use crate::store::redis::link::Link;
use crate::store::redis::options::{OptionsError, Topology};
use crate::store::redis::probe;
use crate::store::redis::recover::{ADOPT, Recoverer, RecovererOptions};
use crate::store::redis::scripts::{BATCH, QUICK, Scripts};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Partitions at the first start: one makes the largest batches; in a cluster they are what spreads the tenants.
const PARTITIONS: (u32, u32) = (1, 16);
/// How often it is looked whether another replica has begun another incarnation of a partition.
const WATCH: Duration = Duration::from_secs(1);

/// Opens database and Redis, waits for what is not there yet, and makes every partition fit to decide.
///
/// # Errors
/// [`StoreError::Corrupt`] if one of them can't be used as it is, or they do not belong together.
pub(super) async fn open(
    options: &NodeOptions,
    storage: &RedisStorage,
    stop: &CancellationToken,
) -> Result<Stores, StoreError> {
    let (database, lock) = open_database(options, storage).await?;
    let cluster = matches!(storage.redis.topology, Topology::Cluster(_));
    let wanted = options.partitions.unwrap_or(if cluster { PARTITIONS.1 } else { PARTITIONS.0 });
    let kept = async || Ok((settings::partitions(&database, wanted).await?, settings::installation(&database).await?));
    let (partitions, installation) = until_there("the database", kept).await?;
    let ledger: Arc<dyn Ledger> = Arc::new(DatabaseLedger::new(database.clone()).with_retention(options.retention));
    let catalog = DatabaseCatalog::new(database.clone());
    let listener = catalog.listener();
    let catalog: Arc<dyn CatalogStore> = Arc::new(catalog);

    let unusable = |error: &dyn std::fmt::Display| StoreError::Corrupt(error.to_string());
    let link = Link::open(storage.redis.clone()).map_err(|error| unusable(&error))?;
    let keys = (0..partitions).map(|partition| Keys::new(&storage.redis.prefix, partition));
    let keys = keys.collect::<Result<Vec<Keys>, OptionsError>>().map_err(|error| unusable(&error))?;
    let Some(first) = keys.first() else { return Err(unusable(&"an installation without partitions")) };
    let probed = probe::wait(&link, first, &[&BATCH, &QUICK, &ADOPT]).await.map_err(|error| unusable(&error))?;

    let clock = options.clock.clone().map(|clock| -> Arc<dyn Clock> { clock });
    let recoverer = Recoverer::new(RecovererOptions {
        link: link.clone(),
        prefix: storage.redis.prefix.clone(),
        partitions,
        installation,
        ledger: ledger.clone(),
        catalog: catalog.clone(),
        clock: clock.clone(),
    });
    let recoverer = recoverer.map_err(|error| unusable(&error))?;
    let recovery = Arc::new(recoverer.clone());
    let counters = Arc::new(RedisCounters::new(link, keys, Scripts::ours(), options.caps, clock.as_ref(), recovery));
    until_there("the counter store", async || counters.open().await).await?;

    let watch = watch(counters.clone(), ledger.clone(), recoverer, stop.clone());
    let mut tasks = vec![tokio::spawn(watch), tokio::spawn(hear(listener, stop.clone()))];
    if !database.is_shared() {
        tasks.push(tokio::spawn(checkpoints(database.clone(), stop.clone())));
    }
    Ok(Stores {
        counters,
        ledger,
        catalog,
        clock: clock.unwrap_or_else(|| Arc::new(SystemClock)),
        promised: if probed.synced { Durability::Journaled } else { Durability::Applied },
        shared: true,
        holdings: Holdings { database, embedded: None, tasks, lock, spool_lock: None },
    })
}

/// Opens the database: a server is waited for; a file is there or is made, and is this process's alone.
async fn open_database(options: &NodeOptions, storage: &RedisStorage) -> Result<(Database, Option<Taken>), StoreError> {
    let Some(url) = &storage.database else {
        let lock = folder::lock(&options.data_dir)?;
        let database = Database::open(&options.data_dir.join("ledger.db"), Sync::Full).await?;
        return Ok((database, Some(lock)));
    };
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let database = until_there("the database", async || Database::open_url(url).await).await?;
        return Ok((database, None));
    }
    let lock = folder::lock_beside(url.strip_prefix("sqlite:").unwrap_or(url))?;
    Ok((Database::open_url(url).await?, Some(lock)))
}

/// Notices that a partition has begun another incarnation, for the case that this process still reaches the server of the
/// one before, which would answer on as if nothing had happened.
async fn watch(counters: Arc<RedisCounters>, ledger: Arc<dyn Ledger>, recoverer: Recoverer, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(WATCH) => {}
            () = stop.cancelled() => return,
        }
        for partition in 0..counters.partitions() {
            let head = counters.head(partition);
            // A ledger that can't be read says so to its flusher.
            if ledger.watermark(partition).await.is_ok_and(|mark| mark.incarnation > head.incarnation) {
                // What went wrong has been logged; the next call, or the next round, tries again.
                let _ = recoverer.recover(partition, head.seq).await;
            }
        }
    }
}

/// Hears what other servers write to the catalog until told to stop.
async fn hear(listener: CatalogListener, stop: CancellationToken) {
    tokio::select! {
        () = listener.run() => {}
        () = stop.cancelled() => {}
    }
}
