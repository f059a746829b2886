//! The way to a cluster: partitions on every node, slots that move under load, nodes that die.

use crate::support::redis::Cluster;
use quotad::store::redis::keys::Keys;
use quotad::store::redis::link::{Link, LinkError};
use quotad::store::redis::options::{RedisFlags, RedisOptions};
use quotad::store::redis::scripts::Script;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Counts its runs in the first key; the others it only names, as real calls do.
const COUNTING: &str = "redis.call('INCR', KEYS[1]) redis.call('SET', KEYS[2], 'x') return 'done'";

const LONG: Duration = Duration::from_secs(10);

fn open(cluster: &Cluster) -> Link {
    let flags = RedisFlags { url: cluster.url(), cluster: true, ..RedisFlags::default() };
    Link::open(RedisOptions::new(&flags).unwrap()).unwrap()
}

fn keys(partition: u32) -> Keys {
    Keys::new("quotad:", partition).unwrap()
}

async fn run(link: &Link, partition: u32, script: &Script) -> Result<Vec<u8>, LinkError> {
    link.run(&keys(partition).all(1), script, &[], LONG).await
}

async fn run_until_done(link: &Link, partition: u32, script: &Script) {
    let started = Instant::now();
    while let Err(error) = run(link, partition, script).await {
        assert!(!matches!(error, LinkError::Script(_)) && started.elapsed() < LONG, "{error:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_live_on_all_nodes_and_survive_lost_connections_scripts_and_a_dead_node() {
    let mut cluster = Cluster::start();
    let link = open(&cluster);
    let script = Script::new("counting", COUNTING);
    let mut used = BTreeSet::new();
    for partition in 0..16 {
        run(&link, partition, &script).await.unwrap();
        used.insert(cluster.node_of(keys(partition).meta()));
    }
    assert_eq!(used.len(), 3);

    for node in &cluster.nodes {
        node.ask::<()>(&["SCRIPT", "FLUSH"]);
        node.ask::<u32>(&["CLIENT", "KILL", "TYPE", "normal"]);
    }
    for partition in 0..16 {
        let node = cluster.node_of(keys(partition).meta());
        // Whether a call met the broken connection is chance; none ran twice without our knowing.
        let mut perhaps = 0;
        while let Err(error) = run(&link, partition, &script).await {
            assert!(!matches!(error, LinkError::Script(_)), "{error:?}");
            perhaps += u32::from(matches!(error, LinkError::Unknown(_)));
        }
        let count: u32 = cluster.nodes[node].ask(&["GET", keys(partition).meta()]);
        assert!((2..=2 + perhaps).contains(&count), "{count}, {perhaps}");
    }

    let dead = cluster.node_of(keys(0).meta());
    let alive: Vec<u32> = (0..16).filter(|partition| cluster.node_of(keys(*partition).meta()) != dead).collect();
    cluster.nodes[dead].kill();
    let lost = run(&link, 0, &script).await;
    assert!(matches!(lost, Err(LinkError::NotSent(_) | LinkError::Unknown(_))), "{lost:?}");
    for partition in alive {
        run(&link, partition, &script).await.unwrap();
    }
    cluster.nodes[dead].restart();
    run_until_done(&link, 0, &script).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_under_load_loses_no_call_and_doubles_none() {
    let cluster = Cluster::start();
    let link = open(&cluster);
    let script: Arc<Script> = Arc::new(Script::new("counting", COUNTING));
    run(&link, 5, &script).await.unwrap();
    let slot = cluster.slot_of(keys(5).meta());
    let home = cluster.node_of(keys(5).meta());
    let over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (link, script, over) = (link.clone(), Arc::clone(&script), Arc::clone(&over));
            tokio::spawn(async move {
                let mut done = 0;
                while !over.load(Ordering::Relaxed) {
                    run(&link, 5, &script).await.unwrap();
                    done += 1;
                }
                done
            })
        })
        .collect();
    let mut at = home;
    for turn in 1..=6 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let to = (home + turn) % 3;
        tokio::task::block_in_place(|| cluster.move_slot(slot, at, to));
        at = to;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    over.store(true, Ordering::Relaxed);
    let mut done = 1;
    for caller in callers {
        done += caller.await.unwrap();
    }
    assert_eq!(at, home);
    assert_eq!(link.get(keys(5).meta()).await.unwrap(), Some(done.to_string().into_bytes()));

    // Half way, single keys are asked for where they have gone; a script has to wait until all its keys are in one place.
    let to = (home + 1) % 3;
    cluster.begin_move(slot, home, to);
    cluster.move_keys(slot, home, to);
    assert_eq!(link.get(keys(5).meta()).await.unwrap(), Some(done.to_string().into_bytes()));
    assert!(matches!(run(&link, 5, &script).await, Err(LinkError::NotSent(_))));
    cluster.end_move(slot, home, to);
    run(&link, 5, &script).await.unwrap();
}
