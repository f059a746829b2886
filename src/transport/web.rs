//! gRPC-web for browsers: CORS outside, translation inside. A native gRPC call goes past both, since they cost it time and do
//! nothing for it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Request, Response, Uri, Version, header};
use tonic::Status;
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower::{Layer, Service, ServiceExt};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// How long a browser may remember that it may call.
const PREFLIGHT_AGE: Duration = Duration::from_secs(3600);

/// The layer's service.
#[derive(Clone)]
pub(super) struct Web<S> {
    pub(super) cors: Arc<CorsLayer>,
    pub(super) inner: S,
}

/// The answer of [`Web`]: straight from the service, or translated.
pub(super) enum WebFuture<F> {
    /// Native gRPC.
    Native(F),
    /// From a browser.
    Browser(Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>),
}

impl<S> Service<Request<Body>> for Web<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Unpin + Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = WebFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if is_native(&request) {
            return WebFuture::Native(self.inner.call(request));
        }
        let service = self.cors.layer(GrpcWebLayer::new().layer(self.inner.clone()));
        WebFuture::Browser(Box::pin(service.oneshot(request)))
    }
}

impl<F> Future for WebFuture<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + Unpin,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            WebFuture::Native(inner) => Pin::new(inner).poll(cx),
            WebFuture::Browser(inner) => inner.as_mut().poll(cx),
        }
    }
}

/// HTTP/2, not a preflight, not a gRPC-web content type.
fn is_native(request: &Request<Body>) -> bool {
    let is_web = |kind: &HeaderValue| kind.as_bytes().starts_with(b"application/grpc-web");
    request.version() == Version::HTTP_2
        && request.method() != Method::OPTIONS
        && !request.headers().get(header::CONTENT_TYPE).is_some_and(is_web)
}

/// The rules for browsers. `origins` are the web pages that may call, for example `https://console.example.com`, and `*`
/// stands for all. With none listed only pages served from this machine may: any page that somebody visits could otherwise
/// reach a server on the visitor's loopback.
pub(super) fn cors(origins: &[String]) -> CorsLayer {
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        let origins = origins.to_vec();
        AllowOrigin::predicate(move |origin, _| match origins.is_empty() {
            true => is_loopback(origin),
            false => origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()),
        })
    };
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([Status::GRPC_STATUS, Status::GRPC_MESSAGE, Status::GRPC_STATUS_DETAILS] as [HeaderName; 3])
        .max_age(PREFLIGHT_AGE)
}

fn is_loopback(origin: &HeaderValue) -> bool {
    let uri = Uri::try_from(origin.as_bytes());
    uri.is_ok_and(|uri| matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for (origin, expected) in [
            ("http://localhost:3000", true),
            ("http://127.0.0.1", true),
            ("https://[::1]:8443", true),
            ("http://localhost.evil.example", false),
            ("http://evil.example/localhost", false),
            ("null", false),
        ] {
            assert_eq!(is_loopback(&HeaderValue::from_static(origin)), expected, "{origin}");
        }
    }
}
