//! Safe retries: only what could not be reached is sent again, with the same ids, within the call's deadline.

use super::error::{is_broken_transport, is_expired_timer};
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

/// When and how often a call is sent again.
///
/// Only UNAVAILABLE and a broken connection are retried: every write carries ids, so a repeat of one that had its
/// effect gets the first verdict. Any other error is an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included; 1 never retries.
    pub attempts: u32,
    /// Wait before the second attempt; it doubles with each further one. Shortened at random by up to a half.
    pub first_delay: Duration,
    /// Longest wait, unless the server asks for a longer one (`google.rpc.RetryInfo`).
    pub max_delay: Duration,
}

impl Default for RetryPolicy {
    /// 3 attempts, 50 ms doubling to 1 s.
    fn default() -> Self {
        RetryPolicy { attempts: 3, first_delay: Duration::from_millis(50), max_delay: Duration::from_secs(1) }
    }
}

impl RetryPolicy {
    /// The wait after attempt number `attempt` (from 1), where `random` decides how much of it is left out.
    pub(super) fn delay(&self, attempt: u32, random: u32) -> Duration {
        let doubled = self.first_delay.saturating_mul(1u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
        let half = doubled.min(self.max_delay) / 2;
        // A share of the other half, in 1024ths: enough steps to spread callers that failed together.
        half + half * (random % 1025) / 1024
    }
}

/// Sends `request` until it is answered, its attempts are used up, or another attempt would pass the deadline.
pub(super) async fn run<Q, A, S, F>(policy: RetryPolicy, timeout: Duration, request: Q, send: S) -> Result<A, Status>
where
    Q: Clone,
    S: Fn(Request<Q>) -> F,
    F: Future<Output = Result<Response<A>, Status>>,
{
    let deadline = Instant::now() + timeout;
    let mut attempt = 1;
    loop {
        let status = match once(deadline, timeout, request.clone(), &send).await {
            Ok(answer) => return Ok(answer),
            Err(status) => status,
        };
        if attempt >= policy.attempts || !may_retry(&status) {
            return Err(status);
        }
        let wait = wait_after(&policy, attempt, &status);
        if Instant::now() + wait >= deadline {
            return Err(status);
        }
        tokio::time::sleep(wait).await;
        attempt += 1;
    }
}

/// One attempt, told to the server with the time that is left.
async fn once<Q, A, S, F>(deadline: Instant, timeout: Duration, message: Q, send: &S) -> Result<A, Status>
where
    S: Fn(Request<Q>) -> F,
    F: Future<Output = Result<Response<A>, Status>>,
{
    let mut request = Request::new(message);
    request.set_timeout(deadline.saturating_duration_since(Instant::now()));
    let late = || Status::deadline_exceeded(format!("no answer within {timeout:?}"));
    match tokio::time::timeout_at(deadline, send(request)).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) if is_expired_timer(&status) => Err(late()),
        Ok(Err(status)) => Err(status),
        Err(_) => Err(late()),
    }
}

/// Whether the call may be sent again.
fn may_retry(status: &Status) -> bool {
    status.code() == Code::Unavailable || is_broken_transport(status)
}

/// How long to wait: the policy's back-off, and never less than the server asks for.
fn wait_after(policy: &RetryPolicy, attempt: u32, status: &Status) -> Duration {
    // The low bits of a fresh version 7 UUID are random: jitter without a generator of our own.
    let random = uuid::Uuid::now_v7().as_u128() as u32;
    let own = policy.delay(attempt, random);
    status.get_details_retry_info().and_then(|info| info.retry_delay).map_or(own, |asked| asked.max(own))
}
