//! Work that runs beside the hot path: on the runtime of catalogs and reports, never on the cores that decide.

use super::status;
use tokio::runtime::Handle;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

/// Runs a reading on the pool; it ends when the caller hangs up.
///
/// # Errors
/// The work's own status; INTERNAL if it ended without one.
pub async fn read<T: Send + 'static>(
    pool: &Handle,
    work: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    AbortOnDropHandle::new(pool.spawn(work)).await.unwrap_or_else(|error| Err(lost(&error)))
}

/// Runs a change on the pool, to its end whatever becomes of the caller.
///
/// # Errors
/// The work's own status; INTERNAL if it ended without one.
pub async fn change<T: Send + 'static>(
    pool: &Handle,
    work: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    pool.spawn(work).await.unwrap_or_else(|error| Err(lost(&error)))
}

fn lost(error: &JoinError) -> Status {
    status::internal(&format!("work on the pool ended without an answer: {error}"))
}
