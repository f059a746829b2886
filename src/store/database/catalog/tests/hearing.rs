//! A catalog hears what another process writes, and knows when it does not hear any more.

use super::helpers::{World, request};
use crate::engine::ports::{CatalogNews, CatalogStore};
use crate::store::database::connection::Product;
use crate::store::database::listen::Patience;
use std::process::Command;
use std::time::Duration;

/// The connections that listen.
const LISTENING: &str =
    "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
const METERS: &str = "meters: [{name: m}]\n";
const QUOTA: &str = "quotas: [{subject: tenants/a, meter: m, limits: {day: 1}}]\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wrote_what_is_heard_in_order() {
    let world = World::new(Product::Postgres).await;
    let other = world.beside().await;
    let listening = tokio::spawn(world.store.listener().run());
    assert_eq!(world.store.changed().await, CatalogNews::Anything, "it hears from here on");
    other.apply(request(None, METERS)).await.unwrap();
    assert_eq!(world.store.changed().await, CatalogNews::Written(vec![(None, 1)]));
    // What is found so already is no write, and its version is drawn again.
    other.apply(request(None, METERS)).await.unwrap();
    other.apply(request(Some("tenants/a"), QUOTA)).await.unwrap();
    assert_eq!(world.store.changed().await, CatalogNews::Written(vec![(Some("tenants/a".into()), 2)]));
    let both = "meters: [{name: n}]\ntenants: [{name: tenants/b, quotas: [{subject: tenants/b, meter: m, limits: {day: 1}}]}]\n";
    other.apply(request(None, both)).await.unwrap();
    assert_eq!(world.store.changed().await, CatalogNews::Anything, "of more than one");
    listening.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_silent_for_good_is_left_for_another() {
    let world = World::new(Product::Postgres).await;
    let patience = Patience { silence: Duration::from_millis(200), answer: Duration::from_secs(2) };
    let listening = tokio::spawn(world.store.listener_with(patience).run());
    assert_eq!(world.store.changed().await, CatalogNews::Anything);
    let before = world.rows(LISTENING).await;
    assert_eq!(before.len(), 1);
    // As if the way there were cut without a word.
    let signal = |signal: &str| assert!(Command::new("kill").args([signal, &before[0]]).status().unwrap().success());
    signal("-STOP");
    let heard = world.store.changed().await;
    let now = world.rows(LISTENING).await;
    signal("-CONT");
    assert_eq!(heard, CatalogNews::Anything);
    assert!(now.iter().any(|pid| *pid != before[0]), "{now:?}");
    world.beside().await.apply(request(None, METERS)).await.unwrap();
    assert_eq!(world.store.changed().await, CatalogNews::Written(vec![(None, 1)]));
    listening.abort();
}

#[tokio::test]
async fn where_nobody_else_writes_there_is_nothing_to_hear() {
    let world = World::new(Product::Sqlite).await;
    world.store.listener().run().await;
    world.apply(METERS).await;
    let heard = world.store.changed();
    tokio::select! {
        biased;
        news = heard => panic!("{news:?}"),
        () = tokio::task::yield_now() => {}
    }
}
