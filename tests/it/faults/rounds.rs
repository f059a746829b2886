//! Many rounds, each with load, one fault, and then peace: nothing answered is lost but what an emptied Redis takes, nothing
//! has its effect twice, and the ledger, both replicas and the witness agree.

use super::books::{Books, verify};
use super::fault::Fault;
use super::jobs::Job;
use super::load::{Load, complete, resume};
use super::world::World;
use crate::support::for_each_seed;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::time::{Duration, Instant};

/// How many rounds, unless `QUOTAD_FAULT_ROUNDS` says otherwise.
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
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut world, mut books) = (World::start(), Books::new());
    let (mut calls, mut unknown, mut cuts, mut lost) = (0, 0, 0, 0);
    let begin = Instant::now();
    for round in 0..rounds {
        let fault = Fault::choose(round, &mut rng);
        let lossy = fault.is_lossy();
        eprintln!("round {round} at {:?}: {fault:?}", begin.elapsed());
        let told = if lossy { world.lost_entries() } else { 0 };
        let clients = rng.random_range(6..=12);
        let load = Load::start(&world.stubs, clients, round, lossy, &mut rng);
        tokio::time::sleep(Duration::from_millis(rng.random_range(50..250))).await;
        cuts += tokio::task::block_in_place(|| fault.strike(&mut world));
        // Some go on when all is well again.
        tokio::time::sleep(Duration::from_millis(rng.random_range(50..200))).await;
        let (jobs, outages) = load.finish().await;
        calls += jobs.iter().map(|job| job.answers.len()).sum::<usize>();
        unknown += outages;

        let gone = resume(&world.stubs, jobs, lossy, &mut rng, &mut books).await;
        lost += gone;
        assert!(gone == 0 || world.lost_entries() > told, "{gone} reservations lost answers and nobody tells");
        let mut fence = Job::fence(format!("fence{round}"));
        complete(&mut fence, false, &world.stubs, &mut rng).await;
        books.enter(&fence);
        books.check_usage(&world, round).await;
        tokio::task::block_in_place(|| books.check_ledger(&world));
        if (round + 1) % AUDIT_EVERY == 0 {
            tokio::task::block_in_place(|| verify(&world));
        }
    }
    for server in &mut world.servers {
        let status = tokio::task::block_in_place(|| server.terminate());
        assert!(status.success(), "{status}\n{}", server.stderr());
    }
    books.check_ledger(&world);
    verify(&world);
    println!(
        "faults: {rounds} rounds in {:?}, {calls} answered calls, {unknown} without an answer, {cuts} connections cut, \
         {lost} reservations lost answers to an emptied Redis",
        begin.elapsed()
    );
}
