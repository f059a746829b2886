//! Ends a unary call when its time is up: the caller's `grpc-timeout` or the method's own limit, whichever is shorter. tonic's
//! timer would answer CANCELLED; this one comes a little earlier and answers DEADLINE_EXCEEDED.
//!
//! A call that can't be answered in the time that is left, as the counter store is at the moment, is refused before anything is
//! done, as overload is: UNAVAILABLE, and when to come again. What ends something is tried all the same.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use tokio::time::Instant;
use tonic::body::Body;
use tower::Service;

use super::methods::{Methods, Rank};
use super::refusal;
use super::timer::Timer;
use crate::telemetry::calls;
use crate::telemetry::pace::Pace;

/// How much earlier than the caller's deadline the answer leaves, so that it arrives before the caller's own timer fires.
const LEAD: Duration = Duration::from_millis(20);

/// The layer's service.
#[derive(Clone)]
pub(super) struct Deadline<S> {
    pub(super) methods: Arc<Methods>,
    pub(super) pace: Arc<Pace>,
    pub(super) inner: S,
}

/// The answer of [`Deadline`].
pub(super) enum DeadlineFuture<F> {
    /// A stream: no deadline.
    Unbounded(F),
    /// The time was up before the call began: nothing was started.
    Expired,
    /// The time that is left will not do: nothing was started.
    TooLate,
    /// Waiting for the service, and for the clock once the service has let it wait.
    Running {
        /// The service's answer; taken out when the time is up, which stops the handler.
        inner: Option<F>,
        /// When the time is up.
        until: Instant,
        /// Made at the first wait, because a timer costs more than a call that never waits.
        timer: Option<Timer>,
    },
}

impl<S> Service<Request<Body>> for Deadline<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Unpin,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = DeadlineFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = self.methods.of(request.uri().path());
        let (rank, Some(longest)) = (method.rank, method.deadline) else {
            return DeadlineFuture::Unbounded(self.inner.call(request));
        };
        let time = time_left(request.headers(), longest);
        if time.is_zero() {
            return DeadlineFuture::Expired;
        }
        if let Some(rank @ (Rank::Begin | Rank::Look)) = rank
            && !self.pace.allows(time, self.pace.now())
        {
            calls::sockets().too_late[rank as usize].increment(1);
            return DeadlineFuture::TooLate;
        }
        let until = Instant::now() + time;
        DeadlineFuture::Running { inner: Some(self.inner.call(request)), until, timer: None }
    }
}

impl<F> Future for DeadlineFuture<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + Unpin,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (inner, until, timer) = match &mut *self {
            DeadlineFuture::Unbounded(inner) => return Pin::new(inner).poll(cx),
            DeadlineFuture::Expired => return Poll::Ready(Ok(refusal::deadline_exceeded())),
            DeadlineFuture::TooLate => return Poll::Ready(Ok(refusal::too_late())),
            DeadlineFuture::Running { inner, until, timer } => (inner, until, timer),
        };
        if let Some(running) = inner
            && let Poll::Ready(answer) = Pin::new(running).poll(cx)
        {
            return Poll::Ready(answer);
        }
        timer.get_or_insert_with(|| Timer::begin(*until, cx)).poll(cx).map(|()| {
            *inner = None;
            Ok(refusal::deadline_exceeded())
        })
    }
}

/// How long the call may take. A malformed `grpc-timeout` counts as none (RELIABILITY 3.10, 28-30).
fn time_left(headers: &HeaderMap, longest: Duration) -> Duration {
    let Some(asked) = headers.get("grpc-timeout").and_then(|value| parse_timeout(value.as_bytes())) else {
        return longest;
    };
    // A fifth at most, so that a short deadline is not eaten up by the lead.
    let lead = LEAD.min(asked / 5);
    (asked - lead).min(longest)
}

