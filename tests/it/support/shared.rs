//! Where several servers keep what they share: a Redis and a database of a test's own.

use super::postgres::Postgres;
use super::redis::{Keep, RedisServer};
use super::server::Options;
use std::sync::atomic::{AtomicU32, Ordering};

/// A real Redis and, for several replicas, a real PostgreSQL. They end with this value.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The counters' home.
    pub(crate) redis: RedisServer,
    /// The ledger's home; without it each server has a file in its data folder.
    pub(crate) postgres: Option<Postgres>,
    installations: AtomicU32,
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
        // What a power cut would take is nobody's business here.
        let postgres = Some(Postgres::start_with(&["fsync=off"]));
        Shared { redis: redis(), postgres, installations: AtomicU32::new(0) }
    }

    /// The options with a new, empty installation: all servers that start with what this answers are its replicas.
    #[track_caller]
    pub(crate) fn installation(&self, options: Options) -> Options {
        let number = self.installations.fetch_add(1, Ordering::Relaxed);
        let options = options.redis(&self.redis.url(), &format!("i{number}:"));
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
