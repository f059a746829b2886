//! Sheds load: above a number of calls in flight, counted over all cores, a call is answered UNAVAILABLE at once, because a
//! refusal in time is worth more than a late answer. RESOURCE_EXHAUSTED would read as a spent quota.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tower::Service;

use super::methods::Methods;
use super::refusal;
use crate::telemetry::metrics;

/// Counts the calls being worked on in the whole process and knows how many may be.
#[derive(Debug)]
pub struct InFlight {
    now: AtomicUsize,
    max: usize,
}

/// One call being worked on, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<InFlight>);

impl InFlight {
    /// At most `max` calls at a time.
    pub fn new(max: usize) -> Self {
        InFlight { now: AtomicUsize::new(0), max }
    }

    /// How many calls are being worked on.
    pub fn count(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// Counts one call in, unless there are `max` already. Relaxed: the number guards no other memory.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Permit> {
        let permit = Permit(Arc::clone(self));
        if self.now.fetch_add(1, Ordering::Relaxed) < self.max { Some(permit) } else { None }
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
        if !self.methods.of(request.uri().path()).sheddable {
            return ShedFuture::Admitted(self.inner.call(request), None);
        }
        match self.in_flight.enter() {
            Some(permit) => ShedFuture::Admitted(self.inner.call(request), Some(permit)),
            None => {
                metrics::sockets().shed.increment(1);
                ShedFuture::Refused
            }
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
