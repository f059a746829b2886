//! Traces: one call's steps, as a collector gets them, in the trace of its caller.

use crate::api::helpers::*;
use crate::support::{Collector, Options, Server, Shared};
use std::time::{Duration, Instant};
use tonic::Request;

const RESERVE: &str = "quotad.v1.QuotaService/Reserve";

async fn traced(options: Options, steps: &[(&str, &str)]) {
    let (collector, endpoint) = Collector::start().await;
    let options = options.catalog(catalog()).env("OTEL_BSP_SCHEDULE_DELAY", "50");
    let server = Server::start(options.arg("--otlp-endpoint").arg(endpoint).arg("--trace-ratio").arg("0"));
    // Nobody asked for a trace of this one.
    granted(server.quota().reserve(reserve("r0", runs("u2", 1))).await.unwrap().into_inner());

    let mut request = Request::new(reserve("r1", runs("u2", 1)));
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    granted(server.quota().reserve(request).await.unwrap().into_inner());
    let trace = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes();
    let spans = collector.with(&trace, RESERVE).await;
    let call = spans.iter().find(|span| span.name == RESERVE).unwrap();
    assert_eq!(call.parent_span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes(), "{call:#?}");
    for (step, above) in steps {
        let named =
            |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:#?}"));
        let (step, above) = (named(step), named(above));
        assert_eq!(step.parent_span_id, above.span_id, "{step:#?}");
        assert!(step.start_time_unix_nano >= above.start_time_unix_nano, "{step:#?}");
    }
    assert_eq!(spans.len(), steps.len() + 1, "{spans:#?}");
    let others = collector.spans().iter().filter(|span| span.trace_id != trace).count();
    assert_eq!(others, 0, "nobody asked for more");
}

/// A Reserve of the embedded engine: planned, applied, written to the journal.
#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_a_call_is_in_its_callers_trace() {
    let steps = [("plan", RESERVE), ("apply", RESERVE), ("journal", "apply")];
    traced(Options::new(), &steps).await;
}

/// On Redis: planned, put into a batch, sent as a script.
#[tokio::test(flavor = "multi_thread")]
async fn every_step_on_redis_is_in_its_callers_trace() {
    let shared = Shared::with_postgres();
    // The first call of an installation finds no counters and asks the ledger; the second is the one that is traced.
    let steps = [("plan", RESERVE), ("apply", RESERVE), ("batch", "apply"), ("script", "batch")];
    traced(shared.installation(Options::new()), &steps).await;
}

/// The flush is nobody's call; with ratio 1 everything is traced, and a collector that is gone costs no more than spans.
#[tokio::test(flavor = "multi_thread")]
async fn the_flush_is_traced_and_the_end_does_not_wait_for_a_dead_collector() {
    let (collector, endpoint) = Collector::start().await;
    let options = Options::new().catalog(catalog()).env("OTEL_BSP_SCHEDULE_DELAY", "50");
    let server = Server::start(options.arg("--otlp-endpoint").arg(endpoint).arg("--trace-ratio").arg("1"));
    granted(server.quota().reserve(reserve("r1", runs("u2", 1))).await.unwrap().into_inner());
    let spans = collector.with(&[], "flush").await;
    let flush = spans.iter().find(|span| span.name == "flush").unwrap();
    assert!(flush.attributes.iter().any(|attribute| attribute.key == "entries"), "{flush:#?}");

    let dead = Options::new().catalog(catalog()).arg("--otlp-endpoint").arg("http://127.0.0.1:9").arg("--trace-ratio");
    let mut server = Server::start(dead.arg("1"));
    granted(server.quota().reserve(reserve("r1", runs("u2", 1))).await.unwrap().into_inner());
    let begin = Instant::now();
    assert!(server.terminate().success(), "{}", server.stderr());
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
}
