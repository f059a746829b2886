//! Prices that change while conversations run: both engines come to the same costs, which are those that plain arithmetic gives.

use crate::api::helpers::*;
use crate::support::{Options, Shared, TempDir, seed};
use quotad::proto::v1::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::fmt::Write;

const STEPS: usize = 250;
/// Seconds between the starts of two cards.
const CARD: i64 = 100;
const CARDS: usize = 5;
const ITEMS: [&str; 3] = ["gpt", "opus", "image"];
const COMPONENTS: [&str; 2] = ["input", "output"];
const TEN_DECIMALS: u128 = 10_u128.pow(10);

/// Prices of one item on one card, in 10^-10.
#[derive(Clone, Copy)]
struct Price {
    components: [u128; 2],
    per: u128,
    rate: Option<u128>,
    discount: u128,
}

impl Price {
    fn random(rng: &mut StdRng) -> Price {
        let any = |rng: &mut StdRng, most: u128| rng.random_range(0..=most) >> rng.random_range(0..20);
        Price {
            components: [0; 2].map(|_| any(rng, 20 * TEN_DECIMALS)),
            per: [1, 3, 1_000, 1_000_000][rng.random_range(0..4)],
            rate: rng.random::<bool>().then(|| any(rng, 9 * TEN_DECIMALS) + 1),
            discount: [0, TEN_DECIMALS, any(rng, TEN_DECIMALS)][rng.random_range(0..3)],
        }
    }

    /// Original and final cost in 10^-10, and the amount with 6 decimals.
    fn cost(&self, quantities: [u128; 2]) -> (u128, u128, u128) {
        let sum = self.components[0] * quantities[0] + self.components[1] * quantities[1];
        let original = half_even(sum * self.rate.unwrap_or(TEN_DECIMALS), self.per * TEN_DECIMALS);
        let total = half_even(original * self.discount, TEN_DECIMALS);
        (original, total, half_even(total, 10_000))
    }
}

fn half_even(a: u128, b: u128) -> u128 {
    let floor = a / b;
    match (2 * (a % b)).cmp(&b) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Equal => floor + floor % 2,
        std::cmp::Ordering::Greater => floor + 1,
    }
}

fn decimal(units: u128) -> String {
    format!("{}.{:010}", units / TEN_DECIMALS, units % TEN_DECIMALS)
}

/// The number that a decimal text says, in 10^-10.
fn units(text: &str) -> u128 {
    let (whole, fraction) = text.split_once('.').unwrap();
    format!("{whole}{fraction:0<10}").parse().unwrap()
}

fn document(cards: &[[Price; 3]]) -> String {
    let mut text =
        String::from("meters: [{name: llm.cost, unit: CNY, decimals: 6, admission: positive}]\nrate_cards:\n");
    for (number, card) in cards.iter().enumerate() {
        let from = NOON.millis() + number as i64 * CARD * 1_000;
        let from = quotad::domain::time::Timestamp::from_millis(from);
        let (mut prices, mut discounts) = (String::new(), String::new());
        for (item, price) in ITEMS.iter().zip(card) {
            let currency = if price.rate.is_some() { format!("currency: {item}, ") } else { String::new() };
            let [input, output] = price.components.map(decimal);
            let components = format!("components: {{input: \"{input}\", output: \"{output}\"}}");
            writeln!(prices, "      - {{item: {item}, {currency}per: {}, {components}}}", price.per).unwrap();
            writeln!(discounts, "      - {{service: chat, item: {item}, factor: \"{}\"}}", decimal(price.discount))
                .unwrap();
        }
        let rates = ITEMS.iter().zip(card).filter_map(|(item, price)| Some((item, price.rate?)));
        let rates: Vec<String> =
            rates.map(|(item, rate)| format!("{{currency: {item}, rate: \"{}\"}}", decimal(rate))).collect();
        writeln!(text, "  - meter: llm.cost\n    from: {from}\n    rates: [{}]", rates.join(", ")).unwrap();
        write!(text, "    prices:\n{prices}    discounts:\n{discounts}").unwrap();
    }
    text
}

/// A conversation as it should stand: its price, and the quantities that were committed.
struct Expected {
    item: usize,
    price: Price,
    committed: [u128; 2],
}

fn priced(item: usize, quantities: Option<[u128; 2]>, service: &str) -> Vec<Charge> {
    let named = |quantities: [u128; 2]| {
        COMPONENTS.iter().zip(quantities).map(|(name, quantity)| ((*name).to_owned(), quantity as i64)).collect()
    };
    vec![Charge {
        account: user("u1"),
        meter: "llm.cost".into(),
        item: ITEMS[item].into(),
        service: service.into(),
        quantities: quantities.map(named).unwrap_or_default(),
        ..Default::default()
    }]
}

