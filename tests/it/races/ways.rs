//! Three ways to send the same calls: one by one, as a batch, over the stream.

use quotad::proto::v1::{
    BatchCommitRequest, BatchReserveRequest, CommitRequest, CommitResponse, EnforceRequest, ReserveRequest,
    ReserveResponse, batch_commit_result, batch_reserve_result, enforce_request::Operation, enforce_response,
    quota_service_client::QuotaServiceClient,
};
use rand::{RngExt, rngs::StdRng};
use tonic::transport::Channel;

/// How to send.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Unary,
    Batch,
    Stream,
}

impl Way {
    /// Any of them.
    pub(super) fn random(rng: &mut StdRng) -> Way {
        [Way::Unary, Way::Batch, Way::Stream][rng.random_range(0..3)]
    }

    /// Sends all, and answers in their order.
    pub(super) async fn reserve(
        self,
        quota: &mut QuotaServiceClient<Channel>,
        requests: Vec<ReserveRequest>,
    ) -> Vec<ReserveResponse> {
        let mut answers = Vec::new();
        match self {
            Way::Unary => {
                for request in requests {
                    answers.push(quota.reserve(request).await.unwrap().into_inner());
                }
            }
            Way::Batch => {
                let batch = BatchReserveRequest { tenant: requests[0].tenant.clone(), requests };
                for result in quota.batch_reserve(batch).await.unwrap().into_inner().results {
                    match result.result {
                        Some(batch_reserve_result::Result::Response(response)) => answers.push(response),
                        other => panic!("{other:?}"),
                    }
                }
            }
            Way::Stream => {
                for answer in stream(quota, requests.into_iter().map(Operation::Reserve).collect()).await {
                    match answer {
                        enforce_response::Result::Reserve(response) => answers.push(response),
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
        answers
    }

    /// Sends all, and answers in their order.
    pub(super) async fn commit(
        self,
        quota: &mut QuotaServiceClient<Channel>,
        requests: Vec<CommitRequest>,
    ) -> Vec<CommitResponse> {
        let mut answers = Vec::new();
        match self {
            _ if requests.is_empty() => {}
            Way::Unary => {
                for request in requests {
                    answers.push(quota.commit(request).await.unwrap().into_inner());
                }
            }
            Way::Batch => {
                let batch = BatchCommitRequest { tenant: requests[0].tenant.clone(), requests };
                for result in quota.batch_commit(batch).await.unwrap().into_inner().results {
                    match result.result {
                        Some(batch_commit_result::Result::Response(response)) => answers.push(response),
                        other => panic!("{other:?}"),
                    }
                }
            }
            Way::Stream => {
                for answer in stream(quota, requests.into_iter().map(Operation::Commit).collect()).await {
                    match answer {
                        enforce_response::Result::Commit(response) => answers.push(response),
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
        answers
    }
}

/// One stream for all operations; its answers come as they finish and are put in order by their tags.
async fn stream(quota: &mut QuotaServiceClient<Channel>, operations: Vec<Operation>) -> Vec<enforce_response::Result> {
    let count = operations.len();
    let requests = operations
        .into_iter()
        .enumerate()
        .map(|(tag, operation)| EnforceRequest { tag: tag as u64, operation: Some(operation) });
    let requests: Vec<EnforceRequest> = requests.collect();
    let mut answers = quota.enforce(tokio_stream::iter(requests)).await.unwrap().into_inner();
    let mut results: Vec<Option<enforce_response::Result>> = vec![None; count];
    while let Some(answer) = answers.message().await.unwrap() {
        let place = &mut results[usize::try_from(answer.tag).unwrap()];
        assert!(place.is_none(), "tag {} is answered twice", answer.tag);
        *place = answer.result;
    }
    results.into_iter().map(|result| result.expect("every tag is answered")).collect()
}
