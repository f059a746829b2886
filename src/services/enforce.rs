//! The stream: the same operations, answered as they finish and told apart by their tags, and counted among what is in work
//! like calls.

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

/// A place among what is in work, until it is dropped.
pub type Place = Box<dyn Send>;

/// Counts an operation in like a call of the RPC at this path; `None`: too many are in work.
pub type Admission = Arc<dyn Fn(&'static str) -> Option<Place> + Send + Sync>;

/// The answers of one stream.
pub type Answers = Pin<Box<dyn Stream<Item = Result<v1::EnforceResponse, Status>> + Send>>;

/// Answers a stream's requests until it ends, or the server drains.
pub fn start(
    api: QuotaApi,
    mut requests: Streaming<v1::EnforceRequest>,
    draining: CancellationToken,
    admission: Admission,
) -> Answers {
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
            let Ok(turn) = places.clone().acquire_owned().await else { return };
            let Some(place) = admission(path(&request)) else {
                // Nothing more is read until the caller takes the refusal: a stream of them holds no memory.
                let _ = answers.send(Ok(overloaded(request.tag))).await;
                continue;
            };
            let (api, answers) = (api.clone(), answers.clone());
            // An operation runs to its end whether or not the caller still listens.
            tokio::spawn(async move {
                let answer = answer(&api, request).await;
                // The work is done, however long the caller takes to read of it.
                drop(place);
                let _ = answers.send(Ok(answer)).await;
                drop(turn);
            });
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

/// The RPC that the operation would be as a call of its own; without an operation it is what the whole stream is.
fn path(request: &v1::EnforceRequest) -> &'static str {
    match &request.operation {
        Some(Operation::Check(_)) => "/quotad.v1.QuotaService/Check",
        Some(Operation::Reserve(_)) => "/quotad.v1.QuotaService/Reserve",
        Some(Operation::Commit(_)) => "/quotad.v1.QuotaService/Commit",
        Some(Operation::Release(_)) => "/quotad.v1.QuotaService/Release",
        Some(Operation::Extend(_)) => "/quotad.v1.QuotaService/Extend",
        Some(Operation::Consume(_)) => "/quotad.v1.QuotaService/Consume",
        Some(Operation::Free(_)) => "/quotad.v1.QuotaService/Free",
        None => "/quotad.v1.QuotaService/Enforce",
    }
}

/// The answer to an operation that has no place.
fn overloaded(tag: u64) -> v1::EnforceResponse {
    let error = status(Reason::Overloaded, "too many calls are being worked on; retry", HashMap::new());
    v1::EnforceResponse { tag, result: Some(One::Error(to_message(&error))) }
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
