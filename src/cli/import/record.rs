//! Records the lines: batches of commits of reservations that nobody knows, several on their way at once.

use super::file::BadLine;
use super::row::Use;
use crate::client::{Client, Error};
use crate::proto::v1::{BatchCommitRequest, BatchCommitResult, CommitRequest, batch_commit_result::Result as One};
use prost::Message;
use std::time::Duration;
use tokio::task::JoinSet;
use tonic::Code;

/// Most items of one batch.
const BATCH: usize = 64;
/// Bytes of one batch: below the longest message that a server takes.
const BATCH_BYTES: usize = 48 << 10;
/// Batches on their way at once.
const AT_ONCE: usize = 8;
/// How often an item is sent that the server can't take at the moment.
const ATTEMPTS: u32 = 6;

/// What became of the lines.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Lines that were recorded now.
    pub(super) recorded: usize,
    /// Lines that had been recorded before.
    pub(super) repeated: usize,
    /// Lines that the server refused.
    pub(super) refused: Vec<BadLine>,
    /// Why the rest was not sent.
    pub(super) halted: Option<Error>,
}

/// Records all; tells `progress` after each batch how many lines are done.
pub(super) async fn record(client: &Client, uses: &[Use], mut progress: impl FnMut(usize)) -> Outcome {
    let mut batches = batches(uses).into_iter();
    let (mut running, mut outcome) = (JoinSet::new(), Outcome::default());
    loop {
        while outcome.halted.is_none()
            && running.len() < AT_ONCE
            && let Some(batch) = batches.next()
        {
            running.spawn(send(client.clone(), batch));
        }
        let Some(answer) = running.join_next().await else { break };
        // A task of ours does not panic and nobody else ends it.
        let Ok(done) = answer else { continue };
        outcome.recorded += done.recorded;
        outcome.repeated += done.repeated;
        outcome.refused.extend(done.refused);
        outcome.halted = outcome.halted.or(done.halted);
        progress(outcome.recorded + outcome.repeated + outcome.refused.len());
    }
    outcome.refused.sort_by_key(|(line, _)| *line);
    outcome
}

/// Lines of one tenant that go together.
#[derive(Debug, Default)]
struct Batch {
    lines: Vec<usize>,
    request: BatchCommitRequest,
}

fn batches(uses: &[Use]) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut bytes = 0;
    for used in uses {
        let commit = CommitRequest {
            reservation_id: used.id.clone(),
            request_id: used.id.clone(),
            charges: vec![used.charge.clone()],
            wait_for_durable: true,
            ..Default::default()
        };
        bytes += commit.encoded_len();
        let fits =
            |batch: &Batch| batch.request.tenant == used.tenant && batch.lines.len() < BATCH && bytes <= BATCH_BYTES;
        if !batches.last().is_some_and(fits) {
            bytes = commit.encoded_len();
            let request = BatchCommitRequest { tenant: used.tenant.clone(), requests: Vec::new() };
            batches.push(Batch { lines: Vec::new(), request });
        }
        if let Some(batch) = batches.last_mut() {
            batch.lines.push(used.line);
            batch.request.requests.push(commit);
        }
    }
    batches
}

/// Sends a batch, and again what the server could not take at the moment.
async fn send(client: Client, mut batch: Batch) -> Outcome {
    let mut outcome = Outcome::default();
    for attempt in 1..=ATTEMPTS {
        let answer = match client.batch_commit(batch.request.clone()).await {
            Ok(answer) => answer,
            Err(error) => {
                outcome.halted = Some(error);
                break;
            }
        };
        let mut again = Batch {
            request: BatchCommitRequest { tenant: batch.request.tenant, ..Default::default() },
            ..Default::default()
        };
        let sent = batch.lines.into_iter().zip(batch.request.requests);
        for ((line, request), BatchCommitResult { result }) in sent.zip(answer.results) {
            match result {
                Some(One::Response(done)) if done.replayed => outcome.repeated += 1,
                Some(One::Response(_)) => outcome.recorded += 1,
                Some(One::Error(error)) if error.code == Code::Unavailable as i32 && attempt < ATTEMPTS => {
                    again.lines.push(line);
                    again.request.requests.push(request);
                }
                Some(One::Error(error)) => outcome.refused.push((line, error.message)),
                None => outcome.refused.push((line, "the server's answer has no result".to_owned())),
            }
        }
        if again.lines.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100) * 2_u32.pow(attempt)).await;
        batch = again;
    }
    outcome
}
