//! The course of a test: rounds of load and peace, and the books over all of them.

use super::books::Books;
use super::jobs::Job;
use super::load::{Load, complete, resume};
use super::replicas::Replicas;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::time::Duration;

/// What was done so far.
pub(super) struct Course {
    /// The one source of chance.
    pub(super) rng: StdRng,
    /// What must be there.
    pub(super) books: Books,
    /// Rounds that have begun.
    rounds: usize,
    /// Answered calls.
    pub(super) calls: usize,
    /// Calls without an answer.
    pub(super) unknown: u32,
    /// Reservations that lost something that was answered.
    pub(super) lost: usize,
}

/// A round that has begun.
pub(super) struct Round {
    number: usize,
    /// Whether the counter store may forget what the ledger does not have yet.
    lossy: bool,
    /// Losses that were told of before.
    told: u64,
    load: Load,
}

impl Course {
    /// Nothing is done yet.
    pub(super) fn new(seed: u64) -> Course {
        let (rng, books) = (StdRng::seed_from_u64(seed), Books::new());
        Course { rng, books, rounds: 0, calls: 0, unknown: 0, lost: 0 }
    }

    /// Begins a round: clients are at work when this returns.
    pub(super) async fn begin(&mut self, replicas: &Replicas, lossy: bool) -> Round {
        let (number, told) = (self.rounds, if lossy { replicas.lost_entries() } else { 0 });
        self.rounds += 1;
        let clients = self.rng.random_range(6..=12);
        let load = Load::start(&replicas.stubs, clients, number, lossy, &mut self.rng);
        tokio::time::sleep(Duration::from_millis(self.rng.random_range(50..250))).await;
        Round { number, lossy, told, load }
    }

    /// Ends a round in which all is well again, and looks whether everything is there, once.
    pub(super) async fn end(&mut self, replicas: &Replicas, round: Round) {
        let Round { number, lossy, told, load } = round;
        // Some go on when all is well again.
        tokio::time::sleep(Duration::from_millis(self.rng.random_range(50..200))).await;
        let (jobs, outages) = load.finish().await;
        self.calls += jobs.iter().map(|job| job.answers.len()).sum::<usize>();
        self.unknown += outages;

        let gone = resume(&replicas.stubs, jobs, lossy, &mut self.rng, &mut self.books).await;
        self.lost += gone;
        assert!(gone == 0 || replicas.lost_entries() > told, "{gone} reservations lost answers and nobody tells");
        let mut fence = Job::fence(format!("fence{number}"));
        complete(&mut fence, false, &replicas.stubs, &mut self.rng).await;
        self.books.enter(&fence);
        self.books.check_usage(replicas, number).await;
        tokio::task::block_in_place(|| self.books.check_ledger(replicas));
    }
}
