//! A node behind its sockets: starts in order, says when it is ready, and ends in order.

use super::{Node, NodeOptions, Storage};
use crate::domain::time::Timestamp;
use crate::engine::manage::Apply;
use crate::engine::ports::Clock;
use crate::proto::v1;
use crate::services::{AdminApi, Admission, CatalogApi, QuotaApi, Settable, TestClockApi, UsageApi};
use crate::store::clock::{SystemClock, TestClock};
use crate::telemetry::calls;
use crate::telemetry::metrics;
use crate::telemetry::otlp::push::{Push, PushOptions};
use crate::transport::direct::Direct;
use crate::transport::health::{self, Health};
use crate::transport::methods::{Exception, Methods, Rank};
use crate::transport::shed::InFlight;
use crate::transport::{http, reflection, server};
use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tonic::service::Routes;

const QUOTA: &str = "quotad.v1.QuotaService";
const ADMIN: &str = "quotad.v1.AdminService";
const CATALOG: &str = "quotad.v1.CatalogService";
const USAGE: &str = "quotad.v1.UsageService";
const TEST_CLOCK: &str = "quotad.v1.TestClockService";

/// What a process is sent that writes beyond the largest size that its files may have.
const SIGXFSZ: i32 = 25;

/// Longest unary call where nothing else is said.
const DEADLINE: Duration = Duration::from_secs(10);
/// Longest message of a batch, a stream, or quotas with their notes.
const BATCH_LIMIT: usize = 1 << 20;
/// Longest rate card with its prices.
const CARD_LIMIT: usize = 4 << 20;
/// Longest pool with its members.
const POOL_LIMIT: usize = 4 << 20;
/// Longest catalog document.
const CATALOG_LIMIT: usize = 64 << 20;
/// Longest call about a whole document.
const DOCUMENT_DEADLINE: Duration = Duration::from_secs(300);
/// What is refused late under load; all else is refused first.
const RANKS: [(&str, Rank); 11] = [
    ("/quotad.v1.QuotaService/Commit", Rank::End),
    ("/quotad.v1.QuotaService/BatchCommit", Rank::End),
    ("/quotad.v1.QuotaService/Release", Rank::End),
    ("/quotad.v1.QuotaService/Extend", Rank::End),
    ("/quotad.v1.QuotaService/Free", Rank::End),
    ("/quotad.v1.QuotaService/Reserve", Rank::Begin),
    ("/quotad.v1.QuotaService/BatchReserve", Rank::Begin),
    ("/quotad.v1.QuotaService/Consume", Rank::Begin),
    ("/quotad.v1.QuotaService/BatchConsume", Rank::Begin),
    ("/quotad.v1.QuotaService/Enforce", Rank::Begin),
    ("/quotad.v1.QuotaService/Check", Rank::Look),
];
/// The name under which the digest of the catalog file is kept.
const CATALOG_NOTE: &str = "catalog-file";

