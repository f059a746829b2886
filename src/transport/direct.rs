//! The way past the router for the service that nearly every call is for: a router boxes and copies the service and both bodies
//! for each call.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tower::Service;

use super::size::CappedBody;

/// What answers the calls of a core, below the layers.
pub trait Answers:
    Service<Request<CappedBody>, Response = Response<Body>, Error = Infallible, Future: Unpin + Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> Answers for S where
    S: Service<Request<CappedBody>, Response = Response<Body>, Error = Infallible, Future: Unpin + Send>
        + Clone
        + Send
        + 'static
{
}

/// One service beside a router that has the others.
#[derive(Clone)]
pub struct Direct<S> {
    service: S,
    others: Routes,
}

impl<S> Direct<S> {
    /// Calls of `service` go to it, all others to the router.
    pub fn new(service: S, others: Routes) -> Self {
        Direct { service, others: others.prepare() }
    }
}

/// The answer of either.
pub enum DirectFuture<F> {
    /// Of the service.
    Direct(F),
    /// Of the router.
    Routed(Box<<Routes as Service<Request<CappedBody>>>::Future>),
}

impl<S> Service<Request<CappedBody>> for Direct<S>
where
    S: Service<Request<CappedBody>, Response = Response<Body>, Error = Infallible, Future: Unpin> + NamedService,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = DirectFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready.
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<CappedBody>) -> Self::Future {
        if is_of(S::NAME, request.uri().path()) {
            DirectFuture::Direct(self.service.call(request))
        } else {
            DirectFuture::Routed(Box::new(self.others.call(request)))
        }
    }
}

impl<F> Future for DirectFuture<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + Unpin,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            DirectFuture::Direct(answer) => Pin::new(answer).poll(cx),
            DirectFuture::Routed(answer) => Pin::new(answer).poll(cx),
        }
    }
}

/// Whether a path, `/package.Service/Method`, is of a service.
fn is_of(service: &str, path: &str) -> bool {
    let method = path.strip_prefix('/').and_then(|path| path.strip_prefix(service));
    method.is_some_and(|method| method.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_the_service_that_it_names_whole() {
        assert!(is_of("a.v1.B", "/a.v1.B/Get"));
        for path in ["/a.v1.BC/Get", "/a.v1.B", "a.v1.B/Get", "/a.v1/B/Get", "//a.v1.B/Get", ""] {
            assert!(!is_of("a.v1.B", path), "{path}");
        }
    }
}
