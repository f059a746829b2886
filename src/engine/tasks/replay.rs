//! Empties the spool: sends after, in order, what was answered while the counter store could not be reached.

use crate::engine::authority::Authority;
use crate::engine::call::CallError;
use crate::engine::spool::shelf::Shelf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Shortest and longest pause while the store is away.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// Empties the shelf until told to stop; what is left stays in the spool for the next start.
pub async fn run(authority: Arc<Authority>, shelf: Arc<Shelf>, stop: CancellationToken) {
    let (mut pause, mut told) = (PAUSES.0, false);
    loop {
        let sent = tokio::select! {
            sent = next(&authority, &shelf) => sent,
            () = stop.cancelled() => return,
        };
        let Err(error) = sent else {
            (pause, told) = (PAUSES.0, false);
            continue;
        };
        // That the store is away has been said when it began.
        if !matches!(error, CallError::OutOfReach(_)) && !std::mem::replace(&mut told, true) {
            tracing::error!(%error, "the spool can't be sent after; it is tried again");
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

async fn next(authority: &Authority, shelf: &Arc<Shelf>) -> Result<bool, CallError> {
    shelf.filled().await;
    authority.runner.replay(shelf, None).await
}
