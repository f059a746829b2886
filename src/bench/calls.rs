//! Workers on one single-threaded runtime per core, as the server has them.

use super::histogram::Histogram;
use anyhow::{Context, Result};
use std::thread::{Builder, JoinHandle};
use tokio::task::LocalSet;

/// Waits for the end of workers and answers what they saw.
pub(super) type Wait = Box<dyn FnOnce() -> Result<Histogram>>;

/// Starts what `work` makes on so many cores' runtimes; what it answers waits for all of them and adds up what they saw.
///
/// # Errors
/// Threads that can't be started; later, the first worker's error.
pub(super) fn on_every_core<W, F>(cores: usize, mut work: impl FnMut(usize) -> W) -> Result<Wait>
where
    W: FnOnce() -> F + Send + 'static,
    F: Future<Output = Result<Histogram>>,
{
    let mut threads: Vec<JoinHandle<Result<Histogram>>> = Vec::new();
    for core in 0..cores {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let work = work(core);
        let thread = Builder::new().name(format!("bench-core-{core}"));
        threads.push(thread.spawn(move || LocalSet::new().block_on(&runtime, work())).context("a worker's thread")?);
    }
    Ok(Box::new(move || {
        let mut sum = Histogram::default();
        for thread in threads {
            let seen = thread.join().map_err(|_| anyhow::anyhow!("a worker panicked"))??;
            sum.merge(&seen);
        }
        Ok(sum)
    }))
}

/// Runs workers side by side on this thread and adds up what they saw.
///
/// # Errors
/// The first worker's error.
pub(super) async fn all<F>(workers: Vec<F>) -> Result<Histogram>
where
    F: Future<Output = Result<Histogram>> + 'static,
{
    let tasks: Vec<_> = workers.into_iter().map(tokio::task::spawn_local).collect();
    let mut sum = Histogram::default();
    for task in tasks {
        sum.merge(&task.await.context("a worker panicked")??);
    }
    Ok(sum)
}
