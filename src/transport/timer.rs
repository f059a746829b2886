//! When a call's time is up. A timer of the runtime costs more than many a call, and hardly a call waits for its own: those that
//! have long share one on each core, which looks at all of them some times a second.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

/// Between two looks, and so how late a call may be told: less than callers that have long are answered before their deadline.
const TICK: Duration = Duration::from_millis(10);
/// From here on a call has long.
const LONG: Duration = Duration::from_secs(1);

thread_local! {
    static WAITING: RefCell<Option<Waiting>> = const { RefCell::new(None) };
}

/// The calls of a core that have long.
#[derive(Default)]
struct Waiting {
    /// Until when, and who is woken then.
    places: Vec<Option<(Instant, Waker)>>,
    free: Vec<usize>,
    /// Told when the first one comes.
    first: Arc<Notify>,
}

impl Waiting {
    fn add(&mut self, until: Instant, waker: Waker) -> usize {
        if self.free.len() == self.places.len() {
            self.first.notify_one();
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[place] = Some((until, waker));
        place
    }

    fn remove(&mut self, place: usize) {
        if self.places.get_mut(place).and_then(Option::take).is_some() {
            self.free.push(place);
        }
    }
}

/// Looks at the calls of this thread that have long, for ever. Where nobody does, each call has a timer of its own.
pub(super) async fn watch() {
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            // At the end of a thread it may be gone already.
            let _ = WAITING.try_with(|waiting| waiting.replace(None));
        }
    }
    let first = Arc::<Notify>::default();
    WAITING.set(Some(Waiting { first: first.clone(), ..Waiting::default() }));
    let _ends = Ends;
    loop {
        first.notified().await;
        while wake_due() {
            tokio::time::sleep(TICK).await;
        }
    }
}

/// Wakes those whose time is up; whether anybody waits.
fn wake_due() -> bool {
    let now = Instant::now();
    let (due, anybody) = WAITING.with_borrow(|waiting| {
        let Some(waiting) = waiting else { return (Vec::new(), false) };
        let due = waiting.places.iter().flatten().filter(|(until, _)| *until <= now);
        (due.map(|(_, waker)| waker.clone()).collect::<Vec<_>>(), waiting.free.len() < waiting.places.len())
    });
    due.into_iter().for_each(Waker::wake);
    anybody
}

/// The wait for an instant.
pub(super) enum Timer {
    /// By a timer of its own.
    Own(Pin<Box<Sleep>>),
    /// At a place of its core's.
    Shared(usize, Instant),
}

impl Timer {
    /// Wakes the task of `cx` at `until`, or a little later.
    pub(super) fn begin(until: Instant, cx: &mut Context<'_>) -> Timer {
        let has_long = until.saturating_duration_since(Instant::now()) > LONG;
        let shared = WAITING.with_borrow_mut(|waiting| {
            let waiting = waiting.as_mut().filter(|_| has_long)?;
            Some(Timer::Shared(waiting.add(until, cx.waker().clone()), until))
        });
        shared.unwrap_or_else(|| Timer::Own(Box::pin(tokio::time::sleep_until(until))))
    }

    /// Whether it is over; if not, the task of `cx` is woken then.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Timer::Own(sleep) => sleep.as_mut().poll(cx),
            Timer::Shared(_, until) if *until <= Instant::now() => Poll::Ready(()),
            Timer::Shared(place, _) => {
                WAITING.with_borrow_mut(|waiting| {
                    let place = waiting.as_mut().and_then(|waiting| waiting.places.get_mut(*place)?.as_mut());
                    if let Some((_, waker)) = place {
                        waker.clone_from(cx.waker());
                    }
                });
                Poll::Pending
            }
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Timer::Shared(place, _) = self {
            let _ = WAITING.try_with(|waiting| waiting.borrow_mut().as_mut().map(|waiting| waiting.remove(*place)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits so many milliseconds; whether at a place of the core's.
    async fn wait(millis: u64) -> bool {
        let until = Instant::now() + Duration::from_millis(millis);
        let mut timer = None;
        std::future::poll_fn(|cx| timer.get_or_insert_with(|| Timer::begin(until, cx)).poll(cx)).await;
        assert!(Instant::now() >= until, "woken, and not too early");
        matches!(timer, Some(Timer::Shared(..)))
    }

    fn waiting() -> (usize, usize) {
        WAITING.with_borrow(|waiting| waiting.as_ref().map_or((0, 0), |all| (all.places.len(), all.free.len())))
    }

    #[tokio::test]
    async fn who_has_long_shares_a_timer_and_who_has_not_has_one_of_its_own() {
        let watching = tokio::spawn(watch());
        tokio::task::yield_now().await;
        for _ in 0..2 {
            // The time between here and there is not to make a short wait of a long one.
            assert_eq!(tokio::join!(wait(30), wait(1500), wait(1600)), (false, true, true));
            assert_eq!(waiting(), (2, 2), "places are used again");
        }
        watching.abort();
        let _ = watching.await;
        assert!(!wait(1500).await, "nobody would look");
    }

    #[tokio::test]
    async fn who_is_given_up_leaves_its_place() {
        let watching = tokio::spawn(watch());
        tokio::task::yield_now().await;
        let waits = tokio::spawn(wait(99_000));
        tokio::task::yield_now().await;
        assert_eq!(waiting(), (1, 0));
        waits.abort();
        let _ = waits.await;
        assert_eq!(waiting(), (1, 1));
        assert!(wait(1500).await, "another one is looked at all the same");
        watching.abort();
    }
}
