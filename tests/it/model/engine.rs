//! The real engine under the model's histories: a node on a clock of its own, its counters in the process or in Redis.

use super::catalog::TENANT;
use super::digest::Said;
use super::reservation::{Ask, Change, Op};
use crate::support::TempDir;
use crate::support::redis::RedisServer;
use quotad::app::{Node, NodeOptions, RedisStorage, Storage};
use quotad::domain::adjustment::Move;
use quotad::domain::entry::Note;
use quotad::domain::name::AccountName;
use quotad::domain::price::Quantities;
use quotad::domain::time::{Span, Timestamp};
use quotad::engine::adjust::{AdjustCall, AdjustLine};
use quotad::engine::authority::Authority;
use quotad::engine::call::{ChargeRequest, CheckCall, FreeCall, FreeWhat, ReserveCall, SettleCall};
use quotad::engine::manage::Apply;
use quotad::engine::ports::Clock;
use quotad::store::clock::TestClock;
use quotad::store::redis::options::{RedisFlags, RedisOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where an engine's counters live.
#[derive(Clone)]
pub(crate) enum Place {
    /// In the process.
    Embedded,
    /// In that server, under a prefix of their own.
    Redis { url: String, prefix: String },
}

impl Place {
    /// A place in that server that nobody has used.
    pub(crate) fn in_redis(server: &RedisServer) -> Place {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let prefix = format!("model{}:", NEXT.fetch_add(1, Ordering::Relaxed));
        Place::Redis { url: server.url(), prefix }
    }

    fn storage(&self) -> Storage {
        match self {
            Place::Embedded => Storage::Embedded,
            Place::Redis { url, prefix } => {
                let flags = RedisFlags { url: url.clone(), prefix: Some(prefix.clone()), ..RedisFlags::default() };
                Storage::Redis(Box::new(RedisStorage { redis: RedisOptions::new(&flags).unwrap(), database: None }))
            }
        }
    }
}

/// The real thing, on a folder and a clock of its own.
pub(crate) struct Engine {
    node: Node,
    pub(crate) clock: Arc<TestClock>,
    folder: TempDir,
    place: Place,
}

impl Engine {
    pub(crate) async fn start(place: Place, now: i64) -> Engine {
        let folder = TempDir::new("model");
        let clock = Arc::new(TestClock::new(Timestamp::from_millis(now)));
        let node = open(&place, &folder, &clock).await;
        Engine { node, clock, folder, place }
    }

    /// Closes the node, or drops it as a kill would, and opens it again.
    pub(crate) async fn restart(self, kill: bool) -> Engine {
        if kill {
            self.node.abandon().await;
        } else {
            self.node.close().await;
        }
        let node = open(&self.place, &self.folder, &self.clock).await;
        Engine { node, clock: self.clock, folder: self.folder, place: self.place }
    }

    /// Takes everything out of the counter store, once the ledger has all of it. Only for one that can lose it.
    pub(crate) async fn empty(&self) {
        let Place::Redis { url, .. } = &self.place else { return };
        self.node.flushed().await.unwrap();
        let mut connection = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
    }

    /// Whether the counters are in this process, and what it alone remembers goes with it.
    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self.place, Place::Embedded)
    }

    /// Closes the node and answers its folder.
    pub(crate) async fn close(self) -> TempDir {
        self.node.close().await;
        self.folder
    }

    /// Winds the clock.
    pub(crate) fn wind(&self, now: i64) {
        self.clock.set(Timestamp::from_millis(now));
    }

    /// Makes the real catalog be the model's.
    pub(crate) async fn configure(&self, tenant: Option<&str>, yaml: &str) {
        let apply = Apply {
            tenant,
            yaml: yaml.as_bytes(),
            dry_run: false,
            prune: true,
            etag: None,
            actor: "model",
            now: self.clock.now(),
        };
        self.node.catalogs.apply(apply).await.unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    }

    /// Makes a call.
    pub(crate) async fn call(&self, op: &Op) -> Said {
        call(&self.node.authority, op).await
    }
}

