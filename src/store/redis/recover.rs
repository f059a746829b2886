//! What to do when a script says *verify*: the partition's server is another one, or has forgotten. What survived of the journal
//! goes to the ledger, and the partition goes on under the next incarnation, as it was or from what the database has. The
//! steps stand in `handover.rs`; here is who takes them, and that nobody takes them twice at once.

use super::counters::Recovery;
use super::handover::{Handover, report_loss};
use super::keys::Keys;
use super::link::Link;
use super::options::OptionsError;
use crate::domain::amount;
use crate::engine::ports::{Boxed, CatalogStore, Clock, INCARNATION_GAP, Ledger, StoreError, Watermark};
use crate::telemetry::metrics;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

pub use super::adopt::ADOPT;

/// How long a recovery may take until it is given up for this time.
const LIMIT: Duration = Duration::from_secs(60);

/// What recovery stands on.
pub struct RecovererOptions {
    /// The way to Redis.
    pub link: Link,
    /// What comes before the partition in every key.
    pub prefix: String,
    /// Number of partitions.
    pub partitions: u32,
    /// The id that the database gave to this installation.
    pub installation: String,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// The catalog, for its versions.
    pub catalog: Arc<dyn CatalogStore>,
    /// A hand-wound clock instead of the server's.
    pub clock: Option<Arc<dyn Clock>>,
}

/// Recovers partitions, each one at a time. Clones are the same.
#[derive(Clone)]
pub struct Recoverer {
    shared: Arc<Shared>,
}

struct Shared {
    handover: Handover,
    partitions: Vec<Slot>,
}

struct Slot {
    keys: Keys,
    /// Recoveries that have ended.
    ended: AtomicU64,
    last: Mutex<Option<Result<Watermark, StoreError>>>,
    /// The last entry of which it was told here that it was lost.
    told: AtomicU64,
}

impl Recoverer {
    /// For all partitions of an installation.
    ///
    /// # Errors
    /// A prefix with which no keys can be made.
    pub fn new(options: RecovererOptions) -> Result<Recoverer, OptionsError> {
        let slot = |partition| {
            let keys = Keys::new(&options.prefix, partition)?;
            Ok(Slot { keys, ended: AtomicU64::new(0), last: Mutex::default(), told: AtomicU64::default() })
        };
        let partitions = (0..options.partitions).map(slot).collect::<Result<_, OptionsError>>()?;
        let who = uuid::Uuid::now_v7().as_u128() as u64 & amount::MAX;
        Ok(Recoverer { shared: Arc::new(Shared { handover: Handover { options, who }, partitions }) })
    }

    /// Makes a partition fit to decide again, and answers where it goes on from; at once, if nothing is wrong with it. `seen`
    /// is the highest entry that this replica has an answer of. Calls for the same partition share one recovery, which goes
    /// on if they are dropped.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if Redis or the database can't be reached, [`StoreError::Corrupt`] if they do not belong
    /// together; the partition stays closed.
    pub async fn recover(&self, partition: u32, seen: u64) -> Result<Watermark, StoreError> {
        let shared = self.shared.clone();
        let flight = tokio::spawn(async move { shared.recover(partition, seen).await });
        flight.await.map_err(|_| StoreError::Unavailable("the recovery was broken off; it is tried again".into()))?
    }
}

impl Recovery for Recoverer {
    fn recover(&self, partition: u32, seen: u64) -> Boxed<'_, Result<Watermark, StoreError>> {
        Box::pin(self.recover(partition, seen))
    }
}

impl Shared {
    async fn recover(&self, partition: u32, seen: u64) -> Result<Watermark, StoreError> {
        let slot = self.partitions.get(partition as usize);
        let slot = slot.ok_or_else(|| StoreError::Corrupt(format!("there is no partition {partition}")))?;
        let ended = slot.ended.load(Ordering::SeqCst);
        let mut last = slot.last.lock().await;
        if let (true, Some(result)) = (slot.ended.load(Ordering::SeqCst) != ended, &*last) {
            return result.clone();
        }
        let result = match tokio::time::timeout(LIMIT, self.handover.run(partition, &slot.keys, seen)).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Unavailable(format!("partition {partition} could not be recovered in time"))),
        };
        // The first time is the start of this replica.
        let before = last.as_ref().and_then(|last| last.as_ref().ok());
        if before.zip(result.as_ref().ok()).is_some_and(|(before, now)| before.incarnation != now.incarnation) {
            metrics::engine().verifies.increment(1);
        }
        if let Err(error) = &result {
            tracing::error!(partition, %error, "the partition can't be recovered; it is tried again");
        } else {
            self.tell_the_rest(partition, slot, seen).await;
        }
        *last = Some(result.clone());
        slot.ended.fetch_add(1, Ordering::SeqCst);
        result
    }

    /// Whoever recovered a partition told of the losses that it knew of. What this replica alone has answers of, it tells: an
    /// incarnation begins so far beyond the last number that its maker had seen.
    async fn tell_the_rest(&self, partition: u32, slot: &Slot, seen: u64) {
        // Who can't read the ledger now is in greater trouble than that of a figure.
        let Ok(lost) = self.handover.options.ledger.lost(partition).await else { return };
        if let Some((first, last)) = lost.iter().find(|(first, last)| (*first..*last).contains(&seen)) {
            let told = slot.told.fetch_max(seen, Ordering::SeqCst);
            report_loss(partition, told.max(first.saturating_sub(1)).max(last.saturating_sub(INCARNATION_GAP)), seen);
        }
    }
}
