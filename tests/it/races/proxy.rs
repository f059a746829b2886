//! A proxy that loses answers: it reads HTTP/2 frame by frame, and cuts the connection where it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::{Channel, Endpoint};

/// Where the connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cut {
    /// The server has answered, and the client hears nothing of it.
    Answer,
    /// The server has been sent the request; whether it still reads it nobody knows.
    Request,
}

/// Lets calls through until it is armed; the next one is cut.
pub(super) struct Proxy {
    address: SocketAddr,
    armed: Arc<AtomicBool>,
}

const PREFACE: usize = 24;
const HEADER: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
/// The flag of a frame that is its stream's last.
const END_STREAM: u8 = 1;

impl Proxy {
    /// One in front of a server, for as long as the runtime lives.
    pub(super) async fn start(server: &str, cut: Cut) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy { address: listener.local_addr().unwrap(), armed: Arc::default() };
        let (server, armed) = (server.to_owned(), proxy.armed.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let request = forward(from_client, to_server, PREFACE, armed.clone(), move |kind, flags| {
                    cut == Cut::Request && kind == DATA && flags & END_STREAM != 0
                });
                let answer = forward(from_server, to_client, 0, armed.clone(), move |kind, _| {
                    cut == Cut::Answer && kind == HEADERS
                });
                tokio::spawn(async move {
                    // Whichever ends takes the other along.
                    tokio::select! {
                        () = request => {}
                        () = answer => {}
                    }
                });
            }
        });
        proxy
    }

    /// From now on connections are cut.
    pub(super) fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// A connection through it.
    pub(super) fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect_lazy()
    }
}

/// Passes frames on, up to the first one to be cut at: a request's still goes out, an answer's does not.
async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    preface: usize,
    armed: Arc<AtomicBool>,
    cuts: impl Fn(u8, u8) -> bool,
) {
    let mut frame = vec![0; preface];
    loop {
        if from.read_exact(&mut frame).await.is_err() || to.write_all(&frame).await.is_err() {
            return;
        }
        frame.resize(HEADER, 0);
        if from.read_exact(&mut frame).await.is_err() {
            return;
        }
        let length = u32::from_be_bytes([0, frame[0], frame[1], frame[2]]) as usize;
        let (kind, flags) = (frame[3], frame[4]);
        if armed.load(Ordering::SeqCst) && cuts(kind, flags) {
            if kind == DATA {
                let mut rest = vec![0; length];
                if from.read_exact(&mut rest).await.is_ok() {
                    frame.extend(rest);
                    // The cut follows at once, whether this got through or not.
                    let _ = to.write_all(&frame).await;
                }
            }
            return;
        }
        if to.write_all(&frame).await.is_err() {
            return;
        }
        frame.resize(length, 0);
    }
}
