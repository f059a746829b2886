//! The order of the measurements: round by round the script at every size of batch, then what that left in the journal;
//! then the replicas; memory last, as it takes apart what the others stood on.

use super::flush::{self, Flush};
use super::ledger::Databases;
use super::load::Load;
use super::report::{Cost, Flushing, RedisReport};
use super::script::{self, Script};
use super::server::Server;
use super::{memory, served};
use crate::app::{Node, NodeOptions, RedisStorage, Storage};
use crate::bench::child::Scratch;
use crate::bench::options::Options;
use crate::bench::report::median;
use crate::bench::workload::{self, Workload};
use crate::engine::ports::{CatalogStore, Ledger};
use crate::engine::snapshots::Snapshots;
use crate::store::database::{Database, DatabaseCatalog, DatabaseLedger};
use crate::store::redis::keys::Keys;
use crate::store::redis::options::{RedisFlags, RedisOptions};
use anyhow::Result;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Accounts on a path: with two windows each, four limits and six.
const LEVELS: [usize; 2] = [2, 3];
/// Operations in a call.
const BATCHES: [u64; 3] = [1, 8, 64];

/// Measures all of it; `None` if there is no `redis-server` on this machine.
///
/// # Errors
/// Servers that can't be started, a call that fails or is denied.
pub(in crate::bench) fn run(options: &Options, progress: &dyn Fn(&str)) -> Result<Option<RedisReport>> {
    let scratch = Scratch::new(&options.data_dir)?;
    let Some(redis) = Server::start(&scratch)? else { return Ok(None) };
    let databases = Databases::start(&scratch)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut partitions = Vec::new();
    for levels in LEVELS {
        let database = databases.create(&format!("levels_{levels}"))?;
        partitions.push(Partition::open(&runtime, &scratch, &redis, (levels, &database))?);
    }
    let flushed = rounds(options, progress, &runtime, &mut partitions)?;
    let costs = partitions.iter().flat_map(Partition::costs).collect();
    let [_, partition] = &mut partitions[..] else { anyhow::bail!("two partitions were opened") };
    let served = {
        let place = (databases.create("served")?, databases.is_shared());
        served::measure(options, progress, &redis, place, &mut partition.script)?
    };
    progress("on Redis, memory");
    let memory = memory::weigh(&mut partition.script, &partition.keys, partition.incarnation)?;
    let of = |figure: fn(&flush::Sample) -> f64| median(flushed.iter().map(figure).collect()).unwrap_or_default();
    let effects_per_second = of(|sample| sample.effects);
    let pairs = served.iter().rev().find(|row| row.replicas == 1).map(|row| row.per_second);
    let info = redis.connect()?.ask("INFO server")?;
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or("unknown");
    Ok(Some(RedisReport {
        version: version.trim().to_owned(),
        ledger: databases.name(),
        costs,
        served,
        flushing: Flushing {
            entries_per_second: of(|sample| sample.entries),
            effects_per_second,
            times_decided: pairs.filter(|decided| *decided > 0.0).map(|decided| effects_per_second / decided),
        },
        memory,
    }))
}

/// The script and the flush, turn by turn; answers what the flush came to.
fn rounds(
    options: &Options,
    progress: &dyn Fn(&str),
    runtime: &Runtime,
    partitions: &mut [Partition],
) -> Result<Vec<flush::Sample>> {
    let mut flushed = Vec::new();
    for round in 1..=options.rounds {
        progress(&format!("on Redis, the script and the flush, round {round}"));
        for partition in &mut *partitions {
            for (batch, samples) in BATCHES.iter().zip(&mut partition.samples) {
                samples.push(partition.script.sample(*batch)?);
            }
            let sample = runtime.block_on(partition.flush.sample())?;
            if partition.levels == LEVELS[1] {
                flushed.push(sample);
            }
        }
    }
    Ok(flushed)
}

/// A partition of its own, with what is measured on it.
struct Partition {
    levels: usize,
    keys: Keys,
    incarnation: u64,
    script: Script,
    flush: Flush,
    samples: [Vec<script::Sample>; BATCHES.len()],
}

impl Partition {
    /// Opens one as a server does, with the benchmark's catalog, and leaves it to the script alone.
    fn open(runtime: &Runtime, scratch: &Scratch, redis: &Server, (levels, database): (usize, &str)) -> Result<Self> {
        let prefix = format!("levels-{levels}:");
        let keys = Keys::new(&prefix, 0)?;
        let workload = Workload::new(levels);
        let flags = RedisFlags { url: redis.url(), prefix: Some(prefix.clone()), ..RedisFlags::default() };
        let storage = RedisStorage { redis: RedisOptions::new(&flags)?, database: Some(database.to_owned()) };
        let (incarnation, load, mut flush) = runtime.block_on(async {
            let settings = NodeOptions {
                storage: Storage::Redis(Box::new(storage)),
                data_dir: scratch.path().join(format!("levels-{levels}")),
                ..NodeOptions::default()
            };
            let node = Node::open(settings).await?;
            workload.apply(&node).await?;
            let incarnation = node.counters.head(0).incarnation;
            node.close().await;
            let database = Database::open_url(database).await?;
            let catalog: Arc<dyn CatalogStore> = Arc::new(DatabaseCatalog::new(database.clone()));
            let load = Load::new(workload, &Snapshots::new(catalog), incarnation).await?;
            let ledger: Arc<dyn Ledger> = Arc::new(DatabaseLedger::new(database));
            let flush = Flush::new(redis.url(), &prefix, &keys, ledger).await?;
            anyhow::Ok((incarnation, load, flush))
        })?;
        let mut script = Script::new(redis.connect()?, &keys, load, incarnation)?;
        script.warm_up(workload::ACCOUNTS)?;
        runtime.block_on(flush.sample())?;
        Ok(Partition { levels, keys, incarnation, script, flush, samples: Default::default() })
    }

    fn costs(&self) -> impl Iterator<Item = Cost> {
        BATCHES.iter().zip(&self.samples).map(|(batch, samples)| Cost::new(self.levels, *batch, samples))
    }
}
