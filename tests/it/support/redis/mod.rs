//! Real Redis servers for tests: one, a master with replica and three sentinels, a cluster of three. They listen on free
//! ports of this machine, keep their files in folders of their own, and end with their value, also after a panic.

mod cluster;
mod sentinels;
mod server;

pub(crate) use {
    cluster::Cluster,
    sentinels::Sentinels,
    server::{Keep, RedisServer, until},
};
