//! Sheds load: above a number of calls in flight, counted over all cores, a call is answered UNAVAILABLE at once, because a
//! refusal in time is worth more than a late answer. RESOURCE_EXHAUSTED would read as a spent quota. The number depends on the
//! call's rank: what ends something begun is refused last.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tower::Service;

use super::methods::{Methods, Rank};
use super::refusal;
use crate::telemetry::calls;

/// Counts the calls being worked on in the whole process and knows how many may be.
#[derive(Debug)]
pub struct InFlight {
    now: AtomicUsize,
    max: usize,
}

/// One call being worked on, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<InFlight>);

/// As many are being worked on as may be.
#[derive(Debug)]
pub(crate) struct Overload;

impl InFlight {
    /// At most `max` calls at a time that begin something, and as many more that end it.
    pub fn new(max: usize) -> Self {
        InFlight { now: AtomicUsize::new(0), max }
    }

    /// How many calls are being worked on.
    pub fn count(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// Counts one in of a rank; `None` counts not: an exempt call. What is no call of its own, an operation of a stream, is
    /// counted like one.
    ///
    /// # Errors
    /// [`Overload`] if there are too many; that is counted as shed.
    pub(crate) fn admit(self: &Arc<Self>, rank: Option<Rank>) -> Result<Option<Permit>, Overload> {
        let Some(rank) = rank else { return Ok(None) };
        match self.enter(rank) {
            Some(permit) => Ok(Some(permit)),
            None => {
                calls::sockets().shed[rank as usize].increment(1);
                Err(Overload)
            }
        }
    }

    /// Counts one call in, unless there are as many already as its rank allows. Relaxed: the number guards no other memory.
    fn enter(self: &Arc<Self>, rank: Rank) -> Option<Permit> {
        let permit = Permit(Arc::clone(self));
        if self.now.fetch_add(1, Ordering::Relaxed) < self.most(rank) { Some(permit) } else { None }
    }

    /// How many calls may be in flight for one more of a rank. What ends something has as many places again of its own: there is no
    /// more of it than was begun.
    fn most(&self, rank: Rank) -> usize {
        let percent = match rank {
            Rank::End => 200,
            Rank::Begin => 100,
            Rank::Look => 75,
            Rank::Report => 50,
        };
        (self.max.saturating_mul(percent) / 100).max(1)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The layer's service.
#[derive(Clone)]
pub(super) struct Shed<S> {
    pub(super) methods: Arc<Methods>,
    pub(super) in_flight: Arc<InFlight>,
    pub(super) inner: S,
}

/// The answer of [`Shed`]: the inner one, counted in flight until it is there, or a refusal.
pub(super) enum ShedFuture<F> {
    /// Counted in, or exempt.
    Admitted(F, #[allow(dead_code, reason = "held for its drop")] Option<Permit>),
    /// Refused.
    Refused,
}

impl<S> Service<Request<Body>> for Shed<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Unpin,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ShedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.in_flight.admit(self.methods.of(request.uri().path()).rank) {
            Ok(permit) => ShedFuture::Admitted(self.inner.call(request), permit),
            Err(Overload) => ShedFuture::Refused,
        }
    }
}

impl<F> Future for ShedFuture<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + Unpin,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            ShedFuture::Admitted(inner, _) => Pin::new(inner).poll(cx),
            ShedFuture::Refused => Poll::Ready(Ok(refusal::overloaded())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_something_is_refused_last() {
        let in_flight = Arc::new(InFlight::new(20));
        let ranks = [Rank::Report, Rank::Look, Rank::Begin, Rank::End];
        let mut held = Vec::new();
        let mut admitted = Vec::new();
        for rank in ranks {
            held.extend(std::iter::from_fn(|| in_flight.enter(rank)));
            admitted.push(held.len());
        }
        assert_eq!(admitted, [10, 15, 20, 40]);
        held.truncate(10);
        assert!(in_flight.enter(Rank::Report).is_none() && in_flight.enter(Rank::Look).is_some());
        assert_eq!(in_flight.count(), 10, "refused calls count no longer");
        assert!(Arc::new(InFlight::new(1)).enter(Rank::Report).is_some(), "one place is for everybody");
    }
}
