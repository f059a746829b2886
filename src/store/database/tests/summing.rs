//! Sums of random histories against a naive sum in memory: lifetime, day, minute, odd edges, steps.

use super::support::{Place, counter, effect, entries, line, on_both};
use crate::domain::entry::{Effect, Kind};
use crate::domain::name::Uid;
use crate::domain::time::{Period, Timestamp};
use crate::engine::ports::{Ledger, UsageAnswer, UsageQuery, Used};
use crate::store::database::DatabaseLedger;
use crate::store::database::connection::Product;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;

on_both!(sums_are_those_of_the_lines, an_unknown_counter_is_zero,);

const ACCOUNTS: [&str; 4] =
    ["tenants/acme", "tenants/acme/users/u1", "tenants/acme/users/u2", "tenants/acme/users/u2/jobs/j"];
const QUARTER: i64 = 900_000;
const DAY: i64 = 96 * QUARTER;
/// A day in 2026.
const START: i64 = 1_790_000_000_000 / DAY * DAY;

/// The naive ledger: every line, summed anew for every question.
fn naive(history: &[Effect], query: &UsageQuery) -> UsageAnswer {
    let mut answer = UsageAnswer::default();
    let mut steps: BTreeMap<i64, Used> = BTreeMap::new();
    for line in history.iter().flat_map(|effect| &effect.lines) {
        if line.charged() == Some(query.counter.account) {
            answer.own += line.used;
        }
        let here = line.levels.iter().filter(|level| level.account == query.counter.account);
        for level in here.filter(|_| query.period.contains(line.effective)) {
            let step = query.step.map(|step| steps.entry(line.effective.millis().div_euclid(step)).or_default());
            for sum in [Some(&mut answer.used), step].into_iter().flatten() {
                sum.total += line.used;
                sum.top_up += level.used_top_up;
            }
        }
    }
    answer.steps = steps.into_iter().filter(|(_, used)| *used != Used::default()).collect();
    answer
}

fn history(rng: &mut StdRng, effects: usize) -> Vec<Effect> {
    let mut history = Vec::new();
    for _ in 0..effects {
        let mut lines = Vec::new();
        for _ in 0..rng.random_range(0..3) {
            let account = ACCOUNTS[rng.random_range(0..ACCOUNTS.len())];
            let mut effective = START + rng.random_range(-2 * DAY..2 * DAY);
            if rng.random_range(0..4) == 0 {
                effective = effective / QUARTER * QUARTER - rng.random_range(0..2);
            }
            let used = rng.random_range(0..1000);
            let top_up = rng.random_range(0..=used);
            lines.push(line(account, effective, used, top_up));
            if rng.random_range(0..3) == 0 {
                let back = rng.random_range(0..=used);
                // No more goes back to a top-up than came from it: a sum is never below zero.
                lines.push(line(account, effective, -back, -(back / 2).min(top_up)));
            }
        }
        history.push(effect(Kind::Commit, START, lines));
    }
    history
}

fn queries(rng: &mut StdRng) -> Vec<UsageQuery> {
    let mut periods = vec![Period::ALWAYS];
    let mut add = |start: i64, length: i64| {
        periods.push(Period { start: Timestamp::from_millis(start), end: Timestamp::from_millis(start + length) });
    };
    add(START, DAY);
    add(START - DAY, DAY);
    add(START + 3_600_000 * 2, DAY);
    add(START + 60_000, 60_000);
    add(START, 0);
    add(START + QUARTER, QUARTER);
    for _ in 0..12 {
        add(START + rng.random_range(-2 * DAY..2 * DAY), rng.random_range(0..2 * DAY));
        add(START + rng.random_range(-DAY..DAY), rng.random_range(0..2 * QUARTER));
    }
    periods.push(Period { start: Timestamp::from_millis(START + 17), ..Period::ALWAYS });
    periods.push(Period { end: Timestamp::from_millis(START + 17), ..Period::ALWAYS });
    let steps = [None, Some(DAY), Some(QUARTER), Some(4 * QUARTER), Some(60_000), Some(QUARTER + 1), Some(7 * QUARTER)];
    let all = periods.iter().flat_map(|period| steps.iter().map(move |step| (*period, *step)));
    let accounts = |(period, step)| {
        ACCOUNTS.iter().map(move |account| UsageQuery { counter: counter(account), period, step, holds: false })
    };
    all.flat_map(accounts).collect()
}

async fn sums_are_those_of_the_lines(product: Product) {
    // Fresh seeds, and one that failed.
    let fresh = (0..4).map(|_| uuid::Uuid::now_v7().as_u64_pair().1);
    for seed in fresh.chain([11_022_159_510_693_322_918]) {
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let place = Place::new(product).await;
        let ledger = DatabaseLedger::new(place.database().await);
        let history = history(&mut rng, 400);
        let entries = entries(1, history.clone());
        let mut rest = entries.as_slice();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(rng.random_range(1..=rest.len().min(120)));
            ledger.append(0, 1, batch).await.unwrap();
            rest = later;
        }
        let queries = queries(&mut rng);
        let (watermark, answers) = ledger.usage(0, &queries).await.unwrap();
        assert_eq!(watermark.seq, 400);
        for (query, answer) in queries.iter().zip(&answers) {
            assert_eq!(*answer, naive(&history, query), "seed {seed}, {query:?}");
        }
    }
}

async fn an_unknown_counter_is_zero(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    let mut query =
        UsageQuery { counter: counter("tenants/none"), period: Period::ALWAYS, step: Some(DAY), holds: false };
    query.counter.account = Uid(u128::MAX);
    let (_, answers) = ledger.usage(9, &[query]).await.unwrap();
    assert_eq!(answers, [UsageAnswer::default()]);
}
