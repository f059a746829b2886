//! The trace of the process that calls, handed on with each call (W3C Trace Context).

use opentelemetry::propagation::{Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::metadata::{MetadataKey, MetadataMap};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Puts `traceparent` and `tracestate` of the current span, or of the current OpenTelemetry context, into a call's metadata;
/// without a trace it changes nothing.
pub(super) fn hand_on(metadata: &mut MetadataMap) {
    let of_span = tracing::Span::current().context();
    let is_traced = of_span.span().span_context().is_valid();
    let context = if is_traced { of_span } else { opentelemetry::Context::current() };
    if context.span().span_context().is_valid() {
        TraceContextPropagator::new().inject_context(&context, &mut Headers(metadata));
    }
}

struct Headers<'a>(&'a mut MetadataMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        // Both are ASCII by the specification; what is not is left out, as a trace is worth less than the call.
        if let (Ok(key), Ok(value)) = (key.parse::<MetadataKey<_>>(), value.parse()) {
            self.0.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

    #[test]
    fn a_trace_is_handed_on_and_nothing_else() {
        let mut metadata = MetadataMap::new();
        hand_on(&mut metadata);
        assert!(metadata.is_empty());
        let (trace, span) = (TraceId::from(7_u128), SpanId::from(9_u64));
        let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default());
        let _attached = opentelemetry::Context::new().with_remote_span_context(context).attach();
        hand_on(&mut metadata);
        let expected = "00-00000000000000000000000000000007-0000000000000009-01";
        assert_eq!(metadata.get("traceparent").unwrap().to_str().unwrap(), expected);
    }
}
