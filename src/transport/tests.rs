//! The server as its clients see it, with health and reflection as its only true services.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::Request as HttpRequest;
use axum::routing::post;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_stream::StreamExt;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ListServiceResponse, ServerReflectionRequest};
use tonic_types::StatusExt;
use tower::ServiceExt;

use super::health::{self, Health};
use super::http::{self, HttpState};
use super::layers::Layers;
use super::methods::Methods;
use super::observe;
use super::reflection;
use super::server::{self, RunningServer, ServerConfig};
use super::shed::InFlight;
use crate::proto::v1::quota_service_client::QuotaServiceClient;
use crate::proto::v1::{ConsumeRequest, ReserveRequest};
use crate::telemetry::metrics;

const SERVED: &[&str] = &["quotad.v1.QuotaService", "quotad.v1.CatalogService"];

/// Reserve panics, Consume never answers; the rest of the service is not there.
fn routes(health: &Health) -> Routes {
    let mut routes = reflection::add_to(health.add_to(Routes::default()), SERVED).expect("good descriptors");
    let router = std::mem::take(routes.axum_router_mut())
        .route("/quotad.v1.QuotaService/Reserve", post(async || -> String { panic!("a test panics on purpose") }))
        .route("/quotad.v1.QuotaService/Consume", post(async || std::future::pending::<String>().await));
    Routes::from(router)
}

fn methods(deadline: Duration) -> Methods {
    let served: Vec<&str> = SERVED.iter().copied().chain([health::SERVICE]).chain(reflection::SERVICES).collect();
    Methods::new(&reflection::DESCRIPTORS, &served, deadline, &[]).expect("good descriptors")
}

fn config() -> ServerConfig {
    let drain = Duration::from_millis(300);
    ServerConfig { cores: 2, drain, ..ServerConfig::new(SocketAddr::from(([127, 0, 0, 1], 0))) }
}

async fn start(config: ServerConfig, deadline: Duration) -> (RunningServer, Health) {
    let health = Health::new(SERVED).await;
    let server = server::start(&config, &methods(deadline), |_| routes(&health)).expect("a free port");
    (server, health)
}

const LONG: Duration = Duration::from_secs(10);

async fn connect(server: &RunningServer) -> Channel {
    Endpoint::new(format!("http://{}", server.local_addr())).expect("a URL").connect().await.expect("it listens")
}

async fn status_of(channel: &Channel, service: &str) -> Result<ServingStatus, Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(channel.clone()).check(request).await?;
    Ok(answer.into_inner().status())
}

#[tokio::test]
async fn health_follows_readiness_and_liveness_does_not() {
    let (server, health) = start(config(), LONG).await;
    let channel = connect(&server).await;
    for (ready, expected) in [(false, ServingStatus::NotServing), (true, ServingStatus::Serving)] {
        if ready {
            health.set_ready().await;
        }
        for service in ["", "readiness", "quotad.v1.QuotaService"] {
            assert_eq!(status_of(&channel, service).await.expect("known"), expected, "{service:?}");
        }
        assert_eq!(status_of(&channel, "liveness").await.expect("known"), ServingStatus::Serving);
    }
    assert_eq!(status_of(&channel, "nobody").await.expect_err("unknown").code(), Code::NotFound);
    drop(channel);
    assert!(server.shutdown().await);
}

