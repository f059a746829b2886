//! Replicas hear of changes of the catalog from the database. Their poll is a day here, so that nothing else tells them; the writer
//! dies before it raises the version in Redis, so that no decision tells them either.

use super::recovery_catalog::{World, would_fit};
use crate::support::redis::until;
use crate::support::{Options, Server};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// The version that a replica follows.
const FOLLOWED: &str = "quotad_catalog_version";
/// Whether it hears.
const HEARS: &str = "quotad_backend_up{backend=\"listener\"}";
/// The connections that listen.
const LISTENING: &str = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";

fn seldom(options: Options, _: &str) -> Options {
    options.arg("--catalog-poll-seconds").arg("86400")
}

fn database(world: &World) -> &str {
    world.url.rsplit_once('/').unwrap().1
}

fn all_hear(world: &World) {
    for server in [&world.one, &world.other] {
        until("it hears", || server.metric(HEARS) == 1);
    }
}

/// All follow the version, and the lowered limit binds.
async fn all_follow(world: &World, version: u64) {
    for server in [&world.one, &world.other] {
        until("the change is followed", || server.metric(FOLLOWED) == version);
        assert!(!would_fit(server).await, "the old limit is still in force");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_heard_of_at_once() {
    let world = World::new("heard:", seldom).await;
    all_hear(&world);
    all_follow(&world, world.lower(10).await).await;
    all_follow(&world, world.lower(9).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_while_nobody_heard_is_found_when_they_hear_again() {
    let world = World::new("deaf:", seldom).await;
    all_hear(&world);
    let ended = world.postgres.sql(database(&world), &format!("SELECT pg_terminate_backend(pid) {LISTENING}"));
    assert_eq!(ended, "t\nt", "each replica listens with one connection");
    // Told to nobody, or to those who hear again by now.
    all_follow(&world, world.lower(10).await).await;
    all_hear(&world);
    for server in [&world.one, &world.other] {
        let lost = server.stderr().matches("changes of the catalog are not heard of").count();
        assert_eq!(lost, 1, "{}", server.stderr());
    }
    all_follow(&world, world.lower(9).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_database_is_heard_again() {
    let mut world = World::new("restart:", seldom).await;
    all_hear(&world);
    world.postgres.stop_immediately();
    for server in [&world.one, &world.other] {
        until("the loss is seen", || server.metric(HEARS) == 0);
    }
    world.postgres.start_again();
    all_follow(&world, world.lower(10).await).await;
    all_hear(&world);
}

/// As behind a pooler that gives each transaction another connection: LISTEN is taken, and nothing is ever heard.
#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_heard_the_poll_finds_it() {
    let through = |options: Options, url: &str| {
        let (server, database) = url.rsplit_once('/').unwrap();
        let port = server.rsplit_once(':').unwrap().1.parse().unwrap();
        let url = format!("postgres://quotad@127.0.0.1:{}/{database}?sslmode=disable", deafening(port));
        options.database(&url).arg("--catalog-poll-seconds").arg("1")
    };
    let world = World::new("pooler:", through).await;
    let deaf = |server: &Server| server.stderr().contains("a pooler between does not carry notifications");
    for server in [&world.one, &world.other] {
        until("it is told", || deaf(server));
        assert_eq!(server.metric(HEARS), 0);
    }
    all_follow(&world, world.lower(10).await).await;
}

/// The port of a proxy that carries all but notifications, as long as the test runs.
fn deafening(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A server that is gone ends the connection and nothing else.
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
            let (mut to, mut from) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || {
                while carry(&mut from, &mut to).is_ok() {}
                // Either may be closed already.
                let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            });
            let (mut from, mut to) = (client, server);
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            });
        }
    });
    ours
}

/// Carries one message of PostgreSQL: a letter, a length that counts itself, and the rest.
fn carry(from: &mut TcpStream, to: &mut TcpStream) -> std::io::Result<()> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    let mut rest = vec![0; length as usize - 4];
    from.read_exact(&mut rest)?;
    if head[0] == b'A' {
        return Ok(());
    }
    to.write_all(&[head.as_slice(), &rest].concat())
}
