//! Failing open: what is granted while Redis is away is recorded once it is back, all of it and once, whatever ends meanwhile.

use super::opened::{self, Call, DAY, OPEN, SHUT, USER, World};
use crate::support::{Options, TempDir, cli};
use quotad::domain::time::Timestamp;
use quotad::proto::v1::{Durability, ReservationState};
use std::fs::{self, File};
use std::io::Write;
use tonic::Code;
use tonic_types::StatusExt;

/// X.07: while Redis is away a meter that fails open grants, one that does not is without an answer, and so are both together;
/// then the counters and the ledger have what was granted, above the limit, and it denies again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_open_is_granted_and_then_counted_once() {
    let mut world = World::start(Options::new());
    let server = &world.server;
    assert!(Call::consume("before", OPEN, 4).granted(server).await.is_some());
    assert!(Call::reserve("much", OPEN, 7).granted(server).await.is_none(), "denied as always");
    assert!(!opened::check(server, OPEN, 1).await.unwrap().1);
    world.shared.redis.kill();

    let held = Call::reserve("r1", OPEN, 6).send(server).await.unwrap();
    let reservation = held.reservation.clone().unwrap();
    assert!(reservation.unenforced && reservation.state() == ReservationState::Held && !held.replayed);
    assert_eq!((reservation.committed[0].held, held.durability), (6, Durability::Journaled));
    let consumed = Call::consume("c1", OPEN, 8).granted(server).await.unwrap();
    assert!(consumed.unenforced && consumed.state() == ReservationState::Committed);
    let nameless = Call::consume("", OPEN, 1).granted(server).await.unwrap();
    assert!(nameless.unenforced && !nameless.reservation_id.is_empty());
    assert_eq!(opened::check(server, OPEN, 1000).await.unwrap(), (0, true), "allowed, and no limit is told");
    for call in [
        Call::reserve("s1", SHUT, 1),
        Call::consume("s2", SHUT, 1),
        Call::reserve("s3", OPEN, 1).and(SHUT, 1),
        Call::consume("s4", OPEN, 1).durable(),
        Call::consume("s5", OPEN, (1 << 53) + 1),
        Call::commit("s6", &[]),
        Call::release("s7"),
    ] {
        let refused = call.send(server).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "{call:?}: {refused:?}");
        assert!(refused.get_details_retry_info().is_some());
    }
    assert_eq!(opened::check(server, SHUT, 1).await.unwrap_err().code(), Code::Unavailable);

    // A repeat is one, also while Redis is away.
    let again = Call::reserve("r1", OPEN, 6).send(server).await.unwrap();
    assert_eq!((again.replayed, again.reservation), (true, Some(reservation)));
    let other = Call::reserve("r1", OPEN, 5).send(server).await.unwrap_err();
    assert_eq!(other.code(), Code::AlreadyExists, "{other:?}");

    // What was granted is settled, and so is what the caller says in full of a reservation that nobody here knows.
    let committed = Call::commit("r1", &[(OPEN, 5)]).granted(server).await.unwrap();
    assert_eq!((committed.state(), committed.committed[0].committed), (ReservationState::Committed, 5));
    assert!(Call::commit("r1", &[(OPEN, 5)]).send(server).await.unwrap().replayed);
    let second = Call::commit("r1", &[(OPEN, 4)]).send(server).await.unwrap_err();
    assert_eq!(second.code(), Code::FailedPrecondition, "{second:?}");
    assert!(Call::reserve("r2", OPEN, 3).granted(server).await.is_some());
    assert_eq!(Call::release("r2").granted(server).await.unwrap().state(), ReservationState::Released);
    assert!(Call::reserve("r3", OPEN, 2).granted(server).await.is_some());
    assert!(Call::commit("elsewhere", &[(OPEN, 2)]).granted(server).await.unwrap().unenforced);
    assert_eq!(opened::get(server, "r1").await.unwrap().state(), ReservationState::Committed);
    assert_eq!(opened::metric(server, "quotad_spool_entries"), 8);
    assert!(opened::metric(server, "quotad_unenforced_total") >= 10);

    world.back().await;
    let server = &world.server;
    let all = 4 + 8 + 1 + 5 + 2;
    assert_eq!(opened::figures(server, OPEN).await, (all, 2));
    assert!(Call::consume("after", OPEN, 1).granted(server).await.is_none(), "denied again");
    assert!(Call::consume("s2", SHUT, 1).granted(server).await.is_some(), "what was refused had no effect");
    for call in [Call::reserve("r1", OPEN, 6), Call::consume("c1", OPEN, 8), Call::commit("elsewhere", &[(OPEN, 2)])] {
        assert!(call.send(server).await.unwrap().replayed, "{call:?}");
    }
    assert!(opened::get(server, "r1").await.unwrap().unenforced && opened::get(server, "c1").await.unwrap().unenforced);
    assert_eq!(opened::figures(server, OPEN).await, (all, 2));
    assert!(Call::commit("r3", &[]).granted(server).await.is_some());
    assert_eq!(opened::metric(server, "quotad_spool_bytes"), 8, "emptied as a whole");
    world.verify(all + 2);
}

