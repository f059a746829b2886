//! The shared counter store, with real servers, and what replicas do with it at once.

mod batches;
mod catalog_news;
mod fake;
mod flush;
mod granted;
mod ledger;
mod link;
mod link_batch;
mod link_cluster;
mod link_probe;
mod link_sentinel;
mod link_tls;
mod port;
mod recorder;
mod recovery;
mod recovery_apart;
mod recovery_catalog;
mod recovery_halfway;
mod recovery_serving;
mod world;
