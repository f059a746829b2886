//! Many rounds, each with load, one fault, and then peace: nothing answered is lost but what an emptied Redis takes, nothing
//! has its effect twice, and the ledger, both replicas and the witness agree.

use super::books::verify;
use super::course::Course;
use super::fault::Fault;
use super::world::World;
use crate::support::for_each_seed;
use std::time::Instant;

/// How many rounds, unless `QUOTAD_FAULT_ROUNDS` says otherwise; with 200 or more PostgreSQL is away for a minute now and then.
const ROUNDS: usize = 55;
/// So often the whole ledger is audited.
const AUDIT_EVERY: usize = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_no_answer_is_lost_and_none_counts_twice() {
    let rounds = std::env::var("QUOTAD_FAULT_ROUNDS").map_or(ROUNDS, |text| text.parse().unwrap());
    for_each_seed("faults", 1, |seed| {
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| runtime.block_on(play(seed, rounds)));
    });
}

async fn play(seed: u64, rounds: usize) {
    let (mut world, mut course, mut cuts) = (World::start(), Course::new(seed), 0);
    let begin = Instant::now();
    for round in 0..rounds {
        let fault = Fault::choose(round, rounds, &mut course.rng);
        eprintln!("round {round} at {:?}: {fault:?}", begin.elapsed());
        let load = course.begin(&world.replicas, fault.is_lossy()).await;
        cuts += tokio::task::block_in_place(|| fault.strike(&mut world));
        course.end(&world.replicas, load).await;
        if (round + 1) % AUDIT_EVERY == 0 {
            tokio::task::block_in_place(|| verify(&world.replicas));
        }
    }
    tokio::task::block_in_place(|| world.replicas.end());
    course.books.check_ledger(&world.replicas);
    verify(&world.replicas);
    println!(
        "faults: {rounds} rounds in {:?}, {} answered calls, {} without an answer, {cuts} connections cut, {} reservations lost \
         answers to an emptied Redis",
        begin.elapsed(),
        course.calls,
        course.unknown,
        course.lost
    );
}
