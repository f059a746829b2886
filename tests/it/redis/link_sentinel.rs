//! The way to a master that sentinels name: followed when another server becomes the master.

use crate::support::redis::{Sentinels, until};
use quotad::store::redis::keys::Keys;
use quotad::store::redis::link::{Link, LinkError};
use quotad::store::redis::options::{RedisFlags, RedisOptions};
use quotad::store::redis::probe::wait;
use quotad::store::redis::scripts::Script;
use std::time::{Duration, Instant};

/// Counts its runs, and says who ran it.
const COUNTING: &str = "redis.call('INCR', KEYS[1]) return redis.call('INFO', 'server'):match('tcp_port:(%d+)')";

/// Calls until one goes through; the port of the server that ran it.
async fn run_until_done(link: &Link, script: &Script) -> u16 {
    let keys = ["k{p0}".to_owned()];
    let started = Instant::now();
    loop {
        match link.run(&keys, script, &[], Duration::from_secs(1)).await {
            Ok(port) => return String::from_utf8(port).unwrap().parse().unwrap(),
            Err(LinkError::Script(text)) => panic!("{text}"),
            Err(error) => assert!(started.elapsed() < Duration::from_secs(20), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fail_over_is_followed_whether_ordered_or_forced_by_a_death() {
    let mut all = Sentinels::start();
    let flags = RedisFlags { url: all.url(), ..RedisFlags::default() };
    let link = Link::open(RedisOptions::new(&flags).unwrap()).unwrap();
    let script = Script::new("counting", COUNTING);
    wait(&link, &Keys::new("quotad:", 0).unwrap(), &[&script]).await.unwrap();
    let (first, second) = (all.servers[0].port(), all.servers[1].port());
    assert_eq!(run_until_done(&link, &script).await, first);

    let counted = |server: usize, all: &Sentinels| all.servers[server].try_ask::<u32>(&["GET", "k{p0}"]).unwrap_or(0);

    // The old master lives on, and for some seconds takes writes as if nothing had happened: the sentinels are believed.
    tokio::task::block_in_place(|| {
        until("the replica has what was counted", || counted(1, &all) == 1);
        all.fail_over();
    });
    let started = Instant::now();
    while run_until_done(&link, &script).await != second {
        assert!(started.elapsed() < Duration::from_secs(5), "the old master is still in use");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    until("it was counted on", || counted(1, &all) >= 2);

    // The master dies, and a sentinel with it: the one that is asked first.
    tokio::task::block_in_place(|| {
        // As the sentinels order it themselves some seconds later.
        let order = ["REPLICAOF", "127.0.0.1", &second.to_string()];
        until("the order is taken", || all.servers[0].try_ask::<()>(&order).is_ok());
        until("the old master follows", || all.servers[0].says("master_link_status", "up"));
    });
    all.kill_sentinel(0);
    all.servers[1].kill();
    assert_eq!(run_until_done(&link, &script).await, first);
    until("it was counted on there too", || counted(0, &all) >= 2);
}
