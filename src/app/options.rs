//! How a node is opened: where it keeps what, and its bounds.

use crate::domain::time::Span;
use crate::store::clock::TestClock;
use crate::store::embedded::Caps;
use crate::store::redis::options::RedisOptions;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What an answer waits for (DESIGN: embedded).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DurabilitySetting {
    /// Until it is on the disk: survives a power cut.
    Strict,
    /// Until it is in the journal: survives `kill -9`.
    #[default]
    Default,
    /// For nothing: what was not written yet is lost with the process.
    Relaxed,
}

/// Where counters and ledger live.
#[derive(Clone, Default)]
pub enum Storage {
    /// In this process and its data folder, for one process alone.
    #[default]
    Embedded,
    /// In Redis and a database, for any number of processes.
    Redis(Box<RedisStorage>),
}

/// Counters in Redis, the ledger in a database.
#[derive(Clone)]
pub struct RedisStorage {
    /// The way to Redis.
    pub redis: RedisOptions,
    /// The database's URL, which may hold a password; `None`: `ledger.db` in the data folder, for one process alone.
    pub database: Option<String>,
}

/// The spool of what fails open.
#[derive(Clone, Debug)]
pub struct SpoolOptions {
    /// Its folder; `None`: `spool` in the data folder, and none if that can't be used.
    pub dir: Option<PathBuf>,
    /// Its bound in bytes.
    pub bytes: u64,
}

impl SpoolOptions {
    /// The bound by default.
    pub const BYTES: u64 = 64 << 20;
}

impl Default for SpoolOptions {
    fn default() -> SpoolOptions {
        SpoolOptions { dir: None, bytes: SpoolOptions::BYTES }
    }
}

/// How to open a node.
#[derive(Clone)]
pub struct NodeOptions {
    /// Where counters and ledger live.
    pub storage: Storage,
    /// The one folder that holds everything that is not elsewhere.
    pub data_dir: PathBuf,
    /// Where calls are kept that are granted while Redis can't be reached, and how many bytes of them; not used without Redis.
    pub spool: SpoolOptions,
    /// A hand-wound clock instead of the machine's, or the server's.
    pub clock: Option<Arc<TestClock>>,
    /// What an answer waits for; with Redis its own setting decides.
    pub durability: DurabilitySetting,
    /// Number of partitions at the first start; `None`: embedded one per core, on Redis 1, on a cluster 16.
    pub partitions: Option<u32>,
    /// How long little work may wait for the flusher.
    pub flush_interval: Duration,
    /// How often it is looked for changes of the catalog that were not heard of.
    pub catalog_poll: Duration,
    /// What is older than this the ledger keeps only as sums; `None`: all is kept for ever.
    pub retention: Option<Span>,
    /// Bounds.
    pub caps: Caps,
}

impl Default for NodeOptions {
    fn default() -> NodeOptions {
        NodeOptions {
            storage: Storage::Embedded,
            data_dir: PathBuf::from("./quotad-data"),
            spool: SpoolOptions::default(),
            clock: None,
            durability: DurabilitySetting::Default,
            partitions: None,
            flush_interval: Duration::from_millis(200),
            catalog_poll: Duration::from_secs(5),
            retention: None,
            caps: Caps::default(),
        }
    }
}
