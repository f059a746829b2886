//! The counters port on a real redis-server: what the journal says, misses and their refill, late repeats, trimming, deadlines.

use super::ledger::Happening;
use super::recorder::Recorder;
use super::world::World;
use crate::support::redis::RedisServer;
use quotad::domain::entry::Kind;
use quotad::domain::name::{AccountName, IdKey, IdSpace, Uid};
use quotad::domain::price::Quantities;
use quotad::domain::reservation::State;
use quotad::domain::time::{Span, Timestamp};
use quotad::engine::call::{ChargeRequest, FreeCall, FreeWhat, ReserveCall, SettleCall, Verdict};
use quotad::engine::manage::Apply;
use quotad::engine::operation::{Counters, Numbered};
use std::sync::{Arc, Mutex};

/// A day in 2026.
const NOW: i64 = 1_790_000_000_000;
const TENANT: &str = "tenants/acme";
const USER: &str = "tenants/acme/users/u1";
const CATALOG: &str = "
meters:
  - {name: job.runs, unit: run}
  - {name: disk.bytes, unit: byte, family: allocation}
quotas:
  - {subject: tenants/-/users/-, meter: job.runs, limits: {day: 10}}
";

async fn world(server: &RedisServer, complete: Timestamp) -> World {
    configured(World::start(server, NOW, 2, complete).await).await
}

async fn configured(world: World) -> World {
    let apply = Apply {
        tenant: None,
        yaml: CATALOG.as_bytes(),
        dry_run: false,
        prune: true,
        etag: None,
        actor: "test",
        now: Timestamp::from_millis(NOW),
    };
    world.catalogs.apply(apply).await.unwrap();
    world
}

fn tenant() -> AccountName {
    TENANT.parse().unwrap()
}

fn charge(meter: &str, amount: u64) -> Vec<ChargeRequest> {
    vec![ChargeRequest {
        account: USER.parse().unwrap(),
        meter: meter.parse().unwrap(),
        amount: Some(amount),
        quantities: Quantities::default(),
        item: String::new(),
        service: String::new(),
        also: Vec::new(),
    }]
}

fn reserve(id: &str, amount: u64) -> ReserveCall {
    ReserveCall {
        tenant: tenant(),
        reservation_id: Some(id.into()),
        request_id: None,
        charges: charge("job.runs", amount),
        ttl: None,
        labels: vec![("job".into(), "j1".into())],
        wait_for_durable: false,
    }
}

fn settle(id: &str) -> SettleCall {
    SettleCall {
        tenant: tenant(),
        reservation_id: id.into(),
        request_id: None,
        charges: Vec::new(),
        wait_for_durable: false,
    }
}

/// The state that a Reserve leads to; `None`: denied.
async fn held(world: &World, call: ReserveCall) -> Option<State> {
    match world.authority.reserve(call).await.unwrap().value {
        Verdict::Granted(reservation) => Some(reservation.state),
        Verdict::Denied(_) => None,
    }
}

/// What the user has used and holds on `job.runs` today.
async fn today(world: &World) -> (u64, u64) {
    let meter = "job.runs".parse().unwrap();
    let (_, usages) = world.authority.usage(&tenant(), &USER.parse().unwrap(), Some(&meter)).await.unwrap();
    let window = usages[0].windows.iter().find(|window| window.limit == Some(10)).unwrap();
    (window.used, window.held)
}

fn partition(world: &World) -> u32 {
    world.counters.partition_of(Uid::of(TENANT))
}

async fn journal(world: &World) -> Vec<Numbered> {
    world.counters.read(partition(world), 0, 1_000).await.unwrap()
}

/// Waits until the ledger has all that the journal has.
async fn flushed(world: &World) {
    let partition = partition(world);
    world.flushers.flushed(partition, world.counters.head(partition).seq).await.unwrap();
}

