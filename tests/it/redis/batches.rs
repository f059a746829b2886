//! A batch decides as its operations would one by one: the operations of random histories, once in batches of 1 to 64 and
//! once alone, on two partitions that nobody else uses.

use super::recorder::{Recorder, Recording};
use super::world::{World, bare};
use crate::model::catalog::TENANT;
use crate::model::engine::call;
use crate::model::generate::{Taste, catalog};
use crate::model::history::{History, Step};
use crate::model::reservation::Op;
use crate::model::spec::Model;
use crate::support::for_each_seed;
use crate::support::redis::RedisServer;
use quotad::domain::time::Timestamp;
use quotad::engine::manage::Apply;
use quotad::engine::operation::{Caps, Counters, Operation, Reply};
use quotad::engine::ports::Clock;
use quotad::store::redis::command::Command;
use quotad::store::redis::keys::Keys;
use quotad::store::redis::link::Link;
use quotad::store::redis::scripts::BATCH;
use quotad::store::redis::{entry, reply, request, value};
use rand::SeedableRng;
use rand::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Steps of one history, and histories.
const STEPS: usize = 300;
const HISTORIES: usize = 12;

/// The operations of one random history, as the verbs made them.
async fn record(server: &RedisServer, seed: u64) -> Vec<(Timestamp, Operation)> {
    let mut rng = StdRng::seed_from_u64(seed);
    let taste = Taste::new(&mut rng);
    let now = 1_735_689_600_000 + rng.random_range(0..2 * 365 * 86_400_000i64);
    let mut model = Model { catalog: catalog(&mut rng, taste), now, ..Model::default() };
    let recording = Recording::default();
    let clock = Arc::new(Mutex::new(None));
    let between = |inner: Arc<dyn Counters>| -> Arc<dyn Counters> {
        Arc::new(Recorder { clock: clock.clone(), recording: recording.clone(), ..Recorder::new(inner) })
    };
    let world = World::start_with(server, now, 1, Timestamp::MIN, between).await;
    let ours: Arc<dyn Clock> = world.clock.clone();
    *clock.lock().unwrap() = Some(ours);
    let documents = [(None, model.catalog.installation_document()), (Some(TENANT), model.catalog.tenant_document())];
    for (tenant, yaml) in documents {
        configure(&world, tenant, &yaml).await;
    }
    let mut history = History::new(&mut rng, taste);
    for _ in 0..STEPS {
        match history.next(&mut rng, &model) {
            Step::Call(op) => {
                let said = call(&world.authority, &op).await;
                let unnamed = matches!(op, Op::Reserve { res: None, .. } | Op::Consume { res: None, .. });
                model.call(&op, said.reservation().filter(|_| unnamed));
                history.known.extend(said.reservation().filter(|id| !history.known.contains(id)));
            }
            Step::Clock(to) => {
                world.clock.set(Timestamp::from_millis(to));
                model.now = to;
            }
            Step::Catalog(changed) => {
                configure(&world, Some(TENANT), &changed.tenant_document()).await;
                model.catalog = changed;
            }
        }
    }
    world.close().await;
    std::mem::take(&mut *recording.lock().unwrap())
}

async fn configure(world: &World, tenant: Option<&str>, yaml: &str) {
    let now = world.clock.now();
    let apply = Apply { tenant, yaml: yaml.as_bytes(), dry_run: false, prune: true, etag: None, actor: "batches", now };
    world.catalogs.apply(apply).await.unwrap_or_else(|error| panic!("{error}\n{yaml}"));
}

/// The entries of a stream: id, fields.
type Stream = Vec<(String, Vec<(String, Vec<u8>)>)>;

/// A partition on which recorded operations are played.
struct Stage {
    link: Link,
    keys: Keys,
}

impl Stage {
    async fn new(server: &RedisServer, now: i64) -> Stage {
        let (link, keys) = bare(server, now).await;
        Stage { link, keys }
    }