#[tokio::test]
async fn reflection_lists_what_is_served_and_nothing_else() {
    let (server, _health) = start(config(), LONG).await;
    let ask = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..ServerReflectionRequest::default()
    };
    let mut client = ServerReflectionClient::new(connect(&server).await);
    let mut answers =
        client.server_reflection_info(tokio_stream::iter([ask])).await.expect("reflection is served").into_inner();
    let answer = answers.next().await.expect("one answer").expect("no error").message_response;
    let Some(MessageResponse::ListServicesResponse(ListServiceResponse { service })) = answer else {
        panic!("not a list: {answer:?}")
    };
    let names: Vec<&str> = service.iter().map(|service| service.name.as_str()).collect();
    for expected in SERVED.iter().chain(&[health::SERVICE]).chain(&reflection::SERVICES) {
        assert!(names.contains(expected), "{expected} is missing in {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("TestClock")), "{names:?}");
}

#[tokio::test]
async fn connections_are_dealt_in_turn() {
    let (server, _health) = start(config(), LONG).await;
    let mut channels = Vec::new();
    for _ in 0..6 {
        let channel = connect(&server).await;
        status_of(&channel, "").await.expect("answers");
        channels.push(channel);
    }
    assert_eq!(server.connections(), [3, 3]);
    assert_eq!(server.handles().len(), 2);
    drop(channels);
    assert!(server.shutdown().await);
}

#[tokio::test]
async fn an_old_connection_is_replaced() {
    let age = Duration::from_millis(400);
    let (server, _health) = start(ServerConfig { max_connection_age: age, ..config() }, LONG).await;
    let channel = connect(&server).await;
    status_of(&channel, "").await.expect("answers");
    let first = server.connections();
    let begin = std::time::Instant::now();
    // The next connection is dealt to the other core.
    while server.connections() == first {
        // A call that meets the end of its connection was not sent; this client leaves it to the caller to send it.
        let answer = status_of(&channel, "").await;
        assert!(
            answer.as_ref().map_or_else(|status| std::error::Error::source(status).is_some(), |_| true),
            "{answer:?}"
        );
        assert!(begin.elapsed() < LONG, "the connection stays");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(begin.elapsed() > age / 2, "{:?}", begin.elapsed());
    status_of(&channel, "").await.expect("answers");
}

#[tokio::test]
async fn connections_above_the_limit_are_closed() {
    let (server, _health) = start(ServerConfig { max_connections: 1, ..config() }, LONG).await;
    let first = connect(&server).await;
    status_of(&first, "").await.expect("answers");
    let mut second = TcpStream::connect(server.local_addr()).await.expect("the kernel accepts");
    let closed = second.read(&mut [0; 1]).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    status_of(&first, "").await.expect("still answers");
}

#[tokio::test]
async fn a_panic_answers_internal_and_the_server_lives() {
    let (server, _health) = start(config(), LONG).await;
    let channel = connect(&server).await;
    let mut client = QuotaServiceClient::new(channel.clone());
    for _ in 0..2 {
        let status = client.reserve(ReserveRequest::default()).await.expect_err("it panics");
        assert_eq!(status.code(), Code::Internal);
        assert_eq!(status.get_details_error_info().expect("ErrorInfo").reason, "INTERNAL");
    }
    status_of(&channel, "").await.expect("the same connection lives");
    let text = metrics::install().render();
    assert!(text.contains("quotad_requests_total{rpc=\"quotad.v1.QuotaService/Reserve\",code=\"INTERNAL\"}"), "{text}");
}

#[tokio::test]
async fn a_message_above_the_limit_is_out_of_range() {
    let (server, _health) = start(config(), LONG).await;
    let channel = connect(&server).await;
    let service = "x".repeat(64 << 10);
    let status = status_of(&channel, &service).await.expect_err("too long");
    assert_eq!(
        (status.code(), status.message()),
        (Code::OutOfRange, "message of 65540 bytes is above the limit of 65536")
    );
    // Four bytes go to the tag and the length.
    let status = status_of(&channel, &service[4..]).await.expect_err("no such service");
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let (server, _health) = start(config(), LONG).await;
    let mut client = QuotaServiceClient::new(connect(&server).await);
    let status = client.check(crate::proto::v1::CheckRequest::default()).await.expect_err("not routed");
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn the_servers_own_deadline_ends_a_call() {
    let (server, _health) = start(config(), Duration::from_millis(100)).await;
    let mut client = QuotaServiceClient::new(connect(&server).await);
    let status = client.consume(ConsumeRequest::default()).await.expect_err("never answers");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let info = status.get_details_error_info().expect("ErrorInfo");
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("DEADLINE", "quotad.v1"));
}

/// The stack without a socket: a client's own timer would race with the answer.
#[tokio::test]
async fn the_callers_deadline_ends_a_call() {
    let health = Health::new(SERVED).await;
    let layers = Layers::new(&methods(LONG), InFlight::new(10).into(), Arc::default(), &[]);
    let stack = layers.around(routes(&health));
    for (path, timeout, expected) in [
        ("/quotad.v1.QuotaService/Consume", "50m", Code::DeadlineExceeded),
        // Nothing is started: Reserve would panic.
        ("/quotad.v1.QuotaService/Reserve", "0n", Code::DeadlineExceeded),
        ("/quotad.v1.QuotaService/Reserve", "1S", Code::Internal),
        // Streams have no deadline.
        ("/quotad.v1.QuotaService/Enforce", "0n", Code::Unimplemented),
    ] {
        let request = HttpRequest::post(path)
            .version(::http::Version::HTTP_2)
            .header("content-type", "application/grpc")
            .header("grpc-timeout", timeout)
            .body(Body::empty())
            .expect("a request");
        let Ok(response) = stack.clone().oneshot(request).await;
        let status = Status::from_header_map(response.headers()).expect("grpc-status");
        assert_eq!(status.code(), expected, "{path} {timeout}");
    }
}

#[tokio::test]
async fn a_call_too_many_is_unavailable_and_health_still_answers() {
    let (server, _health) = start(ServerConfig { in_flight: InFlight::new(1).into(), ..config() }, LONG).await;
    let channel = connect(&server).await;
    let mut client = QuotaServiceClient::new(channel.clone());
    let mut hanging = client.clone();
    let hanging = tokio::spawn(async move { hanging.consume(ConsumeRequest::default()).await });
    while server.in_flight().count() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let status = client.reserve(ReserveRequest::default()).await.expect_err("one too many");
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.get_details_error_info().expect("ErrorInfo").reason, "OVERLOADED");
    let retry = status.get_details_retry_info().expect("RetryInfo").retry_delay;
    assert_eq!(retry, Some(Duration::from_millis(100)));
    status_of(&channel, "").await.expect("health is exempt");

    // A caller that leaves gives its place back.
    hanging.abort();
    while server.in_flight().count() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let status = client.reserve(ReserveRequest::default()).await.expect_err("it panics");
    assert_eq!(status.code(), Code::Internal);
}

#[tokio::test]
async fn shutdown_does_not_wait_for_an_open_stream_for_ever() {
    let (server, _health) = start(config(), LONG).await;
    let mut client = HealthClient::new(connect(&server).await);
    let mut watch = client.watch(HealthCheckRequest::default()).await.expect("watch").into_inner();
    watch.next().await.expect("a first status").expect("no error");
    let addr = server.local_addr();
    let started = Instant::now();
    assert!(!server.shutdown().await, "the stream was cut");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(TcpStream::connect(addr).await.is_err(), "it no longer listens");
}

#[tokio::test]
async fn shutdown_with_an_idle_connection_is_quick() {
    let (server, _health) = start(ServerConfig { drain: LONG, ..config() }, LONG).await;
    let channel = connect(&server).await;
    status_of(&channel, "").await.expect("answers");
    let started = Instant::now();
    assert!(server.shutdown().await);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_body_that_drips_in_is_cut() {
    let (server, _health) = start(config(), Duration::from_millis(100)).await;
    // Five bytes are announced, one comes. Health has no exemption from the deadline of unary calls.
    let call = "POST /grpc.health.v1.Health/Check HTTP/1.1\nHost: x\nContent-Type: application/grpc-web+proto\n\
                Content-Length: 5\nConnection: close\n\n";
    let answer = exchange(server.local_addr(), call, &[0]).await;
    assert!(answer.contains("grpc-status: 4"), "{answer}");
}

/// RELIABILITY 3.10, rows 21, 23, 24, 26 and 31: codes that mostly come from the libraries below, pinned here.
#[tokio::test]
async fn malformed_calls_are_refused() {
    let layers = Layers::new(&methods(LONG), InFlight::new(10).into(), Arc::default(), &[]);
    let stack = layers.around(routes(&Health::new(SERVED).await));
    for (kind, encoding, body, expected) in [
        ("application/grpc", "gzip", vec![1, 0, 0, 0, 1, 0], Some(Code::Unimplemented)),
        ("application/grpc", "identity", vec![0, 0, 0, 0, 1, 0x0a], Some(Code::Internal)),
        ("application/grpc", "identity", vec![0, 0, 0, 0, 3, 0x0a, 1, 0xff], Some(Code::Internal)),
        ("application/grpc", "identity", vec![], Some(Code::Internal)),
        ("application/grpc", "identity", vec![0, 0, 0, 0, 9], Some(Code::Internal)),
        // HTTP 415.
        ("application/json", "identity", b"{}".to_vec(), None),
    ] {
        let request = HttpRequest::post("/grpc.health.v1.Health/Check")
            .version(::http::Version::HTTP_2)
            .header("content-type", kind)
            .header("grpc-encoding", encoding)
            .body(Body::new(axum::body::Body::from(body)))
            .expect("a request");
        let Ok(response) = stack.clone().oneshot(request).await;
        let status = Status::from_header_map(response.headers());
        assert_eq!(status.as_ref().map(Status::code), expected, "{kind} {encoding}: {} {status:?}", response.status());
        assert_eq!(response.status() == 415, expected.is_none());
        // A malformed message is no fault of the server, and its line in the log would be the caller's to repeat.
        assert!(status.is_none_or(|status| !observe::is_fault(&status)));
    }

    let (server, _health) = start(config(), LONG).await;
    let mut request = tonic::Request::new(HealthCheckRequest::default());
    request.metadata_mut().insert("x-long", "x".repeat(17 << 10).parse().expect("ASCII"));
    let status = HealthClient::new(connect(&server).await).check(request).await.expect_err("too many header bytes");
    assert!(status.message().contains("431"), "{status:?}");
}

/// Sends bytes and reads until the server closes.
async fn exchange(addr: SocketAddr, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.expect("it listens");
    stream.write_all(head.replace('\n', "\r\n").as_bytes()).await.expect("written");
    stream.write_all(body).await.expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("answered");
    String::from_utf8_lossy(&answer).to_ascii_lowercase()
}

#[tokio::test]
async fn browsers_on_this_machine_may_call() {
    let (server, _health) = start(config(), LONG).await;
    for (origin, allowed) in [("http://localhost:3000", true), ("https://evil.example", false)] {
        let preflight = format!(
            "OPTIONS /grpc.health.v1.Health/Check HTTP/1.1\nHost: x\nOrigin: {origin}\nConnection: close\n\
             Access-Control-Request-Method: POST\nAccess-Control-Request-Headers: content-type,x-grpc-web\n\n"
        );
        let answer = exchange(server.local_addr(), &preflight, b"").await;
        assert!(answer.starts_with("http/1.1 200"), "{answer}");
        let header = format!("access-control-allow-origin: {origin}");
        assert_eq!(answer.contains(&header), allowed, "{answer}");
    }
    let call = "POST /grpc.health.v1.Health/Check HTTP/1.1\nHost: x\nOrigin: http://localhost:3000\n\
                Content-Type: application/grpc-web+proto\nContent-Length: 5\nConnection: close\n\n";
    let answer = exchange(server.local_addr(), call, &[0; 5]).await;
    for expected in ["http/1.1 200", "grpc-status:0", "access-control-expose-headers", "grpc-status-details-bin"] {
        assert!(answer.contains(expected), "{expected} is missing in {answer}");
    }
}

#[tokio::test]
async fn the_http_port_shows_life_readiness_and_metrics() {
    let health = Health::new(SERVED).await;
    let state = HttpState {
        health: health.clone(),
        metrics: metrics::install(),
        before_scrape: std::sync::Arc::new(|| ::metrics::gauge!("quotad_test_scraped").set(42.0)),
    };
    let addr = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = http::start(addr, &tokio::runtime::Handle::current(), state).expect("a free port");
    let get = async |path: &str| {
        exchange(server.local_addr(), &format!("GET {path} HTTP/1.1\nHost: x\nConnection: close\n\n"), b"").await
    };
    assert!(get("/healthz").await.starts_with("http/1.1 200"));
    let starting = get("/readyz").await;
    assert!(starting.starts_with("http/1.1 503") && starting.ends_with("starting\n"), "{starting}");
    health.set_ready().await;
    assert!(get("/readyz").await.starts_with("http/1.1 200"));
    let page = get("/metrics").await;
    assert!(page.contains("quotad_build_info{version=") && page.contains("quotad_test_scraped 42"), "{page}");
    assert!(get("/else").await.starts_with("http/1.1 404"));
    server.shutdown().await;
}
