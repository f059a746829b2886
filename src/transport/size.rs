//! Refuses a message that is longer than its method allows, from the five bytes that announce its length, before it is read.
//! tonic has one limit per service; a batch and a single call of one service differ by a factor of sixteen.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Request;
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Bytes;
use tower::Service;

use super::methods::Methods;
use super::refusal;

/// A flag and the length, before every message.
const HEADER: usize = 5;

/// The layer's service.
#[derive(Clone)]
pub(super) struct SizeCap<S> {
    pub(super) methods: Arc<Methods>,
    pub(super) inner: S,
}

impl<S> Service<Request<Body>> for SizeCap<S>
where
    S: Service<Request<CappedBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let limit = self.methods.of(request.uri().path()).message_limit;
        self.inner.call(request.map(|body| CappedBody { body, frames: Frames::new(limit) }))
    }
}

/// A request body that ends in OUT_OF_RANGE at the first message that is too long.
pub struct CappedBody {
    body: Body,
    frames: Frames,
}

impl http_body::Body for CappedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && let Err(length) = self.frames.pass(data)
        {
            return Poll::Ready(Some(Err(refusal::message_too_long(length, self.frames.limit))));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Follows the messages in a body, whose pieces may end anywhere.
struct Frames {
    limit: usize,
    /// What is known of the next message's header.
    header: [u8; HEADER],
    /// How many bytes of `header` are known.
    known: usize,
    /// How many bytes of the present message are still to come.
    rest: usize,
}

impl Frames {
    fn new(limit: usize) -> Self {
        Frames { limit, header: [0; HEADER], known: 0, rest: 0 }
    }

    /// Reads the lengths in `data`; the error is the first length above the limit.
    fn pass(&mut self, mut data: &[u8]) -> Result<(), usize> {
        loop {
            let skipped = self.rest.min(data.len());
            self.rest -= skipped;
            data = &data[skipped..];
            if data.is_empty() {
                return Ok(());
            }
            let (header, others) = data.split_at(data.len().min(HEADER - self.known));
            self.header[self.known..self.known + header.len()].copy_from_slice(header);
            self.known += header.len();
            data = others;
            if self.known == HEADER {
                let [_flag, a, b, c, d] = self.header;
                let length = u32::from_be_bytes([a, b, c, d]) as usize;
                if length > self.limit {
                    return Err(length);
                }
                (self.known, self.rest) = (0, length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: u32) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(length.to_be_bytes());
        bytes.resize(HEADER + length as usize, 7);
        bytes
    }

    #[test]
    fn every_message_is_measured_by_itself_however_the_body_is_cut() {
        let bytes: Vec<u8> = [message(100), message(0), message(64), message(101)].concat();
        let last_header_end = bytes.len() - 101;
        for piece in 1..bytes.len() {
            let mut frames = Frames::new(100);
            let mut passed = 0;
            let refused = bytes.chunks(piece).find_map(|data| {
                passed += data.len();
                frames.pass(data).err()
            });
            assert_eq!(refused, Some(101));
            assert!(passed >= last_header_end && passed < last_header_end + piece, "at once, pieces of {piece}");
        }
    }
}
