//! Spans on their way to the collector: a bounded queue, and an exporter, that count what they lose. The SDK's own count of what
//! its queue drops can't be read, so this bound lies at the queue's and is the one that is met.

use super::outlet::Outlet;
use opentelemetry::Context;
use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The variable that bounds the queue, as the specification names it.
const QUEUE_VARIABLE: &str = "OTEL_BSP_MAX_QUEUE_SIZE";
/// Spans that wait at most, unless the variable says another number.
const QUEUE: usize = 2048;

/// A queue in front of `exporter`, emptied by a thread of its own.
pub(in crate::telemetry) fn queue(exporter: OtlpExporter) -> impl SpanProcessor {
    let most = std::env::var(QUEUE_VARIABLE).ok().and_then(|text| text.parse().ok()).filter(|most| *most > 0);
    let most = most.unwrap_or(QUEUE);
    let way = Arc::new(Way { waiting: AtomicUsize::new(0), outlet: Outlet::new("traces") });
    let exporter = Counted { way: way.clone(), inner: exporter };
    let config = BatchConfigBuilder::default().with_max_queue_size(most).build();
    let inner = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    Queue { way, most, inner }
}

/// What both ends of the queue share.
#[derive(Debug)]
struct Way {
    waiting: AtomicUsize,
    outlet: Outlet,
}

/// The end where spans come in.
#[derive(Debug)]
struct Queue {
    way: Arc<Way>,
    most: usize,
    inner: BatchSpanProcessor,
}

impl SpanProcessor for Queue {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.way.waiting.fetch_add(1, Ordering::Relaxed) < self.most {
            self.inner.on_end(span);
        } else {
            self.way.waiting.fetch_sub(1, Ordering::Relaxed);
            self.way.outlet.dropped(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// The end where they go out.
#[derive(Debug)]
struct Counted<E> {
    way: Arc<Way>,
    inner: E,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.way.waiting.fetch_sub(count, Ordering::Relaxed);
        let result = self.inner.export(batch).await;
        match &result {
            Ok(()) => self.way.outlet.arrived(),
            Err(error) => self.way.outlet.failed(count, error),
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
