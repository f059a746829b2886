//! Too much of everything on a connection: streams, resets, headers without end. Others must not notice (numbers 19 and
//! 32 to 34 of the list of bad inputs).

use super::h2::{
    ACK, CONTINUATION, Connection, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, framed, headers, literal,
};
use super::helpers::*;
use quotad::proto::v1::{CheckRequest, EnforceRequest, enforce_request::Operation};
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

/// What a client may send now, of one stream and of the whole connection.
struct Windows {
    stream: i64,
    connection: i64,
}

impl Windows {
    /// Takes a frame's part of it; false if the connection ends.
    fn take(&mut self, frame: &Frame) -> bool {
        let number = |bytes: &[u8]| i64::from(u32::from_be_bytes(bytes.try_into().unwrap()));
        match (frame.kind, frame.stream) {
            (WINDOW_UPDATE, 0) => self.connection += number(&frame.payload),
            (WINDOW_UPDATE, _) => self.stream += number(&frame.payload),
            // The setting 4 is the window of a stream that begins.
            (SETTINGS, _) => {
                let initial = frame.payload.chunks(6).find(|setting| setting[..2] == [0, 4]);
                self.stream += initial.map_or(0, |setting| number(&setting[2..]) - 65_535);
            }
            (GOAWAY | RST_STREAM, _) => return false,
            (HEADERS, _) => return frame.flags & END_STREAM == 0,
            _ => {}
        }
        true
    }
}

#[tokio::test]
async fn a_stream_with_much_to_say_waits_and_keeps_its_connection() {
    const OPERATIONS: u64 = 20_000;
    let api = Api::start().await;
    let mut connection = Connection::open(api.server.grpc_addr()).await;
    let mut windows = Windows { stream: 65_535, connection: 65_535 };
    windows.take(&connection.next_of(SETTINGS).await.unwrap());
    connection.send(&[Frame::new(SETTINGS, ACK, 0, [])]).await;
    connection.send(&[Frame::new(HEADERS, END_HEADERS, 1, headers("/quotad.v1.QuotaService/Enforce"))]).await;
    // The client reads no answer until the server takes no more, however small each message is.
    let mut reading = false;
    let mut answers = 0;
    for tag in 0..OPERATIONS {
        let hold = reserve(&format!("r{tag}"), vec![charge("tenants/acme/bots/b", "job.calls", 1)]);
        let message = framed(&EnforceRequest { tag, operation: Some(Operation::Reserve(hold)) });
        while windows.stream.min(windows.connection) < message.len() as i64 {
            let quiet = if reading { Duration::from_secs(5) } else { Duration::from_millis(500) };
            match tokio::time::timeout(quiet, connection.next()).await {
                Ok(frame) => {
                    let frame = frame.unwrap_or_else(|| panic!("silence after {tag} operations"));
                    assert!(windows.take(&frame), "after {tag} operations: {frame:?}");
                    answers += usize::from(frame.kind == DATA);
                }
                Err(_) if reading => panic!("the server takes no more after {tag} operations"),
                Err(_) => {
                    reading = true;
                    let more = (1_u32 << 30).to_be_bytes();
                    connection.send(&[0, 1].map(|stream| Frame::new(WINDOW_UPDATE, 0, stream, more))).await;
                }
            }
        }
        windows.stream -= message.len() as i64;
        windows.connection -= message.len() as i64;
        connection.send(&[Frame::new(DATA, 0, 1, message)]).await;
    }
    connection.send(&[Frame::new(DATA, END_STREAM, 1, [])]).await;
    let trailers = loop {
        let frame = connection.next().await.expect("closed before the end of the answers");
        answers += usize::from(frame.kind == DATA);
        if frame.kind == HEADERS && frame.flags & END_STREAM != 0 {
            break frame;
        }
        assert!(windows.take(&frame), "{frame:?}");
    };
    assert!(reading && answers > 0, "{trailers:?}");
    assert_eq!(api.figures("tenants/acme/bots/b", "job.calls").await, (0, OPERATIONS as i64));
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
