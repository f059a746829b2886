//! Follows the catalog: what another server wrote binds here as soon as it is heard of, also if that one ended or lost the counter
//! store in between. News may be lost; so it is looked from time to time too (DESIGN: the poll that is the safety net).

use crate::engine::ports::CatalogNews;
use crate::engine::publish::Publisher;
use crate::telemetry::metrics;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// After how long it is tried again at the latest.
const AGAIN: Duration = Duration::from_secs(5);

/// Follows until told to stop, and looks `every` so often whatever is heard: one short question to the database. `seen` is the
/// catalog's version before anything of it was loaded here.
pub async fn run(catalogs: Arc<Publisher>, mut seen: u64, every: Duration, stop: CancellationToken) {
    let mut told = false;
    let mut look_at = Instant::now() + every;
    metrics::engine().followed(seen);
    loop {
        let news = tokio::select! {
            news = catalogs.changed() => news,
            () = tokio::time::sleep_until(look_at) => CatalogNews::Anything,
            () = stop.cancelled() => return,
        };
        let followed = catalogs.follow_news(seen, &news).await;
        if followed.is_err() {
            // What was heard is not heard again.
            look_at = Instant::now() + every.min(AGAIN);
        } else if news == CatalogNews::Anything {
            look_at = Instant::now() + every;
        }
        match followed {
            Ok(version) => {
                (seen, told) = (version, false);
                metrics::engine().followed(seen);
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
