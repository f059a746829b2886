//! The same stories, unchanged, on one cluster of three nodes: each server is an installation of its own there, and the tenants of
//! all of them are spread over the nodes.

use super::run;
use super::world::Place;
use crate::support::Shared;
use crate::support::redis::RedisServer;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Files that are played at once.
const AT_ONCE: usize = 4;

/// Plays all files.
pub(super) fn play(files: &[&str]) {
    let shared = Arc::new(Shared::with_cluster());
    let waiting = Mutex::new(files.iter());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(file) = next() {
                    run::play(file, Place::cluster(shared.clone()));
                }
            });
        }
    });
    let spread: Vec<BTreeSet<String>> = shared.redis.nodes.iter().map(decided).collect();
    println!("stories: partitions on the nodes in which something was decided: {spread:?}");
    assert!(spread.iter().all(|partitions| partitions.len() > 1), "each node does its part: {spread:?}");
    let all: BTreeSet<&String> = spread.iter().flatten().collect();
    assert_eq!(all.len(), spread.iter().map(BTreeSet::len).sum::<usize>(), "a partition is on one node: {spread:?}");
}

/// The tags of the partitions on a node that have counters.
fn decided(node: &RedisServer) -> BTreeSet<String> {
    let keys: Vec<String> = node.ask(&["KEYS", "*:counters:*"]);
    let tag = |key: &String| key.split(['{', '}']).nth(1).map(str::to_owned);
    keys.iter().filter_map(tag).collect()
}
