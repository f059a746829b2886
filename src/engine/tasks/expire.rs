//! The sweeper: ends reservations whose deadline has passed in partitions that nobody calls.

use crate::engine::operation::Counters;
use crate::engine::ports::StoreError;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a quiet partition is looked at: a hold is back within a second of its deadline.
const EVERY: Duration = Duration::from_millis(200);
/// Reservations ended in one step, so that callers are not kept waiting.
const AT_ONCE: usize = 256;

/// Sweeps all partitions until told to stop.
pub async fn run(counters: Arc<dyn Counters>, stop: CancellationToken) {
    // Partitions of which it was said that they can't be swept.
    let mut told = HashSet::new();
    loop {
        for partition in 0..counters.partitions() {
            match sweep(&*counters, partition).await {
                Ok(()) if told.remove(&partition) => tracing::info!(partition, "what is due is ended again"),
                Err(error) if told.insert(partition) => {
                    tracing::error!(partition, %error, "the sweeper could not end what is due; it tries again");
                }
                Ok(()) | Err(_) => {}
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn sweep(counters: &dyn Counters, partition: u32) -> Result<(), StoreError> {
    while counters.expire(partition, AT_ONCE).await? == AT_ONCE {
        tokio::task::yield_now().await;
    }
    Ok(())
}
