//! The flush alone: what a partition's journal has beyond the ledger is carried there, as the flusher does it, while nobody
//! decides.

use crate::engine::ports::{Ledger, Watermark};
use crate::store::redis::entry;
use crate::store::redis::keys::Keys;
use crate::store::redis::link::Link;
use crate::store::redis::options::{RedisFlags, RedisOptions};
use anyhow::Result;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Entries in one transaction, as the flusher takes them.
const ENTRIES: usize = 1024;

/// Carries one partition's journal.
pub(super) struct Flush {
    link: Link,
    ledger: Arc<dyn Ledger>,
    journal: String,
    mark: Watermark,
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Journal entries a second: calls of the script.
    pub(super) entries: f64,
    /// Effects a second: operations that changed something.
    pub(super) effects: f64,
}

impl Flush {
    /// From where the ledger is.
    ///
    /// # Errors
    /// A server or a ledger that can't be reached.
    pub(super) async fn new(url: String, prefix: &str, keys: &Keys, ledger: Arc<dyn Ledger>) -> Result<Flush> {
        let flags = RedisFlags { url, prefix: Some(prefix.to_owned()), ..RedisFlags::default() };
        let link = Link::open(RedisOptions::new(&flags)?)?;
        link.ready(Duration::from_secs(10)).await?;
        let mark = ledger.watermark(keys.partition()).await?;
        Ok(Flush { link, ledger, journal: keys.journal(mark.incarnation), mark })
    }

    /// Carries all that is there, and removes it from the journal.
    ///
    /// # Errors
    /// A server or a ledger that fails.
    pub(super) async fn sample(&mut self) -> Result<Sample> {
        let (mut entries, mut effects, begin) = (0, 0, Instant::now());
        loop {
            let raw = self.link.journal_after(&self.journal, self.mark.seq, ENTRIES).await?;
            if raw.is_empty() {
                break;
            }
            let mut read = Vec::with_capacity(raw.len());
            for (seq, bytes) in &raw {
                let entry = entry::read(bytes)?;
                effects += entry.effects.len();
                read.push((*seq, Arc::new(entry)));
            }
            entries += read.len();
            self.mark = self.ledger.append(0, self.mark.incarnation, &read).await?.watermark;
            self.link.journal_trim(&self.journal, self.mark.seq).await?;
        }
        let seconds = begin.elapsed().as_secs_f64();
        Ok(Sample { entries: entries as f64 / seconds, effects: effects as f64 / seconds })
    }
}