/// The spool survives the process that wrote it, also with a torn end; what was sent once is not sent with effect twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_replica_sends_after_what_it_granted() {
    let mut world = World::start(Options::new());
    world.shared.redis.kill();
    for n in 0..20 {
        assert!(Call::consume(&format!("c{n}"), OPEN, 1).granted(&world.server).await.is_some());
    }
    assert!(Call::reserve("short", OPEN, 3).seconds(1).granted(&world.server).await.is_some());
    assert!(Call::reserve("kept", OPEN, 5).seconds(1).granted(&world.server).await.is_some());
    assert!(Call::commit("kept", &[]).granted(&world.server).await.is_some());
    world.server.kill_hard();
    let spool = world.server.data_dir().join("spool/spool");
    let whole = fs::read(&spool).unwrap();
    File::options().append(true).open(&spool).unwrap().write_all(&[200, 0, 0, 0, 1, 2, 3]).unwrap();
    // Nothing is ready before Redis is.
    world.shared.redis.restart();
    world.server.restart();
    world.emptied().await;
    opened::until("the hold whose time is over has ended", || async {
        opened::get(&world.server, "short").await.is_ok_and(|found| found.state() == ReservationState::Expired)
    })
    .await;
    let kept = opened::get(&world.server, "kept").await.unwrap();
    assert!(kept.state() == ReservationState::Committed && !kept.late, "its commit came in time: {kept:?}");
    assert_eq!(opened::figures(&world.server, OPEN).await, (25, 0));

    // As if it had been killed before it could note what it had sent.
    world.server.kill_hard();
    fs::write(&spool, whole).unwrap();
    world.server.restart();
    world.emptied().await;
    assert_eq!(opened::figures(&world.server, OPEN).await, (25, 0));
    world.verify(25);
}

/// A full spool grants nothing more, and what it took is recorded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_spool_is_closed() {
    let mut world = World::start(Options::new().arg("--spool-bytes=3000"));
    world.shared.redis.kill();
    let mut taken = 0;
    let refused = loop {
        match Call::consume(&format!("c{taken}"), OPEN, 1).send(&world.server).await {
            Ok(_) => taken += 1,
            Err(refused) => break refused,
        }
        assert!(taken < 100);
    };
    assert!(taken > 1);
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("the spool is full"), "{refused:?}");
    assert!(Call::consume("c0", OPEN, 1).send(&world.server).await.unwrap().replayed, "a repeat needs no room");
    assert!(opened::metric(&world.server, "quotad_spool_refused_total") > 0);
    world.back().await;
    assert_eq!(opened::figures(&world.server, OPEN).await, (taken, 0));
}

/// A Redis that does not answer may still have done what it was sent: nothing counts twice once it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stops_in_its_tracks_counts_once() {
    let world = World::start(Options::new());
    assert!(Call::consume("", OPEN, 1).granted(&world.server).await.is_some());
    world.shared.redis.freeze();
    let mut names = Vec::new();
    for _ in 0..8 {
        let granted = Call::consume("", OPEN, 1).granted(&world.server).await.unwrap();
        assert!(granted.unenforced);
        names.push(granted.reservation_id);
    }
    world.shared.redis.thaw();
    world.emptied().await;
    assert_eq!(opened::figures(&world.server, OPEN).await, (9, 0));
    for name in &names {
        assert_eq!(opened::get(&world.server, name).await.unwrap().state(), ReservationState::Committed);
    }
    world.verify(9);
}

/// What was granted by a request id alone is the same again by it; parts are committed and given back one by one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_ids_and_parts_count_once() {
    let mut world = World::start(Options::new());
    world.shared.redis.kill();
    let named = Call::reserve("", OPEN, 9).request("q1");
    let id = named.granted(&world.server).await.unwrap().reservation_id;
    let again = named.send(&world.server).await.unwrap();
    assert!(again.replayed && again.reservation.unwrap().reservation_id == id);
    let other = Call::consume("x", OPEN, 1).request("q1").send(&world.server).await.unwrap_err();
    assert_eq!(other.code(), Code::AlreadyExists, "{other:?}");
    let part = Call::commit(&id, &[(OPEN, 2)]).part().request("q2");
    assert_eq!(part.granted(&world.server).await.unwrap().state(), ReservationState::PartiallyCommitted);
    assert!(part.send(&world.server).await.unwrap().replayed);
    let back = Call::release_part(&id, OPEN, 3);
    assert_eq!(back.granted(&world.server).await.unwrap().committed[0].held, 4);
    assert_eq!(back.granted(&world.server).await.unwrap().committed[0].held, 1);
    world.back().await;
    assert_eq!(opened::figures(&world.server, OPEN).await, (2, 1));
    assert!(named.send(&world.server).await.unwrap().replayed && part.send(&world.server).await.unwrap().replayed);
    assert!(Call::commit(&id, &[]).granted(&world.server).await.is_some());
    assert_eq!(opened::figures(&world.server, OPEN).await, (3, 0));
    world.verify(3);
}

