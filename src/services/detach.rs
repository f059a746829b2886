//! A mutation runs in its own task: a caller who hangs up cannot tear it.

use super::status;
use tonic::Status;
use tracing::Instrument;

/// Runs to its end whatever becomes of the caller.
pub async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    match tokio::spawn(work.in_current_span()).await {
        Ok(result) => result,
        Err(error) => Err(status::internal(&format!("a call ended without an answer: {error}"))),
    }
}
