//! Drives the model and the engine, embedded or on Redis, with the same random histories and compares every answer, and again and
//! again the whole state.

use super::catalog::{Catalog, TENANT};
use super::digest::{Said, outcome};
use super::generate::{ACCOUNTS, Taste, catalog};
use super::history::{History, Step};
use super::ledger;
use super::reservation::{Ask, Op};
use super::spec::Model;
use crate::redis::World;
use crate::support::redis::RedisServer;
use crate::support::{TempDir, for_each_seed};
use quotad::app::{Node, NodeOptions};
use quotad::domain::name::AccountName;
use quotad::domain::time::{Span, Timestamp};
use quotad::engine::authority::Authority;
use quotad::engine::call::{ChargeRequest, CheckCall, FreeCall, FreeWhat, ReserveCall, SettleCall};
use quotad::engine::manage::Apply;
use quotad::engine::ports::Clock;
use quotad::engine::publish::Publisher;
use quotad::store::clock::TestClock;
use rand::SeedableRng;
use rand::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Steps of one history.
const STEPS: usize = 400;
/// Steps of a run, unless `QUOTAD_MODEL_STEPS` says another number.
const TOTAL: usize = 100_000;
/// The same against Redis, unless `QUOTAD_REDIS_STEPS` says another number.
const REDIS_TOTAL: usize = 20_000;

/// The real thing, on a clock of its own.
pub(crate) struct Engine {
    authority: Arc<Authority>,
    catalogs: Arc<Publisher>,
    pub(crate) clock: Arc<TestClock>,
    life: Life,
}

/// Where it keeps its counters.
enum Life {
    /// In this process, with the journal in a folder.
    Embedded(Box<Node>, TempDir),
    /// In Redis.
    Redis(World),
}

impl Engine {
    pub(crate) async fn start(now: i64) -> Engine {
        let clock = Arc::new(TestClock::new(Timestamp::from_millis(now)));
        Engine::embedded(TempDir::new("model"), clock).await
    }

    async fn embedded(folder: TempDir, clock: Arc<TestClock>) -> Engine {
        let node = open(&folder, &clock).await;
        let (authority, catalogs) = (node.authority.clone(), node.catalogs.clone());
        Engine { authority, catalogs, clock, life: Life::Embedded(Box::new(node), folder) }
    }

    /// On fresh partitions of a redis-server.
    async fn redis(server: &RedisServer, now: i64) -> Engine {
        let world = World::start(server, now, 2, Timestamp::MIN).await;
        let (authority, catalogs) = (world.authority.clone(), world.catalogs.clone());
        Engine { authority, catalogs, clock: world.clock.clone(), life: Life::Redis(world) }
    }

    /// Closes the node, or drops it as a kill would, and opens it again. Redis lives on by itself: `None`.
    async fn restart(self, kill: bool) -> Result<Engine, Engine> {
        let Engine { authority, catalogs, clock, life } = self;
        match life {
            Life::Embedded(node, folder) => {
                drop((authority, catalogs));
                if kill {
                    node.abandon().await;
                } else {
                    node.close().await;
                }
                Ok(Engine::embedded(folder, clock).await)
            }
            life @ Life::Redis(_) => Err(Engine { authority, catalogs, clock, life }),
        }
    }

    /// Closes it; answers the folder with the ledger.
    async fn close(self) -> TempDir {
        match self.life {
            Life::Embedded(node, folder) => {
                node.close().await;
                folder
            }
            Life::Redis(world) => world.close().await,
        }
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
        self.catalogs.apply(apply).await.unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    }