/// Makes a call of any engine.
pub(crate) async fn call(authority: &Authority, op: &Op) -> Said {
    let tenant = name(TENANT);
    let take = |res: &Option<String>, req: &Option<String>, asks: &[Ask], ttl: Option<i64>| ReserveCall {
        tenant: name(TENANT),
        reservation_id: res.clone(),
        request_id: req.clone(),
        charges: charges(asks),
        ttl: ttl.map(Span::from_millis),
        labels: Vec::new(),
        wait_for_durable: false,
    };
    let settle = |res: &String, req: &Option<String>, asks: &[Ask]| SettleCall {
        tenant: name(TENANT),
        reservation_id: res.clone(),
        request_id: req.clone(),
        charges: charges(asks),
        wait_for_durable: false,
    };
    let free = |req: &Option<String>, what| FreeCall {
        tenant: name(TENANT),
        request_id: req.clone(),
        what,
        wait_for_durable: false,
    };
    match op {
        Op::Check { asks } => Said::check(authority.check(CheckCall { tenant, charges: charges(asks) }).await),
        Op::Reserve { res, req, asks, ttl } => Said::reserve(authority.reserve(take(res, req, asks, *ttl)).await),
        Op::Consume { res, req, asks } => Said::reserve(authority.consume(take(res, req, asks, None)).await),
        Op::Commit { res, req, asks, is_final } => {
            Said::settle(authority.commit(settle(res, req, asks), *is_final).await)
        }
        Op::Release { res, req, asks } => Said::settle(authority.release(settle(res, req, asks)).await),
        Op::Extend { res, req, asks, ttl } => {
            Said::extend(authority.extend(settle(res, req, asks), ttl.map(Span::from_millis)).await)
        }
        Op::Free { res, req } => Said::free(authority.free(free(req, FreeWhat::Reservation(res.clone()))).await),
        Op::FreeAmounts { req, asks } => Said::free(authority.free(free(req, FreeWhat::Charges(charges(asks)))).await),
        Op::Adjust { req, asks, changes } => {
            Said::adjust(authority.adjust(adjustment(req.clone(), asks, changes)).await)
        }
        Op::Get { res } => Said::get(authority.get_reservation(&tenant, res).await),
        Op::Usage { account, meter } => {
            let meter = meter.parse().unwrap();
            match authority.usage(&tenant, &name(account), Some(&meter)).await {
                Ok((_, usages)) => Said::usage(account, &usages[0]),
                Err(error) => panic!("usage: {error}"),
            }
        }
    }
}

async fn open(place: &Place, folder: &TempDir, clock: &Arc<TestClock>) -> Node {
    let options = NodeOptions {
        storage: place.storage(),
        data_dir: folder.path().to_owned(),
        clock: Some(clock.clone()),
        partitions: Some(2),
        ..NodeOptions::default()
    };
    Node::open(options).await.unwrap()
}

fn adjustment(request_id: Option<String>, asks: &[Ask], changes: &[Change]) -> AdjustCall {
    let line = |(charge, change): (ChargeRequest, &Change)| {
        let (change, effective) = match *change {
            Change::By(amount, at) => (Move::By(amount), at.map(Timestamp::from_millis)),
            Change::To(measured, expected) => (Move::To { measured, expected }, None),
        };
        AdjustLine { charge, change, effective }
    };
    AdjustCall {
        tenant: name(TENANT),
        request_id,
        note: Note { actor: "model".into(), reason: "as drawn".into() },
        lines: charges(asks).into_iter().zip(changes).map(line).collect(),
        wait_for_durable: false,
    }
}

fn name(text: &str) -> AccountName {
    text.parse().unwrap()
}

fn charges(asks: &[Ask]) -> Vec<ChargeRequest> {
    let charge = |ask: &Ask| ChargeRequest {
        account: name(ask.account),
        meter: ask.meter.parse().unwrap(),
        amount: ask.amount,
        quantities: Quantities::default(),
        item: ask.item.to_owned(),
        service: String::new(),
        also: ask.also.iter().map(|also| name(also)).collect(),
    };
    asks.iter().map(charge).collect()
}
