//! Everything a server puts together on Redis, without the server: counters in a real redis-server, the ledger in a file, a
//! hand-wound clock.

use crate::support::TempDir;
use crate::support::redis::RedisServer;
use quotad::domain::time::Timestamp;
use quotad::engine::authority::Authority;
use quotad::engine::call::Durability;
use quotad::engine::operation::{Caps, Counters};
use quotad::engine::ports::{Boxed, CatalogStore, Clock, Ledger, StoreError, Watermark};
use quotad::engine::publish::Publisher;
use quotad::engine::snapshots::Snapshots;
use quotad::engine::tasks::expire;
use quotad::engine::tasks::flush::Flushers;
use quotad::store::clock::TestClock;
use quotad::store::database::{Database, DatabaseCatalog, DatabaseLedger, Sync};
use quotad::store::redis::counters::{Recovery, RedisCounters};
use quotad::store::redis::keys::Keys;
use quotad::store::redis::link::Link;
use quotad::store::redis::options::{RedisFlags, RedisOptions};
use quotad::store::redis::pack::Writer;
use quotad::store::redis::scripts::Scripts;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// One replica with its ledger.
pub(crate) struct World {
    pub(crate) authority: Arc<Authority>,
    pub(crate) catalogs: Arc<Publisher>,
    pub(crate) counters: Arc<RedisCounters>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) flushers: Arc<Flushers>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) prefix: String,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    database: Database,
    folder: TempDir,
}

impl World {
    /// One on fresh partitions of the server, complete since `complete` ([`Timestamp::MIN`]: the beginning).
    pub(crate) async fn start(server: &RedisServer, now: i64, partitions: u32, complete: Timestamp) -> World {
        World::start_with(server, now, partitions, complete, |counters| counters).await
    }

    /// The same with something between the verbs and the counters.
    pub(crate) async fn start_with(
        server: &RedisServer,
        now: i64,
        partitions: u32,
        complete: Timestamp,
        between: impl FnOnce(Arc<dyn Counters>) -> Arc<dyn Counters>,
    ) -> World {
        let folder = TempDir::new("world");
        let prefix = format!("w{}:", NEXT.fetch_add(1, Ordering::Relaxed));
        let flags = RedisFlags { url: server.url(), prefix: Some(prefix.clone()), ..RedisFlags::default() };
        let link = Link::open(RedisOptions::new(&flags).unwrap()).unwrap();
        let database = Database::open(&folder.path().join("ledger.db"), Sync::Normal).await.unwrap();
        let ledger: Arc<dyn Ledger> = Arc::new(DatabaseLedger::new(database.clone()));
        let catalog: Arc<dyn CatalogStore> = Arc::new(DatabaseCatalog::new(database.clone()));
        let clock = Arc::new(TestClock::new(Timestamp::from_millis(now)));
        let ours: Arc<dyn Clock> = clock.clone();

        let keys: Vec<Keys> = (0..partitions).map(|partition| Keys::new(&prefix, partition).unwrap()).collect();
        let first = First::new(server, keys.clone(), now, complete);
        let counters = RedisCounters::new(link, keys, Scripts::ours(), Caps::default(), Some(&ours), Arc::new(first));
        counters.open().await.unwrap();
        let counters = Arc::new(counters);
        let port: Arc<dyn Counters> = between(counters.clone());
        let marks = vec![Watermark { incarnation: 1, seq: 0 }; partitions as usize];
        let flushers = Flushers::new(port.clone(), ledger.clone(), Duration::from_millis(5), true, &marks);
        let flushers = Arc::new(flushers);
        let snapshots = Arc::new(Snapshots::new(catalog.clone()));
        let authority = Arc::new(Authority::new(
            port.clone(),
            ledger.clone(),
            snapshots.clone(),
            flushers.clone(),
            ours,
            Durability::Applied,
            None,
        ));
        let stop = CancellationToken::new();
        let flush = |partition| tokio::spawn(flushers.clone().run(partition, stop.clone()));
        let mut tasks: Vec<JoinHandle<()>> = (0..partitions).map(flush).collect();
        tasks.push(tokio::spawn(expire::run(port.clone(), stop.clone())));
        World {
            catalogs: Arc::new(Publisher::new(catalog, port, snapshots, authority.clone())),
            authority,
            counters,
            ledger,
            flushers,
            clock,
            prefix,
            stop,
            tasks,
            database,
            folder,
        }
    }

    /// Stops what runs beside the calls, with a last flush; answers the folder with the ledger.
    pub(crate) async fn close(self) -> TempDir {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
        self.database.close().await;
        self.folder
    }
}

/// One fresh partition, complete since the beginning, that only scripts work on.
pub(crate) async fn bare(server: &RedisServer, now: i64) -> (Link, Keys) {
    let prefix = format!("w{}:", NEXT.fetch_add(1, Ordering::Relaxed));
    let flags = RedisFlags { url: server.url(), prefix: Some(prefix.clone()), ..RedisFlags::default() };
    let link = Link::open(RedisOptions::new(&flags).unwrap()).unwrap();
    let keys = Keys::new(&prefix, 0).unwrap();
    First::new(server, vec![keys.clone()], now, Timestamp::MIN).recover(0, 0).await.unwrap();
    link.ready(Duration::from_secs(5)).await.unwrap();
    (link, keys)
}

/// The first recovery of all, as short as can be: there is nothing to recover.
struct First {
    run_id: String,
    replication_id: String,
    keys: Vec<Keys>,
    connection: std::sync::Mutex<redis::Connection>,
    now: i64,
    complete: Timestamp,
}

impl First {
    fn new(server: &RedisServer, keys: Vec<Keys>, now: i64, complete: Timestamp) -> First {
        let (run_id, replication_id) = (server.info("run_id"), server.info("master_replid"));
        First { run_id, replication_id, keys, connection: server.connection().into(), now, complete }
    }

    fn meta(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.array(20).int(1).int(1).bytes(self.run_id.as_bytes()).bytes(self.replication_id.as_bytes()).flag(true);
        out.int(self.now).int(0).int(0).time(self.complete).time(self.complete).int(0);
        out.int(0).int(self.now).int(0).int(self.now);
        out.array(3).int(0).int(0).int(0).array(3).int(0).int(0).int(0);
        out.int(self.now / 1000).int(0).int(0);
        out.finish()
    }
}

impl Recovery for First {
    fn recover(&self, partition: u32, _: u64) -> Boxed<'_, Result<Watermark, StoreError>> {
        Box::pin(async move {
            let key = self.keys[partition as usize].meta();
            let mut connection = self.connection.lock().unwrap();
            redis::cmd("SET").arg(key).arg(self.meta()).exec(&mut *connection).unwrap();
            Ok(Watermark { incarnation: 1, seq: 0 })
        })
    }
}
