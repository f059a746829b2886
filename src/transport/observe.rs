//! Sees every call from the outside: catches panics, counts and times answers, and writes one line for a fault. Denials and bad
//! requests are the callers' affair and only counted.

use std::any::Any;
use std::convert::Infallible;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{Request, Response, StatusCode};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Service;

use super::methods::{Method, Methods};
use super::refusal;
use crate::telemetry::{fields, traces};

/// The layer's service.
#[derive(Clone)]
pub(super) struct Observe<S> {
    pub(super) methods: Arc<Methods>,
    pub(super) inner: S,
}

/// The answer of [`Observe`].
pub(super) struct ObserveFuture<F> {
    inner: Result<F, Panic>,
    method: Arc<Method>,
    started: Instant,
    span: tracing::Span,
    /// A browser's question before the call, which is none itself.
    preflight: bool,
}

/// A panic that was caught. The panic hook has written its line already.
struct Panic;

impl From<Box<dyn Any + Send>> for Panic {
    fn from(_: Box<dyn Any + Send>) -> Self {
        Panic
    }
}

impl<S> Service<Request<Body>> for Observe<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Unpin,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ObserveFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let started = Instant::now();
        let method = Arc::clone(self.methods.of(request.uri().path()));
        let preflight = request.method() == http::Method::OPTIONS;
        let span = traces::call(&method.rpc, request.headers());
        let entered = span.clone().entered();
        // Unwind safe: what a panicking call leaves behind is dropped, never looked at.
        let inner = catch_unwind(AssertUnwindSafe(|| self.inner.call(request))).map_err(Panic::from);
        drop(entered);
        ObserveFuture { inner, method, started, span, preflight }
    }
}

impl<F> Future for ObserveFuture<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + Unpin,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let entered = this.span.enter();
        let answer = match &mut this.inner {
            Ok(inner) => catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll(cx))).map_err(Panic::from),
            Err(Panic) => Err(Panic),
        };
        drop(entered);
        let response = match answer {
            Ok(answer) => {
                let Ok(response) = ready!(answer);
                self.log_fault(&response);
                response
            }
            Err(Panic) => refusal::panicked(),
        };
        if !self.preflight {
            self.count(&response);
        }
        Poll::Ready(Ok(response))
    }
}

impl<F> ObserveFuture<F> {
    fn count(&self, response: &Response<Body>) {
        let took = self.started.elapsed();
        let code = code(response);
        self.span.record("rpc.grpc.status_code", code.map(|code| code as i32));
        self.method.metrics.answered(code.map(|code| code as usize), took);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        tracing::debug!({ fields::RPC } = self.method.rpc, { fields::CODE } = ?code, { fields::MICROS } = micros, "call");
    }

    /// One line for a fault of the server, with the causes that the service left in the status.
    fn log_fault(&self, response: &Response<Body>) {
        if !matches!(code(response), Some(Code::Internal | Code::Unknown | Code::DataLoss)) {
            return;
        }
        let read_back;
        let status = match response.extensions().get::<Status>() {
            Some(status) => status,
            None => {
                read_back = Status::from_header_map(response.headers()).unwrap_or_else(|| Status::unknown(""));
                &read_back
            }
        };
        if is_fault(status) {
            let (code, error) = (status.code(), with_causes(status));
            tracing::error!({ fields::RPC } = self.method.rpc, { fields::CODE } = ?code, { fields::ERROR } = error, "call failed");
        }
    }
}

/// Whether an answer tells of a fault of the server. The services give every fault of theirs a reason in the details or a
/// cause; an INTERNAL with neither comes from the library below, for a malformed message, and a line in the log for each
/// would let a caller fill the disk.
pub(super) fn is_fault(status: &Status) -> bool {
    matches!(status.code(), Code::Internal | Code::Unknown | Code::DataLoss)
        && (!status.details().is_empty() || status.source().is_some())
}

/// The code of an answer as far as its head tells: an error stands in the head, and a stream may still fail later. `None` is
/// an answer below gRPC, for example 415 for a content type that is not gRPC's.
fn code(response: &Response<Body>) -> Option<Code> {
    match response.headers().get(Status::GRPC_STATUS) {
        Some(code) => Some(Code::from_bytes(code.as_bytes())),
        None => (response.status() == StatusCode::OK).then_some(Code::Ok),
    }
}

fn with_causes(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut cause = status.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
