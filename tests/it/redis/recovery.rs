//! A partition changes hands: what was there is kept where nothing is missing, dropped where something is, and only one of
//! many that try does it.

use super::ledger::LateLedger;
use crate::support::TempDir;
use crate::support::redis::{Keep, RedisServer};
use quotad::engine::ports::{Boxed, CatalogStore, Ledger, StoreError, Watermark};
use quotad::store::database::{Database, DatabaseCatalog, DatabaseLedger, Sync};
use quotad::store::redis::link::Link;
use quotad::store::redis::options::{RedisFlags, RedisOptions};
use quotad::store::redis::recover::{Recoverer, RecovererOptions};
use std::sync::Arc;
use std::time::Duration;

/// The numbers that are left out between two incarnations.
pub(super) const GAP: u64 = 1 << 20;
/// A field that only a partition which was kept still has.
const MARKER: [&str; 3] = ["quotad:{p0}:outcomes:1", "marker", "x"];

pub(super) struct World {
    pub(super) redis: RedisServer,
    pub(super) ledger: Arc<dyn Ledger>,
    catalog: Arc<dyn CatalogStore>,
    _folder: TempDir,
}

impl World {
    pub(super) async fn new(keep: Keep) -> World {
        World::with(RedisServer::start_with(keep, &["--enable-debug-command", "yes"])).await
    }

    pub(super) async fn with(redis: RedisServer) -> World {
        let folder = TempDir::new("recovery");
        let database = Database::open(&folder.path().join("ledger.db"), Sync::Normal).await.unwrap();
        let ledger = Arc::new(DatabaseLedger::new(database.clone()));
        let catalog = Arc::new(DatabaseCatalog::new(database));
        World { redis, ledger, catalog, _folder: folder }
    }

    /// A replica's recoverer.
    pub(super) async fn replica(&self, installation: &str) -> Replica {
        self.replica_on(installation, self.ledger.clone()).await
    }

    async fn replica_on(&self, installation: &str, ledger: Arc<dyn Ledger>) -> Replica {
        self.replica_at(&self.redis.url(), installation, ledger).await
    }

    /// The same, on the way to a Redis that it takes for the right one.
    pub(super) async fn replica_at(&self, url: &str, installation: &str, ledger: Arc<dyn Ledger>) -> Replica {
        let flags = RedisFlags { url: url.to_owned(), ..RedisFlags::default() };
        let link = Link::open(RedisOptions::new(&flags).unwrap()).unwrap();
        link.ready(Duration::from_secs(10)).await.unwrap();
        let options = RecovererOptions {
            prefix: link.options().prefix.clone(),
            link,
            partitions: 1,
            installation: installation.to_owned(),
            ledger,
            catalog: self.catalog.clone(),
            clock: None,
        };
        Replica(Recoverer::new(options).unwrap())
    }

    fn mark(&self) {
        assert_eq!(self.redis.ask::<u32>(&["HSET", MARKER[0], MARKER[1], MARKER[2]]), 1);
    }

    fn is_marked(&self) -> bool {
        self.redis.ask::<bool>(&["HEXISTS", MARKER[0], MARKER[1]])
    }
}

/// One replica's hands.
#[derive(Clone)]
pub(super) struct Replica(Recoverer);

impl Replica {
    pub(super) async fn recover(&self, partition: u32, seen: u64) -> Result<Watermark, StoreError> {
        self.0.recover(partition, seen).await
    }
}

pub(super) fn at(incarnation: u64, seq: u64) -> Watermark {
    Watermark { incarnation, seq }
}

#[tokio::test]
async fn the_first_start_begins_at_nothing_and_the_second_finds_it() {
    let world = World::new(Keep::Nothing).await;
    let one = world.replica("one").await;
    assert_eq!(one.recover(0, 0).await.unwrap(), at(1, 0));
    assert_eq!(world.ledger.watermark(0).await.unwrap(), at(1, 0));
    world.mark();
    let before = world.redis.ask::<Vec<u8>>(&["GET", "quotad:{p0}:meta"]);
    assert_eq!(world.replica("one").await.recover(0, 0).await.unwrap(), at(1, 0));
    assert_eq!(one.recover(0, 7).await.unwrap(), at(1, 0));
    assert_eq!(world.redis.ask::<Vec<u8>>(&["GET", "quotad:{p0}:meta"]), before);
    assert!(world.is_marked());
    assert!(matches!(one.recover(1, 0).await, Err(StoreError::Corrupt(_))), "there is no such partition");
}

#[tokio::test]
async fn an_emptied_store_begins_anew_beyond_what_anybody_saw() {
    let mut world = World::new(Keep::Nothing).await;
    let one = world.replica("one").await;
    assert_eq!(one.recover(0, 0).await.unwrap(), at(1, 0));
    world.redis.ask::<()>(&["FLUSHALL"]);
    assert_eq!(one.recover(0, 5).await.unwrap(), at(2, 5 + GAP));
    assert_eq!(world.ledger.lost(0).await.unwrap().last(), Some(&(1, 5 + GAP)));
    world.mark();
    world.redis.restart_empty();
    assert_eq!(one.recover(0, 6 + GAP).await.unwrap(), at(3, 6 + 2 * GAP));
    assert!(!world.is_marked());
    // Only the state is gone: what is left of the rest is not taken for the partition.
    world.mark();
    assert_eq!(world.redis.ask::<u32>(&["DEL", "quotad:{p0}:meta"]), 1);
    assert_eq!(one.recover(0, 0).await.unwrap(), at(4, 6 + 3 * GAP));
    assert!(!world.is_marked());
    assert_eq!(world.ledger.watermark(0).await.unwrap(), at(4, 6 + 3 * GAP));
}

