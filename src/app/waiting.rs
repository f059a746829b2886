//! Waiting for what is not there yet: a server that starts before its stores is patient, and says so once.

use crate::engine::ports::StoreError;
use std::time::Duration;

/// The first pause, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Tries until it is there; `what` names it.
///
/// # Errors
/// [`StoreError::Corrupt`]: waiting does not mend that.
pub(super) async fn until_there<T>(
    what: &str,
    mut attempt: impl AsyncFnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut pause = PAUSES.0;
    let mut waited = false;
    loop {
        match attempt().await {
            Ok(there) => {
                if waited {
                    tracing::info!(what, "it is there now");
                }
                return Ok(there);
            }
            Err(error @ StoreError::Corrupt(_)) => return Err(error),
            Err(error) => {
                if !waited {
                    tracing::warn!(what, %error, "waiting until it can be used");
                    waited = true;
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_there_is_waited_for_and_what_is_wrong_is_not() {
        let mut tries = 0;
        let there = until_there("the database", async || {
            tries += 1;
            if tries < 3 { Err(StoreError::Unavailable("not yet".into())) } else { Ok(tries) }
        });
        assert_eq!(there.await.unwrap(), 3);
        let wrong = until_there("the database", async || Err::<(), _>(StoreError::Corrupt("another schema".into())));
        assert!(matches!(wrong.await, Err(StoreError::Corrupt(_))));
    }
}
