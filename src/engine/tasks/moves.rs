//! Finishes moves of accounts that were left under way: a server ended, or lost a store, between their parts.

use crate::engine::ports::Clock;
use crate::engine::relocate::Mover;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it looks: one short question to the database.
const EVERY: Duration = Duration::from_secs(5);

/// Looks at once, and then until told to stop.
pub async fn run(mover: Arc<Mover>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut told = false;
    loop {
        match mover.finish_all(clock.now()).await {
            Ok(()) => told = false,
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "moves of accounts can't be finished; it is tried again");
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}
