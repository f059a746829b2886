//! The HTTP port: `/healthz`, `/readyz` and `/metrics`, apart from gRPC so that probes and scrapers need no client of it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::acceptor;
use super::health::Health;
use crate::telemetry::metrics;

/// How long open requests may take to end at shutdown.
const DRAIN: Duration = Duration::from_secs(1);

/// The format of `/metrics`.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the pages show.
#[derive(Clone)]
pub struct HttpState {
    /// Behind `/readyz`.
    pub health: Health,
    /// Behind `/metrics`.
    pub metrics: PrometheusHandle,
    /// Called before each `/metrics`, to set gauges that nobody keeps up to date.
    pub before_scrape: Arc<dyn Fn() + Send + Sync>,
}

/// The HTTP port while it listens. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct HttpServer {
    local_addr: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    upkeep: JoinHandle<()>,
}

/// Listens on `addr` and serves on `runtime`, together with the upkeep of the metrics.
///
/// # Errors
/// An address that can't be listened on.
pub fn start(addr: SocketAddr, runtime: &Handle, state: HttpState) -> io::Result<HttpServer> {
    let listener = {
        let _context = runtime.enter();
        acceptor::listen(addr)?
    };
    let local_addr = listener.local_addr()?;
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let upkeep = runtime.spawn(metrics::upkeep(state.metrics.clone()));
    let serving = runtime.spawn(async move {
        if let Err(error) = axum::serve(listener, pages(state)).with_graceful_shutdown(stopped).await {
            tracing::error!(%error, "the HTTP port stopped");
        }
    });
    Ok(HttpServer { local_addr, stop, serving, upkeep })
}

impl HttpServer {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops listening and waits for open requests, at most a second.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        // Whether it ended by itself or is aborted by the drop makes no difference here.
        let _ = tokio::time::timeout(DRAIN, &mut self.serving).await;
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.serving.abort();
        self.upkeep.abort();
    }
}

fn pages(state: HttpState) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics_page))
        .with_state(state)
}

async fn readiness(State(state): State<HttpState>) -> Response {
    match state.health.obstacle() {
        None => "ok\n".into_response(),
        Some(obstacle) => (StatusCode::SERVICE_UNAVAILABLE, format!("{obstacle}\n")).into_response(),
    }
}

async fn metrics_page(State(state): State<HttpState>) -> impl IntoResponse {
    (state.before_scrape)();
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], state.metrics.render())
}
