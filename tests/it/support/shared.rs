//! Where several servers keep what they share: a Redis and a database of a test's own.

use super::postgres::Postgres;
use super::redis::{Cluster, Keep, RedisServer};
use super::server::Options;
use std::sync::atomic::{AtomicU32, Ordering};

/// A real Redis, or a cluster of three, and, for several replicas, a real PostgreSQL. They end with this value.
#[derive(Debug)]
pub(crate) struct Shared<R = RedisServer> {
    /// The counters' home.
    pub(crate) redis: R,
    /// The ledger's home; without it each server has a file in its data folder.
    pub(crate) postgres: Option<Postgres>,
    installations: AtomicU32,
}

/// Where counters can be.
pub(crate) trait Counters {
    /// The options with counters there, all keys under `prefix`.
    fn home(&self, options: Options, prefix: &str) -> Options;
}

impl Counters for RedisServer {
    fn home(&self, options: Options, prefix: &str) -> Options {
        options.redis(&self.url(), prefix)
    }
}

impl Counters for Cluster {
    fn home(&self, options: Options, prefix: &str) -> Options {
        options.redis(&self.url(), prefix).arg("--redis-cluster")
    }
}

impl Shared {
    /// Redis for the counters, the ledger in a file: for one server at a time.
    #[track_caller]
    pub(crate) fn with_file() -> Shared {
        Shared { redis: redis(), postgres: None, installations: AtomicU32::new(0) }
    }

    /// Redis and PostgreSQL: for any number of replicas.
    #[track_caller]
    pub(crate) fn with_postgres() -> Shared {
        Shared { redis: redis(), postgres: postgres(), installations: AtomicU32::new(0) }
    }
}

impl Shared<Cluster> {
    /// A cluster and PostgreSQL: for any number of replicas.
    #[track_caller]
    pub(crate) fn with_cluster() -> Shared<Cluster> {
        let cluster = Cluster::start_whole(Keep::Everything);
        Shared { redis: cluster, postgres: postgres(), installations: AtomicU32::new(0) }
    }
}

impl<R: Counters> Shared<R> {
    /// The options with a new, empty installation: all servers that start with what this answers are its replicas.
    #[track_caller]
    pub(crate) fn installation(&self, options: Options) -> Options {
        let number = self.installations.fetch_add(1, Ordering::Relaxed);
        let options = self.redis.home(options, &format!("i{number}:"));
        match &self.postgres {
            Some(postgres) => options.database(&postgres.fresh_database()),
            None => options,
        }
    }
}

/// One that syncs every write, so that its answers promise what those of the embedded journal do.
fn redis() -> RedisServer {
    RedisServer::start_with(Keep::Everything, &[])
}

/// What a power cut would take is nobody's business here.
fn postgres() -> Option<Postgres> {
    Some(Postgres::start_with(&["fsync=off"]))
}
