//! Accepts connections on a thread of its own and deals them round robin to the cores. A listener per core would let the
//! kernel's hash put two busy connections on one core while another idles.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::telemetry::{calls, fields};

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: u32 = 4096;
/// Accepted connections that wait for one core.
pub(super) const DEAL_QUEUE: usize = 1024;
/// The pause after a failed accept; the usual cause, no file descriptors left, does not pass in an instant.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a new connection may stay silent.
const FIRST_BYTE: Duration = Duration::from_secs(10);

/// Opens the listening socket. Must be called within a tokio runtime.
pub(super) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restarted server may bind while connections of its predecessor linger in the kernel.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// One core as the acceptor sees it.
pub(super) struct Seat {
    /// Where its connections go.
    pub(super) dealt: mpsc::Sender<std::net::TcpStream>,
    /// How many it has open; the acceptor counts up, the connection's end counts down.
    pub(super) open: Arc<AtomicUsize>,
}

/// Accepts and deals until `stop`, then closes the listening socket. Blocks its thread.
pub(super) fn run(
    runtime: Runtime,
    listener: TcpListener,
    seats: Vec<Seat>,
    max_connections: usize,
    stop: CancellationToken,
) {
    runtime.block_on(async move {
        let mut next = 0;
        while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
            if accepted.as_ref().is_err_and(|error| is_of_one_connection(error.kind())) {
                continue;
            }
            let dealt = accepted.and_then(|(stream, _)| deal(stream, &seats, &mut next, max_connections));
            if let Err(error) = dealt {
                tracing::warn!({ fields::ERROR } = %error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    });
}

/// A caller that left before it was accepted: no fault of the server.
fn is_of_one_connection(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(kind, ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Gives the connection to the next core; one that can't take more is passed over.
fn deal(stream: TcpStream, seats: &[Seat], next: &mut usize, max_connections: usize) -> io::Result<()> {
    let open: usize = seats.iter().map(|seat| seat.open.load(Ordering::Relaxed)).sum();
    if open >= max_connections {
        return Err(io::Error::other(format!("{open} connections are open, the most allowed")));
    }
    stream.set_nodelay(true)?;
    let mut stream = stream.into_std()?;
    for _ in seats {
        let seat = &seats[*next % seats.len()];
        *next = (*next + 1) % seats.len();
        seat.open.fetch_add(1, Ordering::Relaxed);
        match seat.dealt.try_send(stream) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Full(back) | mpsc::error::TrySendError::Closed(back)) => {
                seat.open.fetch_sub(1, Ordering::Relaxed);
                stream = back;
            }
        }
    }
    Err(io::Error::other("every core has too many new connections waiting"))
}

/// A connection on its core.
pub(super) struct Connection {
    io: TcpStream,
    /// Runs until the first byte comes.
    silence: Option<Pin<Box<Sleep>>>,
    _open: Open,
}

/// Counts a connection out when it ends.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        calls::sockets().connections.decrement(1.0);
    }
}

impl Connection {
    /// Takes over a dealt connection, which `open` counts already. Must be called on the core's runtime.
    pub(super) fn new(stream: std::net::TcpStream, open: Arc<AtomicUsize>) -> io::Result<Self> {
        calls::sockets().connections.increment(1.0);
        let open = Open(open);
        let silence = Some(Box::pin(tokio::time::sleep(FIRST_BYTE)));
        Ok(Connection { io: TcpStream::from_std(stream)?, silence, _open: open })
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if read.is_ready() {
            self.silence = None;
        } else if let Some(silence) = &mut self.silence
            && silence.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.io.connect_info()
    }
}
