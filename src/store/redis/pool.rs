//! Connections to Redis: how each is made (one node, the master that sentinels name, a cluster's handle), and the pool of them.

use super::options::{Address, RedisOptions, Topology};
use deadpool::Runtime;
use deadpool::managed::{Manager, Metrics, Object, Pool, RecycleError, RecycleResult};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, Pipeline, RedisConnectionInfo,
    RedisError, RedisFuture, RedisResult, TlsCertificates, Value,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// Connections that are open at most: the shared one, its successor, and some for what must not wait behind it.
const POOL_SIZE: usize = 4;

/// A connection; clones share it.
#[derive(Clone)]
pub(super) enum Wire {
    /// To one server. It never reconnects.
    Node(Node),
    /// To all servers of a cluster. It reconnects by itself.
    Cluster(ClusterConnection),
}

/// A connection to one server.
#[derive(Clone)]
pub(super) struct Node {
    connection: MultiplexedConnection,
    /// Where it leads, if sentinels said so.
    master: Option<Address>,
    /// Out of use for ever, though it may still answer: its server is no master any more, for one.
    retired: Arc<AtomicBool>,
}

impl Node {
    fn new(connection: MultiplexedConnection, master: Option<Address>) -> Node {
        Node { connection, master, retired: Arc::default() }
    }

    /// Takes it out of use: the pool gives it to nobody again.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }
}

impl ConnectionLike for Wire {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Wire::Node(node) => node.connection.req_packed_command(cmd),
            Wire::Cluster(cluster) => cluster.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        from: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Wire::Node(node) => node.connection.req_packed_commands(cmd, from, count),
            Wire::Cluster(cluster) => cluster.req_packed_commands(cmd, from, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Wire::Node(node) => node.connection.get_db(),
            Wire::Cluster(cluster) => cluster.get_db(),
        }
    }
}

/// A connection as the pool keeps it.
pub(super) type Pooled = Object<Dialer>;

/// The pool. Taking a used connection out of it costs a PING, so the calls share one ([`super::link`]).
pub(super) type Connections = Pool<Dialer>;

/// The pool of connections that these options describe. Nothing is connected yet.
///
/// # Errors
/// Options that the driver does not take: a damaged certificate, for one.
pub(super) fn connections(options: &RedisOptions) -> Result<Connections, String> {
    if options.tls {
        // The first one stays; that there is one already is no fault.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let dialer = Dialer::new(options).map_err(|error| error.to_string())?;
    Pool::builder(dialer)
        .max_size(POOL_SIZE)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(options.connect_timeout))
        // The sentinels, then the master, then what is said first on a connection.
        .create_timeout(Some(4 * options.connect_timeout))
        .recycle_timeout(Some(options.connect_timeout))
        .build()
        .map_err(|error| error.to_string())
}

/// Makes connections.
pub(super) struct Dialer {
    options: RedisOptions,
    way: Way,
}

enum Way {
    One(deadpool_redis::Manager),
    Sentinel { sentinels: Vec<Client>, master: String },
    Cluster(ClusterClient),
}

impl Dialer {
    fn new(options: &RedisOptions) -> RedisResult<Dialer> {
        let way = match &options.topology {
            Topology::One(address) => Way::One(node(options, address)?),
            Topology::Sentinel { sentinels, master } => {
                let login = match &options.sentinel_password {
                    Some(password) => RedisConnectionInfo::default().set_password(password.reveal()),
                    None => RedisConnectionInfo::default(),
                };
                let clients = sentinels.iter().map(|address| client(options, address, login.clone()));
                Way::Sentinel { sentinels: clients.collect::<RedisResult<_>>()?, master: master.clone() }
            }
            Topology::Cluster(seeds) => Way::Cluster(cluster(options, seeds)?),
        };
        Ok(Dialer { options: options.clone(), way })
    }
}

impl Manager for Dialer {
    type Type = Wire;
    type Error = RedisError;

    async fn create(&self) -> Result<Wire, RedisError> {
        match &self.way {
            Way::One(manager) => Ok(Wire::Node(Node::new(manager.create().await?, None))),
            Way::Sentinel { sentinels, master } => {
                let address = find_master(&self.options, sentinels, master).await?;
                let mut connection = node(&self.options, &address)?.create().await?;
                refuse_replica(&mut connection, &address).await?;
                Ok(Wire::Node(Node::new(connection, Some(address))))
            }
            Way::Cluster(client) => client.get_async_connection().await.map(Wire::Cluster),
        }
    }

    async fn recycle(&self, wire: &mut Wire, _: &Metrics) -> RecycleResult<RedisError> {
        // A keyless PING to a cluster says nothing: its handle mends itself.
        let Wire::Node(node) = wire else { return Ok(()) };
        if node.retired.load(Ordering::Relaxed) {
            return Err(RecycleError::message("out of use"));
        }
        redis::cmd("PING").exec_async(&mut node.connection).await?;
        Ok(())
    }
}

impl Dialer {
    /// Whether the sentinels name another master than the one that a connection leads to. The old one may not know yet that
    /// it was replaced, and go on taking writes that will be lost.
    pub(super) async fn has_moved(&self, wire: &Wire) -> bool {
        let (Way::Sentinel { sentinels, master }, Wire::Node(node)) = (&self.way, wire) else { return false };
        match find_master(&self.options, sentinels, master).await {
            Ok(address) => node.master.as_ref() != Some(&address),
            Err(_) => false,
        }
    }
}

