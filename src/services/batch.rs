//! Batches: each item decides by itself; answers come in order.

use super::quota::QuotaApi;
use super::status::to_message;
use super::violations::Violations;
use crate::proto::v1;
use tonic::Status;

/// Most items of one batch.
const MAX_ITEMS: usize = 64;

/// Up to 64 reserves.
pub async fn reserve(api: &QuotaApi, request: v1::BatchReserveRequest) -> Result<v1::BatchReserveResponse, Status> {
    use v1::batch_reserve_result::Result as One;
    let items = prepare(&request.tenant, request.requests, |item| &mut item.tenant)?;
    let answers = all(api, items, |api, item| async move { api.reserve_one(item).await }).await;
    let results = answers.into_iter().map(|answer| v1::BatchReserveResult {
        result: Some(answer.map_or_else(|error| One::Error(to_message(&error)), One::Response)),
    });
    Ok(v1::BatchReserveResponse { results: results.collect() })
}

/// Up to 64 commits.
pub async fn commit(api: &QuotaApi, request: v1::BatchCommitRequest) -> Result<v1::BatchCommitResponse, Status> {
    use v1::batch_commit_result::Result as One;
    let items = prepare(&request.tenant, request.requests, |item| &mut item.tenant)?;
    let answers = all(api, items, |api, item| async move { api.commit_one(item).await }).await;
    let results = answers.into_iter().map(|answer| v1::BatchCommitResult {
        result: Some(answer.map_or_else(|error| One::Error(to_message(&error)), One::Response)),
    });
    Ok(v1::BatchCommitResponse { results: results.collect() })
}

/// Up to 64 consumes.
pub async fn consume(api: &QuotaApi, request: v1::BatchConsumeRequest) -> Result<v1::BatchConsumeResponse, Status> {
    use v1::batch_consume_result::Result as One;
    let items = prepare(&request.tenant, request.requests, |item| &mut item.tenant)?;
    let answers = all(api, items, |api, item| async move { api.consume_one(item).await }).await;
    let results = answers.into_iter().map(|answer| v1::BatchConsumeResult {
        result: Some(answer.map_or_else(|error| One::Error(to_message(&error)), One::Response)),
    });
    Ok(v1::BatchConsumeResponse { results: results.collect() })
}

/// Checks the batch as a whole and gives every item its tenant.
fn prepare<T>(tenant: &str, mut items: Vec<T>, tenant_of: impl Fn(&mut T) -> &mut String) -> Result<Vec<T>, Status> {
    let mut bad = Violations::default();
    super::convert::charge::tenant(tenant, &mut bad);
    if items.is_empty() || items.len() > MAX_ITEMS {
        bad.add("requests", "must have 1 to 64 items");
    }
    for (index, item) in items.iter_mut().enumerate().take(MAX_ITEMS) {
        let own = tenant_of(item);
        if own.is_empty() {
            tenant.clone_into(own);
        } else if own != tenant {
            bad.add(format!("requests[{index}].tenant"), "must be empty or the batch's tenant");
        }
    }
    bad.finish()?;
    Ok(items)
}

/// Starts all in order, so that they share a group commit, and awaits all.
async fn all<I, T, F>(api: &QuotaApi, items: Vec<I>, one: impl Fn(QuotaApi, I) -> F) -> Vec<Result<T, Status>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Status>> + Send + 'static,
{
    let started: Vec<_> = items.into_iter().map(|item| tokio::spawn(one(api.clone(), item))).collect();
    let mut answers = Vec::with_capacity(started.len());
    for task in started {
        answers.push(task.await.unwrap_or_else(|error| Err(super::status::internal(&error.to_string()))));
    }
    answers
}
