//! A batch decides as its operations would one by one, and the quick way as the general one: the operations of random
//! histories in batches of 1 to 64, the general way and the quick way, and alone, on partitions that nobody else uses.

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
use quotad::engine::operation::{Caps, Counters, Operation, Reply, Verb};
use quotad::engine::ports::Clock;
use quotad::store::redis::command::Command;
use quotad::store::redis::keys::Keys;
use quotad::store::redis::link::Link;
use quotad::store::redis::scripts::{BATCH, QUICK};
use quotad::store::redis::{entry, quick, reply, request, value};
use rand::SeedableRng;
use rand::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Steps of one history, and histories of each kind.
const STEPS: usize = 300;
const HISTORIES: usize = 12;

/// The operations of one random history, as the verbs made them.
async fn record(server: &RedisServer, seed: u64) -> Vec<(Timestamp, Operation)> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut taste = Taste::new(&mut rng);
    if seed % 2 == 1 {
        // Every other history is of what the quick way takes, so that enough of it is seen whatever the seeds are.
        taste = Taste { rates: false, huge: false, top_ups: false, ..taste };
    }
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
        let request = request::encode(1, Some(clock), &Caps::default(), &commands(operations));
        let bytes = self.link.run(&self.keys.all(1), &BATCH, &[&request], Duration::from_secs(5)).await.unwrap();
        told(operations, bytes)
    }

    /// The same the quick way, or, if that is given up, the general one; and whether it was quick.
    async fn play_quickly(&self, clock: Timestamp, operations: &[Operation]) -> (Vec<String>, bool) {
        let Some(request) = quick_form(clock, operations) else { return (self.play(clock, operations).await, false) };
        let bytes = self.link.run(&self.keys.all(1), &QUICK, &[&request], Duration::from_secs(5)).await.unwrap();
        if bytes.is_empty() {
            return (self.play(clock, operations).await, false);
        }
        (told(operations, bytes), true)
    }

    /// Everything that the general way and the quick one must leave alike to the byte.
    fn bytes(&self, server: &RedisServer) -> Vec<String> {
        let mut connection = server.connection();
        let mut lines = Vec::new();
        for name in ["tenants", "requests", "outcomes:0", "outcomes:1", "outcomes:2"] {
            let key = self.keys.meta().replace("meta", name);
            let hash: BTreeMap<Vec<u8>, Vec<u8>> = redis::cmd("HGETALL").arg(key).query(&mut connection).unwrap();
            // A denial has the windows of counters in it, which have no order.
            let shown = |(field, value): (&Vec<u8>, &Vec<u8>)| match field.first() {
                Some(b'd') => format!("{name} {field:?} {}", value.len()),
                _ => format!("{name} {field:?} {value:?}"),
            };
            lines.extend(hash.iter().map(shown));
        }
        let meta: Vec<u8> = redis::cmd("GET").arg(self.keys.meta()).query(&mut connection).unwrap();
        let journal: Stream =
            redis::cmd("XRANGE").arg(self.keys.journal(1)).arg("-").arg("+").query(&mut connection).unwrap();
        lines.push(format!("{meta:?}"));
        lines.extend(journal.iter().map(|entry| format!("{entry:?}")));
        lines
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
            // The windows have no order.
            let counter = |(field, bytes): (&Vec<u8>, &Vec<u8>)| {
                let mut counter = value::read(bytes).unwrap().counter;
                counter.windows.sort_by_key(|window| format!("{window:?}"));
                format!("{name} {field:?} {counter:?}")
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

fn commands(operations: &[Operation]) -> Vec<Command> {
    operations.iter().cloned().map(|one| Command::Run(Box::new(one))).collect()
}

fn quick_form(clock: Timestamp, operations: &[Operation]) -> Option<Vec<u8>> {
    quick::encode(1, Some(clock), &Caps::default(), &commands(operations))
}

/// What each operation was told by an answer.
fn told(operations: &[Operation], bytes: Vec<u8>) -> Vec<String> {
    let (header, replies) = reply::split(bytes).unwrap();
    assert_eq!((header.status, replies.len()), (reply::Status::Decided, operations.len()));
    let told = |(operation, raw)| plain(reply::decode(operation, raw, &header, 0).unwrap());
    operations.iter().zip(&replies).map(told).collect()
}

/// The same with all that is asked, settled and allowed so many times.
fn multiply(operation: &mut Operation, times: u64) {
    let multiply = |amount: &mut Option<u64>| {
        if let Some(amount) = amount {
            *amount = amount.saturating_mul(times);
        }
    };
    for counter in operation.plan.iter_mut().flat_map(|plan| &mut Arc::make_mut(plan).counters) {
        for window in Arc::make_mut(&mut counter.windows) {
            multiply(&mut window.limit);
            multiply(&mut window.hold_cap);
        }
    }
    match &mut operation.verb {
        Verb::Reserve { template, .. } => {
            Arc::make_mut(template).charges.iter_mut().for_each(|charge| multiply(&mut charge.asked))
        }
        Verb::Commit { listed, .. } | Verb::Release { listed, .. } | Verb::Extend { listed, .. } => {
            listed.0.iter_mut().for_each(|item| multiply(&mut item.amount));
        }
        _ => {}
    }
}

/// How many of the first operations go together: all of them in a quick form, or the first not.
fn alike(clock: Timestamp, operations: &[Operation]) -> usize {
    if quick_form(clock, &operations[..1]).is_none() {
        return operations.iter().take_while(|one| quick_form(clock, std::slice::from_ref(one)).is_none()).count();
    }
    let more = (2..=operations.len()).take_while(|size| quick_form(clock, &operations[..*size]).is_some());
    more.last().unwrap_or(1)
}

fn plain(reply: Reply) -> String {
    match reply {
        Reply::Done(done) => format!("{:?} {} {}", done.outcome, done.replayed, done.shadowed),
        Reply::Miss(miss) => format!("miss {:?} {:?} {:?}", miss.reservation, miss.request, miss.counters),
        other => format!("{other:?}"),
    }
}

/// Plays one history; how many batches were decided the quick way.
async fn batches(server: &RedisServer, seed: u64) -> usize {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut recorded = record(server, seed).await;
    // Histories are of small amounts; a record is settled as bytes, and numbers have up to nine of them.
    let times = if seed % 2 == 1 { 1_u64 << [0_u32, 3, 6, 13, 29, 44].choose(&mut rng).unwrap() } else { 1 };
    for (_, operation) in &mut recorded {
        // What the ledger said holds whatever the entries are numbered here.
        operation.known.as_of = u64::from(u32::MAX);
        multiply(operation, times);
    }
    // Now and then the same operation twice in a batch.
    let twice: Vec<(Timestamp, Operation)> = recorded
        .into_iter()
        .flat_map(|one| if rng.random_bool(0.1) { vec![one.clone(), one] } else { vec![one] })
        .collect();
    let begin = twice[0].0.millis();
    let (together, alone) = (Stage::new(server, begin).await, Stage::new(server, begin).await);
    let quick = Stage::new(server, begin).await;
    let mut quickly = 0;
    let mut rest = twice.as_slice();
    while let Some((clock, _)) = rest.first() {
        let same = rest.iter().take_while(|(time, _)| time == clock).count();
        let batch = rest[..rng.random_range(1..=same.min(64))].iter();
        let mut batch: Vec<Operation> = batch.map(|(_, operation)| operation.clone()).collect();
        if rng.random_bool(0.8) {
            batch.truncate(alike(*clock, &batch));
        }
        let size = batch.len();
        for stage in [&together, &alone, &quick] {
            stage.sweep(*clock).await;
        }
        let at_once = together.play(*clock, &batch).await;
        let (at_once_quickly, was_quick) = quick.play_quickly(*clock, &batch).await;
        assert_eq!(at_once_quickly, at_once, "the quick way in a batch of {size}: {batch:#?}");
        quickly += usize::from(was_quick);
        for (operation, told) in batch.iter().zip(at_once) {
            let by_itself = alone.play(*clock, std::slice::from_ref(operation)).await;
            assert_eq!(by_itself, [told], "in a batch of {size}: {operation:#?}");
        }
        rest = &rest[size..];
    }
    let (together_state, together_bytes) = (together.state(server), together.bytes(server));
    for (together, alone) in together_state.iter().zip(alone.state(server)) {
        assert_eq!(*together, alone);
    }
    let quick_state = [quick.state(server), quick.bytes(server)].concat();
    let together_state = [together_state, together_bytes].concat();
    for (quick, together) in quick_state.iter().zip(&together_state) {
        assert_eq!(quick, together);
    }
    assert_eq!(quick_state.len(), together_state.len());
    quickly
}

#[test]
fn a_batch_decides_as_its_operations_would_alone_and_as_the_quick_way_does() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let quickly = std::cell::Cell::new(0);
    for_each_seed("batches", 2 * HISTORIES, |seed| {
        quickly.set(quickly.get() + runtime.block_on(batches(&server, seed)))
    });
    println!("{} batches were decided the quick way", quickly.get());
    assert!(quickly.get() > 20 * HISTORIES, "only {} batches were decided the quick way", quickly.get());
}
