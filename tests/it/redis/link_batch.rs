//! The micro-batcher against a real server and a script that notes what it was sent, and fails or dawdles when told.

use crate::support::redis::RedisServer;
use quotad::domain::name::{IdKey, Uid};
use quotad::engine::operation::{Caps, Known, Operation, Verb};
use quotad::engine::ports::StoreError;
use quotad::store::redis::batch::{Answer, Batcher, MOST_WAITING, SubmitError};
use quotad::store::redis::command::Command;
use quotad::store::redis::keys::Keys;
use quotad::store::redis::link::Link;
use quotad::store::redis::options::{RedisFlags, RedisOptions};
use quotad::store::redis::queue::{MOST_COMMANDS, MOST_COUNTERS};
use quotad::store::redis::reply::{Finished, Status, finished};
use quotad::store::redis::scripts::{Script, Scripts};
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Lives in incarnation 7. Writes a line with what each call was sent: the version of a raise, the last byte of a get's key,
/// `free`. A raise to 666 fails; one to 777, and a free, take 600 ms if the key `slow` is there, which they remove.
const NOTING: &str = "local request = cmsgpack.unpack(ARGV[1])\n\
    if request[2] ~= 7 then return cmsgpack.pack({1, 1, 5, 0, 0, 0, 0, 7, {'run', 'history'}}) end\n\
    local line, replies = {}, {}\n\
    for place, operation in ipairs(request[6]) do\n\
    local what = operation[9]\n\
    if operation[1] == 7 then what = 'free' elseif operation[1] == 8 then what = 'k' .. string.byte(operation[8], 16)\n\
    elseif operation[1] == 9 then what = 'x' .. operation[8] end\n\
    if what == 666 then error('poison') end\n\
    if (what == 777 or what == 'free') and redis.call('DEL', KEYS[2]) == 1 then\n\
    local t = redis.call('TIME') local stop = t[1] * 1000000 + t[2] + 600000\n\
    repeat t = redis.call('TIME') until t[1] * 1000000 + t[2] > stop\n\
    end\n\
    line[place], replies[place] = tostring(what), {13, place}\n\
    end\n\
    redis.call('RPUSH', KEYS[3], table.concat(line, ' '))\n\
    return cmsgpack.pack({1, 0, 5, 9, 0, 0, 0, 7, replies})";

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new("noting", NOTING));

struct World {
    server: RedisServer,
    batcher: Batcher,
}

impl World {
    fn start(response_timeout: Duration) -> World {
        let server = RedisServer::start();
        let flags = RedisFlags { url: server.url(), response_timeout: Some(response_timeout), ..RedisFlags::default() };
        let link = Link::open(RedisOptions::new(&flags).unwrap()).unwrap();
        let batcher = Batcher::new(link, keys(), Scripts::only(&SCRIPT), Caps::default(), None);
        batcher.set_incarnation(7);
        World { server, batcher }
    }

    /// Submits from a task of its own and lets that come as far as it can.
    async fn begin(&self, command: Command) -> JoinHandle<Answer> {
        let batcher = self.batcher.clone();
        let task = tokio::spawn(async move { batcher.submit(command).await });
        tokio::task::yield_now().await;
        task
    }

    /// One line for each call, as the script noted them.
    fn calls(&self) -> Vec<String> {
        self.server.ask(&["LRANGE", &keys().all(7)[2], "0", "-1"])
    }

    /// Makes calls wait on the wire, for 400 ms.
    fn pause(&self) {
        self.server.ask::<()>(&["CLIENT", "PAUSE", "400", "ALL"]);
    }

    fn slow(&self) {
        self.server.ask::<()>(&["SET", &keys().all(7)[1], "x"]);
    }
}

fn keys() -> Keys {
    Keys::new("quotad:", 3).unwrap()
}

fn raise(version: u64) -> Command {
    Command::Raise { tenant: None, version }
}

