//! What a charge costs: prices as a reservation freezes them, quantities, and the cost that follows from both (rule 16).
//!
//! Everything is a function of the tariff and of the quantities so far: the cost of all of them is rounded to the meter's smallest
//! unit, and a part is the difference to what the parts before it came to. So nothing is lost or made by rounding.

use super::amount;
use super::exact::{Exact, mul_div};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How much of each component, in order of name, each once: `input` 1200, `output` 300.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
pub struct Quantities(Vec<(Box<str>, u64)>);

impl Quantities {
    /// Those of a component add up. One of 0 is named all the same: nothing was used, which is not the same as nothing said.
    pub fn new(items: impl IntoIterator<Item = (Box<str>, u64)>) -> Quantities {
        let mut all = Quantities::default();
        items.into_iter().for_each(|(component, quantity)| all.add_one(&component, quantity));
        all
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each component with its quantity, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(component, quantity)| (&**component, *quantity))
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, more: &Quantities) -> Quantities {
        let mut sum = self.clone();
        more.iter().for_each(|(component, quantity)| sum.add_one(component, quantity));
        sum
    }

    /// What is left without a part; `None` if the part is not in it.
    pub fn minus(&self, part: &Quantities) -> Option<Quantities> {
        let mut left = self.clone();
        for (component, quantity) in part.iter() {
            let place = left.0.binary_search_by(|(known, _)| (**known).cmp(component)).ok()?;
            left.0[place].1 = left.0[place].1.checked_sub(quantity)?;
        }
        Some(left)
    }

    fn add_one(&mut self, component: &str, quantity: u64) {
        match self.0.binary_search_by(|(known, _)| (**known).cmp(component)) {
            Ok(place) => amount::grow(&mut self.0[place].1, quantity),
            Err(place) => self.0.insert(place, (component.into(), quantity.min(amount::MAX))),
        }
    }
}

/// The prices of one item for one service at one time: what a reservation freezes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tariff {
    /// The service that uses it; empty: none was said.
    pub service: Box<str>,
    /// The start of the rate card that it is from.
    pub card: Timestamp,
    /// Decimals of the meter: what costs are rounded to.
    pub decimals: u8,
    /// How many units of a component a price is for.
    pub per: u64,
    /// Price of each component, in order of name.
    pub components: Vec<(Box<str>, Exact)>,
    /// Currency of the prices and its rate, where it is not the meter's.
    pub exchange: Option<(Box<str>, Exact)>,
    /// What the original cost is multiplied with, 0 to 1.
    pub discount: Exact,
}

/// What some quantities cost.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Cost {
    /// Before the discount.
    pub original: Exact,
    /// After it.
    pub total: Exact,
    /// That in the meter's smallest unit.
    pub amount: u64,
}

impl Tariff {
    /// Whether nothing costs anything: what the balance need not admit (S3.19).
    pub fn is_free(&self) -> bool {
        self.discount == Exact::ZERO || self.components.iter().all(|(_, price)| *price == Exact::ZERO)
    }

    /// The components among some quantities that have no price here.
    pub fn unknown<'a>(&self, quantities: &'a Quantities) -> Vec<&'a str> {
        quantities.iter().map(|(component, _)| component).filter(|component| self.price(component).is_none()).collect()
    }

    /// What quantities cost. The original cost is rounded once, to ten decimals; the final cost is the original times the discount, as
    /// both are shown.
    pub fn cost(&self, quantities: &Quantities) -> Cost {
        let price = |(component, quantity): (&str, u64)| {
            let price = self.price(component).unwrap_or_default();
            price.units().saturating_mul(quantity.into())
        };
        let sum = quantities.iter().map(price).fold(0, i128::saturating_add);
        let rate = self.exchange.as_ref().map_or(Exact::ONE, |(_, rate)| *rate);
        let divisor = i128::from(self.per.max(1)).saturating_mul(Exact::ONE.units());
        let original = Exact::new(mul_div(sum, rate.units(), divisor));
        let total = original.times(self.discount);
        Cost { original, total, amount: total.amount(self.decimals) }
    }

    fn price(&self, component: &str) -> Option<Exact> {
        let place = self.components.binary_search_by(|(known, _)| (**known).cmp(component)).ok()?;
        Some(self.components[place].1)
    }
}

/// The price state of a charge: its frozen prices, and what was priced by them so far. Stores carry it, compare it whole and never
/// look inside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Priced {
    /// The prices.
    pub tariff: Tariff,
    /// The quantities of all parts so far.
    pub quantities: Quantities,
}

impl Priced {
    /// Nothing priced yet.
    pub fn new(tariff: Tariff) -> Priced {
        Priced { tariff, quantities: Quantities::default() }
    }

    /// What everything so far costs.
    pub fn cost(&self) -> Cost {
        self.tariff.cost(&self.quantities)
    }

