//! All partitions of an installation, one after the other.

use super::super::keys::Keys;
use super::super::link::Link;
use super::look;
use super::partition::{Place, compare};
use super::trouble::{Stop, Trouble};
use crate::engine::audit::{AuditOptions, AuditReport, Auditor, Progress};
use crate::engine::ports::{Ledger, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// How often a partition is begun anew where store and ledger could not be brought together, and after what time.
const ATTEMPTS: usize = 6;
const REST: Duration = Duration::from_secs(1);

/// A counter store and the ledger that it belongs to.
pub struct LiveStore {
    /// The way to Redis.
    pub link: Link,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// Who knows the names in the ledger.
    pub names: Arc<dyn Auditor>,
    /// Number of partitions.
    pub partitions: u32,
    /// The id that the database gave to this installation.
    pub installation: String,
}

/// Audits a running counter store; nobody needs to stop for it.
pub struct LiveAuditor {
    store: LiveStore,
}

impl LiveAuditor {
    /// An auditor of that store.
    pub fn new(store: LiveStore) -> LiveAuditor {
        LiveAuditor { store }
    }

    /// Compares every partition's counters and open reservations with what ledger and journal make them. With `repair` the
    /// store forgets the counters that are wrong, so that each is asked of the ledger when it is needed next.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the keys are of another installation; [`StoreError::Unavailable`] if store or ledger can't be
    /// read, or a partition is being loaded.
    pub async fn audit(&self, options: AuditOptions, progress: Progress<'_>) -> Result<AuditReport, StoreError> {
        let unusable = |error: &dyn std::fmt::Display| StoreError::Corrupt(error.to_string());
        let prefix = &self.store.link.options().prefix;
        let keys = (0..self.store.partitions).map(|partition| Keys::new(prefix, partition));
        let keys: Vec<Keys> = keys.collect::<Result<_, _>>().map_err(|error| unusable(&error))?;
        let mut report = AuditReport::default();
        for keys in &keys {
            let whose = look::figures(&self.store.link, keys, &[], &[]).await?.installation;
            if !whose.is_empty() && whose != self.store.installation.as_bytes() {
                return Err(unusable(&format!(
                    "partition {} under the prefix {prefix:?} of this Redis is of installation {}, the database of {}: they do \
                     not belong together",
                    keys.partition(),
                    String::from_utf8_lossy(&whose),
                    self.store.installation
                )));
            }
        }
        for keys in &keys {
            let names = &*self.store.names;
            let place = Place { link: &self.store.link, keys, ledger: &*self.store.ledger, names, options, progress };
            self.partition(place, &mut report).await?;
        }
        Ok(report)
    }

    /// Compares a partition, from its beginning if store and ledger could not be brought together on the way.
    async fn partition(&self, place: Place<'_>, report: &mut AuditReport) -> Result<(), StoreError> {
        let mut last = Trouble::Loading;
        for _ in 0..ATTEMPTS {
            let mut found = AuditReport::default();
            let room = place.options.listed.saturating_sub(report.findings.len());
            let options = AuditOptions { listed: room, ..place.options };
            let done = compare(Place { options, ..place }, &mut found).await;
            // What was repaired by then will not be found again.
            if done.is_ok() || found.repaired > 0 {
                report.absorb(found, place.options.listed);
            }
            match done {
                Ok(()) => return Ok(()),
                Err(Stop::Store(error)) => return Err(error),
                Err(Stop::Again(trouble)) => last = self.judged(trouble, place.keys.partition()).await?,
            }
            tokio::time::sleep(REST).await;
        }
        report.found(last.finding(place.keys.partition())?, place.options.listed);
        Ok(())
    }

    /// An entry that the journal lacks is with the ledger by now, or nowhere.
    async fn judged(&self, trouble: Trouble, partition: u32) -> Result<Trouble, StoreError> {
        match trouble {
            Trouble::Missing { seq } if self.store.ledger.watermark(partition).await?.seq >= seq => {
                Ok(Trouble::Trimmed)
            }
            other => Ok(other),
        }
    }
}
