//! Deadlines: they name places, and a place may be another reservation's by the time one comes.

use super::super::tail::Tail;
use super::{Caps, Folder, INCARNATION, Partition, close, open_at};
use crate::domain::entry::{Effect, Kind};
use crate::domain::name::{IdKey, Uid};
use crate::domain::reservation::{Flags, Reservation, State};
use crate::domain::settlement;
use crate::domain::time::Timestamp;
use crate::engine::operation::Counters;
use crate::engine::ports::Clock;
use crate::store::clock::TestClock;
use std::collections::VecDeque;
use std::sync::Arc;

const TENANT: Uid = Uid(1);

/// A hold of nothing, from second 1,000 to another.
fn hold(key: u128, until: i64) -> Arc<Reservation> {
    Arc::new(Reservation {
        tenant: TENANT,
        tenant_name: "tenants/a".into(),
        id: format!("r{key}").into(),
        key: IdKey(key),
        fingerprint: 1,
        state: State::Held,
        flags: Flags::default(),
        create_time: second(1_000),
        expire_time: second(until),
        charges: Vec::new(),
        labels: Vec::new(),
        requests: Vec::new(),
    })
}

fn second(number: i64) -> Timestamp {
    Timestamp::from_millis(1000 * number)
}

fn end(partition: &mut Partition, key: u128) {
    let open = partition.ids.open.get(&IdKey(key)).unwrap().clone();
    partition.settle(&open, settlement::expire(&open), Kind::Release, None);
}

/// Moves the time on, and answers which of these are still open then.
fn left(partition: &mut Partition, until: i64, keys: &[u128]) -> Vec<u128> {
    partition.tick(second(until));
    partition.reap(100);
    keys.iter().copied().filter(|key| partition.ids.open.get(&IdKey(*key)).is_some()).collect()
}

#[test]
fn a_deadline_of_one_that_has_ended_leaves_the_next_one_in_its_place_alone() {
    for (first, next) in [(1_010, 1_020), (1_020, 1_010)] {
        let mut partition = Partition::new(0, Tail::new(0, 0, VecDeque::new()), Caps::default());
        partition.tick(second(1_000));
        partition.open(hold(1, first));
        let place = partition.ids.open.place(&IdKey(1));
        end(&mut partition, 1);
        partition.open(hold(2, next));
        assert_eq!(partition.ids.open.place(&IdKey(2)), place, "the same place");
        assert_eq!(left(&mut partition, next - 1, &[1, 2]), [2]);
        assert!(left(&mut partition, next, &[1, 2]).is_empty());
        assert_eq!(left(&mut partition, 1_030, &[1, 2]), [0; 0]);
        assert_eq!(partition.figures().open_reservations, 0);
    }
}

#[test]
fn one_that_was_extended_ends_at_its_new_deadline() {
    let mut partition = Partition::new(0, Tail::new(0, 0, VecDeque::new()), Caps::default());
    partition.tick(second(1_000));
    let before = hold(1, 1_010);
    partition.open(before.clone());
    let longer = settlement::extend(&before, second(1_020), &[]).unwrap();
    partition.settle(&before, longer, Kind::Extend, None);
    assert_eq!((left(&mut partition, 1_010, &[1]), left(&mut partition, 1_019, &[1])), (vec![1], vec![1]));
    assert!(left(&mut partition, 1_020, &[1]).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_back_at_a_start_ends_in_time_from_the_ledger_and_from_the_journal() {
    let folder = Folder::new();
    let clock = Arc::new(TestClock::new(second(1_000)));
    let (embedded, ledger) = open_at(&folder.0, 1, clock.clone()).await;
    let reserve = async |key| {
        let reservation = Some(hold(key, 1_100));
        let time = clock.now();
        let (kind, lines) = (Kind::Reserve, Vec::new());
        let effect =
            Effect { tenant: TENANT, time, catalog_version: 0, kind, request: None, reservation, lines, note: None };
        let seq = embedded.counters.with(0, |partition| partition.tail.push(effect)).unwrap();
        embedded.counters.written(0, seq - 1).await;
    };
    reserve(1).await;
    let entries = embedded.counters.read(0, 0, 10).await.unwrap();
    ledger.append(0, INCARNATION, &entries).await.unwrap();
    reserve(2).await;
    close(embedded).await;

    let (embedded, _ledger) = open_at(&folder.0, 1, clock.clone()).await;
    let open = || embedded.counters.figures(0).open_reservations;
    assert_eq!((embedded.counters.expire(0, 100).await.unwrap(), open()), (0, 2));
    clock.set(second(1_100));
    assert_eq!((embedded.counters.expire(0, 100).await.unwrap(), open()), (2, 0));
    close(embedded).await;
}
