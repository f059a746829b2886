//! The yardstick: a bare tonic server on one single-threaded runtime per core whose only method answers with as many
//! bytes as it is asked for.

use super::options::cores;
use anyhow::{Context, Result};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::task::Poll;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// The method's path.
pub(super) const PATH: &str = "/quotad.bench.Echo/Echo";

/// Serves for ever; says on the first line of standard output where it listens, as `quotad serve` does.
///
/// # Errors
/// An address that can't be listened on.
pub fn serve(addr: SocketAddr) -> Result<Infallible> {
    let listener = TcpListener::bind(addr).with_context(|| format!("can't listen on {addr}"))?;
    let cores: Vec<_> = (0..cores()).map(start_core).collect::<Result<_>>()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::json!({ "grpc": listener.local_addr()?.to_string() }))?;
    out.flush()?;
    for core in cores.iter().cycle() {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        core.blocking_send(stream).context("a core has ended")?;
    }
    anyhow::bail!("no cores")
}

/// A request of `size` bytes that asks for `answer` bytes.
pub(super) fn request(size: usize, answer: usize) -> Vec<u8> {
    let mut bytes = vec![b'.'; size.max(4)];
    bytes[..4].copy_from_slice(&u32::try_from(answer).unwrap_or(u32::MAX).to_le_bytes());
    bytes
}

fn answer(request: &[u8]) -> Vec<u8> {
    let size = request.first_chunk().map_or(0, |size| u32::from_le_bytes(*size));
    // A message of more than a mebibyte is none of this benchmark.
    vec![b'.'; size.min(1 << 20) as usize]
}

fn start_core(index: usize) -> Result<mpsc::Sender<std::net::TcpStream>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (dealt, connections) = mpsc::channel(64);
    let incoming = ReceiverStream::new(connections).map(tokio::net::TcpStream::from_std);
    let serving = tonic::transport::Server::builder().add_service(Echo).serve_with_incoming(incoming);
    std::thread::Builder::new().name(format!("quotad-core-{index}")).spawn(move || runtime.block_on(serving))?;
    Ok(dealt)
}

/// The service, written by hand: what generated code would do.
#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "quotad.bench.Echo";
}

impl tower::Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<Vec<u8>, Vec<u8>>::default());
            Ok(grpc.unary(Echo, request).await)
        })
    }
}

impl UnaryService<Vec<u8>> for Echo {
    type Response = Vec<u8>;
    type Future = Ready<Result<Response<Vec<u8>>, Status>>;

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        ready(Ok(Response::new(answer(request.get_ref()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_the_size_that_was_asked_for() {
        for (size, wanted) in [(4, 0), (95, 95), (0, 1_000)] {
            let asked = request(size, wanted);
            assert_eq!((asked.len(), answer(&asked).len()), (size.max(4), wanted));
        }
        assert_eq!(answer(&[1, 2]).len(), 0);
    }
}