    /// Makes a call.
    pub(crate) async fn call(&self, op: &Op) -> Said {
        let authority = &self.authority;
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
            Op::FreeAmounts { req, asks } => {
                Said::free(authority.free(free(req, FreeWhat::Charges(charges(asks)))).await)
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
}

async fn open(folder: &TempDir, clock: &Arc<TestClock>) -> Node {
    let options = NodeOptions {
        data_dir: folder.path().to_owned(),
        clock: Some(clock.clone()),
        partitions: Some(2),
        ..NodeOptions::default()
    };
    Node::open(options).await.unwrap()
}

fn name(text: &str) -> AccountName {
    text.parse().unwrap()
}

fn charges(asks: &[Ask]) -> Vec<ChargeRequest> {
    let charge = |ask: &Ask| ChargeRequest {
        account: name(ask.account),
        meter: ask.meter.parse().unwrap(),
        amount: ask.amount,
        item: ask.item.to_owned(),
        also: ask.also.iter().map(|also| name(also)).collect(),
    };
    asks.iter().map(charge).collect()
}

/// One history: both, side by side.
struct Run {
    engine: Engine,
    model: Model,
    history: History,
    taste: Taste,
    /// The last steps, to be shown when something differs.
    trace: Vec<String>,
    /// How often each call had each outcome.
    seen: BTreeMap<String, usize>,
}

impl Run {
    async fn new(rng: &mut StdRng, redis: Option<&RedisServer>) -> Run {
        let taste = Taste::new(rng);
        // A day of the years 2025 and 2026.
        let now = 1_735_689_600_000 + rng.random_range(0..2 * 365 * 86_400_000i64);
        let model = Model { catalog: catalog(rng, taste), now, ..Model::default() };
        let engine = match redis {
            Some(server) => Engine::redis(server, now).await,
            None => Engine::start(now).await,
        };
        engine.configure(None, &model.catalog.installation_document()).await;
        engine.configure(Some(TENANT), &model.catalog.tenant_document()).await;
        let trace =
            vec![format!("{taste:?}\n{}{}", model.catalog.installation_document(), model.catalog.tenant_document())];
        Run { engine, history: History::new(rng, taste), model, taste, trace, seen: BTreeMap::new() }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Call(op) => self.call(&op).await,
            Step::Clock(now) => {
                self.trace.push(format!("clock +{} = {}", now - self.model.now, Timestamp::from_millis(now)));
                let jump = now - self.model.now;
                self.engine.wind(now);
                self.model.now = now;
                // Whoever comes next ends what is due; a rate looks at when that was.
                self.call(&Op::Get { res: String::from("nobody") }).await;
                if jump > 30 * 86_400_000 {
                    self.history.forget(&self.model);
                }
            }
            Step::Catalog(catalog) => self.configure(catalog).await,
        }
    }

    async fn configure(&mut self, catalog: Catalog) {
        self.trace.push(format!("catalog:\n{}", catalog.tenant_document()));
        self.engine.configure(Some(TENANT), &catalog.tenant_document()).await;
        self.model.catalog = catalog;
    }

    async fn call(&mut self, op: &Op) {
        let real = self.engine.call(op).await;
        let made = match (op, &real) {
            (Op::Reserve { res: None, .. } | Op::Consume { res: None, .. }, Said::Stands { view, .. }) => {
                Some(view.id.clone())
            }
            _ => None,
        };
        let expected = self.model.call(op, made);
        let kind = format!("{op:?}");
        self.trace.push(format!("{kind}\n    -> {}", outcome(&real)));
        if real != expected {
            let last = self.trace.len().saturating_sub(if std::env::var_os("QUOTAD_MODEL_TRACE").is_some() {
                usize::MAX
            } else {
                12
            });
            panic!(
                "{}\n... {}\nengine: {real:#?}\nmodel:  {expected:#?}",
                self.trace[0],
                self.trace[last.max(1)..].join("\n")
            );
        }
        *self.seen.entry(format!("{} {}", kind.split(' ').next().unwrap_or_default(), outcome(&real))).or_default() +=
            1;
        if let Said::Stands { view, .. } = &real
            && !self.history.known.contains(&view.id)
        {
            self.history.known.push(view.id.clone());
        }
    }

    /// Every counter, and the reservations of late or all of them.
    async fn compare(&mut self, all: bool) {
        for account in ACCOUNTS {
            for meter in self.model.catalog.meters.clone() {
                self.call(&Op::Usage { account, meter: meter.name }).await;
            }
        }
        let first = if all { 0 } else { self.history.known.len().saturating_sub(10) };
        let known = self.history.known[first..].to_vec();
        for res in known {
            self.call(&Op::Get { res }).await;
        }
    }
}

async fn history(seed: u64, redis: Option<&RedisServer>, seen: &mut BTreeMap<String, usize>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut run = Run::new(&mut rng, redis).await;
    for number in 0..STEPS {
        let step = run.history.next(&mut rng, &run.model);
        run.step(step).await;
        if number % 40 == 39 {
            run.compare(false).await;
        }
        if number % 130 == 129 && rng.random_bool(0.5) && !run.taste.rates && !run.taste.huge {
            let kill = rng.random_bool(0.5);
            run.trace.push(format!("restart, kill {kill}"));
            match run.engine.restart(kill).await {
                Ok(again) => {
                    run.engine = again;
                    run.model.restart();
                }
                Err(same) => run.engine = same,
            }
            run.compare(true).await;
        }
    }
    run.compare(true).await;
    for (key, count) in &run.seen {
        *seen.entry(key.clone()).or_default() += count;
    }
    let folder = run.engine.close().await;
    ledger::is_clean(folder.path()).await;
}

#[test]
fn model_and_embedded_agree() {
    let total = std::env::var("QUOTAD_MODEL_STEPS").map_or(TOTAL, |steps| steps.parse().unwrap());
    let mut seen = BTreeMap::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for_each_seed("model_and_embedded_agree", total.div_ceil(STEPS), |seed| {
        runtime.block_on(history(seed, None, &mut seen));
    });
    for (key, count) in &seen {
        println!("{count:8} {key}");
    }
}

#[test]
fn model_and_redis_agree() {
    let total = std::env::var("QUOTAD_REDIS_STEPS").map_or(REDIS_TOTAL, |steps| steps.parse().unwrap());
    let mut seen = BTreeMap::new();
    let server = RedisServer::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for_each_seed("model_and_redis_agree", total.div_ceil(STEPS), |seed| {
        runtime.block_on(history(seed, Some(&server), &mut seen));
    });
    for (key, count) in &seen {
        println!("{count:8} {key}");
    }
}
