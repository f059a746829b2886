//! Forgetting: counters that nobody uses leave the memory, ended reservations and old ids the ledger.

use crate::domain::time::Span;
use crate::engine::operation::Counters;
use crate::engine::ports::{Clock, Ledger};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often to look.
const EVERY: Duration = Duration::from_secs(600);
/// A counter unused for this long leaves the memory; the ledger has it.
const IDLE: Span = Span::from_secs(7 * 24 * 3600);

/// Tidies until told to stop.
pub async fn run(counters: Arc<dyn Counters>, ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
        for partition in 0..counters.partitions() {
            match counters.drop_idle(partition, IDLE).await {
                Ok(dropped) => tracing::debug!(partition, dropped, "idle counters left the memory"),
                Err(error) => tracing::warn!(partition, %error, "idle counters stay in memory; it is tried again"),
            }
        }
        loop {
            match ledger.prune(clock.now()).await {
                Ok(0) => break,
                Ok(rows) => tracing::debug!(rows, "pruned the ledger"),
                Err(error) => {
                    tracing::warn!(%error, "the ledger could not be pruned; it is tried again");
                    break;
                }
            }
        }
    }
}
