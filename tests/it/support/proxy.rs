//! A way to a server that can be cut in the middle of an answer: everything passes, until so many more bytes of answers have. And
//! it can be long.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// A TCP proxy on a port of its own. It ends with this value.
#[derive(Debug)]
pub(crate) struct Proxy {
    addr: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    target: SocketAddr,
    /// Bytes of answers that still pass before a connection is cut; `None`: all.
    left: Mutex<Option<usize>>,
    cuts: AtomicU32,
    /// How long answers are on their way, in milliseconds.
    delay: AtomicU64,
    /// Whether the next cut is the end.
    last: AtomicBool,
    ended: AtomicBool,
}

impl Proxy {
    /// Starts one in front of a port of this machine.
    pub(crate) fn start(port: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let target = SocketAddr::from(([127, 0, 0, 1], port));
        let (left, cuts) = (Mutex::new(None), AtomicU32::new(0));
        let (last, ended, delay) = Default::default();
        let state = Arc::new(State { target, left, cuts, delay, last, ended });
        let ours = state.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if ours.ended.load(Ordering::SeqCst) {
                    return;
                }
                // A client that has gone again, or a server that is not there, ends the connection and nothing else.
                if let (Ok(client), Ok(server)) = (client, TcpStream::connect(ours.target)) {
                    join(&client, &server, &ours);
                }
            }
        });
        Proxy { addr, state }
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.addr.port()
    }

    /// From now on answers are so long on their way.
    pub(crate) fn delay(&self, time: Duration) {
        self.state.delay.store(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Lets `bytes` more bytes of answers pass, on whichever connections, and closes the one on which the next would come.
    pub(crate) fn cut_after(&self, bytes: usize) {
        *self.state.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }

    /// The same, and then nothing passes any more.
    pub(crate) fn end_after(&self, bytes: usize) {
        self.state.last.store(true, Ordering::SeqCst);
        self.cut_after(bytes);
    }

    /// How many connections were cut.
    pub(crate) fn cuts(&self) -> u32 {
        self.state.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it is to end.
        let _ = TcpStream::connect(self.addr);
    }
}

impl State {
    /// How many of so many bytes may pass, and whether that is all for this connection.
    fn admit(&self, bytes: usize) -> (usize, bool) {
        thread::sleep(Duration::from_millis(self.delay.load(Ordering::SeqCst)));
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        match *left {
            Some(few) if few < bytes => {
                *left = None;
                self.cuts.fetch_add(1, Ordering::SeqCst);
                self.ended.fetch_or(self.last.load(Ordering::SeqCst), Ordering::SeqCst);
                (few, true)
            }
            Some(many) => {
                *left = Some(many - bytes);
                (bytes, false)
            }
            None => (bytes, false),
        }
    }
}

/// Carries bytes both ways until one side ends.
fn join(client: &TcpStream, server: &TcpStream, state: &Arc<State>) {
    for stream in [client, server] {
        stream.set_nodelay(true).unwrap();
    }
    let pair = || (client.try_clone().unwrap(), server.try_clone().unwrap());
    let ((client, server), (to, from)) = (pair(), pair());
    thread::spawn(move || pump(client, server, |bytes| (bytes, false)));
    let state = state.clone();
    thread::spawn(move || pump(from, to, |bytes| state.admit(bytes)));
}

fn pump(mut from: TcpStream, mut to: TcpStream, admit: impl Fn(usize) -> (usize, bool)) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let (pass, last) = admit(read);
        if to.write_all(&buffer[..pass]).is_err() || last {
            break;
        }
    }
    // Either may be closed already.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[test]
fn a_proxy_passes_everything_until_it_cuts() {
    let echo = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(echo.local_addr().unwrap().port());
    thread::spawn(move || {
        for client in echo.incoming().flatten() {
            thread::spawn(move || pump(client.try_clone().unwrap(), client, |bytes| (bytes, false)));
        }
    });
    let connect = || TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    let mut first = connect();
    let mut answer = [0; 5];
    first.write_all(b"hello").unwrap();
    first.read_exact(&mut answer).unwrap();
    assert_eq!((&answer, proxy.cuts()), (b"hello", 0));

    proxy.cut_after(3);
    first.write_all(b"hello").unwrap();
    let mut rest = Vec::new();
    // A reset after the last byte is as good an end.
    let _ = first.read_to_end(&mut rest);
    assert_eq!((rest.as_slice(), proxy.cuts()), (b"hel".as_slice(), 1));

    let mut second = connect();
    second.write_all(b"again").unwrap();
    second.read_exact(&mut answer).unwrap();
    assert_eq!((&answer, proxy.cuts()), (b"again", 1));
}
