//! Drives the model and an engine with the same random histories and compares every answer, and again and again the whole
//! state.

use super::catalog::{Catalog, TENANT};
use super::digest::{Said, outcome};
use super::engine::{Engine, Place};
use super::generate::{ACCOUNTS, Taste, catalog};
use super::history::{History, Step};
use super::ledger;
use super::reservation::Op;
use super::spec::Model;
use crate::support::for_each_seed;
use crate::support::redis::RedisServer;
use quotad::domain::time::Timestamp;
use rand::SeedableRng;
use rand::prelude::*;
use std::collections::BTreeMap;

/// Steps of one history.
const STEPS: usize = 400;
/// Steps of a run, unless `QUOTAD_MODEL_STEPS` says another number.
const EMBEDDED: usize = 100_000;
const REDIS: usize = 20_000;
/// Of histories with adjustments.
const ADJUSTING_EMBEDDED: usize = 20_000;
const ADJUSTING_REDIS: usize = 8_000;

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
    async fn new(place: Place, adjusts: bool, rng: &mut StdRng) -> Run {
        let taste = Taste::new(rng);
        // A counter that was cut no longer says what is left.
        let taste = Taste { adjusts, huge: taste.huge && !adjusts, ..taste };
        // A day of the years 2025 and 2026.
        let now = 1_735_689_600_000 + rng.random_range(0..2 * 365 * 86_400_000i64);
        let model = Model { catalog: catalog(rng, taste), now, exact: !taste.huge, ..Model::default() };
        let engine = Engine::start(place, now).await;
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

    /// Starts the engine anew, or empties its counter store if that can be; either forgets denials at most.
    async fn interrupt(mut self, kill: bool, rng: &mut StdRng) -> Run {
        if !self.engine.is_embedded() && rng.random_bool(0.5) {
            self.trace.push(String::from("the counter store is emptied"));
            self.engine.empty().await;
            self.model.restart();
            return self;
        }
        self.trace.push(format!("restart, kill {kill}"));
        self.engine = self.engine.restart(kill).await;
        if self.engine.is_embedded() {
            self.model.restart();
        }
        self
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

async fn history(place: Place, adjusts: bool, seed: u64, seen: &mut BTreeMap<String, usize>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut run = Run::new(place, adjusts, &mut rng).await;
    // For a look at a seed that fails: where the state first differs.
    let closely = std::env::var_os("QUOTAD_MODEL_CLOSELY").is_some();
    for number in 0..STEPS {
        let step = run.history.next(&mut rng, &run.model);
        run.step(step).await;
        if number % 40 == 39 || closely {
            run.compare(false).await;
        }
        if number % 130 == 129 && rng.random_bool(0.5) && !run.taste.rates && !run.taste.huge {
            let kill = rng.random_bool(0.5);
            run = run.interrupt(kill, &mut rng).await;
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

/// Plays histories until they have `steps` steps together.
fn agree(name: &str, adjusts: bool, steps: usize, place: impl Fn() -> Place) {
    let steps = std::env::var("QUOTAD_MODEL_STEPS").map_or(steps, |steps| steps.parse().unwrap());
    let mut seen = BTreeMap::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for_each_seed(name, steps.div_ceil(STEPS), |seed| runtime.block_on(history(place(), adjusts, seed, &mut seen)));
    for (key, count) in &seen {
        println!("{count:8} {key}");
    }
}

#[test]
fn model_and_embedded_agree() {
    agree("model_and_embedded_agree", false, EMBEDDED, || Place::Embedded);
}

#[test]
fn model_and_redis_agree() {
    let server = RedisServer::start();
    agree("model_and_redis_agree", false, REDIS, || Place::in_redis(&server));
}

#[test]
fn model_and_embedded_agree_on_adjustments() {
    agree("model_and_embedded_agree_on_adjustments", true, ADJUSTING_EMBEDDED, || Place::Embedded);
}

#[test]
fn model_and_redis_agree_on_adjustments() {
    let server = RedisServer::start();
    agree("model_and_redis_agree_on_adjustments", true, ADJUSTING_REDIS, || Place::in_redis(&server));
}
