//! What the tests stand on: the real program on free ports, folders that go away, seeds that stay.

#![allow(dead_code, reason = "a toolbox: not every tool is in use at every time")]

mod certificates;
mod cli;
mod collector;
mod metrics;
mod port;
mod postgres;
mod proxy;
pub(crate) mod redis;
mod seed;
mod server;
mod shared;
mod tempdir;

#[allow(unused_imports, reason = "as above")]
pub(crate) use {
    certificates::{authority, certificate},
    cli::{Output, cli, cli_with},
    collector::Collector,
    port::unused_addr,
    postgres::Postgres,
    proxy::Proxy,
    seed::{for_each_seed, seed},
    server::{Options, Server},
    shared::Shared,
    tempdir::TempDir,
};
