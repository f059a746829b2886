//! The gRPC server: one single-threaded runtime per core, each on its own thread, and one acceptor that deals connections to
//! them. A runtime that moves work between threads spends half of the processor on moving it.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::acceptor::{self, Connection, DEAL_QUEUE, Seat};
use super::direct::Answers;
use super::layers::Layers;
use super::methods::Methods;
use super::shed::InFlight;
use super::timer;
use crate::telemetry::pace::Pace;

/// HTTP/2 pings on a silent connection, and how long the answer may take.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));
/// Unread bytes of one call, and of all calls of a connection, after which the client is told to wait. HTTP/2 ends a
/// connection that leaves too many small frames unread, and how many that are grows with the second figure: with the first
/// far below it, a client with much to say waits instead of losing its connection.
const WINDOWS: (u32, u32) = (64 << 10, 16 << 20);
/// The most header bytes of one call.
const HEADER_LIST: u32 = 16 << 10;
/// How long blocking work that a core's runtime still runs may hold up its end.
const RUNTIME_END: Duration = Duration::from_secs(1);

/// How the gRPC server listens. [`ServerConfig::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// How many runtimes; 0 means one per core of the machine.
    pub cores: usize,
    /// How long open calls may take to end after [`RunningServer::drain`].
    pub drain: Duration,
    /// The most calls at a time on one connection.
    pub max_concurrent_streams: u32,
    /// The most connections; further ones are closed at once.
    pub max_connections: usize,
    /// Counts the calls of the whole server, and knows how many may be worked on at a time.
    pub in_flight: Arc<InFlight>,
    /// How long the services' store takes at the moment.
    pub pace: Arc<Pace>,
    /// How old a connection gets, a tenth more or less on each core, until its client is told to open another one: so that load follows
    /// to new replicas. What is in work on it is answered, streams stay. Zero: any age.
    pub max_connection_age: Duration,
    /// The web pages that may call from a browser; empty: those served from this machine; `*`: all.
    pub web_origins: Vec<String>,
    /// Cancelled when draining begins. Long streams should watch it and end themselves, else they are cut when `drain` is over.
    pub draining: CancellationToken,
}

impl ServerConfig {
    /// The defaults: a runtime per core, 20 s of drain, 256 calls a connection, 20,000 connections of up to ten minutes,
    /// 10,000 calls in flight.
    pub fn new(addr: SocketAddr) -> Self {
        ServerConfig {
            addr,
            cores: 0,
            drain: Duration::from_secs(20),
            max_concurrent_streams: 256,
            max_connections: 20_000,
            in_flight: Arc::new(InFlight::new(10_000)),
            pace: Arc::default(),
            max_connection_age: Duration::from_secs(600),
            web_origins: Vec::new(),
            draining: CancellationToken::new(),
        }
    }
}

/// A server that listens. Dropping it ends everything without waiting; [`RunningServer::shutdown`] waits.
#[derive(Debug)]
pub struct RunningServer {
    local_addr: SocketAddr,
    draining: CancellationToken,
    /// Cancelled when the cores may end.
    halt: CancellationToken,
    in_flight: Arc<InFlight>,
    cores: Vec<Core>,
    acceptor: Option<JoinHandle<()>>,
}

/// One runtime and its thread.
#[derive(Debug)]
struct Core {
    handle: Handle,
    open: Arc<AtomicUsize>,
    /// Answers once, when all connections have ended (true) or the time for it has passed (false).
    drained: Option<oneshot::Receiver<bool>>,
    thread: Option<JoinHandle<()>>,
}

/// Listens and serves.
///
/// `answers` is called once for each core with the core's number, so that cores need not share reference counts; it must give
/// the same services each time. `methods` must list them.
///
/// # Errors
/// An address that can't be listened on, or threads that can't be started.
pub fn start<S: Answers>(
    config: &ServerConfig,
    methods: &Methods,
    mut answers: impl FnMut(usize) -> S,
) -> io::Result<RunningServer> {
    let accepting = single_threaded("quotad-accept")?;
    let listener = {
        let _context = accepting.enter();
        acceptor::listen(config.addr)?
    };
    let mut server = RunningServer {
        local_addr: listener.local_addr()?,
        draining: config.draining.clone(),
        halt: CancellationToken::new(),
        in_flight: Arc::clone(&config.in_flight),
        cores: Vec::new(),
        acceptor: None,
    };

    let mut seats = Vec::new();
    for index in 0..core_count(config.cores) {
        let (dealt, connections) = mpsc::channel(DEAL_QUEUE);
        let (in_flight, pace) = (Arc::clone(&config.in_flight), Arc::clone(&config.pace));
        let layers = Layers::new(methods, in_flight, pace, &config.web_origins);
        let core = start_core(config, index, layers, answers(index), connections, server.halt.clone())?;
        seats.push(Seat { dealt, open: Arc::clone(&core.open) });
        server.cores.push(core);
    }

    let (max_connections, stop) = (config.max_connections, config.draining.clone());
    server.acceptor = Some(
        std::thread::Builder::new()
            .name("quotad-accept".to_owned())
            .spawn(move || acceptor::run(accepting, listener, seats, max_connections, stop))?,
    );
    Ok(server)
}

