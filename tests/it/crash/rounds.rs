//! Many rounds of `kill -9` on a small state whose history grows: nothing answered is lost, nothing has its effect twice,
//! no hold outlives its deadline by more than a second.

use super::books::{Books, fence};
use super::load::{Load, Resume, options, resume};
use crate::support::{Server, for_each_seed};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answered_write_is_lost_and_none_counts_twice() {
    many("crash-rounds", 100, &[], Resume::Unanswered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_with_every_write_on_the_disk() {
    many("crash-strict", 5, &["--durability", "strict"], Resume::Unanswered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relaxed_loses_but_neither_tears_nor_doubles() {
    many("crash-relaxed", 5, &["--durability", "relaxed"], Resume::Everything);
}

fn many(name: &str, rounds: usize, args: &[&str], how: Resume) {
    for_each_seed(name, 1, |seed| {
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| runtime.block_on(play(name, seed, rounds, args, how)));
    });
}

async fn play(name: &str, seed: u64, rounds: usize, args: &[&str], how: Resume) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut books = Books::new();
    let (options, _catalog) = options(args);
    let mut server = Server::start(options);
    let (mut calls, mut slowest) = (0, Duration::ZERO);
    for round in 0..rounds {
        let clients = rng.random_range(16..=32);
        let load = Load::start(&server, clients, &format!("r{round}"), &mut rng);
        tokio::time::sleep(Duration::from_millis(rng.random_range(20..150))).await;
        server.kill_hard();
        let jobs = load.end().await;
        calls += jobs.iter().map(|job| job.answered).sum::<usize>();
        server.restart();
        slowest = slowest.max(server.ready_after());
        resume(&server, jobs, how, &mut books).await;
        if how == Resume::Everything {
            // What was sent again must not be lost by the next kill, or nobody could say what is due.
            fence(&server, &mut books, &format!("fence{round}")).await;
        }
        books.check(&server).await;
    }
    let status = server.terminate();
    assert!(status.success(), "{status}\n{}", server.stderr());
    books.check_ledger(&server.data_dir()).await;
    println!("{name}: {rounds} rounds, {calls} answered calls, ready after {slowest:?} at most");
}
