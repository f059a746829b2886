//! Those who wait for one group commit.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::ThreadId;

thread_local! {
    static HERE: ThreadId = std::thread::current().id();
}

/// One group commit: those who wait for it share it.
///
/// To wake a task of another thread's runtime is a system call. So only the first of each other thread is woken from here, and
/// wakes the others of its thread.
#[derive(Default)]
pub struct Group(Mutex<State>);

#[derive(Default)]
struct State {
    result: Option<Result<(), String>>,
    /// The number of the next waiter.
    next: u64,
    /// Who waits; once there is a result, who is still to be woken by another one of its thread.
    waiters: Vec<Waiter>,
}

struct Waiter {
    thread: ThreadId,
    number: u64,
    waker: Waker,
}

impl Group {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under it panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the wait.
    pub fn finish(&self, result: Result<(), String>) {
        let here = HERE.with(|here| *here);
        let mut told: Vec<ThreadId> = Vec::new();
        let wake: Vec<Waiter> = {
            let mut state = self.lock();
            if state.result.is_some() {
                return;
            }
            state.result = Some(result);
            let first = |waiter: &mut Waiter| {
                let first = waiter.thread == here || !told.contains(&waiter.thread);
                told.extend((first && waiter.thread != here).then_some(waiter.thread));
                first
            };
            state.waiters.extract_if(.., first).collect()
        };
        wake.into_iter().for_each(|waiter| waiter.waker.wake());
    }

    /// Resolves when the group is on disk, or could not be written: then it says why.
    pub fn finished(self: Arc<Self>) -> Finished {
        Finished { group: self, place: None }
    }
}

/// The wait for a group.
pub struct Finished {
    group: Arc<Group>,
    /// Under which thread and number it waits.
    place: Option<(ThreadId, u64)>,
}

impl Future for Finished {
    type Output = Result<(), String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let group = self.group.clone();
        let mut state = group.lock();
        if let Some(result) = &state.result {
            let result = result.clone();
            drop(state);
            self.leave();
            return Poll::Ready(result);
        }
        match self.place.and_then(|(_, number)| state.waiters.iter_mut().find(|waiter| waiter.number == number)) {
            Some(waiter) => waiter.waker.clone_from(cx.waker()),
            None => {
                let (thread, number) = (HERE.with(|here| *here), state.next);
                state.next += 1;
                state.waiters.push(Waiter { thread, number, waker: cx.waker().clone() });
                self.place = Some((thread, number));
            }
        }
        Poll::Pending
    }
}

impl Finished {
    /// Waits no longer; who came to wake it wakes the others of its thread through it.
    fn leave(&mut self) {
        let Some((thread, number)) = self.place.take() else { return };
        let wake: Vec<Waiter> = {
            let mut state = self.group.lock();
            let over = state.result.is_some();
            let goes = |waiter: &mut Waiter| waiter.number == number || over && waiter.thread == thread;
            state.waiters.extract_if(.., goes).collect()
        };
        wake.into_iter().filter(|waiter| waiter.number != number).for_each(|waiter| waiter.waker.wake());
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Waiters of a group that have been polled once on a thread of their own.
    fn waiting(group: &Arc<Group>, count: usize) -> Vec<(Finished, Arc<Counted>)> {
        let group = group.clone();
        let begun = std::thread::spawn(move || {
            let begin = |_| {
                let (mut wait, counted) = (group.clone().finished(), Arc::<Counted>::default());
                assert!(poll(&mut wait, &counted).is_pending());
                (wait, counted)
            };
            (0..count).map(begin).collect()
        });
        begun.join().unwrap()
    }

    fn poll(wait: &mut Finished, counted: &Arc<Counted>) -> Poll<Result<(), String>> {
        Pin::new(wait).poll(&mut Context::from_waker(&Waker::from(counted.clone())))
    }

    fn woken(waiters: &[(Finished, Arc<Counted>)]) -> Vec<usize> {
        waiters.iter().map(|(_, counted)| counted.0.load(Ordering::SeqCst)).collect()
    }

    #[test]
    fn one_of_each_other_thread_is_woken_and_wakes_the_rest() {
        let group = Arc::<Group>::default();
        let (mut one, mut two) = (waiting(&group, 3), waiting(&group, 2));
        let mut own = group.clone().finished();
        let own_counted = Arc::<Counted>::default();
        assert!(poll(&mut own, &own_counted).is_pending());
        group.finish(Ok(()));
        group.finish(Err("too late".into()));
        assert_eq!((woken(&one), woken(&two)), (vec![1, 0, 0], vec![1, 0]));
        assert_eq!(own_counted.0.load(Ordering::SeqCst), 1);
        let (wait, counted) = &mut one[0];
        assert_eq!(poll(wait, counted), Poll::Ready(Ok(())));
        assert_eq!((woken(&one), woken(&two)), (vec![1, 1, 1], vec![1, 0]));
        // The one that was woken is given up before it looks.
        drop(two.remove(0));
        assert_eq!(woken(&two), [1]);
        for (wait, counted) in one.iter_mut().chain(&mut two) {
            assert_eq!(poll(wait, counted), Poll::Ready(Ok(())));
        }
    }

    #[test]
    fn who_is_given_up_before_the_end_is_nobodys_messenger() {
        let group = Arc::<Group>::default();
        let mut waiters = waiting(&group, 3);
        drop(waiters.remove(0));
        group.finish(Err("full".into()));
        assert_eq!(woken(&waiters), [1, 0]);
        let (wait, counted) = &mut waiters[0];
        assert_eq!(poll(wait, counted), Poll::Ready(Err("full".into())));
        assert_eq!(woken(&waiters), [1, 1]);
    }

    #[test]
    fn who_moved_to_another_task_is_woken_there() {
        let group = Arc::<Group>::default();
        let mut waiters = waiting(&group, 1);
        let moved = Arc::<Counted>::default();
        assert!(poll(&mut waiters[0].0, &moved).is_pending());
        group.finish(Ok(()));
        assert_eq!((woken(&waiters), moved.0.load(Ordering::SeqCst)), (vec![0], 1));
        assert_eq!(poll(&mut group.finished(), &moved), Poll::Ready(Ok(())), "who comes late need not wait");
    }
}
