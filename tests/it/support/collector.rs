//! An OpenTelemetry collector in this process: it keeps what it gets.

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Identity, Server as TonicServer, ServerTlsConfig};
use tonic::{Request, Response, Status};

/// A collector. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Collector(Arc<Mutex<Kept>>);

/// What it has, in the order in which it came.
#[derive(Default)]
struct Kept {
    spans: Vec<Span>,
    pushes: Vec<ResourceMetrics>,
    /// The `authorization` header of each push.
    tokens: Vec<Option<String>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans;
        let spans = resources.into_iter().flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans);
        self.0.lock().unwrap().spans.extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let token = request.metadata().get("authorization").map(|token| token.to_str().unwrap().to_owned());
        let mut kept = self.0.lock().unwrap();
        kept.tokens.push(token);
        kept.pushes.extend(request.into_inner().resource_metrics);
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

impl Collector {
    /// Starts one; answers it and its endpoint.
    pub(crate) async fn start() -> (Collector, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        (Collector::listen(listener, TonicServer::builder()), endpoint)
    }

    /// Starts one that is reached by TLS alone and shows a certificate.
    pub(crate) async fn start_encrypted(certificate: &str, key: &str) -> (Collector, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        let tls = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
        (Collector::listen(listener, TonicServer::builder().tls_config(tls).unwrap()), endpoint)
    }

    /// Starts one on a port that is known already.
    pub(crate) async fn start_on(port: u16) -> Collector {
        Collector::listen(TcpListener::bind(("127.0.0.1", port)).await.unwrap(), TonicServer::builder())
    }

    fn listen(listener: TcpListener, mut server: TonicServer) -> Collector {
        let collector = Collector::default();
        let server = server
            .add_service(TraceServiceServer::new(collector.clone()))
            .add_service(MetricsServiceServer::new(collector.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        collector
    }

    /// All spans.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.0.lock().unwrap().spans.clone()
    }

    /// All pushes of metrics.
    pub(crate) fn pushes(&self) -> Vec<ResourceMetrics> {
        self.0.lock().unwrap().pushes.clone()
    }

    /// What each push was authorized by.
    pub(crate) fn tokens(&self) -> Vec<Option<String>> {
        self.0.lock().unwrap().tokens.clone()
    }

    /// The spans of a trace (all traces if it is empty), once `name` is among them.
    pub(crate) async fn with(&self, trace: &[u8], name: &str) -> Vec<Span> {
        let begin = Instant::now();
        loop {
            let all = self.spans();
            let of: Vec<Span> = all.iter().filter(|span| trace.is_empty() || span.trace_id == trace).cloned().collect();
            if of.iter().any(|span| span.name == name) {
                return of;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "no {name} among {all:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