fn quantities(rng: &mut StdRng) -> [u128; 2] {
    [0; 2].map(|_| rng.random_range(0..100_000_u128) >> rng.random_range(0..17))
}

/// S3.07, S3.08: whatever is priced meanwhile, each part costs what its reservation froze, and parts come to the whole.
#[tokio::test]
async fn both_engines_price_alike_and_as_arithmetic_says() {
    let seed = seed("pricing");
    let mut rng = StdRng::seed_from_u64(seed);
    let cards: Vec<[Price; 3]> = (0..CARDS).map(|_| [0; 3].map(|_| Price::random(&mut rng))).collect();
    let folder = TempDir::new("catalog");
    let file = folder.path().join("prices.yaml");
    std::fs::write(&file, document(&cards)).unwrap();
    let options = Options::new().catalog(file).test_clock();
    let shared = Shared::with_postgres();
    let embedded = Api::with(options.clone()).await;
    let redis = Api::with(shared.installation(options)).await;
    for api in [&embedded, &redis] {
        api.server.set_clock(NOON).await;
    }

    let (mut open, mut clock): (BTreeMap<String, Expected>, i64) = (BTreeMap::new(), 0);
    let mut used = 0;
    for step in 0..STEPS {
        if rng.random_range(0..8) == 0 {
            clock = (clock + rng.random_range(0..CARD)).min(CARD * CARDS as i64 - 1);
            embedded.clock(clock).await;
            redis.clock(clock).await;
        }
        let (item, part) = (rng.random_range(0..ITEMS.len()), quantities(&mut rng));
        let price = cards[(clock / CARD) as usize][item];
        let some = open.keys().nth(rng.random_range(0..=open.len())).cloned();
        let id = format!("c{step}");
        let said = match (rng.random_range(0..4), some) {
            (0, _) | (_, None) => {
                let charges = priced(item, rng.random::<bool>().then_some(part), "chat");
                // Longer than the whole history.
                let request = ReserveRequest { ttl: seconds(3_600), ..reserve(&id, charges) };
                open.insert(id.clone(), Expected { item, price, committed: [0; 2] });
                let one = granted(embedded.reserve(request.clone()).await.unwrap());
                (one, granted(redis.reserve(request).await.unwrap()))
            }
            (1, _) => {
                let charges = priced(item, Some(part), "chat");
                used += price.cost(part).2;
                let both = (embedded.used(&id, charges.clone()).await, redis.used(&id, charges).await);
                let cost = both.0.committed[0].cost.clone().unwrap();
                assert_eq!(units(&cost.r#final), price.cost(part).1, "seed {seed}, step {step}");
                both
            }
            (kind, Some(id)) => {
                // A commit names the service or not: what was frozen counts.
                let service = ["", "chat", "api"][rng.random_range(0..3)];
                let expected = open.get_mut(&id).unwrap();
                let charges = priced(expected.item, Some(part), service);
                let request =
                    CommitRequest { r#final: Some(kind == 3), request_id: format!("p{step}"), ..commit(&id, charges) };
                let before = expected.price.cost(expected.committed).2;
                expected.committed = [0, 1].map(|i| expected.committed[i] + part[i]);
                let (original, total, amount) = expected.price.cost(expected.committed);
                used += amount - before;
                let answer = |answer: CommitResponse| answer.reservation.unwrap();
                let one = answer(embedded.commit(request.clone()).await.unwrap());
                let other = answer(redis.commit(request.clone()).await.unwrap());
                let state = &one.committed[0];
                let cost = state.cost.as_ref().unwrap();
                let found = (units(&cost.original), units(&cost.r#final), state.committed as u128);
                assert_eq!(found, (original, total, amount), "seed {seed}, step {step}: {one:?}");
                for api in [&embedded, &redis] {
                    let again = api.commit(request.clone()).await.unwrap();
                    assert!(again.replayed, "seed {seed}, step {step}");
                    if kind == 3 {
                        let nameless = CommitRequest { request_id: String::new(), ..request.clone() };
                        assert!(api.commit(nameless).await.unwrap().replayed, "seed {seed}, step {step}: by its state");
                    }
                }
                if kind == 3 {
                    open.remove(&id);
                }
                (one, other)
            }
        };
        assert_eq!(said.0, said.1, "seed {seed}, step {step}");
    }
    for api in [&embedded, &redis] {
        assert_eq!(api.figures(&user("u1"), "llm.cost").await.0 as u128, used, "seed {seed}");
        for id in open.keys() {
            api.release(release(id)).await.unwrap();
        }
    }
}
