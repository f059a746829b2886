//! Calls whose headers, frames or messages are wrong (numbers 20 to 31 of the list of bad inputs). Where the stack picks
//! the code, the test pins it.

use super::helpers::*;
use super::http1::{exchange, frames};
use http::{HeaderMap, Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use prost::Message;
use quotad::proto::v1::{ApplyRequest, BatchReserveRequest, CheckRequest, ReserveRequest};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::codegen::Bytes;
use tonic::{Code, Status};
use tower::ServiceExt;

const CHECK: &str = "/quotad.v1.QuotaService/Check";
const RESERVE: &str = "/quotad.v1.QuotaService/Reserve";

/// A body of bytes in one piece.
struct Piece(Option<Bytes>);

impl http_body::Body for Piece {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// A body that never comes.
struct Never;

impl http_body::Body for Never {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// What a call is told whose message never comes.
pub(crate) async fn unfinished(api: &Api) -> Status {
    let request = Request::post(CHECK).header("te", "trailers").header("content-type", "application/grpc");
    let response = api.server.channel().oneshot(request.body(Body::new(Never)).unwrap()).await.unwrap();
    Status::from_header_map(response.headers()).expect("a gRPC status")
}

/// A message behind its five bytes.
fn framed(message: &[u8]) -> Vec<u8> {
    let mut body = vec![0];
    body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    body.extend(message);
    body
}

fn check() -> Vec<u8> {
    CheckRequest { tenant: TENANT.into(), charges: runs("a", 1) }.encode_to_vec()
}

/// Sends a body to a path with further header fields; the status line and the gRPC status.
async fn send(api: &Api, path: &str, fields: &[(&str, &str)], body: Vec<u8>) -> (http::StatusCode, Option<Status>) {
    let mut request = Request::post(path).header("te", "trailers");
    if !fields.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::new(Piece(Some(body.into())))).unwrap();
    let response: Response<Body> = api.server.channel().oneshot(request).await.unwrap();
    let (head, mut body) = response.into_parts();
    let mut trailers = HeaderMap::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(Ok(found)) = frame.map(Frame::into_trailers) {
            trailers = found;
        }
    }
    let status = Status::from_header_map(&head.headers).or_else(|| Status::from_header_map(&trailers));
    (head.status, status)
}

/// The code of a call with this message.
async fn code(api: &Api, path: &str, fields: &[(&str, &str)], message: &[u8]) -> Code {
    let (_, status) = send(api, path, fields, framed(message)).await;
    status.expect("a gRPC status").code()
}

#[tokio::test]
async fn paths_headers_and_frames() {
    let api = Api::start().await;
    let before = api.digest().await;
    assert_eq!(code(&api, CHECK, &[], &check()).await, Code::Ok, "what the others depart from");
    for path in [
        "/quotad.v1.QuotaService/Nothing",
        "/quotad.v1.Nothing/Check",
        "/",
        "/quotad.v1.TestClockService/Nothing",
        "/quotad.v1.QuotaService/check",
    ] {
        assert_eq!(code(&api, path, &[], &check()).await, Code::Unimplemented, "20: {path}");
    }
    let long = "x".repeat(17 << 10);
    let (http, _) = send(&api, CHECK, &[("x-long", &long)], framed(&check())).await;
    assert_eq!(http, 431, "21");
    let gzip = {
        let mut body = framed(&check());
        body[0] = 1;
        body
    };
    let (_, status) = send(&api, CHECK, &[("grpc-encoding", "gzip")], gzip.clone()).await;
    assert_eq!(status.unwrap().code(), Code::Unimplemented, "23");
    let (_, status) = send(&api, CHECK, &[], gzip).await;
    assert_eq!(status.unwrap().code(), Code::Internal, "23: a flag without its header");
    for kind in ["application/json", "text/plain", "application/x-protobuf"] {
        let (http, _) = send(&api, CHECK, &[("content-type", kind)], framed(&check())).await;
        assert_eq!(http, 415, "31: {kind}");
    }
    for body in [vec![], vec![0, 0], framed(&check())[..20].to_vec()] {
        let (_, status) = send(&api, RESERVE, &[], body.clone()).await;
        assert_ne!(status.unwrap().code(), Code::Ok, "24: {} bytes of a frame", body.len());
    }
    assert_eq!(api.digest().await, before);
}

#[tokio::test]
async fn messages() {
    let api = Api::start().await;
    let before = api.digest().await;
    let reserve = reserve("r", runs("a", 1)).encode_to_vec();
    // 22: one byte above the limit is refused before it is read; padding is an unknown field.
    let padded = |length: usize| {
        let mut message = check();
        let rest = length - message.len();
        // Field 999, of bytes: a tag of two bytes and a length of three.
        message.extend([0xBA, 0x3E]);
        let mut size = rest - 5;
        for _ in 0..2 {
            message.push((size & 0x7F) as u8 | 0x80);
            size >>= 7;
        }
        message.push(size as u8);
        message.resize(length, b'x');
        message
    };
    // 27: unknown fields are ignored.
    assert_eq!(code(&api, CHECK, &[], &padded(64 << 10)).await, Code::Ok, "22, 27");
    assert_eq!(code(&api, CHECK, &[], &padded((64 << 10) + 1)).await, Code::OutOfRange, "22");
    assert_eq!(code(&api, RESERVE, &[], &reserve[..reserve.len() - 1]).await, Code::Internal, "24");
    // 25: groups within groups, and messages within messages, 101 deep and deeper.
    for depth in [101, 30_000] {
        assert_eq!(code(&api, RESERVE, &[], &vec![0x0B | 0x70; depth]).await, Code::Internal, "25: {depth} groups");
    }
    let mut utf8 = reserve.clone();
    let at = utf8.windows(4).position(|bytes| bytes == b"acme").unwrap();
    utf8[at] = 0xFF;
    assert_eq!(code(&api, RESERVE, &[], &utf8).await, Code::Internal, "26");
    for garbage in [&[0xFF; 50][..], &[0x08; 3], b"{\"tenant\":\"tenants/acme\"}"] {
        assert_eq!(code(&api, RESERVE, &[], garbage).await, Code::Internal, "24: {garbage:?}");
    }
    assert_eq!(api.digest().await, before);
    let log = api.server.stderr();
    assert!(!log.contains("ERROR"), "a malformed message is the caller's fault, not the log's:\n{log}");
}

#[tokio::test]
async fn timeouts() {
    let api = Api::start().await;
    let before = api.digest().await;
    // As a browser sends it: the tests' own client would keep the deadline by itself.
    for zero in ["0n", "0S"] {
        let head = format!(
            "POST {RESERVE} HTTP/1.1\nContent-Type: application/grpc-web+proto\nX-Grpc-Web: 1\nGrpc-Timeout: {zero}"
        );
        let message = framed(&reserve("r", runs("a", 1)).encode_to_vec());
        let (head, body) = exchange(api.server.grpc_addr(), &head, &message).await;
        let told = head + &frames(&body).1;
        assert!(told.contains("grpc-status:4") || told.contains("grpc-status: 4"), "28: {told}");
    }
    assert_eq!(api.digest().await, before, "28: no effect");
    for timeout in ["99999999H", "abc", "", "1", "-1S"] {
        assert_eq!(code(&api, CHECK, &[("grpc-timeout", timeout)], &check()).await, Code::Ok, "29, 30: {timeout:?}");
    }
}

#[tokio::test]
async fn long_messages_where_they_are_allowed() {
    let api = Api::start().await;
    let before = api.digest().await;
    // 22: a batch and a stream take 1 MiB and not a byte more, a document 64 MiB. Too many items are read, and refused.
    let items = |size: usize| {
        let item = ReserveRequest { labels: [("k".into(), "x".repeat(1000))].into(), ..reserve("", runs("a", 1)) };
        let mut batch = BatchReserveRequest { tenant: TENANT.into(), requests: vec![item; size / 1100] };
        let rest = size - batch.encoded_len();
        batch.requests[0].labels = [("k".into(), "x".repeat(1000 + rest))].into();
        // The lengths before the longer label may have grown.
        let over = batch.encoded_len() - size;
        batch.requests[0].labels = [("k".into(), "x".repeat(1000 + rest - over))].into();
        batch.encode_to_vec()
    };
    const BATCH: &str = "/quotad.v1.QuotaService/BatchReserve";
    let most = 1 << 20;
    assert_eq!(items(most).len(), most);
    assert_eq!(code(&api, BATCH, &[], &items(most)).await, Code::InvalidArgument, "22");
    assert_eq!(code(&api, BATCH, &[], &items(most + 1)).await, Code::OutOfRange, "22");
    let operation = |length: usize| vec![b'x'; length];
    const STREAM: &str = "/quotad.v1.QuotaService/Enforce";
    assert_eq!(code(&api, STREAM, &[], &operation(most + 1)).await, Code::OutOfRange, "22");
    let comment =
        ApplyRequest { yaml: format!("# {}\nquotas: []\n", "x".repeat(2 << 20)).into_bytes(), ..Default::default() };
    assert!(api.apply(comment).await.unwrap().changes.is_empty(), "22");
    // 24: a malformed message ends its stream.
    assert_eq!(code(&api, STREAM, &[], &[0xFF; 50]).await, Code::Internal, "24");
    assert_eq!(api.digest().await, before);
}
