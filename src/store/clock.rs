//! The store's clock: the machine's, or one that tests wind by hand.

use crate::domain::time::Timestamp;
use crate::engine::ports::Clock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is set. It never goes back.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// A clock that shows this time.
    pub fn new(time: Timestamp) -> TestClock {
        TestClock(AtomicI64::new(time.millis()))
    }

    /// Sets it, unless that would be a step back; answers what it shows now.
    pub fn set(&self, time: Timestamp) -> Timestamp {
        let before = self.0.fetch_max(time.millis(), Ordering::SeqCst);
        Timestamp::from_millis(before.max(time.millis()))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}