fn run(verb: Verb) -> Command {
    let known = Known::default();
    Command::Run(Box::new(Operation {
        tenant: Uid(1),
        catalog_version: 0,
        request: None,
        fingerprint: 0,
        verb,
        plan: None,
        known,
    }))
}

fn get(key: u128) -> Command {
    run(Verb::Get { key: IdKey(key) })
}

/// The place in its batch, from 1, that an answer came from.
#[track_caller]
fn place(answer: Answer) -> usize {
    let (_, header, raw) = answer.unwrap();
    assert_eq!((header.status, header.seq, header.incarnation), (Status::Decided, 9, 7));
    match finished(&raw).unwrap() {
        Finished::Done(place) => place,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn store_error(answer: Answer) -> StoreError {
    match answer {
        Err(SubmitError::Store(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_arrives_meanwhile_goes_together_in_order() {
    let world = World::start(Duration::from_secs(10));
    assert_eq!(place(world.batcher.submit(raise(0)).await), 1);
    world.pause();
    let mut tasks = Vec::new();
    for version in 1..=150 {
        tasks.push(world.begin(raise(version)).await);
    }
    for task in tasks {
        place(task.await.unwrap());
    }
    let calls = world.calls();
    assert!(calls.len() <= 6, "{calls:?}");
    assert!(calls.iter().all(|call| call.split(' ').count() <= MOST_COMMANDS), "{calls:?}");
    let sent: Vec<u64> = calls.join(" ").split(' ').map(|version| version.parse().unwrap()).collect();
    assert_eq!(sent, (0..=150).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_batch_is_bounded_in_counters_too() {
    let world = World::start(Duration::from_secs(10));
    world.batcher.submit(raise(0)).await.unwrap();
    world.pause();
    let mut tasks = vec![world.begin(raise(1)).await, world.begin(raise(2)).await];
    // As if each touched as many counters as it may end reservations.
    for limit in [MOST_COUNTERS * 2, MOST_COUNTERS / 2, MOST_COUNTERS / 2, 1] {
        tasks.push(world.begin(Command::Expire { limit }).await);
    }
    for task in tasks {
        place(task.await.unwrap());
    }
    assert_eq!(world.calls(), ["0", "1", "2", "x1024", "x256 x256", "x1"]);
}

#[tokio::test]
async fn every_waiter_is_told_to_verify_and_gets_its_command_back() {
    let world = World::start(Duration::from_secs(10));
    world.batcher.set_incarnation(6);
    let tasks = [world.begin(raise(1)).await, world.begin(raise(2)).await, world.begin(raise(3)).await];
    for (version, task) in (1..).zip(tasks) {
        match task.await.unwrap() {
            Err(SubmitError::Verify { command, header }) => {
                assert!(matches!(*command, Command::Raise { version: back, .. } if back == version));
                let server = header.server.unwrap();
                assert_eq!((header.incarnation, &*server.run_id, &*server.replication_id), (7, "run", "history"));
                world.batcher.set_incarnation(header.incarnation);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(world.batcher.incarnation(), 7);
    place(world.batcher.submit(raise(4)).await);
    assert_eq!(world.calls(), ["4"]);
}

#[tokio::test]
async fn a_command_that_breaks_the_script_fails_alone() {
    let world = World::start(Duration::from_secs(10));
    world.batcher.submit(raise(0)).await.unwrap();
    world.pause();
    let mut tasks = Vec::new();
    for version in [1, 2, 3, 666, 5, 6] {
        tasks.push(world.begin(raise(version)).await);
    }
    for (index, task) in tasks.into_iter().enumerate() {
        let answer = task.await.unwrap();
        if index == 3 {
            assert!(matches!(store_error(answer), StoreError::Corrupt(text) if text.contains("poison")));
        } else {
            assert_eq!(place(answer), 1);
        }
    }
    // 3 to 6 were one call, which did nothing.
    assert_eq!(world.calls(), ["0", "1", "2", "3", "5", "6"]);
}

#[tokio::test]
async fn after_a_time_out_only_what_is_recognised_is_sent_again() {
    let world = World::start(Duration::from_millis(450));
    world.batcher.submit(raise(0)).await.unwrap();
    world.slow();
    let free = || run(Verb::FreeAmounts { charges: Vec::new() });
    assert!(matches!(store_error(world.batcher.submit(free()).await), StoreError::OutcomeUnknown(_)));
    place(world.batcher.submit(raise(1)).await);
    assert_eq!(world.calls(), ["0", "free", "1"], "it ran once, only its answer was late");
    world.slow();
    place(world.batcher.submit(raise(777)).await);
    assert_eq!(world.calls()[3..], ["777", "777"]);
}

#[tokio::test]
async fn calls_about_one_reservation_do_not_overtake_each_other() {
    let world = World::start(Duration::from_secs(10));
    world.batcher.submit(raise(0)).await.unwrap();
    world.pause();
    let mut tasks = vec![world.begin(get(1)).await];
    // The second call, on the wire while the first is, may carry everything but 1.
    let shared = world.batcher.clone();
    let rest = [get(1), get(2), get(1), get(3)].map(|command| {
        let batcher = shared.clone();
        tokio::spawn(async move { batcher.submit(command).await })
    });
    tasks.extend(rest);
    for task in tasks {
        place(task.await.unwrap());
    }
    let calls = world.calls();
    let sent = calls[1..].join(" ");
    assert_eq!(calls[1], "k1");
    assert!(calls[2].split(' ').all(|key| key != "k1"), "{calls:?}");
    assert_eq!(sent.matches("k1").count(), 3, "{calls:?}");
    assert_eq!(sent.split(' ').count(), 5, "{calls:?}");
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let world = World::start(Duration::from_secs(10));
    world.batcher.submit(raise(0)).await.unwrap();
    world.pause();
    let mut tasks = Vec::new();
    for version in 1000..(MOST_WAITING as u64 + 1200) {
        tasks.push(world.begin(raise(version)).await);
    }
    let mut refused = 0;
    for task in tasks {
        match task.await.unwrap() {
            Err(SubmitError::Overloaded) => refused += 1,
            answer => assert!(place(answer) > 0),
        }
    }
    // Two calls were on the wire, at most 64 commands each.
    assert!((72..200).contains(&refused), "{refused}");
}

#[tokio::test]
async fn a_server_that_hangs_opens_the_breaker_and_one_that_answers_closes_it() {
    let world = World::start(Duration::from_millis(100));
    world.batcher.submit(raise(0)).await.unwrap();
    world.server.freeze();
    let started = Instant::now();
    let mut at_once = 0;
    while at_once < 5 {
        let asked = Instant::now();
        match store_error(world.batcher.submit(raise(1)).await) {
            StoreError::Unavailable(_) if asked.elapsed() < Duration::from_millis(20) => at_once += 1,
            StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_) => {}
            error => panic!("{error:?}"),
        }
        assert!(started.elapsed() < Duration::from_secs(10), "the breaker never opens");
    }
    world.server.thaw();
    let thawed = Instant::now();
    while world.batcher.submit(raise(2)).await.is_err() {
        assert!(thawed.elapsed() < Duration::from_secs(10), "the breaker never closes");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    place(world.batcher.submit(raise(3)).await);
}

#[tokio::test]
async fn a_restart_is_survived_by_what_is_recognised() {
    let mut world = World::start(Duration::from_secs(5));
    world.batcher.submit(raise(0)).await.unwrap();
    world.pause();
    let waiting = world.begin(raise(1)).await;
    // On the wire by now, and not run: the server is killed with it.
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.server.kill();
    world.server.restart();
    place(waiting.await.unwrap());
    assert_eq!(world.calls(), ["1"]);
    world.server.kill();
    let error = loop {
        if let StoreError::Unavailable(text) =
            store_error(world.batcher.submit(run(Verb::FreeAmounts { charges: vec![] })).await)
        {
            break text;
        }
    };
    assert!(error.contains("can't be reached"), "{error}");
}
