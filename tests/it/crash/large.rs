//! `kill -9` on a large state: a million counters and a hundred thousand open holds.

use super::books::{Books, now_ms};
use super::load::{Load, Resume, options, resume};
use crate::support::{Server, TempDir, for_each_seed};
use quotad::app::{Node, NodeOptions};
use quotad::domain::entry::{Effect, Entry, Kind, Line, LineLevel};
use quotad::domain::meter::Rules;
use quotad::domain::name::{IdKey, IdSpace, MeterName, Uid};
use quotad::domain::reservation::{About, Flags, Held, Level, Reservation, State};
use quotad::domain::time::Timestamp;
use quotad::engine::ports::Ledger;
use quotad::proto::v1::GetUsageRequest;
use quotad::store::database::{Database, DatabaseLedger, Sync};
use quotad::store::embedded::INCARNATION;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const BIG: &str = "tenants/big";
const METER: &str = "runs";
const USERS: u64 = 100_000;
/// Counters of each user.
const METERS: u64 = 10;
const HOLDS: u64 = 100_000;
/// Of these, this many are over before the first start.
const DUE: u64 = 10_000;
/// What each counter has used; what each hold holds.
const USED: i64 = 5;
const HELD: u64 = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_counters_and_a_hundred_thousand_holds_survive() {
    for_each_seed("crash-large", 1, |seed| {
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| runtime.block_on(play(seed)));
    });
}

async fn play(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let folder = TempDir::new("server");
    let begin = Instant::now();
    build(&folder.path().join("data")).await;
    let built = begin.elapsed();
    let (options, _catalog) = options(&[]);
    let mut books = Books::new();
    let mut server = Server::start_in(folder, options.ready_within(Duration::from_secs(60)));
    let mut ready = vec![server.ready_after()];
    holds_left(&server).await;
    for round in 0..2 {
        let load = Load::start(&server, 24, &format!("g{round}"), &mut rng);
        tokio::time::sleep(Duration::from_millis(rng.random_range(100..400))).await;
        server.kill_hard();
        let jobs = load.end().await;
        server.restart();
        ready.push(server.ready_after());
        holds_left(&server).await;
        resume(&server, jobs, Resume::Unanswered, &mut books).await;
        books.check(&server).await;
        for _ in 0..20 {
            let user = user(rng.random_range(0..USERS));
            assert_eq!(figures(&server, &user, METER).await.0, USED, "{user}");
        }
    }
    let size = USERS * METERS;
    println!("crash-large: {size} counters, {HOLDS} holds, built in {built:?}, ready after {ready:?}");
}