fn tcp() -> TcpSettings {
    // A call is one small write; waiting to fill a packet would only delay it.
    TcpSettings::default().set_nodelay(true)
}

fn login(options: &RedisOptions) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default().set_db(options.database);
    if let Some(user) = &options.user {
        login = login.set_username(user);
    }
    if let Some(password) = &options.password {
        login = login.set_password(password.reveal());
    }
    login
}

fn certificates(options: &RedisOptions) -> TlsCertificates {
    TlsCertificates { client_tls: None, root_cert: options.ca.clone() }
}

fn address_of(options: &RedisOptions, address: &Address) -> ConnectionAddr {
    let Address { host, port } = address.clone();
    match options.tls {
        true => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
        false => ConnectionAddr::Tcp(host, port),
    }
}

/// How a server is spoken to. Calls bring a time-out of their own.
fn settings(options: &RedisOptions, response_timeout: Option<Duration>) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(options.connect_timeout))
        .set_response_timeout(response_timeout)
}

fn client(options: &RedisOptions, address: &Address, login: RedisConnectionInfo) -> RedisResult<Client> {
    let info = address_of(options, address).into_connection_info()?.set_tcp_settings(tcp()).set_redis_settings(login);
    if options.tls { Client::build_with_tls(info, certificates(options)) } else { Client::open(info) }
}

fn node(options: &RedisOptions, address: &Address) -> RedisResult<deadpool_redis::Manager> {
    let client = client(options, address, login(options))?;
    deadpool_redis::Manager::new_with_config(client.get_connection_info().clone(), settings(options, None))
}

fn cluster(options: &RedisOptions, seeds: &[Address]) -> RedisResult<ClusterClient> {
    let infos = seeds.iter().map(|seed| {
        let info = address_of(options, seed).into_connection_info()?;
        Ok(info.set_tcp_settings(tcp()).set_redis_settings(login(options)))
    });
    let mut builder = ClusterClient::builder(infos.collect::<RedisResult<Vec<_>>>()?)
        // Never again behind our back: what may have run is our affair, and redirects are followed by the link.
        .retries(0)
        .connection_timeout(options.connect_timeout)
        .response_timeout(options.response_timeout)
        .tcp_settings(tcp());
    if options.tls {
        builder = builder.tls(redis::cluster::TlsMode::Secure).certs(certificates(options));
    }
    builder.build()
}

/// A connection to the first node of a cluster that takes one, for what concerns the whole cluster.
///
/// # Errors
/// That of the last node asked.
pub(super) async fn first_node(options: &RedisOptions, seeds: &[Address]) -> RedisResult<MultiplexedConnection> {
    let mut last = RedisError::from((ErrorKind::InvalidClientConfig, "no host"));
    for seed in seeds {
        match client(options, seed, login(options))?
            .get_multiplexed_async_connection_with_config(&settings(options, Some(options.response_timeout)))
            .await
        {
            Ok(connection) => return Ok(connection),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Asks all sentinels for the master and believes the one with the newest configuration: one that was cut off names the old.
async fn find_master(options: &RedisOptions, sentinels: &[Client], master: &str) -> RedisResult<Address> {
    let mut asked = JoinSet::new();
    for sentinel in sentinels {
        let settings = settings(options, Some(options.connect_timeout));
        asked.spawn(ask_sentinel(settings, sentinel.clone(), master.to_owned()));
    }
    let mut newest: Option<(u64, Address)> = None;
    let mut last = RedisError::from((ErrorKind::EmptySentinelList, "no sentinel"));
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok(Ok(found)) if newest.as_ref().is_none_or(|(epoch, _)| found.0 > *epoch) => newest = Some(found),
            Ok(Err(error)) => last = error,
            _ => {}
        }
    }
    newest.map(|(_, address)| address).ok_or(last)
}

/// What one sentinel says: the number of its configuration, and the master in it.
async fn ask_sentinel(
    settings: AsyncConnectionConfig,
    sentinel: Client,
    master: String,
) -> RedisResult<(u64, Address)> {
    let mut connection = sentinel.get_multiplexed_async_connection_with_config(&settings).await?;
    let found: HashMap<String, String> =
        redis::cmd("SENTINEL").arg("MASTER").arg(&master).query_async(&mut connection).await?;
    let address = || {
        let epoch = found.get("config-epoch")?.parse().ok()?;
        Some((epoch, Address { host: found.get("ip")?.clone(), port: found.get("port")?.parse().ok()? }))
    };
    address().ok_or_else(|| (ErrorKind::MasterNameNotFoundBySentinel, "no address of the master", master).into())
}

/// Just after a fail over a sentinel may still name the old master, which by now follows the new one.
async fn refuse_replica(connection: &mut MultiplexedConnection, address: &Address) -> RedisResult<()> {
    let role: RedisResult<Value> = redis::cmd("ROLE").query_async(connection).await;
    match role {
        Ok(Value::Array(parts)) if !matches!(parts.first(), Some(Value::BulkString(role)) if role == b"master") => {
            Err((ErrorKind::MasterNameNotFoundBySentinel, "is no master any more", address.to_string()).into())
        }
        // The user may lack the right to ask: a replica then refuses the first write.
        _ => Ok(()),
    }
}
