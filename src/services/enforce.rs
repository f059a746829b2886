//! The stream: the same operations, answered as they finish and told apart by their tags.

use super::quota::QuotaApi;
use super::status::{Reason, status, to_message};
use crate::proto::v1::{self, enforce_request::Operation, enforce_response::Result as One};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

/// Operations of one stream in work at once; more are not read until one is answered.
const IN_FLIGHT: usize = 256;

/// The answers of one stream.
pub type Answers = Pin<Box<dyn Stream<Item = Result<v1::EnforceResponse, Status>> + Send>>;

/// Answers a stream's requests until it ends, or the server drains.
pub fn start(api: QuotaApi, mut requests: Streaming<v1::EnforceRequest>, draining: CancellationToken) -> Answers {
    let (answers, receiver) = mpsc::channel(IN_FLIGHT);
    tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(IN_FLIGHT));
        loop {
            let request = tokio::select! {
                request = requests.next() => request,
                () = draining.cancelled() => {
                    let ending = status(Reason::ShuttingDown, "the server is shutting down", HashMap::new());
                    // What is in work is answered first: the channel closes when its last sender is gone.
                    let _ = places.acquire_many(IN_FLIGHT as u32).await;
                    let _ = answers.send(Err(ending)).await;
                    return;
                }
            };
            let request = match request {
                Some(Ok(request)) => request,
                Some(Err(error)) => {
                    let _ = answers.send(Err(error)).await;
                    return;
                }
                None => return,
            };
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let (api, answers) = (api.clone(), answers.clone());
            // An operation runs to its end whether or not the caller still listens.
            tokio::spawn(async move {
                let answer = answer(&api, request).await;
                let _ = answers.send(Ok(answer)).await;
                drop(place);
            });
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

async fn answer(api: &QuotaApi, request: v1::EnforceRequest) -> v1::EnforceResponse {
    let result = match request.operation {
        Some(Operation::Check(check)) => api.check_one(check).await.map(One::Check),
        Some(Operation::Reserve(reserve)) => api.reserve_one(reserve).await.map(One::Reserve),
        Some(Operation::Commit(commit)) => api.commit_one(commit).await.map(One::Commit),
        Some(Operation::Release(release)) => api.release_one(release).await.map(One::Release),
        Some(Operation::Extend(extend)) => api.extend_one(extend).await.map(One::Extend),
        Some(Operation::Consume(consume)) => api.consume_one(consume).await.map(One::Consume),
        Some(Operation::Free(free)) => api.free_one(free).await.map(One::Free),
        None => {
            let field = (String::from("operation"), String::from("is required"));
            Err(super::status::bad_fields(Reason::InvalidField, vec![field]))
        }
    };
    let result = result.unwrap_or_else(|error| One::Error(to_message(&error)));
    v1::EnforceResponse { tag: request.tag, result: Some(result) }
}