/// A folder that somebody named is one server's alone; one that nobody named need not be usable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spool_is_one_servers_alone() {
    let (world, other) = (World::start(Options::new()), TempDir::new("other"));
    let (spool, data, url) =
        (world.server.data_dir().join("spool"), other.path().join("data"), world.shared.redis.url());
    let serve = ["serve", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--redis-url", &url];
    let folders = ["--data-dir", data.to_str().unwrap(), "--spool-dir", spool.to_str().unwrap()];
    let refused = cli(serve.iter().chain(&folders));
    assert!(refused.status == Some(1) && refused.stderr.contains("another quotad uses"), "{refused:?}");

    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("spool"), "not a folder").unwrap();
    let mut without = World::start_in(other);
    without.shared.redis.kill();
    let closed = Call::consume("c1", OPEN, 1).send(&without.server).await.unwrap_err();
    assert_eq!(closed.code(), Code::Unavailable);
    assert!(without.server.stderr().contains("no spool"), "{}", without.server.stderr());
}

/// No call overtakes what stands in the spool: as soon as Redis is back, what was granted can be settled there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_overtakes_the_spool() {
    let mut world = World::start(Options::new());
    world.shared.redis.kill();
    for n in 0..40 {
        assert!(Call::reserve(&format!("r{n}"), OPEN, 2).granted(&world.server).await.is_some());
    }
    world.shared.redis.restart();
    for n in (0..40).rev() {
        let call = if n % 2 == 0 { Call::commit(&format!("r{n}"), &[]) } else { Call::release(&format!("r{n}")) };
        let settled = opened::patiently(&call, &world.server).await;
        let state = if n % 2 == 0 { ReservationState::Committed } else { ReservationState::Released };
        assert_eq!(settled.reservation.unwrap().state(), state, "{n}");
    }
    world.emptied().await;
    assert_eq!(opened::figures(&world.server, OPEN).await, (40, 0));
}

/// What another replica recorded meanwhile under the same ids is not charged again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_replica_recorded_meanwhile_counts_once() {
    let (mut world, two) = World::pair(Options::new());
    world.shared.redis.kill();
    assert!(Call::reserve("r1", OPEN, 5).granted(&world.server).await.is_some());
    for server in [&world.server, &two] {
        assert!(Call::consume("both", OPEN, 3).granted(server).await.is_some());
    }
    world.server.kill_hard();
    world.shared.redis.restart();
    // Of what fails closed an answer says that Redis is there; before, the Commit would go into this replica's spool.
    opened::patiently(&Call::consume("there", SHUT, 1), &two).await;
    let recovered = opened::patiently(&Call::commit("r1", &[(OPEN, 5)]), &two).await.reservation.unwrap();
    assert!(recovered.recovered);
    world.server.restart();
    world.emptied().await;
    opened::emptied(&two).await;
    assert_eq!(opened::figures(&two, OPEN).await, (8, 0));
    assert_eq!(opened::figures(&world.server, OPEN).await, (8, 0));
}

/// What was granted before midnight counts in the day in which it was granted, although the store hears of it later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_counts_in_the_periods_in_which_it_was_granted() {
    let mut world = World::start(Options::new().test_clock());
    // In 2030: no clock goes back.
    let midnight = 22_000 * 86_400_000;
    world.server.set_clock(Timestamp::from_millis(midnight - 60_000)).await;
    assert!(Call::consume("before", DAY, 1).granted(&world.server).await.is_some());
    world.shared.redis.kill();
    assert!(Call::consume("yesterday", DAY, 7).granted(&world.server).await.is_some());
    world.server.set_clock(Timestamp::from_millis(midnight + 60_000)).await;
    assert!(Call::consume("today", DAY, 2).granted(&world.server).await.is_some());
    world.back().await;
    let windows = opened::windows(&world.server, DAY).await;
    assert_eq!(windows, [("lifetime".to_owned(), 10), ("day".to_owned(), 2)], "{USER}");
    world.verify(10);
}
