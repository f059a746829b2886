//! Servers that are looked at before they are used: unsafe settings, users without rights, plain commands.

use crate::support::redis::{Cluster, Keep, RedisServer};
use quotad::engine::operation::Caps;
use quotad::store::redis::batch::{Batcher, SubmitError};
use quotad::store::redis::command::Command;
use quotad::store::redis::keys::Keys;
use quotad::store::redis::link::{Link, LinkError};
use quotad::store::redis::options::{RedisFlags, RedisOptions};
use quotad::store::redis::probe::{ProbeError, Probed, probe, rights, wait};
use quotad::store::redis::scripts::{BATCH, Script, Scripts};
use std::time::Duration;

/// Calls what real scripts call, in a way.
const WRITING: &str = "if ARGV[1] == 'x' then redis.call('XADD', KEYS[1], '*', 'e', 'x') end \
                       redis.call('HSET', KEYS[2], 'a', ARGV[1]) return redis.call('HGET', KEYS[2], 'a')";

fn open(flags: RedisFlags) -> Link {
    Link::open(RedisOptions::new(&flags).unwrap()).unwrap()
}

fn at(server: &RedisServer) -> Link {
    open(RedisFlags { url: server.url(), ..RedisFlags::default() })
}

fn keys() -> Keys {
    Keys::new("quotad:", 0).unwrap()
}

