//! The way to one Redis server, when connections, scripts and the server itself come and go.

use crate::support::redis::{Keep, RedisServer};
use quotad::store::redis::link::{Link, LinkError};
use quotad::store::redis::options::{RedisFlags, RedisOptions};
use quotad::store::redis::scripts::Script;
use std::time::{Duration, Instant};

/// Time enough for anything on a busy machine.
const LONG: Duration = Duration::from_secs(10);

/// Counts its own runs and gives back its first argument.
const COUNTING: &str = "redis.call('INCR', KEYS[1]) return ARGV[1]";

fn open(url: String) -> Link {
    let flags = RedisFlags { url, ..RedisFlags::default() };
    Link::open(RedisOptions::new(&flags).unwrap()).unwrap()
}

fn keys() -> Vec<String> {
    vec!["k{p0}".to_owned()]
}

async fn run(link: &Link, script: &Script) -> Result<Vec<u8>, LinkError> {
    link.run(&keys(), script, &[b"\x00\xffx"], LONG).await
}

#[tokio::test]
async fn a_script_runs_once_a_call_also_when_the_server_forgot_it() {
    let server = RedisServer::start();
    let link = open(server.url());
    let script = Script::new("counting", COUNTING);
    for turn in 1..=4 {
        if turn == 3 {
            server.ask::<()>(&["SCRIPT", "FLUSH"]);
        }
        assert_eq!(run(&link, &script).await.unwrap(), b"\x00\xffx");
        assert_eq!(server.ask::<u32>(&["GET", "k{p0}"]), turn);
    }
    let failing = Script::new("failing", "return redis.error_reply('QUOTA no')");
    assert!(matches!(run(&link, &failing).await, Err(LinkError::Script(_))));
    let number = Script::new("number", "return 7");
    assert!(matches!(run(&link, &number).await, Err(LinkError::Script(_))));
}

#[tokio::test]
async fn a_killed_connection_is_replaced() {
    let server = RedisServer::start();
    let link = open(server.url());
    let script = Script::new("counting", COUNTING);
    run(&link, &script).await.unwrap();
    server.ask::<u32>(&["CLIENT", "KILL", "TYPE", "normal"]);
    // The call may meet the broken connection, and then nobody knows; the one after it goes through.
    match run(&link, &script).await {
        Ok(_) | Err(LinkError::Unknown(_)) => {}
        other => panic!("{other:?}"),
    }
    run(&link, &script).await.unwrap();
}

#[tokio::test]
async fn a_call_while_the_server_is_away_fails_at_once_and_goes_through_when_it_is_back() {
    let mut server = RedisServer::start_with(Keep::Everything, &[]);
    let link = open(server.url());
    let script = Script::new("counting", COUNTING);
    run(&link, &script).await.unwrap();
    server.kill();
    let started = Instant::now();
    let mut refused = 0;
    while refused < 10 {
        match run(&link, &script).await {
            Err(LinkError::NotSent(_)) => refused += 1,
            Err(LinkError::Unknown(_)) if refused == 0 => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    server.restart();
    link.ready(LONG).await.unwrap();
    run(&link, &script).await.unwrap();
    assert_eq!(server.ask::<u32>(&["GET", "k{p0}"]), 2);
}
