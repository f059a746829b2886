//! Batches: each item decides by itself; answers come in order.

use super::detach::{Detached, detached};
use super::quota::QuotaApi;
use super::status::{internal, to_message};
use super::violations::Violations;
use crate::proto::v1;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::Status;

/// Most items of one batch.
const MAX_ITEMS: usize = 64;

/// Up to 64 reserves.
pub async fn reserve(api: &QuotaApi, request: v1::BatchReserveRequest) -> Result<v1::BatchReserveResponse, Status> {
    use v1::batch_reserve_result::Result as One;
    let items = prepare(&request.tenant, request.requests, |item| &mut item.tenant)?;
    let answers = all(api, items, |api, item| async move { api.reserve_one(item).await }).await?;
    let results = answers.into_iter().map(|answer| v1::BatchReserveResult {
        result: Some(answer.map_or_else(|error| One::Error(to_message(&error)), One::Response)),
    });
    Ok(v1::BatchReserveResponse { results: results.collect() })
}

/// Up to 64 commits.
pub async fn commit(api: &QuotaApi, request: v1::BatchCommitRequest) -> Result<v1::BatchCommitResponse, Status> {
    use v1::batch_commit_result::Result as One;
    let items = prepare(&request.tenant, request.requests, |item| &mut item.tenant)?;
    let answers = all(api, items, |api, item| async move { api.commit_one(item).await }).await?;
    let results = answers.into_iter().map(|answer| v1::BatchCommitResult {
        result: Some(answer.map_or_else(|error| One::Error(to_message(&error)), One::Response)),
    });
    Ok(v1::BatchCommitResponse { results: results.collect() })
}

/// Up to 64 consumes.
pub async fn consume(api: &QuotaApi, request: v1::BatchConsumeRequest) -> Result<v1::BatchConsumeResponse, Status> {
    use v1::batch_consume_result::Result as One;
    let items = prepare(&request.tenant, request.requests, |item| &mut item.tenant)?;
    let answers = all(api, items, |api, item| async move { api.consume_one(item).await }).await?;
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

/// Begins all in order, so that they share a group commit, and awaits all. They are one piece of work: what is given up goes on to
/// its end as a whole, and what panics is the one item's fault.
fn all<I, T, F>(api: &QuotaApi, items: Vec<I>, one: impl Fn(QuotaApi, I) -> F) -> Detached<Vec<Result<T, Status>>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Status>> + Send + 'static,
{
    let begun: Vec<Item<F, T>> = items.into_iter().map(|item| Item::Begun(Box::pin(one(api.clone(), item)))).collect();
    detached(together(begun))
}

/// One item of a batch.
enum Item<F, T> {
    Begun(Pin<Box<F>>),
    Ended(Result<T, Status>),
}

impl<T, F: Future<Output = Result<T, Status>>> Item<F, T> {
    /// Whether it has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let Item::Begun(work) = self else { return true };
        *self = match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(answer)) => Item::Ended(answer),
            Err(_) => Item::Ended(Err(internal("a panic in one item of a batch"))),
        };
        true
    }
}

/// The answers of all, in order. Who is woken looks at each: they wait for the same commit, or the same script.
async fn together<T, F: Future<Output = Result<T, Status>>>(
    mut items: Vec<Item<F, T>>,
) -> Result<Vec<Result<T, Status>>, Status> {
    poll_fn(|cx| {
        // Each is asked, also after one that has not ended.
        let open = items.iter_mut().map(|item| item.poll(cx)).filter(|ended| !ended).count();
        if open == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let answer = |item| match item {
        Item::Ended(answer) => answer,
        Item::Begun(_) => Err(internal("an item of a batch that did not end")),
    };
    Ok(items.into_iter().map(answer).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    /// Items that end once they are told to, with the number of them that have ended.
    fn items(count: usize, word: &Arc<Notify>, ended: &Arc<AtomicUsize>) -> Vec<Item<Work, usize>> {
        let item = |number| {
            let (word, ended) = (word.clone(), ended.clone());
            let work: Work = Box::pin(async move {
                word.notified().await;
                assert!(number != 1, "as a test");
                ended.fetch_add(1, Ordering::SeqCst);
                if number == 2 { Err(Status::aborted("no")) } else { Ok(number) }
            });
            Item::Begun(Box::pin(work))
        };
        (0..count).map(item).collect()
    }

    type Work = Pin<Box<dyn Future<Output = Result<usize, Status>> + Send>>;

    #[tokio::test]
    async fn answers_come_in_order_and_a_panic_is_one_items_fault() {
        let (word, ended) = (Arc::<Notify>::default(), Arc::default());
        let all = tokio::spawn(detached(together(items(4, &word, &ended))));
        while ended.load(Ordering::SeqCst) < 3 {
            word.notify_waiters();
            tokio::task::yield_now().await;
        }
        let answers = all.await.unwrap().unwrap();
        let told: Vec<_> = answers.iter().map(|answer| answer.as_ref().map_err(Status::code)).collect();
        assert_eq!(told, [Ok(&0), Err(tonic::Code::Internal), Err(tonic::Code::Aborted), Ok(&3)]);
    }

    #[tokio::test]
    async fn a_batch_that_is_given_up_goes_on_to_its_end() {
        let (word, ended) = (Arc::<Notify>::default(), Arc::default());
        let mut all = detached(together(items(4, &word, &ended)));
        assert!(poll_fn(|cx| Poll::Ready(Pin::new(&mut all).poll(cx).is_pending())).await);
        drop(all);
        while ended.load(Ordering::SeqCst) < 3 {
            word.notify_waiters();
            tokio::task::yield_now().await;
        }
    }
}
