//! Whom the charges fall on: every account in turn, some far more often than others, or one alone.
//!
//! A draw is a function of the call's number, so nothing has to be kept of millions of accounts and a run can be repeated.

/// How charges are spread over the accounts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Spread {
    /// Every account in turn, in no order of their names
    #[default]
    Uniform,
    /// The account of rank n about as often as 1/n (Zipf)
    Skewed,
    /// One account
    Hot,
}

impl Spread {
    /// Its name, as on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Spread::Uniform => "uniform",
            Spread::Skewed => "skewed",
            Spread::Hot => "hot",
        }
    }
}

/// A rank below `count` for number `number`: 0 by far the most often, rank n about as often as 1 / (n + 1).
pub(super) fn skewed(number: u64, count: u64) -> u64 {
    // The distribution of `count^u`, u even in 0..1, has that shape; 53 bits are what a double keeps.
    let even = (mixed(number) >> 11) as f64 / (1_u64 << 53) as f64;
    let rank = (count as f64 + 1.0).powf(even) as u64;
    rank.clamp(1, count.max(1)) - 1
}

/// One below `count`: each once in `count` numbers that follow each other, neighbours far apart.
pub(super) fn in_turn(number: u64, count: u64) -> u64 {
    // Two primes whose product is above any count: one of them has no divisor in common with it.
    let stride = if count.is_multiple_of(7919) { 7907 } else { 7919 };
    (number % count.max(1)) * stride % count.max(1)
}

/// A number whose bits all depend on all bits of this one (the finisher of splitmix64).
pub(super) fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_turn_everybody_has_one() {
        for count in [1, 2, 62, 625, 7919, 7907, 2 * 7919, 62_500] {
            let mut seen = vec![false; usize::try_from(count).unwrap()];
            for number in 1_000_000..1_000_000 + count {
                seen[usize::try_from(in_turn(number, count)).unwrap()] = true;
            }
            assert!(seen.iter().all(|seen| *seen), "{count}");
        }
    }

    #[test]
    fn skewed_draws_follow_the_rank() {
        let count = 10_000;
        let mut drawn = vec![0_u32; 10_000];
        for number in 0..400_000 {
            drawn[usize::try_from(skewed(number, count)).unwrap()] += 1;
        }
        // Rank n (from 1) has ln((n + 1) / n) of ln(10,001).
        let expected = |rank: f64| 400_000.0 * ((rank + 1.0) / rank).ln() / 10_001_f64.ln();
        for (index, rank) in [(0, 1.0), (1, 2.0), (9, 10.0)] {
            let ratio = f64::from(drawn[index]) / expected(rank);
            assert!((0.9..1.1).contains(&ratio), "rank {rank}: {} of {}", drawn[index], expected(rank));
        }
        let last: u32 = drawn[5_000..].iter().sum();
        assert!((20_000..45_000).contains(&last), "{last}");
    }

    #[test]
    fn a_draw_stays_below_the_count_and_is_repeated() {
        for number in 0..10_000 {
            for count in [1, 3, 10_000_000] {
                assert!(skewed(number, count) < count);
                assert_eq!(skewed(number, count), skewed(number, count));
            }
        }
    }
}
