//! Long work in small pieces: who waits for a processor gets it before all of the work is done.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

/// How long work goes on without a pause.
const STRETCH: Duration = Duration::from_millis(2);
/// How long a pause is: as long, so that the work takes about half of one processor, and not all of it for the tenths of a second
/// that a large transaction takes.
const PAUSE: Duration = Duration::from_millis(2);

/// Does work with pauses in it as long as it is not urgent. A pause begins only where the work waits for something, which goes on
/// meanwhile; what computes for long should yield now and then.
pub(super) async fn gently<T>(work: impl Future<Output = T>, is_urgent: impl Fn() -> bool) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            result = &mut work => return result,
            () = tokio::time::sleep(STRETCH) => {}
        }
        if !is_urgent() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::time::Instant;

    #[tokio::test]
    async fn work_is_left_alone_for_a_pause_whenever_it_was_not_urgent() {
        let asked = Cell::new(0);
        // Always ready to go on.
        let work = async {
            let (mut last, mut pauses) = (Instant::now(), 0);
            while asked.get() < 10 {
                tokio::task::yield_now().await;
                pauses += u32::from(last.elapsed() >= PAUSE);
                last = Instant::now();
            }
            pauses
        };
        let is_urgent = || {
            asked.set(asked.get() + 1);
            false
        };
        let pauses = gently(work, is_urgent).await;
        assert!(pauses >= 10, "{pauses} pauses of 10");
        assert_eq!(gently(async { 7 }, || panic!("what is done at once needs no pause")).await, 7);
    }
}