    /// Ends all that is due, so that no operation is sent back for it: one call ends only so many.
    async fn sweep(&self, clock: Timestamp) {
        loop {
            let request = request::encode(1, Some(clock), &Caps::default(), &[Command::Expire { limit: 256 }]);
            let bytes = self.link.run(&self.keys.all(1), &BATCH, &[&request], Duration::from_secs(5)).await.unwrap();
            let (_, replies) = reply::split(bytes).unwrap();
            match reply::finished(&replies[0]).unwrap() {
                reply::Finished::Done(0) => return,
                reply::Finished::Done(_) | reply::Finished::Again => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// One call of the script; what each operation was told, without the numbers of entries.
    async fn play(&self, clock: Timestamp, operations: &[Operation]) -> Vec<String> {
        let commands: Vec<Command> = operations.iter().cloned().map(|one| Command::Run(Box::new(one))).collect();
        let request = request::encode(1, Some(clock), &Caps::default(), &commands);
        let bytes = self.link.run(&self.keys.all(1), &BATCH, &[&request], Duration::from_secs(5)).await.unwrap();
        let (header, replies) = reply::split(bytes).unwrap();
        assert_eq!((header.status, replies.len()), (reply::Status::Decided, operations.len()));
        let told = |(operation, raw)| plain(reply::decode(operation, raw, &header, 0).unwrap());
        operations.iter().zip(&replies).map(told).collect()
    }

    /// What is left: open reservations, counters, deadlines, and every effect in the journal, a line each.
    fn state(&self, server: &RedisServer) -> Vec<String> {
        let mut connection = server.connection();
        let mut hash = |name: &str| -> BTreeMap<Vec<u8>, Vec<u8>> {
            let key = self.keys.meta().replace("meta", name);
            redis::cmd("HGETALL").arg(key).query(&mut connection).unwrap()
        };
        let mut lines = Vec::new();
        for name in ["reservations", "deadlines"] {
            lines.extend(hash(name).iter().map(|(field, value)| format!("{name} {field:?} {value:?}")));
        }
        for name in ["counters:0", "counters:1"] {
            // While a counter is loading it also has numbers of entries, which differ.
            let counter = |(field, bytes): (&Vec<u8>, &Vec<u8>)| {
                format!("{name} {field:?} {:?}", value::read(bytes).unwrap().counter)
            };
            lines.extend(hash(name).iter().map(counter));
        }
        let journal: Stream =
            redis::cmd("XRANGE").arg(self.keys.journal(1)).arg("-").arg("+").query(&mut connection).unwrap();
        let entries = journal.iter().flat_map(|(_, fields)| fields.iter().map(|(_, blob)| entry::read(blob).unwrap()));
        let effects: Vec<String> =
            entries.flat_map(|entry| entry.effects).map(|effect| format!("{effect:?}")).collect();
        assert!(!effects.is_empty(), "nothing was journalled");
        lines.extend(effects);
        lines
    }
}

fn plain(reply: Reply) -> String {
    match reply {
        Reply::Done(done) => format!("{:?} {} {}", done.outcome, done.replayed, done.shadowed),
        Reply::Miss(miss) => format!("miss {:?} {:?} {:?}", miss.reservation, miss.request, miss.counters),
        other => format!("{other:?}"),
    }
}

async fn batches(server: &RedisServer, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut recorded = record(server, seed).await;
    for (_, operation) in &mut recorded {
        // What the ledger said holds whatever the entries are numbered here.
        operation.known.as_of = u64::from(u32::MAX);
    }
    // Now and then the same operation twice in a batch.
    let twice: Vec<(Timestamp, Operation)> = recorded
        .into_iter()
        .flat_map(|one| if rng.random_bool(0.1) { vec![one.clone(), one] } else { vec![one] })
        .collect();
    let begin = twice[0].0.millis();
    let (together, alone) = (Stage::new(server, begin).await, Stage::new(server, begin).await);
    let mut rest = twice.as_slice();
    while let Some((clock, _)) = rest.first() {
        let same = rest.iter().take_while(|(time, _)| time == clock).count();
        let size = rng.random_range(1..=same.min(64));
        let batch: Vec<Operation> = rest[..size].iter().map(|(_, operation)| operation.clone()).collect();
        together.sweep(*clock).await;
        alone.sweep(*clock).await;
        let at_once = together.play(*clock, &batch).await;
        for (operation, told) in batch.iter().zip(at_once) {
            let by_itself = alone.play(*clock, std::slice::from_ref(operation)).await;
            assert_eq!(by_itself, [told], "in a batch of {size}: {operation:#?}");
        }
        rest = &rest[size..];
    }
    for (together, alone) in together.state(server).iter().zip(alone.state(server)) {
        assert_eq!(*together, alone);
    }
}

#[test]
fn a_batch_decides_as_its_operations_would_alone() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for_each_seed("batches", HISTORIES, |seed| runtime.block_on(batches(&server, seed)));
}