/// How to serve.
#[derive(Clone)]
pub struct ServeOptions {
    /// The node.
    pub node: NodeOptions,
    /// The catalog to apply at the start.
    pub catalog: Option<PathBuf>,
    /// Where to listen for gRPC.
    pub grpc_addr: SocketAddr,
    /// Where to listen for HTTP.
    pub http_addr: SocketAddr,
    /// Listen beyond loopback without credentials.
    pub allow_anonymous: bool,
    /// Serve a hand-wound clock.
    pub test_clock: bool,
    /// Cores to serve on; 0: all.
    pub cores: usize,
    /// Calls in work at once.
    pub max_in_flight: usize,
    /// How long it goes on as before once it is not ready any more, so that whoever sends calls here learns of it first.
    pub shutdown_delay: Duration,
    /// How old a connection gets; zero: any age.
    pub max_connection_age: Duration,
    /// How long open calls may take at shutdown.
    pub drain: Duration,
    /// Origins of web pages that may call.
    pub web_origins: Vec<String>,
    /// Where metrics are pushed to; `None`: they are only shown at `/metrics`.
    pub push: Option<PushOptions>,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// Unsafe addresses, a data folder or catalog that can't be used, a port that can't be listened on.
pub async fn serve(mut options: ServeOptions) -> Result<(), Box<dyn Error>> {
    check_addresses(&options)?;
    let test_clock = options.test_clock.then(|| Arc::new(TestClock::new(SystemClock.now())));
    options.node.clock = test_clock.clone();

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A file that may not grow any more (`ulimit -f`) is then an error like a full disk, and not the end.
    let _too_large = signal(SignalKind::from_raw(SIGXFSZ))?;
    let services = services(&options);
    let health = Health::new(&services).await;
    // Probes get an answer while the stores are waited for.
    let figures = Figures::default();
    let http = listen_for_http(&options, &health, &figures)?;
    let push = options.push.as_ref().map(|push| Push::start(push, figures.setter())).transpose()?;
    let node = tokio::select! {
        node = Node::open(options.node.clone()) => node?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    let started = start(&options, &node, test_clock, &health, &services).await;
    let running = match started {
        Ok(running) => running,
        Err(error) => {
            node.close().await;
            return Err(error);
        }
    };
    let (observe, in_flight) = (node.observer(), running.in_flight().clone());
    let set_gauges = move || {
        observe();
        calls::sockets().inflight.set(in_flight.count() as f64);
    };
    // Nobody else sets it.
    let _ = figures.0.set(Box::new(set_gauges));
    health.set_ready().await;
    announce(&options, &running, &http);

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("draining; a second signal exits at once");
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::warn!("second signal: exiting at once");
        std::process::exit(1);
    });
    health.set_not_ready("draining").await;
    tokio::time::sleep(options.shutdown_delay).await;
    stop(running, http, node, push).await;
    Ok(())
}

/// Drain, flush, close, and tell of it.
async fn stop(mut running: server::RunningServer, http: http::HttpServer, node: Node, push: Option<Push>) {
    if !running.drain().await {
        tracing::warn!("some calls were cut at the end of the drain");
    }
    node.close().await;
    if let Some(push) = push {
        push.finish().await;
    }
    http.shutdown().await;
    if tokio::task::spawn_blocking(move || running.stop()).await.is_err() {
        tracing::error!("a core did not end in order");
    }
    tracing::info!("stopped");
}

/// Without credentials only this machine may connect, unless the operator says otherwise in the open.
fn check_addresses(options: &ServeOptions) -> Result<(), Box<dyn Error>> {
    let loopback = options.grpc_addr.ip().is_loopback();
    if !loopback && options.test_clock {
        return Err("--test-clock listens on loopback only: whoever can set the clock can empty every quota".into());
    }
    if !loopback && !options.allow_anonymous {
        let address = options.grpc_addr;
        return Err(format!(
            "{address} can be reached from beyond this machine and no credentials are configured; \
             listen on 127.0.0.1, or add --allow-anonymous to let everybody in who can connect"
        )
        .into());
    }
    Ok(())
}

async fn apply_file(node: &Node, path: &Path) -> Result<(), Box<dyn Error>> {
    let yaml = std::fs::read(path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
    let request = Apply {
        tenant: None,
        yaml: &yaml,
        dry_run: false,
        prune: false,
        etag: None,
        actor: "serve --catalog",
        now: node.clock.now(),
    };
    let applied = node.catalogs.apply_file(CATALOG_NOTE, request).await;
    match applied.map_err(|error| format!("{}: {error}", path.display()))? {
        Some(applied) => tracing::info!(file = %path.display(), changes = applied.changes.len(), "catalog applied"),
        None => tracing::info!(file = %path.display(), "catalog unchanged since it was applied last"),
    }
    Ok(())
}

/// The full names of the services that are served.
fn services(options: &ServeOptions) -> Vec<&'static str> {
    let mut services = vec![QUOTA, CATALOG, USAGE, ADMIN];
    services.extend(options.test_clock.then_some(TEST_CLOCK));
    services
}

