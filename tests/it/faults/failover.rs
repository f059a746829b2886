//! Fail overs under load, with three sentinels: the master dies, the old one comes back and is made the master again by order, and
//! replicas are promoted that lack what was written last. Nothing in the ledger is lost, nothing counts twice.

use super::books::verify;
use super::course::Course;
use super::replicas::Replicas;
use crate::support::redis::Sentinels;
use crate::support::seed;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a replica falls behind.
const LAG: Duration = Duration::from_millis(400);

/// One way in which the master changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    /// It dies.
    Death,
    /// The dead one comes back as a replica, and becomes the master by order.
    Order,
    /// It dies some time after it lost its replica.
    DeathAhead,
    /// The same while the ledger can't be written: what its replica lacks is nowhere else.
    DeathAheadOfAll,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fail_over_loses_nothing_that_is_in_the_ledger() {
    let sentinels = tokio::task::block_in_place(Sentinels::start);
    let mut course = Course::new(seed("failover"));
    let mut world = World { replicas: Replicas::start(&sentinels.url()), sentinels, dead: None };
    let begin = Instant::now();
    for change in [Change::DeathAheadOfAll, Change::Order, Change::DeathAhead, Change::Order, Change::Death] {
        let (at, before, told) = (begin.elapsed(), course.lost, world.replicas.lost_entries());
        let round = course.begin(&world.replicas, true).await;
        tokio::task::block_in_place(|| world.make(change));
        course.end(&world.replicas, round).await;
        let (lost, told) = (course.lost - before, world.replicas.lost_entries() - told);
        eprintln!("{change:?} at {at:?}: {lost} reservations lost answers, of {told} entries it was told");
    }
    assert!(course.lost > 0, "what neither the ledger nor the replica had was lost");
    tokio::task::block_in_place(|| world.replicas.end());
    course.books.check_ledger(&world.replicas);
    verify(&world.replicas);
    println!(
        "faults: fail overs in {:?}, {} answered calls, {} without an answer, {} reservations lost answers",
        begin.elapsed(),
        course.calls,
        course.unknown,
        course.lost
    );
}

/// Everything that runs.
struct World {
    // Before what they stand on: they end first.
    replicas: Replicas,
    sentinels: Sentinels,
    /// Which of the two servers is dead.
    dead: Option<usize>,
}

impl World {
    fn make(&mut self, change: Change) {
        match change {
            Change::Death => self.dead = Some(self.sentinels.kill_master()),
            Change::Order => {
                let returned = self.dead.take().expect("a dead one");
                self.sentinels.rejoin(returned);
                self.sentinels.fail_over();
                self.sentinels.wait_until_follows(1 - returned);
            }
            Change::DeathAhead => {
                self.sentinels.cut_replica();
                sleep(LAG);
                self.dead = Some(self.sentinels.kill_master());
            }
            Change::DeathAheadOfAll => {
                self.replicas.postgres.stop();
                self.sentinels.cut_replica();
                sleep(LAG);
                self.dead = Some(self.sentinels.kill_master());
                self.replicas.postgres.start_again();
            }
        }
    }
}
