//! A mutation runs to its end: a caller who hangs up cannot tear it.

use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tonic::Status;
use tracing::Instrument;

type Work<T> = Pin<Box<dyn Future<Output = Result<T, Status>> + Send>>;

/// Work that whoever waits for it does himself, and that goes on in a task of its own once nobody waits any more: the few that are
/// given up pay for the task, not every call.
pub struct Detached<T: Send + 'static> {
    /// Nothing once it has ended, also by a panic.
    work: Option<Work<T>>,
    /// Before the first poll there is nothing that could be torn.
    begun: bool,
}

/// Runs to its end whatever becomes of the caller, on the runtime on which it was begun.
pub fn detached<T: Send + 'static>(work: impl Future<Output = Result<T, Status>> + Send + 'static) -> Detached<T> {
    Detached { work: Some(Box::pin(work.in_current_span())), begun: false }
}

impl<T: Send + 'static> Future for Detached<T> {
    type Output = Result<T, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.begun = true;
        // Taken out meanwhile, so that work that panics is not polled again.
        let Some(mut work) = self.work.take() else { return Poll::Pending };
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            self.work = Some(work);
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Detached<T> {
    fn drop(&mut self) {
        let Some(work) = self.work.take().filter(|_| self.begun) else { return };
        // Without a runtime the process is about to end, and its work with it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let _ = work.await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    /// Work that waits for a word and then notes that it has ended.
    fn work(word: oneshot::Receiver<()>, ended: &Arc<AtomicBool>) -> Detached<()> {
        let ended = ended.clone();
        detached(async move {
            let _ = word.await;
            ended.store(true, Ordering::SeqCst);
            Ok(())
        })
    }

    /// Polls once, answers whether it has ended, and gives it up.
    async fn begin_and_give_up<T: Send + 'static>(mut work: Detached<T>) -> bool {
        std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut work).poll(cx).is_ready())).await
    }

    #[tokio::test]
    async fn what_is_given_up_goes_on_to_its_end() {
        let ((say, word), ended) = (oneshot::channel(), Arc::default());
        assert!(!begin_and_give_up(work(word, &ended)).await);
        say.send(()).unwrap();
        while !ended.load(Ordering::SeqCst) {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_was_not_begun_is_never_begun() {
        let ((say, word), ended) = (oneshot::channel(), Arc::default());
        drop(work(word, &ended));
        assert!(say.send(()).is_err(), "the work is gone");
        assert!(!ended.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn who_waits_gets_the_answer() {
        assert_eq!(detached(async { Ok(7) }).await.unwrap(), 7);
        assert_eq!(detached::<()>(async { Err(Status::aborted("no")) }).await.unwrap_err().message(), "no");
    }

    #[tokio::test]
    async fn a_panic_is_the_callers_and_nothing_goes_on_after_it() {
        let mut broken = detached::<()>(async { panic!("as a test") });
        let caught = std::future::poll_fn(|cx| {
            let poll = std::panic::AssertUnwindSafe(|| Pin::new(&mut broken).poll(cx).is_ready());
            Poll::Ready(std::panic::catch_unwind(poll).is_err())
        });
        assert!(caught.await);
        assert!(broken.work.is_none());
    }
}
