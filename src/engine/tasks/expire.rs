//! The sweeper: ends reservations whose deadline has passed in partitions that nobody calls.

use crate::engine::operation::Counters;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a quiet partition is looked at: a hold is back within a second of its deadline.
const EVERY: Duration = Duration::from_millis(200);
/// Reservations ended in one step, so that callers are not kept waiting.
const AT_ONCE: usize = 256;

/// Sweeps all partitions until told to stop.
pub async fn run(counters: Arc<dyn Counters>, stop: CancellationToken) {
    loop {
        for partition in 0..counters.partitions() {
            sweep(&*counters, partition).await;
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn sweep(counters: &dyn Counters, partition: u32) {
    loop {
        match counters.expire(partition, AT_ONCE).await {
            Ok(AT_ONCE) => tokio::task::yield_now().await,
            Ok(_) => return,
            Err(error) => {
                tracing::error!(partition, %error, "the sweeper could not end what is due; it tries again");
                return;
            }
        }
    }
}