#[tokio::test]
async fn the_journal_says_what_happened() {
    let server = RedisServer::start();
    let world = world(&server, Timestamp::MIN).await;
    assert_eq!(held(&world, reserve("r1", 6)).await, Some(State::Held));
    assert_eq!(held(&world, reserve("r2", 5)).await, None);
    let committed = world.authority.commit(settle("r1"), true).await.unwrap();
    assert_eq!((committed.value.state, committed.value.charges[0].committed), (State::Committed, 6));
    let again = world.authority.commit(settle("r1"), true).await.unwrap();
    assert!(again.replayed);
    assert_eq!(held(&world, reserve("r1", 6)).await, Some(State::Committed), "the present state");
    let free = FreeWhat::Charges(charge("disk.bytes", 3));
    let call = FreeCall { tenant: tenant(), request_id: Some("f1".into()), what: free, wait_for_durable: false };
    assert_eq!(world.authority.free(call).await.unwrap().value.amounts, [0]);

    let entries = journal(&world).await;
    let seqs: Vec<u64> = entries.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, [1, 2, 3]);
    let effects: Vec<_> = entries.iter().flat_map(|(_, entry)| &entry.effects).collect();
    assert_eq!(effects.iter().map(|effect| effect.kind).collect::<Vec<_>>(), [Kind::Reserve, Kind::Commit, Kind::Free]);
    let line = &effects[0].lines[0];
    assert_eq!((&*line.account, &*line.meter, line.used, line.held, line.chain), (USER, "job.runs", 0, 6, 2));
    assert_eq!(line.levels.iter().map(|level| level.account).collect::<Vec<_>>(), [Uid::of(TENANT), Uid::of(USER)]);
    let line = &effects[1].lines[0];
    assert_eq!((line.used, line.held, line.effective), (6, -6, Timestamp::from_millis(NOW)));
    let state = effects[1].reservation.as_ref().unwrap();
    assert_eq!((state.state, &*state.id, &*state.labels[0].1), (State::Committed, "r1", "j1"));
    assert_eq!(effects[2].request.as_ref().unwrap().amounts, [0]);
    // And the ledger takes it.
    flushed(&world).await;
    let key = IdKey::of(Uid::of(TENANT), IdSpace::Reservation, "r1");
    let known = world.ledger.reservations(Uid::of(TENANT), &[key]).await.unwrap().remove(0).unwrap();
    assert_eq!(known, *committed.value);
    world.close().await;
}

#[tokio::test]
async fn what_redis_forgot_comes_from_the_ledger_whole() {
    let server = RedisServer::start();
    let world = world(&server, Timestamp::MIN).await;
    held(&world, reserve("r1", 4)).await;
    world.authority.commit(settle("r1"), true).await.unwrap();
    assert_eq!(held(&world, reserve("r2", 3)).await, Some(State::Held));
    assert_eq!(today(&world).await, (4, 3));
    forget_counters(&server, &world).await;
    assert_eq!(held(&world, reserve("r3", 4)).await, None, "7 of 10 are gone");
    assert_eq!(held(&world, reserve("r4", 3)).await, Some(State::Held));
    assert_eq!(today(&world).await, (4, 6));
    world.authority.release(settle("r2")).await.unwrap();
    assert_eq!(today(&world).await, (4, 3), "what was held before is released after");
    world.close().await;
}

#[tokio::test]
async fn what_is_settled_while_its_counter_is_loaded_counts_once() {
    let server = RedisServer::start();
    let meanwhile: Arc<Mutex<Option<Happening>>> = Arc::default();
    let between = |inner: Arc<dyn Counters>| -> Arc<dyn Counters> {
        Arc::new(Recorder { meanwhile: meanwhile.clone(), ..Recorder::new(inner) })
    };
    let world = configured(World::start_with(&server, NOW, 2, Timestamp::MIN, between).await).await;
    for (id, amount) in [("r1", 4), ("r2", 2), ("r3", 1)] {
        assert_eq!(held(&world, reserve(id, amount)).await, Some(State::Held));
    }
    forget_counters(&server, &world).await;
    let authority = world.authority.clone();
    // The ledger has been asked, and has answered that seven are held.
    *meanwhile.lock().unwrap() = Some(Box::new(move || {
        Box::pin(async move {
            authority.commit(settle("r1"), true).await.unwrap();
            authority.release(settle("r2")).await.unwrap();
        })
    }));
    assert_eq!(held(&world, reserve("r4", 5)).await, Some(State::Held), "five of ten are free by now");
    assert!(meanwhile.lock().unwrap().is_none(), "the counter was there");
    assert_eq!(today(&world).await, (4, 6));
    assert_eq!(held(&world, reserve("r5", 1)).await, None);
    world.close().await;
}

/// Drops all counters once the ledger has everything, so that they are missed.
async fn forget_counters(server: &RedisServer, world: &World) {
    flushed(world).await;
    let (partition, prefix) = (partition(world), &world.prefix);
    for generation in [0, 1] {
        server.ask::<u32>(&["DEL", &format!("{prefix}{{p{partition}}}:counters:{generation}")]);
    }
    // A counter that is not there is zero only since a time after this one.
    let meta = format!("{prefix}{{p{partition}}}:meta");
    let mut bytes: Vec<u8> = server.ask(&["GET", &meta]);
    set_complete(&mut bytes, NOW + 1);
    redis::cmd("SET").arg(&meta).arg(bytes).exec(&mut server.connection()).unwrap();
}