async fn faults(link: &Link) -> Vec<String> {
    let script = Script::new("writing", WRITING);
    match probe(link, &keys(), &[&script]).await {
        Err(ProbeError::Unsafe(faults)) => faults,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn safe_servers_are_told_from_safer_ones() {
    let script = Script::new("writing", WRITING);
    let plain = RedisServer::start();
    let probed = wait(&at(&plain), &keys(), &[&script]).await.unwrap();
    assert_eq!(probed, Probed { synced: false, persistent: false });
    plain.ask::<()>(&["CONFIG", "SET", "save", "60 1"]);
    assert!(probe(&at(&plain), &keys(), &[]).await.unwrap().persistent);
    let safe = RedisServer::start_with(Keep::Everything, &[]);
    assert_eq!(probe(&at(&safe), &keys(), &[]).await.unwrap(), Probed { synced: true, persistent: true });
    safe.ask::<()>(&["CONFIG", "SET", "appendfsync", "everysec"]);
    assert_eq!(probe(&at(&safe), &keys(), &[]).await.unwrap(), Probed { synced: false, persistent: true });
}

#[tokio::test]
async fn unsafe_settings_are_refused_in_one_error() {
    let master = RedisServer::start();
    let server =
        RedisServer::start_with(Keep::Nothing, &["--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"]);
    let found = faults(&at(&server)).await;
    assert!(found.len() == 1 && found[0].contains("maxmemory-policy volatile-lru"), "{found:?}");
    server.ask::<()>(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    let found = faults(&at(&server)).await;
    assert!(found.len() == 2 && found[1].contains("is a replica"), "{found:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_waited_for() {
    let mut server = RedisServer::start();
    server.kill();
    let link = at(&server);
    assert!(matches!(probe(&link, &keys(), &[]).await, Err(ProbeError::Unreachable(_))));
    let waiting = tokio::spawn(async move { wait(&link, &keys(), &[]).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished());
    server.restart();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_user_with_only_the_needed_commands_is_enough_and_one_with_fewer_is_named() {
    let server = RedisServer::start_with(Keep::Nothing, &["--requirepass", "admin"]);
    let rights = ["~quotad:*", "+evalsha", "+eval", "+ping", "+info", "+xadd", "+hset", "+get", "+xrange"];
    let user = |name: &str, more: &[&str]| {
        let words: Vec<&str> =
            ["ACL", "SETUSER", name, "on", ">p@ss"].iter().chain(&rights).chain(more).copied().collect();
        server.ask::<()>(&words);
        let url = format!("redis://{name}:p%40ss@127.0.0.1:{}", server.port());
        open(RedisFlags { url, ..RedisFlags::default() })
    };
    let found = faults(&user("few", &[])).await;
    assert!(
        found.len() == 1 && found[0].contains("may not run HGET on our keys; it needs ~quotad:* +eval"),
        "{found:?}"
    );
    let found = faults(&user("few", &["-evalsha"])).await;
    assert!(found.len() == 1 && found[0].contains("lacks rights"), "{found:?}");

    let link = user("enough", &["+hget"]);
    let script = Script::new("writing", WRITING);
    // CONFIG is forbidden to it: what INFO says is enough.
    assert!(!probe(&link, &keys(), &[&script]).await.unwrap().synced);
    assert_eq!(link.run(&keys().all(1), &script, &[b"x"], Duration::from_secs(5)).await.unwrap(), b"x");
    assert!(matches!(link.get("other").await, Err(LinkError::NotSent(_))));
    assert_eq!(link.get(keys().installation().as_str()).await.unwrap(), None);

    // A wrong password is told as such.
    let wrong = RedisFlags { url: format!("redis://enough:no@127.0.0.1:{}", server.port()), ..RedisFlags::default() };
    match probe(&open(wrong), &keys(), &[]).await {
        Err(ProbeError::Unreachable(text)) => {
            assert!(text.contains("WRONGPASS") || text.contains("uthentication"), "{text}")
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_rights_that_are_told_are_enough_for_the_real_script() {
    let server = RedisServer::start();
    let rights = rights(at(&server).options(), &[&BATCH]);
    let words: Vec<&str> = ["ACL", "SETUSER", "enough", "on", ">word"].into_iter().chain(rights.split(' ')).collect();
    server.ask::<()>(&words);
    let link =
        open(RedisFlags { url: format!("redis://enough:word@127.0.0.1:{}", server.port()), ..RedisFlags::default() });
    wait(&link, &keys(), &[&BATCH]).await.unwrap();
    // Of an empty partition the script says that it must be verified: an answer all the same.
    let batcher = Batcher::new(link.clone(), keys(), Scripts::ours(), Caps::default(), None);
    match batcher.submit(Command::Raise { tenant: None, version: 1 }).await {
        Err(SubmitError::Verify { header, .. }) => assert_eq!(header.incarnation, 0),
        other => panic!("{other:?}"),
    }
    assert_eq!(link.journal_last(&keys().journal(1)).await.unwrap(), None);
    assert!(server.ask::<Vec<String>>(&["KEYS", "*"]).is_empty());
}

#[tokio::test]
async fn a_cluster_is_asked_for_and_whole_or_refused() {
    let whole = Cluster::start();
    let found = faults(&at(&whole.nodes[0])).await;
    assert!(found.len() == 1 && found[0].contains("add --redis-cluster"), "{found:?}");
    let cluster = |url: String| open(RedisFlags { url, cluster: true, ..RedisFlags::default() });
    probe(&cluster(whole.url()), &keys(), &[&Script::new("writing", WRITING)]).await.unwrap();
    let single = RedisServer::start();
    let found = faults(&cluster(single.url())).await;
    assert!(found.len() == 1 && found[0].contains("leave --redis-cluster out"), "{found:?}");
    let part = Cluster::start_with(Keep::Nothing, 16000);
    let found = faults(&cluster(part.url())).await;
    assert!(found.len() == 1 && found[0].contains("16000 of its 16384 slots"), "{found:?}");
}

#[tokio::test]
async fn a_journal_is_read_on_and_trimmed() {
    let server = RedisServer::start();
    let link = at(&server);
    link.ping().await.unwrap();
    let journal = keys().journal(1);
    assert_eq!(
        (link.journal_after(&journal, 0, 9).await.unwrap(), link.journal_last(&journal).await.unwrap()),
        (vec![], None)
    );
    for seq in 1..=5 {
        server.ask::<String>(&["XADD", &journal, &format!("{seq}-0"), "e", &format!("entry {seq}")]);
    }
    let numbers = |entries: Vec<(u64, Vec<u8>)>| entries.into_iter().map(|(seq, _)| seq).collect::<Vec<_>>();
    assert_eq!(link.journal_after(&journal, 4, 9).await.unwrap(), [(5, b"entry 5".to_vec())]);
    assert_eq!(numbers(link.journal_after(&journal, 1, 3).await.unwrap()), [2, 3, 4]);
    assert_eq!(link.journal_last(&journal).await.unwrap(), Some((5, b"entry 5".to_vec())));
    assert_eq!(link.journal_trim(&journal, 4).await.unwrap(), 3);
    assert_eq!(numbers(link.journal_after(&journal, 0, 9).await.unwrap()), [4, 5]);
    server.ask::<String>(&["XADD", &journal, "6-1", "e", "not ours"]);
    assert!(matches!(link.journal_after(&journal, 5, 9).await, Err(LinkError::Script(_))));
    server.ask::<String>(&["SET", &journal, "no stream"]);
    assert!(matches!(link.journal_after(&journal, 5, 9).await, Err(LinkError::Script(_))));
}
