//! Follows the catalog: what another server wrote and could not make bind, because it ended or lost the counter store in
//! between, binds a few seconds later (DESIGN: the poll that is the safety net).

use crate::engine::publish::Publisher;
use crate::telemetry::metrics;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it looks: one short question to the database.
const EVERY: Duration = Duration::from_secs(5);

/// Looks until told to stop. `seen` is the catalog's version before anything of it was loaded here.
pub async fn run(catalogs: Arc<Publisher>, mut seen: u64, stop: CancellationToken) {
    let mut told = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
        match catalogs.follow(seen).await {
            Ok(version) => {
                (seen, told) = (version, false);
                metrics::engine().followed();
                metrics::engine().database_up.set(1.0);
            }
            Err(error) => {
                metrics::engine().database_up.set(0.0);
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "the catalog can't be followed; it is tried again");
                }
            }
        }
    }
}