/// Puts another time into `complete_since` of a partition's state: the ninth item, which is the beginning of time.
fn set_complete(meta: &mut Vec<u8>, time: i64) {
    let mut reader = quotad::store::redis::pack::Reader::new(meta);
    reader.array().unwrap();
    reader.skip_many(8).unwrap();
    let at = meta.len() - reader.rest().len();
    let old = reader.skip().unwrap().len();
    let mut new = quotad::store::redis::pack::Writer::default();
    new.int(time);
    meta.splice(at..at + old, new.finish());
}

#[tokio::test]
async fn a_deadline_ends_a_hold_by_itself() {
    let server = RedisServer::start();
    let world = world(&server, Timestamp::MIN).await;
    held(&world, reserve("r1", 6)).await;
    world.clock.set(Timestamp::from_millis(NOW + 61_000));
    // The sweeper looks five times a second.
    let started = std::time::Instant::now();
    while journal(&world).await.len() < 2 {
        assert!(started.elapsed().as_secs() < 10, "the sweeper never came");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let entries = journal(&world).await;
    assert_eq!(entries[1].1.effects[0].kind, Kind::Expire);
    assert_eq!(today(&world).await, (0, 0));
    assert_eq!(world.counters.figures(partition(&world)).open_reservations, 0);
    world.close().await;
}

#[tokio::test]
async fn a_late_repeat_is_undone_as_it_stands() {
    let server = RedisServer::start();
    let world = world(&server, Timestamp::MIN).await;
    held(&world, reserve("r1", 4)).await;
    let first = journal(&world).await[0].1.effects[0].reservation.clone().unwrap();
    world.authority.commit(settle("r1"), true).await.unwrap();
    // Its first state is given; its last one, with 4 used, stands in the journal.
    world.counters.reverse(partition(&world), Box::new((*first).clone())).await.unwrap();
    assert_eq!(today(&world).await, (0, 0));
    let entries = journal(&world).await;
    let effect = &entries.last().unwrap().1.effects[0];
    assert_eq!((effect.kind, effect.lines[0].used, effect.lines[0].held), (Kind::Reverse, -4, 0));
    world.close().await;
}

#[tokio::test]
async fn another_replica_sees_what_is_written_and_the_journal_is_trimmed() {
    let server = RedisServer::start();
    let world = world(&server, Timestamp::MIN).await;
    let (partition, counters) = (partition(&world), world.counters.clone());
    let waiting = tokio::spawn(async move { counters.written(partition, 0).await });
    held(&world, reserve("r1", 1)).await;
    waiting.await.unwrap();
    flushed(&world).await;
    let figures = world.counters.figures(partition);
    assert_eq!((figures.open_reservations, figures.counters), (1, 2));
    // Some entries stay after the ledger has them.
    world.counters.trim(partition, 1).await.unwrap();
    assert_eq!((journal(&world).await.len(), world.counters.figures(partition).unflushed), (1, 0));
    for number in 0..3 {
        assert_eq!(held(&world, reserve(&format!("s{number}"), 1)).await, Some(State::Held));
    }
    world.counters.trim(partition, 1_025).await.unwrap();
    assert_eq!(journal(&world).await.first().map(|(seq, _)| *seq), Some(2));
    let mut time = NOW;
    let mut idle = async || {
        time += 10;
        world.clock.set(Timestamp::from_millis(time));
        world.counters.drop_idle(partition, Span::from_millis(1)).await.unwrap()
    };
    assert_eq!((idle().await, idle().await, idle().await), (0, 0, 0), "both of them hold");
    for id in ["r1", "s0", "s1", "s2"] {
        world.authority.release(settle(id)).await.unwrap();
    }
    assert_eq!(idle().await + idle().await + idle().await, 2);
    world.close().await;
}

#[tokio::test]
async fn many_at_once_get_what_there_is_and_no_more() {
    let server = RedisServer::start();
    let world = Arc::new(world(&server, Timestamp::MIN).await);
    let calls = (0..200).map(|number| {
        let world = world.clone();
        tokio::spawn(async move { held(&world, reserve(&format!("m{}", number / 2), 1)).await })
    });
    let mut granted = 0;
    for call in calls.collect::<Vec<_>>() {
        granted += usize::from(call.await.unwrap().is_some());
    }
    // Every id was sent twice: a repeat gets the first verdict, and a denial never burns an id.
    assert_eq!((granted, today(&world).await), (20, (0, 10)));
    assert!(journal(&world).await.len() <= 10);
    Arc::into_inner(world).unwrap().close().await;
}