#[tokio::test]
async fn a_store_that_lost_nothing_is_kept() {
    let mut world = World::new(Keep::Everything).await;
    let one = world.replica("one").await;
    assert_eq!(one.recover(0, 0).await.unwrap(), at(1, 0));
    world.mark();
    world.redis.kill();
    world.redis.restart();
    assert_eq!(one.recover(0, 0).await.unwrap(), at(2, GAP));
    assert!(world.is_marked(), "the same data, another run");
    // Another replication history on the same process.
    world.redis.ask::<()>(&["DEBUG", "CHANGE-REPL-ID"]);
    assert_eq!(one.recover(0, 0).await.unwrap(), at(3, 2 * GAP));
    assert!(world.is_marked());
    assert_eq!(one.recover(0, 0).await.unwrap(), at(3, 2 * GAP));
    // A copy of an older state, although the process is the same: the ledger has moved on.
    let older = world.redis.ask::<Vec<u8>>(&["GET", "quotad:{p0}:meta"]);
    assert!(world.ledger.open_incarnation(0, at(3, 2 * GAP), at(4, 9 * GAP)).await.unwrap());
    assert_eq!(one.recover(0, 0).await.unwrap(), at(5, 10 * GAP), "who opened it died before it was adopted");
    assert!(world.is_marked());
    let mut connection = world.redis.connection();
    redis::cmd("SET").arg("quotad:{p0}:meta").arg(older).exec(&mut connection).unwrap();
    assert!(world.ledger.open_incarnation(0, at(5, 10 * GAP), at(6, 20 * GAP)).await.unwrap());
    assert_eq!(one.recover(0, 0).await.unwrap(), at(7, 21 * GAP));
    assert!(!world.is_marked());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_recover_at_once_one_does_it() {
    let world = World::new(Keep::Nothing).await;
    let mut replicas = Vec::new();
    for _ in 0..4 {
        replicas.push(world.replica("one").await);
    }
    for round in 1..=20 {
        let flights: Vec<_> = (0..16)
            .map(|n| {
                let replica = replicas[n % replicas.len()].clone();
                tokio::spawn(async move { replica.recover(0, round * 10).await.unwrap() })
            })
            .collect();
        let mut found = Vec::new();
        for flight in flights {
            found.push(flight.await.unwrap());
        }
        let last = world.ledger.watermark(0).await.unwrap();
        assert_eq!(last.incarnation, round, "each time once: {found:?}");
        assert!(found.iter().all(|mark| *mark == last), "{found:?}, {last:?}");
        world.redis.ask::<()>(&["FLUSHALL"]);
    }
}

#[tokio::test]
async fn what_another_opened_meanwhile_is_left_as_it_is() {
    let world = World::new(Keep::Nothing).await;
    let one = world.replica("one").await;
    assert_eq!(one.recover(0, 0).await.unwrap(), at(1, 0));
    world.redis.ask::<()>(&["FLUSHALL"]);
    // The other reads that the ledger is at 1, then waits for its core, and looks at Redis when that is at 2.
    let quick = one.clone();
    let meanwhile = move || -> Boxed<'static, ()> {
        Box::pin(async move { assert_eq!(quick.recover(0, 0).await.unwrap(), at(2, GAP)) })
    };
    let ledger = LateLedger::new(world.ledger.clone(), Box::new(meanwhile));
    let other = world.replica_on("one", Arc::new(ledger)).await;
    assert_eq!(other.recover(0, 0).await.unwrap(), at(2, GAP));
    assert_eq!(world.ledger.watermark(0).await.unwrap(), at(2, GAP));
}

#[tokio::test]
async fn the_store_of_another_installation_is_left_alone() {
    let mut world = World::new(Keep::Everything).await;
    assert_eq!(world.replica("one").await.recover(0, 0).await.unwrap(), at(1, 0));
    world.mark();
    let other = World::with(RedisServer::start()).await;
    let stranger = world.replica_on("two", other.ledger.clone()).await;
    let why = stranger.recover(0, 0).await.unwrap_err().to_string();
    assert!(why.contains("installation one") && why.contains("--redis-prefix"), "{why}");
    world.redis.restart();
    assert!(matches!(stranger.recover(0, 0).await, Err(StoreError::Corrupt(_))));
    assert!(world.is_marked());
    // An older copy of its own database is told from it too.
    let why = world.replica_on("one", other.ledger.clone()).await.recover(0, 0).await.unwrap_err().to_string();
    assert!(why.contains("the database is older than Redis"), "{why}");
    assert!(world.is_marked());
    // Emptied, it is anybody's.
    world.redis.ask::<()>(&["FLUSHALL"]);
    assert_eq!(stranger.recover(0, 0).await.unwrap(), at(1, 0));
}
