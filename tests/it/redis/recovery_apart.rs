//! Two servers that both take themselves for the master, as for a moment in every fail over: no incarnation is open on both.

use super::recovery::{GAP, World, at};
use crate::support::redis::{Keep, RedisServer, until};
use quotad::engine::ports::Watermark;

#[tokio::test(flavor = "multi_thread")]
async fn an_old_master_never_goes_on_under_the_incarnation_of_the_new_one() {
    let world = World::new(Keep::Nothing).await;
    let old = world.replica("one").await;
    assert_eq!(old.recover(0, 0).await.unwrap(), at(1, 0));
    let promoted = RedisServer::start();
    tokio::task::block_in_place(|| {
        promoted.ask::<()>(&["REPLICAOF", "127.0.0.1", &world.redis.port().to_string()]);
        until("the replica follows", || promoted.says("master_link_status", "up"));
        until("the replica has all", || promoted.ask::<u32>(&["EXISTS", "quotad:{p0}:meta"]) == 1);
        promoted.ask::<()>(&["REPLICAOF", "NO", "ONE"]);
    });
    let new = world.replica_at(&promoted.url(), "one", world.ledger.clone()).await;

    // Each recovers what it takes for the partition; whoever came last is in the right, and nobody shares a number.
    let mut found: Vec<Watermark> = Vec::new();
    for turn in 1..=6 {
        let replica = if turn % 2 == 1 { &new } else { &old };
        found.push(replica.recover(0, 0).await.unwrap());
        assert_eq!(world.ledger.watermark(0).await.unwrap(), found[turn - 1]);
    }
    let expected: Vec<Watermark> = (1..=6).map(|turn| at(turn + 1, turn * GAP)).collect();
    assert_eq!(found, expected);
    assert_eq!(old.recover(0, 0).await.unwrap(), at(7, 6 * GAP), "nobody came after it");
}
