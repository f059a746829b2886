//! The processes: two replicas that reach one Redis and one PostgreSQL through a proxy each.

use super::replicas::Replicas;
use crate::support::Proxy;
use crate::support::redis::{Keep, RedisServer};

/// Everything that runs.
pub(super) struct World {
    // Before what they stand on: they end first.
    /// The replicas and their ledger.
    pub(super) replicas: Replicas,
    /// Counters and journal, in an append-only file that is synced at every write.
    pub(super) redis: RedisServer,
    /// In front of Redis.
    pub(super) redis_way: Proxy,
}

impl World {
    /// Starts it all.
    pub(super) fn start() -> World {
        let redis = RedisServer::start_with(Keep::Everything, &[]);
        let redis_way = Proxy::start(redis.port());
        let replicas = Replicas::start(&format!("redis://127.0.0.1:{}", redis_way.port()));
        World { replicas, redis, redis_way }
    }
}
