//! Without HTTP/2: gRPC-web as a browser speaks it, and the HTTP port.

use super::helpers::*;
use crate::support::Options;
use prost::Message;
use quotad::proto::v1::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends a request and reads the answer: its head in lower case, and its body.
pub(super) async fn exchange(addr: &str, head: &str, body: &[u8]) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let head = format!("{head}\nHost: localhost\nConnection: close\nContent-Length: {}\n\n", body.len());
    stream.write_all(head.replace('\n', "\r\n").as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a whole head") + 4;
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let body = answer.split_off(end);
    if head.contains("transfer-encoding: chunked") { (head, dechunked(&body)) } else { (head, body) }
}

fn dechunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(line) = body.windows(2).position(|bytes| bytes == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&body[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        whole.extend(&body[line + 2..line + 2 + size]);
        body = &body[line + 4 + size..];
    }
    whole
}

/// The frames of a gRPC-web body: the message if there is one, and the trailers as text.
pub(super) fn frames(mut body: &[u8]) -> (Option<Vec<u8>>, String) {
    let (mut message, mut trailers) = (None, String::new());
    while body.len() >= 5 {
        let length = u32::from_be_bytes([body[1], body[2], body[3], body[4]]) as usize;
        let payload = &body[5..5 + length];
        match body[0] {
            0 => message = Some(payload.to_vec()),
            0x80 => trailers = String::from_utf8_lossy(payload).to_lowercase(),
            other => panic!("flag {other}"),
        }
        body = &body[5 + length..];
    }
    (message, trailers)
}

#[tokio::test]
async fn a_browser_reserves() {
    let api = Api::start().await;
    let head = "POST /quotad.v1.QuotaService/Reserve HTTP/1.1\nOrigin: http://localhost:3000\n\
                Content-Type: application/grpc-web+proto\nX-Grpc-Web: 1";
    let call = |request: ReserveRequest| super::h2::framed(&request);
    let (answer, body) = exchange(api.server.grpc_addr(), head, &call(reserve("r", runs("a", 2)))).await;
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    for field in ["content-type: application/grpc-web+proto", "access-control-allow-origin: http://localhost:3000"] {
        assert!(answer.contains(field), "{answer}");
    }
    let (message, trailers) = frames(&body);
    let held = granted(ReserveResponse::decode(message.unwrap().as_slice()).unwrap());
    assert_eq!((held.reservation_id.as_str(), held.state()), ("r", ReservationState::Held));
    assert!(trailers.contains("grpc-status:0"), "{trailers}");
    assert_eq!(api.figures(&user("a"), "job.runs").await, (0, 2));

    // An error comes with its details.
    let (answer, body) = exchange(api.server.grpc_addr(), head, &call(reserve("bad", runs("a", -2)))).await;
    let told = answer + &frames(&body).1;
    assert!(told.contains("grpc-status:3") || told.contains("grpc-status: 3"), "{told}");
    assert!(told.contains("grpc-status-details-bin"), "{told}");
}

#[tokio::test]
async fn pages_from_elsewhere_may_not_call_unless_they_are_named() {
    let preflight = |origin: &str| {
        format!(
            "OPTIONS /quotad.v1.QuotaService/Reserve HTTP/1.1\nOrigin: {origin}\n\
             Access-Control-Request-Method: POST\nAccess-Control-Request-Headers: content-type,x-grpc-web"
        )
    };
    let named = Options::new().arg("--web-origin").arg("https://console.example.com");
    for (options, origin, allowed) in [
        (Options::new(), "http://localhost:3000", true),
        (Options::new(), "https://evil.example", false),
        (named.clone(), "https://console.example.com", true),
        (named, "http://localhost:3000", false),
        (Options::new().arg("--web-origin").arg("*"), "https://evil.example", true),
    ] {
        let api = Api::with(options).await;
        let (answer, _) = exchange(api.server.grpc_addr(), &preflight(origin), b"").await;
        assert_eq!(answer.contains("access-control-allow-origin:"), allowed, "{origin}: {answer}");
    }
}

#[tokio::test]
async fn the_http_port() {
    let api = Api::start().await;
    let get = async |path: &str| {
        let (head, body) = exchange(api.server.http_addr(), &format!("GET {path} HTTP/1.1"), b"").await;
        (head.lines().next().unwrap().to_owned(), String::from_utf8(body).unwrap(), head)
    };
    for path in ["/healthz", "/readyz"] {
        let (status, body, _) = get(path).await;
        assert_eq!((status.as_str(), body.as_str()), ("http/1.1 200 ok", "ok\n"), "{path}");
    }
    for path in ["/", "/metric", "/healthz/x"] {
        assert_eq!(get(path).await.0, "http/1.1 404 not found", "{path}");
    }
    let (posted, _) = exchange(api.server.http_addr(), "POST /healthz HTTP/1.1", b"").await;
    assert!(posted.starts_with("http/1.1 405"), "{posted}");

    api.hold("r", runs("a", 4)).await;
    denied(api.reserve(reserve("", runs("a", 7))).await.unwrap());
    api.commit(commit("r", runs("a", 9))).await.unwrap();
    api.commit(commit("lost", runs("b", 1))).await.unwrap();
    let short = ReserveRequest { ttl: seconds(5), ..reserve("short", runs("c", 1)) };
    granted(api.reserve(short).await.unwrap());
    api.clock(6).await;
    assert_eq!(api.get("short").await.state(), ReservationState::Expired);
    api.hold("open", runs("d", 1)).await;
    let durable = CommitRequest { wait_for_durable: true, ..commit("open", vec![]) };
    api.commit(durable).await.unwrap();
    api.hold("still-open", runs("d", 1)).await;

    let (status, page, head) = get("/metrics").await;
    assert_eq!(status, "http/1.1 200 ok");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let value = |series: &str| -> f64 {
        let line = page.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
        let line = line.unwrap_or_else(|| panic!("{series} is missing in\n{page}"));
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    assert_eq!(value("quotad_open_reservations"), 1.0);
    assert_eq!(value("quotad_overrun_total"), 1.0);
    assert_eq!(value("quotad_recovered_total"), 1.0);
    assert_eq!(value("quotad_expired_total{rule=\"give_back\"}"), 1.0);
    assert!(value("quotad_journal_head") >= value("quotad_journal_watermark"));
    assert!(value("quotad_flushed_entries_total") >= 1.0 && value("quotad_counters") >= 4.0);
    for family in [
        "quotad_requests_total",
        "quotad_request_seconds",
        "quotad_decisions_total",
        "quotad_connections",
        "quotad_inflight",
        "quotad_build_info",
        "quotad_unflushed_entries",
        "quotad_unflushed_seconds",
        "quotad_flush_seconds",
        "quotad_late_total",
        "quotad_misses_total",
        "quotad_replans_total",
    ] {
        assert!(page.contains(&format!("# TYPE {family} ")), "{family} is missing in\n{page}");
    }
    assert!(!page.contains("tenants/acme"), "a tenant's name in the metrics");
}