    /// After one more part, and what that part comes to.
    pub fn with(&self, part: &Quantities) -> (Priced, u64) {
        let after = Priced { tariff: self.tariff.clone(), quantities: self.quantities.plus(part) };
        let amount = after.cost().amount.saturating_sub(self.cost().amount);
        (after, amount)
    }

    /// The same prices with other quantities.
    #[must_use]
    pub fn holding(&self, quantities: Quantities) -> Priced {
        Priced { tariff: self.tariff.clone(), quantities }
    }

    /// What a ledger line says of a change of `used`: `before` has what was priced before it, where it priced a part.
    pub fn line(&self, used: i64, before: Option<&Quantities>) -> LinePrice {
        let decimals = self.tariff.decimals;
        let counted = Exact::of_amount(used.into(), decimals);
        let (service, discount) = (self.tariff.service.clone(), self.tariff.discount);
        let Some(before) = before else {
            return LinePrice { service, discount, cost: counted, part: None };
        };
        let (was, is) = (self.tariff.cost(before), self.cost());
        // What the counter moved, and the fraction of its smallest unit that rounding kept from it.
        let rest = |cost: Cost| cost.total - Exact::of_amount(cost.amount.into(), decimals);
        let cost = counted + (rest(is) - rest(was));
        let mut quantities = self.quantities.minus(before).unwrap_or_default();
        quantities.0.retain(|(_, quantity)| *quantity > 0);
        LinePrice { service, discount, cost, part: Some((quantities, is.original - was.original)) }
    }

    /// What was recorded as used, exact: of a charge that committed `committed`.
    pub fn recorded(&self, committed: u64) -> Exact {
        self.line(i64::try_from(committed).unwrap_or(i64::MAX), Some(&Quantities::default())).cost
    }
}

