//! A circuit breaker: after some failures in a row calls fail at once, but for one now and then that finds out whether it is
//! better. Pure: time is an argument.

use std::time::Duration;
use tokio::time::Instant;

/// Failures in a row that open it.
pub const FAILURES: u32 = 5;

/// For how long it lets nothing through before one call may try.
pub const REST: Duration = Duration::from_millis(500);

/// The state of a breaker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Breaker {
    /// Failures since the last success.
    failures: u32,
    /// Since it opened, or since the last call that tried was let through.
    closed_until: Option<Instant>,
}

impl Breaker {
    /// Whether a call may go at `now`. While open this lets one through each [`REST`].
    pub fn allows(&mut self, now: Instant) -> bool {
        match self.closed_until {
            Some(until) if now < until => false,
            Some(_) => {
                // The others wait for what becomes of this one, or for the next turn.
                self.closed_until = Some(now + REST);
                true
            }
            None => true,
        }
    }

    /// Whether calls fail at once now, but for those that try.
    pub fn is_open(&self) -> bool {
        self.closed_until.is_some()
    }

    /// A call was answered: it closes. True if it was open.
    pub fn succeeded(&mut self) -> bool {
        let was_open = self.is_open();
        *self = Breaker::default();
        was_open
    }

    /// A call could not be sent, or had no answer in time. True if that opens it.
    pub fn failed(&mut self, now: Instant) -> bool {
        let was_open = self.is_open();
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES {
            self.closed_until = Some(now + REST);
        }
        !was_open && self.is_open()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_lets_one_try_and_closes_on_success() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 1..FAILURES {
            assert!(!breaker.failed(start) && breaker.allows(start));
        }
        assert!(!breaker.succeeded());
        for _ in 1..FAILURES {
            assert!(!breaker.failed(start));
        }
        assert!(breaker.failed(start) && breaker.is_open());
        assert!(!breaker.allows(start) && !breaker.allows(start + REST - Duration::from_millis(1)));
        let later = start + REST;
        assert!(breaker.allows(later) && !breaker.allows(later));
        assert!(!breaker.failed(later) && breaker.is_open(), "it was open already");
        assert!(!breaker.allows(later + REST / 2));
        // Also one whose caller never tells what became of it does not close the way for ever.
        assert!(breaker.allows(later + REST) && breaker.allows(later + 2 * REST));
        assert!(breaker.succeeded() && breaker.allows(later) && !breaker.is_open());
    }
}