impl RunningServer {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The runtimes of the cores. What is spawned on them lives until [`RunningServer::stop`].
    pub fn handles(&self) -> Vec<Handle> {
        self.cores.iter().map(|core| core.handle.clone()).collect()
    }

    /// How many connections each core has open.
    pub fn connections(&self) -> Vec<usize> {
        self.cores.iter().map(|core| core.open.load(Ordering::Relaxed)).collect()
    }

    /// The calls being worked on.
    pub fn in_flight(&self) -> &Arc<InFlight> {
        &self.in_flight
    }

    /// Stops accepting, tells clients to go elsewhere (GOAWAY), and waits until every call has ended, at most the configured
    /// time. True if all ended; what did not keeps its connection until [`RunningServer::stop`].
    pub async fn drain(&mut self) -> bool {
        self.draining.cancel();
        let mut all_ended = true;
        for core in &mut self.cores {
            if let Some(drained) = core.drained.take() {
                all_ended &= drained.await.unwrap_or(false);
            }
        }
        all_ended
    }

    /// Ends the runtimes with all that runs on them and joins the threads. Blocks for about a second at most if work on
    /// them blocks.
    pub fn stop(mut self) {
        self.end();
        let threads = self.cores.iter_mut().filter_map(|core| core.thread.take());
        for thread in threads.chain(self.acceptor.take()) {
            // The thread's panic, if it had one, has been logged by the panic hook.
            let _ = thread.join();
        }
    }

    /// [`RunningServer::drain`], then [`RunningServer::stop`]. True if all calls ended in time.
    pub async fn shutdown(mut self) -> bool {
        let all_ended = self.drain().await;
        let stopped = tokio::task::spawn_blocking(move || self.stop()).await;
        all_ended && stopped.is_ok()
    }

    fn end(&self) {
        self.draining.cancel();
        self.halt.cancel();
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// A tenth more or less, by chance, so that the connections of a fleet's cores that were opened together do not end together.
fn with_jitter(age: Duration) -> Duration {
    let chance = RandomState::new().hash_one(age) % 201;
    age * 9 / 10 + age * u32::try_from(chance).unwrap_or(0) / 1000
}

fn core_count(configured: usize) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        cores => cores,
    }
}

fn single_threaded(name: &str) -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().thread_name(name).build()
}

fn start_core(
    config: &ServerConfig,
    index: usize,
    layers: Layers,
    answers: impl Answers,
    connections: mpsc::Receiver<std::net::TcpStream>,
    halt: CancellationToken,
) -> io::Result<Core> {
    let name = format!("quotad-core-{index}");
    let runtime = single_threaded(&name)?;
    let handle = runtime.handle().clone();
    let open = Arc::new(AtomicUsize::new(0));
    let (drained_sender, drained) = oneshot::channel();

    let serving = serve(config.clone(), layers, answers, connections, Arc::clone(&open));
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        runtime.block_on(async move {
            tokio::spawn(timer::watch());
            if let Some(all_ended) = halt.run_until_cancelled(serving).await {
                // Nobody may be waiting; then nobody is told.
                let _ = drained_sender.send(all_ended);
            }
            halt.cancelled().await;
        });
        runtime.shutdown_timeout(RUNTIME_END);
    })?;
    Ok(Core { handle, open, drained: Some(drained), thread: Some(thread) })
}

/// Serves the dealt connections until draining begins and they have ended. False if some had to be given up.
async fn serve(
    config: ServerConfig,
    layers: Layers,
    answers: impl Answers,
    connections: mpsc::Receiver<std::net::TcpStream>,
    open: Arc<AtomicUsize>,
) -> bool {
    let incoming = ReceiverStream::new(connections).map(move |stream| Connection::new(stream, Arc::clone(&open)));
    let (interval, timeout) = KEEPALIVE;
    let (stream_window, connection_window) = WINDOWS;
    let mut server = tonic::transport::Server::builder();
    if !config.max_connection_age.is_zero() {
        server = server.max_connection_age(with_jitter(config.max_connection_age));
    }
    let serving = server
        .accept_http1(true)
        .max_concurrent_streams(config.max_concurrent_streams)
        .http2_keepalive_interval(Some(interval))
        .http2_keepalive_timeout(Some(timeout))
        .http2_max_header_list_size(HEADER_LIST)
        .initial_stream_window_size(stream_window)
        .initial_connection_window_size(connection_window)
        .serve_with_incoming_shutdown(layers.around(answers), incoming, config.draining.clone().cancelled_owned());
    // tonic waits for open streams for ever.
    let bound = async {
        config.draining.cancelled().await;
        tokio::time::sleep(config.drain).await;
    };
    tokio::select! {
        served = serving => served.inspect_err(|error| tracing::error!(%error, "a core stopped serving")).is_ok(),
        () = bound => false,
    }
}