/// `grpc-timeout`: one to eight digits and a unit.
fn parse_timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0, |number: u64, digit| number * 10 + u64::from(digit - b'0'));
    match unit {
        b'H' => Some(Duration::from_secs(number * 3600)),
        b'M' => Some(Duration::from_secs(number * 60)),
        b'S' => Some(Duration::from_secs(number)),
        b'm' => Some(Duration::from_millis(number)),
        b'u' => Some(Duration::from_micros(number)),
        b'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::methods::Exception;
    use tonic_types::StatusExt;
    use tower::ServiceExt;

    fn left(timeout: &'static str) -> Duration {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("grpc-timeout"),
            http::HeaderValue::from_static(timeout),
        )]);
        time_left(&headers, Duration::from_secs(10))
    }

    #[test]
    fn the_shorter_time_counts() {
        assert_eq!(time_left(&HeaderMap::new(), Duration::from_secs(10)), Duration::from_secs(10));
        assert_eq!(left("1S"), Duration::from_millis(980));
        assert_eq!(left("2M"), Duration::from_secs(10));
        assert_eq!(left("99999999H"), Duration::from_secs(10));
        assert_eq!(left("10m"), Duration::from_millis(8));
        assert_eq!(left("500u"), Duration::from_micros(400));
        assert_eq!(left("0n"), Duration::ZERO);
        assert_eq!(left("0H"), Duration::ZERO);
    }

    #[test]
    fn malformed_counts_as_none() {
        for text in ["abc", "", "S", "1", "1s", "-1S", "1.5S", "123456789m", "+1S", " 1S"] {
            assert_eq!(left(text), Duration::from_secs(10), "{text:?}");
        }
    }

    /// The answers to a call of each rank with so much time, while a step takes a second.
    async fn answers(timeout: &'static str) -> Vec<(Rank, tonic::Code)> {
        let ranks = [
            ("Commit", Rank::End),
            ("Reserve", Rank::Begin),
            ("Check", Rank::Look),
            ("ListReservations", Rank::Report),
        ];
        let paths = ranks.map(|(name, rank)| (&*format!("/quotad.v1.QuotaService/{name}").leak(), rank));
        let exceptions = paths.map(|(path, rank)| Exception { path, rank: Some(rank), ..Exception::default() });
        let served = ["quotad.v1.QuotaService"];
        let methods = Methods::new(&[crate::proto::DESCRIPTORS], &served, Duration::from_secs(10), &exceptions);
        let pace = Arc::new(Pace::default());
        // Measured in a minute, so that it is fresh however slow the test is.
        let minute = pace.now() + Duration::from_secs(60);
        (0..999).for_each(|_| pace.note(Duration::from_secs(1), minute));
        let reached = tower::service_fn(|_| std::future::ready(Ok(tonic::Status::not_found("reached").into_http())));
        let layer = Deadline { methods: Arc::new(methods.expect("good descriptors")), pace, inner: reached };
        let mut answers = Vec::new();
        for (path, rank) in paths {
            let request = Request::post(path).header("grpc-timeout", timeout).body(Body::empty()).expect("a request");
            let Ok(response) = layer.clone().oneshot(request).await;
            let status = tonic::Status::from_header_map(response.headers()).expect("grpc-status");
            if status.code() == tonic::Code::Unavailable {
                assert_eq!(status.get_details_error_info().expect("ErrorInfo").reason, "OVERLOADED");
                assert!(status.get_details_retry_info().expect("RetryInfo").retry_delay.is_some());
            }
            answers.push((rank, status.code()));
        }
        answers
    }

    #[tokio::test]
    async fn what_can_not_be_answered_in_time_is_refused_before_it_begins() {
        use tonic::Code::{DeadlineExceeded as Expired, NotFound as Reached, Unavailable as TooLate};
        let ranks = [Rank::End, Rank::Begin, Rank::Look, Rank::Report];
        let of = |codes: [tonic::Code; 4]| ranks.into_iter().zip(codes).collect::<Vec<_>>();
        assert_eq!(answers("5S").await, of([Reached, Reached, Reached, Reached]), "there is time");
        assert_eq!(
            answers("500m").await,
            of([Reached, TooLate, TooLate, Reached]),
            "an end is tried; a report asks others"
        );
        assert_eq!(answers("0n").await, of([Expired; 4]), "nobody waits any more");
    }
}