/// What one line of the ledger says about money.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinePrice {
    /// The service.
    pub service: Box<str>,
    /// The discount.
    pub discount: Exact,
    /// The final cost, exact.
    pub cost: Exact,
    /// The quantities that it prices, and their original cost; `None` where an amount was said, or a deadline charged.
    pub part: Option<(Quantities, Exact)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    fn exact(text: &str) -> Exact {
        text.parse().unwrap()
    }

    fn quantities(items: &[(&str, u64)]) -> Quantities {
        Quantities::new(items.iter().map(|(name, quantity)| ((*name).into(), *quantity)))
    }

    fn tariff(per: u64, components: &[(&str, &str)], rate: Option<&str>, discount: &str, decimals: u8) -> Tariff {
        Tariff {
            service: "chat".into(),
            card: Timestamp::from_millis(0),
            decimals,
            per,
            components: components.iter().map(|(name, price)| ((*name).into(), exact(price))).collect(),
            exchange: rate.map(|rate| ("USD".into(), exact(rate))),
            discount: exact(discount),
        }
    }

    #[test]
    fn a_conversation_costs_what_its_tokens_cost() {
        let prices = [("cached_input", "0.40"), ("input", "2.00"), ("output", "8.00")];
        let tokens = quantities(&[("input", 1_000), ("cached_input", 500), ("output", 250)]);
        let cost = tariff(1_000_000, &prices, None, "0.5", 6).cost(&tokens);
        assert_eq!((cost.original.to_string(), cost.total.to_string()), ("0.0042".into(), "0.0021".into()));
        assert_eq!(cost.amount, 2_100);
        let dollars = tariff(1_000_000, &prices, Some("7.1"), "1", 6).cost(&tokens);
        assert_eq!((dollars.original.to_string(), dollars.amount), ("0.02982".into(), 29_820));
        let call = tariff(1, &[("call", "0.10")], None, "1", 2).cost(&quantities(&[("call", 3)]));
        assert_eq!((call.total.to_string(), call.amount), ("0.30".into(), 30));
        assert!(tariff(1, &prices, None, "0", 6).is_free() && tariff(1, &[("call", "0")], None, "1", 6).is_free());
        assert!(!tariff(1, &prices, None, "0.5", 6).is_free());
    }

    #[test]
    fn a_component_without_a_price_is_named() {
        let tariff = tariff(1, &[("input", "1"), ("output", "2")], None, "1", 6);
        assert_eq!(tariff.unknown(&quantities(&[("audio", 1), ("input", 1), ("video", 1)])), ["audio", "video"]);
    }

    #[test]
    fn quantities_add_up_and_come_apart() {
        let one = quantities(&[("output", 2), ("input", 1), ("output", 3), ("none", 0)]);
        assert_eq!(one.iter().collect::<Vec<_>>(), [("input", 1), ("none", 0), ("output", 5)]);
        let both = one.plus(&quantities(&[("cached", 7), ("input", 1)]));
        assert_eq!(both.minus(&one), Some(quantities(&[("cached", 7), ("input", 1), ("none", 0), ("output", 0)])));
        assert_eq!(both.minus(&one).unwrap().plus(&one), both);
        assert_eq!(one.minus(&both), None);
        assert_eq!(quantities(&[("a", u64::MAX), ("a", 1)]).iter().next(), Some(("a", amount::MAX)));
    }

    /// What no `i128` holds: `a * b / c`, half-even, by long division in decimal digits.
    fn slow_mul_div(a: i128, b: i128, c: i128) -> i128 {
        let digits = |mut number: i128| {
            let mut digits = Vec::new();
            while number > 0 {
                digits.push((number % 10) as u64);
                number /= 10;
            }
            digits
        };
        let (a, b) = (digits(a), digits(b));
        let mut product = vec![0_u64; a.len() + b.len() + 1];
        for (i, x) in a.iter().enumerate() {
            for (j, y) in b.iter().enumerate() {
                product[i + j] += x * y;
            }
        }
        for i in 0..product.len() - 1 {
            product[i + 1] += product[i] / 10;
            product[i] %= 10;
        }
        let (mut quotient, mut rest) = (0_i128, 0_i128);
        for digit in product.iter().rev() {
            rest = rest * 10 + i128::from(*digit);
            quotient = quotient * 10 + rest / c;
            rest %= c;
        }
        match (rest * 2).cmp(&c) {
            std::cmp::Ordering::Less => quotient,
            std::cmp::Ordering::Equal => quotient + quotient % 2,
            std::cmp::Ordering::Greater => quotient + 1,
        }
    }

    #[test]
    fn costs_are_what_slow_arithmetic_says_and_parts_add_up_to_the_whole() {
        let mut rng = StdRng::seed_from_u64(16);
        let any = |rng: &mut StdRng, most: i128| Exact::new(rng.random_range(0..=most) >> rng.random_range(0..40));
        for _ in 0..3_000 {
            let decimals = rng.random_range(0..=10);
            let exchange = rng.random::<bool>().then(|| ("USD".into(), any(&mut rng, 100_000 * 10_i128.pow(10))));
            let tariff = Tariff {
                service: "".into(),
                card: Timestamp::MIN,
                decimals,
                per: [1, 7, 1_000, 1_000_000, 1_000_000_000][rng.random_range(0..5)],
                components: ["a", "b"].map(|name| (name.into(), any(&mut rng, 10_i128.pow(19) - 1))).into(),
                exchange: exchange.clone(),
                discount: any(&mut rng, 10_i128.pow(10)),
            };
            let (mut so_far, mut recorded, mut lines) = (Priced::new(tariff.clone()), 0, Exact::ZERO);
            let mut sum = 0_i128;
            for _ in 0..rng.random_range(1..6) {
                let part = [("a", rng.random_range(0..1_000_000)), ("b", rng.random_range(0..1 << 30))];
                sum += part
                    .iter()
                    .zip(&tariff.components)
                    .map(|((_, q), (_, p))| i128::from(*q) * p.units())
                    .sum::<i128>();
                let (after, amount) = so_far.with(&quantities(&part));
                lines = lines + after.line(amount as i64, Some(&so_far.quantities)).cost;
                (so_far, recorded) = (after, recorded + amount);
            }
            let rate = exchange.map_or(10_i128.pow(10), |(_, rate)| rate.units());
            let original = slow_mul_div(sum, rate, i128::from(tariff.per) * 10_i128.pow(10));
            let total = slow_mul_div(original, tariff.discount.units(), 10_i128.pow(10));
            let amount = slow_mul_div(total, 1, 10_i128.pow(10 - u32::from(decimals)));
            let cost = so_far.cost();
            assert_eq!((cost.original.units(), cost.total.units()), (original, total), "{tariff:?}");
            if amount <= i128::from(amount::MAX) {
                assert_eq!(i128::from(cost.amount), amount);
                assert_eq!((recorded, lines), (cost.amount, cost.total), "parts add up");
                assert_eq!(so_far.recorded(recorded), cost.total);
            }
        }
    }

    #[test]
    fn a_line_without_a_part_costs_what_it_moved() {
        let priced = Priced::new(tariff(1, &[("call", "0.015")], None, "1", 2));
        let plain = priced.line(-250, None);
        assert_eq!((plain.cost.to_string(), plain.part), ("-2.50".into(), None));
        // Three calls in parts: 0.015, 0.030, 0.045 come to 2, 3 and 4 hundredths.
        let mut so_far = priced;
        let mut amounts = Vec::new();
        for _ in 0..3 {
            let (after, amount) = so_far.with(&quantities(&[("call", 1)]));
            assert_eq!(after.line(amount as i64, Some(&so_far.quantities)).cost.to_string(), "0.015");
            amounts.push(amount);
            so_far = after;
        }
        assert_eq!(amounts, [2, 1, 1]);
    }
}
