//! Exact money and factors: whole numbers of 10^-10, never floats (rule 16). What is rounded is rounded half-even.

use super::amount;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Decimals that are kept.
pub const DECIMALS: usize = 10;
const SCALE: i128 = 10_i128.pow(10);
/// Digits before the point of a text, at most: what is greater is no price.
const MAX_WHOLE: usize = 9;
/// Decimals that a text has at least.
const LEAST_SHOWN: usize = 2;

/// A number with ten decimals, exact.
///
/// ```
/// use quotad::domain::exact::Exact;
/// let price: Exact = "2.5".parse().unwrap();
/// assert_eq!(price.to_string(), "2.50");
/// assert_eq!(price.times("0.5".parse().unwrap()).to_string(), "1.25");
/// assert_eq!(price.amount(0), 2);
/// assert!("0.00000000001".parse::<Exact>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
pub struct Exact(i128);

impl Exact {
    /// Nothing.
    pub const ZERO: Exact = Exact(0);
    /// One whole.
    pub const ONE: Exact = Exact(SCALE);

    /// From a number of 10^-10.
    pub const fn new(units: i128) -> Exact {
        Exact(units)
    }

    /// The number of 10^-10.
    pub const fn units(self) -> i128 {
        self.0
    }

    /// What a number of a meter's smallest units is.
    pub fn of_amount(amount: i128, decimals: u8) -> Exact {
        Exact(amount.saturating_mul(unit(decimals)))
    }

    /// In a meter's smallest unit, rounded; beyond the range of amounts the first that is beyond.
    pub fn amount(self, decimals: u8) -> u64 {
        let rounded = div_half_even(self.0.max(0), unit(decimals));
        u64::try_from(rounded).unwrap_or(u64::MAX).min(amount::MAX + 1)
    }

    /// The product, rounded to ten decimals.
    #[must_use]
    pub fn times(self, factor: Exact) -> Exact {
        Exact(mul_div(self.0, factor.0, SCALE))
    }

    /// With all ten decimals, as the ledger keeps it.
    pub fn fixed(self) -> String {
        let (sign, units) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let scale = SCALE.unsigned_abs();
        format!("{sign}{}.{:0DECIMALS$}", units / scale, units % scale)
    }
}

impl std::ops::Add for Exact {
    type Output = Exact;
    fn add(self, other: Exact) -> Exact {
        Exact(self.0.saturating_add(other.0))
    }
}

impl std::ops::Sub for Exact {
    type Output = Exact;
    fn sub(self, other: Exact) -> Exact {
        Exact(self.0.saturating_sub(other.0))
    }
}

/// With the decimals that it has, at least two.
impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fixed = self.fixed();
        let least = fixed.len() - DECIMALS + LEAST_SHOWN;
        f.write_str(&fixed[..fixed.trim_end_matches('0').len().max(least)])
    }
}

/// Digits, perhaps with a point between them: `2`, `0.40`.
impl FromStr for Exact {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Exact, &'static str> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if text.starts_with('-') {
            return Err("must not be negative");
        }
        if !digits(whole) || !digits(fraction) {
            return Err("must be a number, like 2 or 0.40");
        }
        if whole.len() > MAX_WHOLE {
            return Err("must be below 1000000000");
        }
        if fraction.trim_end_matches('0').len() > DECIMALS {
            return Err("must have at most 10 decimals");
        }
        let kept = &fraction[..fraction.len().min(DECIMALS)];
        format!("{whole}{kept:0<DECIMALS$}").parse().map(Exact).map_err(|_| "must be a number, like 2 or 0.40")
    }
}

/// What a meter's smallest unit is in 10^-10.
fn unit(decimals: u8) -> i128 {
    10_i128.pow((DECIMALS as u32).saturating_sub(decimals.into()))
}

/// `a / b`, rounded half-even; `a` from 0, `b` above 0.
fn div_half_even(a: i128, b: i128) -> i128 {
    let (quotient, rest) = (a / b, a % b);
    let up = rest > b - rest || (rest == b - rest && quotient % 2 == 1);
    quotient + i128::from(up)
}

/// `a * b / c`, rounded half-even once, exact between: `a` from 0, the product of `b` and `c` within 10^38. A result beyond the
/// range stays at its end.
pub(super) fn mul_div(a: i128, b: i128, c: i128) -> i128 {
    let (quotient, rest) = (a / c, a % c);
    let (Some(whole), product) = (quotient.checked_mul(b), rest * b) else { return i128::MAX };
    // The whole part decides what is even.
    let (more, left) = (product / c, product % c);
    let floor = whole.saturating_add(more);
    let up = left > c - left || (left == c - left && floor % 2 == 1);
    floor.saturating_add(i128::from(up))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_exact_and_come_back() {
        for (text, units, shown) in [
            ("0", 0, "0.00"),
            ("2", 2 * SCALE, "2.00"),
            ("0.40", SCALE * 2 / 5, "0.40"),
            ("0.125", SCALE / 8, "0.125"),
            ("7.1000000001", 71 * SCALE / 10 + 1, "7.1000000001"),
            ("999999999.9999999999", 10_i128.pow(19) - 1, "999999999.9999999999"),
            ("1.00000000000000", SCALE, "1.00"),
        ] {
            let exact: Exact = text.parse().unwrap();
            assert_eq!((exact.units(), exact.to_string().as_str()), (units, shown), "{text}");
            assert_eq!(shown.parse(), Ok(exact));
        }
        for bad in ["", ".5", "5.", "-1", "+1", "1e3", "1,5", "NaN", " 1", "1000000000", "0.00000000001", "1.2.3", "١"]
        {
            assert!(bad.parse::<Exact>().is_err(), "{bad:?}");
        }
        assert_eq!(Exact::new(-SCALE / 4).to_string(), "-0.25");
        assert_eq!(Exact::new(5).fixed(), "0.0000000005");
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        for (units, decimals, amount) in [
            (SCALE / 2, 0, 0),
            (SCALE / 2 + 1, 0, 1),
            (SCALE * 3 / 2, 0, 2),
            (SCALE * 5 / 2, 0, 2),
            (15_000, 6, 2),
            (25_000, 6, 2),
            (24_999, 6, 2),
            (7, 10, 7),
            (-5, 10, 0),
            (i128::MAX, 6, amount::MAX + 1),
        ] {
            assert_eq!(Exact::new(units).amount(decimals), amount, "{units} with {decimals} decimals");
        }
        assert_eq!((mul_div(1, 5, 10), mul_div(3, 5, 10), mul_div(11, 5, 10)), (0, 2, 6));
        assert_eq!(mul_div(i128::MAX, 10, 1), i128::MAX);
    }
}
