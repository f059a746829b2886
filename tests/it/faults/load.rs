//! Clients that go on whatever happens: a call without an answer is made again, with the same ids, at either replica.

use super::books::Books;
use super::jobs::Job;
use super::replicas::Stubs;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tonic::{Code, Status};

/// How long after a fault all must be well again.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries of the same call.
const PAUSE: Duration = Duration::from_millis(20);

/// Clients at work.
pub(super) struct Load {
    clients: JoinSet<Vec<Job>>,
    stop: Arc<AtomicBool>,
    outages: Arc<AtomicU32>,
}

impl Load {
    /// Starts `count` clients. With `lossy`, what they do can be made again from its start.
    pub(super) fn start(stubs: &Stubs, count: usize, round: usize, lossy: bool, rng: &mut StdRng) -> Load {
        let (stop, outages) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let mut clients = JoinSet::new();
        for client in 0..count {
            let (stubs, stop, outages) = (stubs.clone(), stop.clone(), outages.clone());
            let mut rng = StdRng::seed_from_u64(rng.random());
            clients.spawn(async move {
                let mut jobs = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let mut job = Job::random(format!("r{round}.{client}.{}", jobs.len()), round, lossy, &mut rng);
                    while !job.is_done() {
                        if let Err(status) = job.step(&mut stubs.get(rng.random_range(0..64))).await {
                            // What a call is about may be forgotten by now: then it is for later.
                            let forgotten = lossy && job.may_be_forgotten(&status);
                            assert!(forgotten || is_outage(&status), "{status:?}\n{job:?}");
                            outages.fetch_add(1, Ordering::Relaxed);
                            if forgotten || stop.load(Ordering::Relaxed) {
                                break;
                            }
                            tokio::time::sleep(PAUSE).await;
                        }
                    }
                    jobs.push(job);
                }
                jobs
            });
        }
        Load { clients, stop, outages }
    }

    /// Lets the clients finish what they are at; answers what they did, and how many calls had no answer.
    pub(super) async fn finish(self) -> (Vec<Job>, u32) {
        self.stop.store(true, Ordering::Relaxed);
        let jobs = self.clients.join_all().await.into_iter().flatten().collect();
        (jobs, self.outages.load(Ordering::Relaxed))
    }
}

/// Whether a call failed because something was not there.
pub(super) fn is_outage(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded => true,
        // A connection that broke in the middle of an answer.
        Code::Unknown | Code::Internal => {
            std::error::Error::source(status).is_some() || status.message().contains("h2")
        }
        _ => false,
    }
}

/// Waits a moment after an outage, if there is any hope left.
async fn hope(begin: Instant, status: &Status, job: &Job) {
    assert!(is_outage(status) && begin.elapsed() < PATIENCE, "{status:?}\n{job:?}");
    tokio::time::sleep(PAUSE).await;
}

/// Makes all calls of a job that are not answered yet.
pub(super) async fn complete(job: &mut Job, lossy: bool, stubs: &Stubs, rng: &mut StdRng) {
    let begin = Instant::now();
    while !job.is_done() {
        match job.step(&mut stubs.get(rng.random_range(0..64))).await {
            Ok(()) => {}
            Err(status) if lossy && job.may_be_forgotten(&status) => job.give_up(),
            Err(status) => hope(begin, &status, job).await,
        }
    }
}

async fn check(job: &Job, lossy: bool, stubs: &Stubs, rng: &mut StdRng) -> bool {
    let begin = Instant::now();
    loop {
        match job.check(lossy, &mut stubs.get(rng.random_range(0..64))).await {
            Ok(lost) => return lost,
            Err(status) => hope(begin, &status, job).await,
        }
    }
}

/// Makes answered calls once more: no repeat may have an effect. After a loss only the last one is known for certain.
async fn repeat(job: &Job, lossy: bool, stubs: &Stubs, rng: &mut StdRng) {
    let begin = Instant::now();
    let mut number = if lossy { job.answers.len() - 1 } else { 0 };
    while number < job.answers.len() {
        match job.repeat(number, &mut stubs.get(rng.random_range(0..64))).await {
            Ok(()) => number += 1,
            Err(status) => hope(begin, &status, job).await,
        }
    }
}

/// Checks each job, makes its calls to the end with the same ids, and enters it in the books. Answers how many had lost
/// something that was answered.
pub(super) async fn resume(stubs: &Stubs, jobs: Vec<Job>, lossy: bool, rng: &mut StdRng, books: &mut Books) -> usize {
    let mut clients = JoinSet::new();
    for part in jobs.chunks(jobs.len().div_ceil(8).max(1)) {
        let (stubs, part) = (stubs.clone(), part.to_vec());
        let mut rng = StdRng::seed_from_u64(rng.random());
        clients.spawn(async move {
            let mut done = Vec::with_capacity(part.len());
            for mut job in part {
                let lost = check(&job, lossy, &stubs, &mut rng).await;
                if lossy {
                    job.start_over();
                }
                complete(&mut job, lossy, &stubs, &mut rng).await;
                if rng.random_range(0..4) == 0 {
                    repeat(&job, lossy, &stubs, &mut rng).await;
                }
                done.push((job, lost));
            }
            done
        });
    }
    let done: Vec<(Job, bool)> = clients.join_all().await.into_iter().flatten().collect();
    done.iter().for_each(|(job, _)| books.enter(job));
    done.iter().filter(|(_, lost)| *lost).count()
}
