//! Too much of everything on a connection: streams, resets, headers without end. Others must not notice (numbers 19 and
//! 32 to 34 of the list of bad inputs).

use super::h2::{
    CONTINUATION, Connection, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, RST_STREAM, framed, headers,
    literal,
};
use super::helpers::*;
use quotad::proto::v1::CheckRequest;
use std::time::{Duration, Instant};

const CHECK: &str = "/quotad.v1.QuotaService/Check";
const REFUSED_STREAM: [u8; 4] = 7u32.to_be_bytes();
const ENHANCE_YOUR_CALM: [u8; 4] = 11u32.to_be_bytes();

fn check() -> CheckRequest {
    CheckRequest { tenant: TENANT.into(), charges: runs("a", 1) }
}

/// A whole call on a stream.
fn call(stream: u32, path: &str) -> [Frame; 2] {
    [Frame::new(HEADERS, END_HEADERS, stream, headers(path)), Frame::new(DATA, END_STREAM, stream, framed(&check()))]
}

#[tokio::test]
async fn a_path_without_its_slash_reaches_no_method() {
    let api = Api::start().await;
    for path in ["quotad.v1.QuotaService/Check", "*", ""] {
        let mut connection = Connection::open(api.server.grpc_addr()).await;
        connection.send(&call(1, path)).await;
        // 19: the stack answers 400 or resets the stream; no answer of a method comes.
        let answer = loop {
            match connection.next().await {
                Some(frame) if frame.stream == 1 => break frame,
                Some(frame) if frame.kind == GOAWAY => break frame,
                Some(_) => {}
                None => panic!("19: {path:?}: silence"),
            }
        };
        let refused = answer.kind != HEADERS || answer.flags & END_STREAM != 0;
        assert!(refused, "19: {path:?}: {answer:?}");
    }
    // The same bytes with the slash are answered: headers, a message, trailers.
    let mut connection = Connection::open(api.server.grpc_addr()).await;
    connection.send(&call(1, CHECK)).await;
    assert!(connection.next_of(DATA).await.is_some());
}

#[tokio::test]
async fn streams_above_the_limit_are_refused_and_the_rest_answered() {
    let api = Api::start().await;
    let mut connection = Connection::open(api.server.grpc_addr()).await;
    // 32: calls whose bodies never come keep their places.
    let open: Vec<Frame> = (0..300).map(|n| Frame::new(HEADERS, END_HEADERS, 2 * n + 1, headers(CHECK))).collect();
    connection.send(&open).await;
    let mut refused = 0;
    while refused < 300 - 256 {
        let frame = connection.next_of(RST_STREAM).await.unwrap_or_else(|| panic!("32: only {refused} are refused"));
        assert_eq!(frame.payload, REFUSED_STREAM, "32");
        refused += 1;
    }
    // What was let in is answered once it is whole.
    connection.send(&[Frame::new(DATA, END_STREAM, 1, framed(&check()))]).await;
    assert!(connection.next_of(DATA).await.is_some(), "32");
    others_are_served(&api).await;
}

#[tokio::test]
async fn a_flood_of_resets_or_of_headers_ends_its_connection_only() {
    let api = Api::start().await;
    // 33: calls that are reset as soon as they are made.
    let mut connection = Connection::open(api.server.grpc_addr()).await;
    let flood = async {
        for n in 0..20_000 {
            let [open, _] = call(2 * n + 1, CHECK);
            let reset = Frame::new(RST_STREAM, 0, 2 * n + 1, 8u32.to_be_bytes());
            if !connection.send(&[open, reset]).await {
                break;
            }
        }
        connection.next_of(GOAWAY).await
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), flood).await.expect("33: the flood goes on for ever");
    // The server may close so quickly that its last words are lost with the connection.
    if let Some(goaway) = ended {
        assert_eq!(goaway.payload[4..8], ENHANCE_YOUR_CALM, "33");
    }
    others_are_served(&api).await;

    // 33: header fields that never end.
    let mut connection = Connection::open(api.server.grpc_addr()).await;
    connection.send(&[Frame::new(HEADERS, 0, 1, headers(CHECK))]).await;
    let more: Vec<u8> = (0..100).flat_map(|n| literal(&format!("x-{n}"), &"y".repeat(100))).collect();
    let mut sent = 0;
    while connection.send(&[Frame::new(CONTINUATION, 0, 1, more.clone())]).await {
        sent += 1;
        assert!(sent < 10_000, "33: {sent} continuations are taken");
    }
    others_are_served(&api).await;
}

#[tokio::test]
async fn a_body_that_drips_in_is_cut() {
    let api = Api::start().await;
    let begin = Instant::now();
    let mut connection = Connection::open(api.server.grpc_addr()).await;
    connection.send(&[Frame::new(HEADERS, END_HEADERS, 1, headers(CHECK))]).await;
    let mut body = framed(&check()).into_iter().cycle();
    // 34: a byte a second; the server's own deadline is 10 s.
    let cut = loop {
        connection.send(&[Frame::new(DATA, 0, 1, [body.next().unwrap()])]).await;
        match tokio::time::timeout(Duration::from_secs(1), connection.next_of(HEADERS)).await {
            Ok(frame) => break frame.expect("34: closed without an answer"),
            Err(_) => assert!(begin.elapsed() < Duration::from_secs(14), "34: not cut"),
        }
    };
    assert_ne!(cut.flags & END_STREAM, 0, "34: {cut:?}");
    assert!(begin.elapsed() > Duration::from_secs(8), "34: cut after {:?}", begin.elapsed());
}

async fn others_are_served(api: &Api) {
    let answer = tokio::time::timeout(Duration::from_secs(2), api.check(check())).await;
    answer.expect("others wait").unwrap();
}