/// Sets the gauges that nobody keeps up to date, from the time on when there is something to set.
#[derive(Clone, Default)]
struct Figures(Arc<OnceLock<Box<dyn Fn() + Send + Sync>>>);

impl Figures {
    /// What is called before somebody looks.
    fn setter(&self) -> Arc<dyn Fn() + Send + Sync> {
        let figures = self.clone();
        Arc::new(move || {
            if let Some(set) = figures.0.get() {
                set();
            }
        })
    }
}

fn listen_for_http(
    options: &ServeOptions,
    health: &Health,
    figures: &Figures,
) -> Result<http::HttpServer, Box<dyn Error>> {
    let (metrics, before_scrape) = (metrics::install(), figures.setter());
    let state = http::HttpState { health: health.clone(), metrics, before_scrape };
    http::start(options.http_addr, &Handle::current(), state)
        .map_err(|error| format!("can't listen for HTTP on {}: {error}", options.http_addr).into())
}

/// Applies the catalog file and listens for gRPC.
async fn start(
    options: &ServeOptions,
    node: &Node,
    test_clock: Option<Arc<TestClock>>,
    health: &Health,
    services: &[&'static str],
) -> Result<server::RunningServer, Box<dyn Error>> {
    if let Some(path) = &options.catalog {
        apply_file(node, path).await?;
    }
    let methods = Arc::new(methods(services)?);
    // Built once to see that it can be: the cores cannot answer for a broken descriptor.
    reflection::add_to(Routes::default(), services)?;

    let mut config = server::ServerConfig::new(options.grpc_addr);
    config.cores = options.cores;
    config.in_flight = Arc::new(InFlight::new(options.max_in_flight));
    config.pace = node.authority.pace().clone();
    config.drain = options.drain;
    config.max_connection_age = options.max_connection_age;
    config.web_origins.clone_from(&options.web_origins);
    let draining = config.draining.clone();
    let admission = admission(&methods, &config.in_flight);
    let pool = Handle::current();
    let build = |_| {
        let quota = QuotaApi::new(node.authority.clone(), draining.clone(), admission.clone());
        let quota = v1::quota_service_server::QuotaServiceServer::new(quota).max_decoding_message_size(BATCH_LIMIT);
        let usage = UsageApi::new(node.authority.clone(), pool.clone());
        let catalog = CatalogApi::new(
            node.catalogs.clone(),
            node.clock.clone(),
            node.authority.clone(),
            node.mover.clone(),
            pool.clone(),
        );
        let catalog =
            v1::catalog_service_server::CatalogServiceServer::new(catalog).max_decoding_message_size(CATALOG_LIMIT);
        let admin = AdminApi::new(node.authority.clone(), node.catalogs.clone(), node.clock.clone(), pool.clone());
        let admin = v1::admin_service_server::AdminServiceServer::new(admin).max_decoding_message_size(BATCH_LIMIT);
        let mut routes = Routes::new(catalog)
            .add_service(admin)
            .add_service(v1::usage_service_server::UsageServiceServer::new(usage));
        if let Some(clock) = &test_clock {
            let clock = TestClockApi::new(clock.clone());
            routes = routes.add_service(v1::test_clock_service_server::TestClockServiceServer::new(clock));
        }
        let routes = health.add_to(routes);
        Direct::new(quota, reflection::add_to(routes.clone(), services).unwrap_or(routes))
    };
    // A start that fails drops runtimes, which blocks.
    let started = tokio::task::block_in_place(|| server::start(&config, &methods, build));
    let running = started.map_err(|error| format!("can't listen for gRPC on {}: {error}", options.grpc_addr))?;
    for core in running.handles() {
        core.spawn(node.write_here());
    }
    Ok(running)
}

/// Counts operations of streams in as the calls that they would be.
fn admission(methods: &Arc<Methods>, in_flight: &Arc<InFlight>) -> Admission {
    let (methods, in_flight) = (methods.clone(), in_flight.clone());
    Arc::new(move |path| {
        let permit = in_flight.admit(methods.of(path).rank).ok()?;
        Some(Box::new(permit))
    })
}

fn methods(services: &[&'static str]) -> Result<Methods, Box<dyn Error>> {
    let served: Vec<&str> = services.iter().copied().chain([health::SERVICE]).chain(reflection::SERVICES).collect();
    let long = |path, message_limit| Exception { path, message_limit: Some(message_limit), ..Exception::default() };
    let slow = |path| Exception { path, deadline: Some(DOCUMENT_DEADLINE), ..Exception::default() };
    let ranked = |(path, rank)| Exception { path, rank: Some(rank), ..Exception::default() };
    let exceptions = [
        long("/quotad.v1.AdminService/Recalculate", BATCH_LIMIT),
        long("/quotad.v1.CatalogService/CreateQuotas", BATCH_LIMIT),
        long("/quotad.v1.CatalogService/UpdateQuota", BATCH_LIMIT),
        long("/quotad.v1.CatalogService/CreateMeter", BATCH_LIMIT),
        long("/quotad.v1.CatalogService/UpdateMeter", BATCH_LIMIT),
        slow("/quotad.v1.CatalogService/DeleteMeter"),
        slow("/quotad.v1.CatalogService/DeletePlan"),
        long("/quotad.v1.CatalogService/CreateRateCard", CARD_LIMIT),
        long("/quotad.v1.CatalogService/UpdateRateCard", CARD_LIMIT),
        long("/quotad.v1.CatalogService/CreatePool", POOL_LIMIT),
        long("/quotad.v1.CatalogService/UpdatePool", POOL_LIMIT),
        long("/quotad.v1.QuotaService/BatchReserve", BATCH_LIMIT),
        long("/quotad.v1.QuotaService/BatchCommit", BATCH_LIMIT),
        long("/quotad.v1.QuotaService/BatchConsume", BATCH_LIMIT),
        long("/quotad.v1.CatalogService/Apply", CATALOG_LIMIT),
        slow("/quotad.v1.CatalogService/Apply"),
        slow("/quotad.v1.CatalogService/Export"),
    ];
    let exceptions: Vec<Exception> = exceptions.into_iter().chain(RANKS.into_iter().map(ranked)).collect();
    Ok(Methods::new(&reflection::DESCRIPTORS, &served, DEADLINE, &exceptions)?)
}

/// One line for programs on standard output, one for people in the log.
fn announce(options: &ServeOptions, running: &server::RunningServer, http: &http::HttpServer) {
    let (grpc, http) = (running.local_addr(), http.local_addr());
    let line = serde_json::json!({ "grpc": grpc.to_string(), "http": http.to_string() });
    let mut out = std::io::stdout().lock();
    if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush())
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        // It serves all the same: the log says where, and whoever chose the ports knows.
        tracing::warn!(%error, "the addresses can't be written to standard output");
    }
    if !grpc.ip().is_loopback() {
        tracing::warn!(%grpc, "--allow-anonymous: everybody who can connect may do everything");
    }
    let version = env!("CARGO_PKG_VERSION");
    match &options.node.storage {
        Storage::Embedded => {
            let (data, durability) = (options.node.data_dir.display(), options.node.durability);
            tracing::info!(%grpc, %http, %data, ?durability, version, "ready");
        }
        Storage::Redis(storage) => {
            let (redis, prefix) = (storage.redis.place(), &storage.redis.prefix);
            tracing::info!(%grpc, %http, redis, prefix, version, "ready");
        }
    }
}

impl Settable for TestClock {
    fn set(&self, time: Timestamp) -> Timestamp {
        TestClock::set(self, time)
    }
}
