//! Traces: spans of a call and of the work behind it, sent to a collector by OTLP where an endpoint is given. Without one a span
//! costs no more than asking whether it is wanted.
//!
//! A call's span continues the caller's trace (W3C `traceparent`). Below it are the steps that it waits for; work that many
//! calls share, a script call for a batch, stands in the trace of the first that is exported and is linked to those of the others.

use super::otlp::{self, BadEndpoint, spans};
use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithTonicConfig};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::time::Duration;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// What every span is filed under, so that the log's filter and the exporter tell spans from lines.
pub const TARGET: &str = "quotad::trace";

/// How long the last spans may take to leave at the end.
const LAST_EXPORT: Duration = Duration::from_secs(3);

/// Where traces go.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceOptions {
    /// The collector's gRPC endpoint, for example `http://collector:4317`.
    pub endpoint: String,
    /// The part of the calls that begin a trace here which is recorded, 0 to 1; callers that trace are followed.
    pub ratio: f64,
}

/// What exports, until it is shut down.
#[derive(Debug)]
pub struct Exporter(SdkTracerProvider);

impl Exporter {
    /// Exports to `options`' endpoint on a thread of its own; a collector that does not answer costs spans, which are counted, and
    /// nothing else.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`BadEndpoint`].
    pub fn start(options: &TraceOptions) -> Result<Exporter, BadEndpoint> {
        let channel = otlp::channel(&options.endpoint)?;
        let exporter = SpanExporter::builder().with_tonic().with_channel(channel).build();
        let exporter = exporter.map_err(|error| BadEndpoint::new(&options.endpoint, error))?;
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(options.ratio)));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(spans::queue(exporter))
            .with_sampler(sampler)
            .with_resource(otlp::resource())
            .build();
        Ok(Exporter(provider))
    }

    /// The layer that hands spans over.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let layer = tracing_opentelemetry::layer().with_tracer(self.0.tracer("quotad"));
        let layer = layer.with_location(false).with_threads(false).with_tracked_inactivity(false);
        layer.with_filter(Targets::new().with_target(TARGET, tracing::Level::DEBUG))
    }

    /// Sends what is left. Blocks for three seconds at most.
    pub fn shutdown(self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_EXPORT) {
            tracing::warn!(%error, "the last spans could not be exported");
        }
    }
}

/// A span of a trace, with the fields that [`tracing::span!`] takes.
macro_rules! span {
    ($($rest:tt)+) => {
        tracing::debug_span!(target: $crate::telemetry::traces::TARGET, $($rest)+)
    };
}
pub(crate) use span;

/// The span of one call, in the trace that its headers tell of, if they do.
pub fn call(rpc: &str, headers: &HeaderMap) -> Span {
    let span = span!(
        "call",
        otel.name = rpc,
        otel.kind = "server",
        rpc.system = "grpc",
        rpc.grpc.status_code = tracing::field::Empty
    );
    if !span.is_disabled() && headers.contains_key("traceparent") {
        let context = TraceContextPropagator::new().extract(&Headers(headers));
        // It fails only where nobody exports.
        let _ = span.set_parent(context);
    }
    span
}

/// Whether a span is one that is exported.
pub fn is_sampled(span: &Span) -> bool {
    use opentelemetry::trace::TraceContextExt;
    !span.is_disabled() && span.context().span().span_context().is_sampled()
}

/// Says in a span that its work was also done for another one.
pub fn link(span: &Span, other: &Span) {
    if !span.is_disabled() && !other.is_disabled() {
        use opentelemetry::trace::TraceContextExt;
        span.add_link(other.context().span().span_context().clone());
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