/// Waits, at most a second, until just the holds whose deadline is far are left.
async fn holds_left(server: &Server) {
    let begin = Instant::now();
    let left = i64::try_from((HOLDS - DUE) * HELD).unwrap();
    loop {
        let (_, held) = figures(server, BIG, METER).await;
        if held == left {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(1), "{held} held a second after the start, {left} may be");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Used and held; a server with too much to end at once may ask to come again.
async fn figures(server: &Server, account: &str, meter: &str) -> (i64, i64) {
    let request = GetUsageRequest { tenant: BIG.into(), account: account.into(), meter: meter.into() };
    let begin = Instant::now();
    let report = loop {
        match server.usage().get_usage(request.clone()).await {
            Ok(report) => break report.into_inner(),
            Err(status) => assert!(begin.elapsed() < Duration::from_secs(1), "{status:?}"),
        }
    };
    let window = &report.meters[0].windows[0];
    (window.used, window.held)
}

fn user(index: u64) -> String {
    format!("{BIG}/users/u{index}")
}

fn meter(index: u64) -> String {
    if index == 0 { METER.to_owned() } else { format!("runs{index}") }
}

/// Writes the state through the ledger's port, as a flusher would.
async fn build(data: &Path) {
    let options = NodeOptions { data_dir: data.to_owned(), partitions: Some(1), ..NodeOptions::default() };
    Node::open(options).await.unwrap().close().await;
    let database = Database::open(&data.join("ledger.db"), Sync::Normal).await.unwrap();
    let ledger = DatabaseLedger::new(database.clone());
    let now = Timestamp::from_millis(now_ms());
    let mut seq = ledger.watermark(0).await.unwrap().seq;
    // In the order of the ledger's own keys, which is the quickest to write.
    let mut users: Vec<u64> = (0..USERS).collect();
    users.sort_by_cached_key(|index| Uid::of(&user(*index)));
    let uses = users.into_iter().map(|index| consumed(index, now));
    let holds = (0..HOLDS).map(|index| {
        let far = if index < DUE { -1 } else { 3_600_000 };
        reserved(index, now, Timestamp::from_millis(now.millis() + far))
    });
    let mut effects = uses.chain(holds).peekable();
    while effects.peek().is_some() {
        let entries: Vec<(u64, Arc<Entry>)> = (0..16)
            .map(|_| {
                seq += 1;
                (seq, Arc::new(Entry { time: now, effects: effects.by_ref().take(500).collect() }))
            })
            .collect();
        ledger.append(0, INCARNATION, &entries).await.unwrap();
    }
    database.close().await;
}

/// A user's use on every meter.
fn consumed(index: u64, now: Timestamp) -> Effect {
    let account = user(index);
    let levels = vec![LineLevel { account: Uid::of(&account), used_top_up: 0, held_top_up: 0 }];
    let lines = (0..METERS).map(|meter_index| line(&account, &meter(meter_index), now, USED, 0, levels.clone(), 1));
    effect(Kind::Consume, now, None, lines.collect())
}

/// An open hold of a user, on the user and on the tenant.
fn reserved(index: u64, now: Timestamp, expire_time: Timestamp) -> Effect {
    let (tenant, account, id) = (Uid::of(BIG), user(index), format!("h{index}"));
    let uids = [tenant, Uid::of(&account)];
    let path = uids.map(|account| Level { account, has_top_up: false, held_top_up: 0, used_top_up: 0 });
    let held = Held {
        about: Arc::new(About::of(account.as_str(), METER, METER.parse::<MeterName>().unwrap().id())),
        asked: Some(HELD),
        held: HELD,
        committed: 0,
        unconfirmed: 0,
        lapsed: 0,
        freed: 0,
        final_amount: None,
        rules: Rules::default(),
        path: path.to_vec().into(),
        price: None,
        estimate: None,
    };
    let reservation = Reservation {
        tenant,
        tenant_name: BIG.into(),
        key: IdKey::of(tenant, IdSpace::Reservation, &id),
        id: id.into(),
        fingerprint: index,
        state: State::Held,
        flags: Flags::default(),
        create_time: now,
        expire_time,
        charges: vec![held],
        labels: Vec::new(),
        requests: Vec::new(),
    };
    let levels = uids.map(|account| LineLevel { account, used_top_up: 0, held_top_up: 0 });
    let line = line(&account, METER, now, 0, i64::try_from(HELD).unwrap(), levels.to_vec(), 2);
    effect(Kind::Reserve, now, Some(std::sync::Arc::new(reservation)), vec![line])
}

fn line(account: &str, meter: &str, at: Timestamp, used: i64, held: i64, levels: Vec<LineLevel>, chain: u8) -> Line {
    Line {
        charge: 0,
        about: Arc::new(About::of(account, meter, meter.parse::<MeterName>().unwrap().id())),
        effective: at,
        used,
        held,
        levels: levels.into(),
        chain,
        price: None,
    }
}

fn effect(kind: Kind, time: Timestamp, reservation: Option<std::sync::Arc<Reservation>>, lines: Vec<Line>) -> Effect {
    Effect { tenant: Uid::of(BIG), time, catalog_version: 0, kind, request: None, reservation, lines, note: None }
}
