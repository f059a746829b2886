//! How long the counter store takes at the moment: a smoothed measure, by which the sockets tell the calls that can't be
//! answered in the time that their callers left them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long the measure is worth something after the last step that was measured.
const KNOWN_FOR: Duration = Duration::from_secs(10);
/// How long no step may have been measured, nor a call have been let through that seems to come too late, until one is let
/// through. Without it a store that is quick again would not be noticed where all callers are in a hurry.
const TRY_AFTER: Duration = Duration::from_millis(250);
/// The part of the way to a shorter time that the measure goes at once; to a longer one it goes a smaller part, [`UP`]. It
/// is to be what nearly every step takes at least: a call is refused only where waiting is hopeless.
const DOWN: u64 = 2;
/// See [`DOWN`].
const UP: u64 = 64;

/// The measure. Its numbers guard no other memory, and a note that is lost between two cores is worth less than a lock: all is relaxed.
#[derive(Debug)]
pub struct Pace {
    begin: Instant,
    /// Nanoseconds of a step.
    took: AtomicU64,
    /// When the last step was noted, in nanoseconds of [`Pace::now`]; 0: never.
    noted: AtomicU64,
    /// When a call was let through last that seemed to come too late, likewise.
    tried: AtomicU64,
}

impl Default for Pace {
    fn default() -> Self {
        let (took, noted, tried) = Default::default();
        Pace { begin: Instant::now(), took, noted, tried }
    }
}

impl Pace {
    /// The time on the measure's own clock.
    pub fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Notes that a step of the store ended at `now` and took so long.
    pub fn note(&self, took: Duration, now: Duration) {
        let took = nanos(took);
        let next = match self.step(now) {
            // From nothing, so that one slow step, as the first one often is, refuses nobody.
            None => took / UP,
            Some(before) if took < before => before - (before - took) / DOWN,
            Some(before) => before + (took - before) / UP,
        };
        self.took.store(next, Ordering::Relaxed);
        self.noted.store(nanos(now).max(1), Ordering::Relaxed);
    }

    /// Whether a call that has so much time left at `now` is worth beginning. Of those that are not, one is let through where
    /// nobody else tells how long a step takes.
    pub fn allows(&self, left: Duration, now: Duration) -> bool {
        if self.step(now).is_none_or(|step| step <= nanos(left)) {
            return true;
        }
        let (tried, now) = (self.tried.load(Ordering::Relaxed), nanos(now));
        let last = tried.max(self.noted.load(Ordering::Relaxed));
        now.saturating_sub(last) >= nanos(TRY_AFTER)
            && self.tried.compare_exchange(tried, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Nanoseconds of a step, if that is known.
    fn step(&self, now: Duration) -> Option<u64> {
        let noted = self.noted.load(Ordering::Relaxed);
        let known = noted > 0 && nanos(now).saturating_sub(noted) < nanos(KNOWN_FOR);
        known.then(|| self.took.load(Ordering::Relaxed))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A second after the beginning.
    const NOW: Duration = Duration::from_secs(1);

    #[test]
    fn nothing_is_refused_while_nothing_is_known() {
        let pace = Pace::default();
        assert!((0..9).all(|_| pace.allows(Duration::ZERO, NOW)));
        pace.note(ms(100), NOW);
        assert!(pace.allows(ms(2), NOW), "a single step is no measure");
        (0..999).for_each(|_| pace.note(ms(100), NOW));
        assert!(pace.allows(ms(100), NOW), "just in time");
        assert!(!pace.allows(ms(99), NOW), "hopeless");
        let later = NOW + KNOWN_FOR;
        assert!((0..9).all(|_| pace.allows(Duration::ZERO, later)), "what was is no measure of what is");
        pace.note(ms(64), later);
        assert_eq!(pace.step(later), Some(nanos(ms(1))), "a measure that was forgotten does not count");
    }

    #[test]
    fn where_nothing_is_measured_a_call_is_let_through_now_and_then() {
        let pace = Pace::default();
        (0..999).for_each(|_| pace.note(ms(100), NOW));
        let through = |times: std::ops::Range<u64>| -> Vec<u64> {
            times.filter(|at| pace.allows(ms(1), NOW + ms(*at))).collect()
        };
        assert_eq!(through(0..1000), [250, 500, 750]);
        pace.note(ms(100), NOW + ms(990));
        assert_eq!(through(1000..2000), [1240, 1490, 1740, 1990]);
    }

    #[test]
    fn a_store_that_slows_down_is_believed_slowly_and_one_that_recovers_quickly() {
        let pace = Pace::default();
        pace.note(ms(1), NOW);
        let refused = |count: u64, took: Duration| {
            (1..=count).find(|_| {
                pace.note(took, NOW);
                !pace.allows(ms(50), NOW)
            })
        };
        assert_eq!(refused(99, ms(200)), Some(19));
        let back = (1..99).find(|_| {
            pace.note(ms(1), NOW);
            pace.allows(ms(50), NOW)
        });
        assert_eq!(back, Some(1));
    }

    #[test]
    fn one_long_step_in_ten_refuses_nobody_who_has_time_for_the_others() {
        let pace = Pace::default();
        let refused = (0..9_999).find(|number| {
            pace.note(if number % 10 == 0 { ms(200) } else { ms(1) }, NOW);
            !pace.allows(ms(5), NOW)
        });
        assert_eq!(refused, None);
        assert!(!pace.allows(Duration::ZERO, NOW), "it does refuse");
    }
}
