//! Lifetimes of a counter store: the watermark moves once, what lay between is lost. What open reservations hold.

use super::support::{Place, counter, entries, in_state, line, of, on_both, reservation};
use crate::domain::entry::{Effect, Kind};
use crate::domain::reservation::{Reservation, State};
use crate::domain::time::{Period, Timestamp};
use crate::engine::ports::{Ledger, LedgerHold, StoreError, UsageQuery, Watermark};
use crate::store::database::DatabaseLedger;
use crate::store::database::connection::Product;

on_both!(an_incarnation_begins_once_and_tells_what_was_lost, open_reservations_tell_what_they_hold,);

const USER: &str = "tenants/acme/users/u1";

fn at(incarnation: u64, seq: u64) -> Watermark {
    Watermark { incarnation, seq }
}

async fn an_incarnation_begins_once_and_tells_what_was_lost(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    assert!(ledger.open_incarnation(0, at(0, 0), at(1, 0)).await.unwrap());
    assert!(!ledger.open_incarnation(0, at(0, 0), at(2, 0)).await.unwrap(), "another was first");
    assert_eq!(ledger.lost(0).await.unwrap(), []);
    let one = of(&reservation("a", USER, 1_000), Kind::Reserve, 1_000);
    ledger.append(0, 1, &entries(1, vec![one.clone()])).await.unwrap();
    assert!(ledger.open_incarnation(0, at(1, 1), at(2, 7)).await.unwrap());
    assert_eq!(ledger.watermark(0).await.unwrap(), at(2, 7));
    assert_eq!(ledger.append(0, 2, &entries(8, vec![one.clone()])).await.unwrap().watermark, at(2, 8));
    assert!(ledger.open_incarnation(0, at(2, 8), at(3, 9)).await.unwrap());
    assert_eq!(ledger.lost(0).await.unwrap(), [(2, 7), (9, 9)]);
    assert_eq!(ledger.lost(1).await.unwrap(), [], "another partition's are its own");
    assert!(matches!(ledger.append(0, 2, &entries(9, vec![one])).await, Err(StoreError::Corrupt(_))), "too old");
    for back in [at(3, 10), at(4, 8)] {
        assert!(matches!(ledger.open_incarnation(0, at(3, 9), back).await, Err(StoreError::Corrupt(_))));
    }
}

/// The same reservation with another amount held, of which a part stands in the user's top-up.
fn holding(id: &str, created: i64, held: u64, top_up: u64) -> Reservation {
    let mut one = reservation(id, USER, created);
    one.charges[0].held = held;
    one.charges[0].path.part_mut(1).unwrap().held = top_up;
    one
}

fn effect(one: &Reservation) -> Effect {
    let line = line(USER, one.create_time.millis(), 0, 0);
    Effect { lines: vec![line], ..of(one, Kind::Reserve, one.create_time.millis()) }
}

async fn open_reservations_tell_what_they_hold(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    let (a, b) = (holding("a", 1_000, 5, 0), holding("b", 2_000, 7, 3));
    let gone = in_state(&holding("c", 3_000, 0, 0), State::Committed);
    let elsewhere = reservation("d", "tenants/acme/users/u2", 4_000);
    let all: Vec<Effect> = [&a, &b, &gone, &elsewhere].into_iter().map(effect).collect();
    ledger.append(0, 1, &entries(1, all)).await.unwrap();
    let ask = |account, holds| UsageQuery { counter: counter(account), period: Period::ALWAYS, step: None, holds };
    let queries = [ask(USER, true), ask(USER, false), ask("tenants/acme", true), ask("tenants/none", true)];
    let (_, mut answers) = ledger.usage(0, &queries).await.unwrap();
    answers.iter_mut().for_each(|answer| answer.holds.sort_by_key(|hold| hold.at));
    let hold = |at, held, top_up| LedgerHold { at: Timestamp::from_millis(at), held, top_up };
    assert_eq!(answers[0].holds, [hold(1_000, 5, 0), hold(2_000, 7, 3)]);
    assert_eq!(answers[1].holds, [], "not asked");
    assert_eq!(answers[2].holds, [hold(1_000, 5, 0), hold(2_000, 7, 0), hold(4_000, 5, 0)]);
    assert_eq!(answers[3].holds, []);
}
