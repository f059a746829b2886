//! A histogram of latencies in buckets of fixed bounds, each within 3 % of its values.

use std::time::Duration;

/// Buckets for each doubling.
const STEPS: usize = 32;
/// Doublings beyond the exact part; the last bucket is above an hour.
const DOUBLINGS: usize = 32;

/// Counts of latencies in microseconds.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: vec![0; STEPS * (DOUBLINGS + 1)], total: 0 }
    }
}

impl Histogram {
    /// Counts one.
    pub(super) fn record(&mut self, latency: Duration) {
        let bucket = bucket(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        self.counts[bucket] += 1;
        self.total += 1;
    }

    /// Adds another's counts.
    pub(super) fn merge(&mut self, other: &Histogram) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
    }

    /// The least latency, in microseconds, that `permille` of a thousand do not exceed; `None` if nothing was counted.
    pub(super) fn quantile(&self, permille: u64) -> Option<f64> {
        let wanted = (self.total * permille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Some(highest(bucket) as f64);
            }
        }
        None
    }
}

/// The bucket of a value: exact below [`STEPS`], then as many for each doubling.
fn bucket(micros: u64) -> usize {
    let doublings = (u64::BITS - micros.leading_zeros()).saturating_sub(STEPS.ilog2() + 1) as usize;
    let step = usize::try_from(micros >> doublings).unwrap_or(0);
    (doublings * STEPS + step).min(STEPS * (DOUBLINGS + 1) - 1)
}

/// The highest value of a bucket.
fn highest(bucket: usize) -> u64 {
    let doublings = (bucket / STEPS).saturating_sub(1);
    let step = (bucket - doublings * STEPS) as u64;
    ((step + 1) << doublings) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_in_a_narrow_bucket() {
        for micros in (0..5_000).chain([65_535, 65_536, 1_000_000, 86_399_999]) {
            let bucket = bucket(micros);
            assert!(micros <= highest(bucket), "{micros}");
            assert!(bucket == 0 || micros > highest(bucket - 1), "{micros}");
            assert!(highest(bucket) - micros <= micros / 32, "{micros}");
        }
        assert_eq!(bucket(u64::MAX), STEPS * (DOUBLINGS + 1) - 1);
    }

    #[test]
    fn quantiles() {
        let mut all = Histogram::default();
        assert_eq!(all.quantile(500), None);
        for micros in 1..=20 {
            all.record(Duration::from_micros(micros));
        }
        let mut more = Histogram::default();
        more.record(Duration::from_millis(5));
        all.merge(&more);
        assert_eq!(all.quantile(500), Some(11.0));
        assert_eq!(all.quantile(0), Some(1.0));
        assert_eq!(all.quantile(999), Some(5_119.0));
        assert_eq!(all.quantile(950), Some(20.0));
        assert_eq!(all.quantile(1000), Some(5_119.0));
    }
}
