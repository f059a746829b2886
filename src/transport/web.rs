//! gRPC-web for browsers: CORS outside, translation inside. A native gRPC call goes past both, since they cost it time and do
//! nothing for it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
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
    /// Not gRPC: refused.
    Neither,
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
        match way(&request) {
            Way::Native => WebFuture::Native(self.inner.call(request)),
            Way::Browser => {
                let service = self.cors.layer(GrpcWebLayer::new().layer(self.inner.clone()));
                WebFuture::Browser(Box::pin(service.oneshot(request)))
            }
            Way::Neither => WebFuture::Neither,
        }
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
            WebFuture::Neither => Poll::Ready(Ok(unsupported_media_type())),
        }
    }
}

/// Which way a request goes.
enum Way {
    Native,
    Browser,
    /// Not gRPC at all.
    Neither,
}

/// HTTP/1 and preflights are for the browser's way, which refuses by itself what is not gRPC-web.
fn way(request: &Request<Body>) -> Way {
    if request.version() != Version::HTTP_2 || request.method() == Method::OPTIONS {
        return Way::Browser;
    }
    match request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes) {
        Some(kind) if kind.starts_with(b"application/grpc-web") => Way::Browser,
        Some(kind) if kind.starts_with(b"application/grpc") => Way::Native,
        _ => Way::Neither,
    }
}

fn unsupported_media_type() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
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
