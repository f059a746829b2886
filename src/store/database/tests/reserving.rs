//! Reservations and request ids: round trips, lists, late repeats, pruning.

use super::support::{Place, effect, entries, in_state, of, on_both, reservation, tenant};
use crate::domain::entry::{Effect, Kind, RequestStamp};
use crate::domain::meter::Family;
use crate::domain::name::{IdKey, IdSpace};
use crate::domain::reservation::{Reservation, State};
use crate::domain::time::{Span, Timestamp};
use crate::engine::ports::{Ledger, ReservationFilter};
use crate::store::database::DatabaseLedger;
use crate::store::database::connection::Product;

on_both!(
    the_last_record_stays,
    lists_go_page_by_page_newest_first,
    a_repeat_that_came_too_late_is_told_and_leaves_the_first,
    a_repeat_in_the_same_batch_is_told_too,
    another_content_under_a_known_id_is_no_repeat,
    a_late_repeat_by_request_id_alone_is_told_once,
    a_request_id_keeps_its_first_outcome,
    pruning_forgets_what_ended_long_ago_and_occupies_nothing,
);

const U1: &str = "tenants/acme/users/u1";
const U2: &str = "tenants/acme/users/u2";

async fn ids(ledger: &DatabaseLedger, filter: &ReservationFilter) -> Vec<String> {
    let found = ledger.list_reservations(tenant(), filter).await.unwrap();
    found.iter().map(|one| one.id.to_string()).collect()
}

fn stamped(mut effect: Effect, request: &str, reservation: &Reservation, amounts: &[u64]) -> Effect {
    let key = IdKey::of(tenant(), IdSpace::Request, request);
    let reservation = Some(reservation.key);
    effect.request = Some(RequestStamp { key, fingerprint: u64::MAX - 1, reservation, amounts: amounts.to_vec() });
    effect
}

async fn the_last_record_stays(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    let (a, b) = (reservation("a", U1, 1_000), reservation("b", U2, 2_000));
    let done = in_state(&a, State::Committed);
    let batch = vec![of(&a, Kind::Reserve, 1_000), of(&b, Kind::Reserve, 2_000), of(&done, Kind::Commit, 3_000)];
    assert!(ledger.append(5, 1, &entries(1, batch)).await.unwrap().repeated.is_empty());
    let unknown = IdKey(9);
    let found = ledger.reservations(tenant(), &[b.key, unknown, a.key, b.key]).await.unwrap();
    assert_eq!(found, [Some(b.clone()), None, Some(done.clone()), Some(b.clone())]);
    assert_eq!(ledger.open_reservations(5).await.unwrap(), std::slice::from_ref(&b));
    assert!(ledger.open_reservations(4).await.unwrap().is_empty());
    let released = in_state(&b, State::Released);
    ledger.append(5, 1, &entries(4, vec![of(&released, Kind::Release, 4_000)])).await.unwrap();
    assert!(ledger.open_reservations(5).await.unwrap().is_empty());
    assert_eq!(ledger.reservations(tenant(), &[b.key]).await.unwrap(), [Some(released)]);
}

async fn lists_go_page_by_page_newest_first(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    let mut batch = Vec::new();
    for number in 0..30 {
        // Three of each time, so that a page ends among equal times.
        let account = if number % 2 == 0 { U1 } else { U2 };
        let one = reservation(&format!("r{number}"), account, 1_000 + number / 3);
        let state = if number % 5 == 0 { State::Committed } else { State::Held };
        batch.push(of(&in_state(&one, state), Kind::Reserve, 1_000));
    }
    ledger.append(0, 1, &entries(1, batch.clone())).await.unwrap();
    for (account, states, count) in [
        (None, vec![], 30),
        (None, vec![State::Held, State::Parked], 24),
        (None, vec![State::Committed, State::Held], 30),
        (None, vec![State::Committed], 6),
        (Some("tenants/acme"), vec![], 30),
        (Some(U2), vec![], 15),
        (Some(U2), vec![State::Committed], 3),
        (Some("tenants/acme/users/none"), vec![], 0),
    ] {
        let account = account.map(String::from);
        let whole = ReservationFilter { account, states, after: None, limit: 100 };
        let all = ledger.list_reservations(tenant(), &whole).await.unwrap();
        assert_eq!(all.len(), count, "{whole:?}");
        assert!(all.is_sorted_by_key(|one| std::cmp::Reverse((one.create_time, one.key))));
        let mut paged = Vec::new();
        let mut filter = ReservationFilter { limit: 4, ..whole.clone() };
        loop {
            let page = ledger.list_reservations(tenant(), &filter).await.unwrap();
            let Some(last) = page.last() else { break };
            filter.after = Some((last.create_time, last.key));
            paged.extend(page);
        }
        assert_eq!(paged, all, "{whole:?}");
    }
    let other = ledger.list_reservations(crate::domain::name::Uid(1), &ReservationFilter::default()).await.unwrap();
    assert!(other.is_empty(), "another tenant's");
}

async fn a_repeat_that_came_too_late_is_told_and_leaves_the_first(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    let first = in_state(&reservation("a", U1, 1_000), State::Committed);
    ledger.append(0, 1, &entries(1, vec![of(&first, Kind::Reserve, 1_000)])).await.unwrap();
    let again = reservation("a", U1, 9_000);
    let appended = ledger.append(0, 1, &entries(2, vec![of(&again, Kind::Reserve, 9_000)])).await.unwrap();
    assert_eq!(appended.repeated.len(), 1);
    assert_eq!((appended.repeated[0].tenant, &*appended.repeated[0].reservation), (tenant(), &again));
    assert_eq!(ledger.repeated(0).await.unwrap(), appended.repeated, "kept until it is undone");
    // What happens to the repeat meanwhile does not touch the first either.
    let committed = in_state(&again, State::PartiallyCommitted);
    let appended = ledger.append(0, 1, &entries(3, vec![of(&committed, Kind::Commit, 9_100)])).await.unwrap();
    assert!(appended.repeated.is_empty());
    assert_eq!(ledger.reservations(tenant(), &[first.key]).await.unwrap(), [Some(first.clone())]);
    assert!(ledger.open_reservations(0).await.unwrap().is_empty());
    let undone = in_state(&again, State::Released);
    ledger.append(0, 1, &entries(4, vec![of(&undone, Kind::Reverse, 9_200)])).await.unwrap();
    assert!(ledger.repeated(0).await.unwrap().is_empty());
    assert_eq!(ledger.reservations(tenant(), &[first.key]).await.unwrap(), [Some(first)]);
}

async fn a_repeat_in_the_same_batch_is_told_too(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    let (first, again) = (reservation("a", U1, 1_000), reservation("a", U1, 9_000));
    let batch = vec![of(&first, Kind::Reserve, 1_000), of(&again, Kind::Consume, 9_000)];
    assert_eq!(ledger.append(0, 1, &entries(1, batch)).await.unwrap().repeated.len(), 1);
    assert_eq!(ledger.open_reservations(0).await.unwrap(), [first]);
}

async fn another_content_under_a_known_id_is_no_repeat(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    let first = in_state(&reservation("a", U1, 1_000), State::Committed);
    ledger.append(0, 1, &entries(1, vec![of(&first, Kind::Reserve, 1_000)])).await.unwrap();
    let altered = Reservation { fingerprint: 8, ..reservation("a", U1, 9_000) };
    let line = super::support::line(U1, 9_000, 5, 0);
    let granted = Effect { lines: vec![line], ..of(&altered, Kind::Consume, 9_000) };
    let appended = ledger.append(0, 1, &entries(2, vec![granted])).await.unwrap();
    assert_eq!((appended.repeated, ledger.repeated(0).await.unwrap()), (vec![], vec![]), "it was granted and counts");
    assert_eq!(ledger.reservations(tenant(), &[first.key]).await.unwrap(), [Some(first)], "the first row stays");
    let query = crate::engine::ports::UsageQuery {
        counter: super::support::counter(U1),
        period: crate::domain::time::Period::ALWAYS,
        step: None,
        holds: false,
    };
    assert_eq!(ledger.usage(0, &[query]).await.unwrap().1[0].used.total, 5);
    // In one batch likewise.
    let (b, other) = (reservation("b", U1, 1_000), Reservation { fingerprint: 8, ..reservation("b", U1, 9_000) });
    let batch = vec![of(&b, Kind::Reserve, 1_000), of(&other, Kind::Reserve, 9_000)];
    assert_eq!(ledger.append(0, 1, &entries(3, batch)).await.unwrap().repeated, []);
}

async fn a_late_repeat_by_request_id_alone_is_told_once(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    let consume = |one: &Reservation, request, fingerprint: u64| {
        let mut effect = stamped(of(one, Kind::Consume, one.create_time.millis()), request, one, &[]);
        if let Some(stamp) = &mut effect.request {
            stamp.fingerprint = fingerprint;
        }
        effect
    };
    let (first, again, other) = (reservation("a", U1, 1_000), reservation("b", U1, 9_000), reservation("c", U1, 9_000));
    ledger.append(0, 1, &entries(1, vec![consume(&first, "q", 3)])).await.unwrap();
    let later = vec![consume(&again, "q", 3), consume(&other, "q", 4)];
    let appended = ledger.append(0, 1, &entries(2, later)).await.unwrap();
    let told: Vec<_> = appended.repeated.iter().map(|one| &*one.reservation).collect();
    assert_eq!(told, [&again], "not the one with another content");
    assert_eq!(ledger.repeated(0).await.unwrap(), appended.repeated);
    let undone = in_state(&again, State::Released);
    let reverse = of(&undone, Kind::Reverse, 9_500);
    assert_eq!(ledger.append(0, 1, &entries(4, vec![reverse])).await.unwrap().repeated, []);
    assert_eq!(ledger.repeated(0).await.unwrap(), []);
    assert_eq!(ledger.reservations(tenant(), &[again.key]).await.unwrap(), [Some(undone)]);
    // Both uses in one batch.
    let (d, e) = (reservation("d", U1, 10_000), reservation("e", U1, 11_000));
    let appended = ledger.append(0, 1, &entries(5, vec![consume(&d, "p", 3), consume(&e, "p", 3)])).await.unwrap();
    assert_eq!(appended.repeated.len(), 1);
    assert_eq!(*appended.repeated[0].reservation, e);
}

async fn a_request_id_keeps_its_first_outcome(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    let (a, b) = (reservation("a", U1, 1_000), reservation("b", U1, 1_000));
    let plain = |time| effect(Kind::Free, time, Vec::new());
    ledger.append(0, 1, &entries(1, vec![stamped(plain(1), "q", &a, &[3, u64::MAX])])).await.unwrap();
    let second = vec![stamped(plain(2), "q", &b, &[]), stamped(of(&b, Kind::Reserve, 3), "p", &b, &[])];
    ledger.append(0, 1, &entries(2, second)).await.unwrap();
    let key = |text| IdKey::of(tenant(), IdSpace::Request, text);
    let found = ledger.requests(tenant(), &[key("p"), key("none"), key("q")]).await.unwrap();
    let (p, q) = (found[0].clone().unwrap(), found[2].clone().unwrap());
    assert_eq!(found[1], None);
    assert_eq!((p.kind, p.reservation, p.amounts), (Kind::Reserve as u8, Some(b.key), vec![]));
    assert_eq!((q.kind, q.reservation, q.amounts), (Kind::Free as u8, Some(a.key), vec![3, u64::MAX]));
    assert_eq!(q.fingerprint, u64::MAX - 1);
}

async fn pruning_forgets_what_ended_long_ago_and_occupies_nothing(product: Product) {
    let place = Place::new(product).await;
    let ledger = DatabaseLedger::new(place.database().await);
    let mut stored = in_state(&reservation("stored", U1, 1_000), State::Committed);
    stored.charges[0].rules.family = Family::Allocation;
    stored.charges[0].committed = 5;
    let ended = in_state(&reservation("ended", U1, 1_000), State::Released);
    let open = reservation("open", U1, 1_000);
    let batch = vec![
        stamped(of(&stored, Kind::Consume, 1_000), "q1", &stored, &[]),
        of(&ended, Kind::Reserve, 1_000),
        of(&open, Kind::Reserve, 1_000),
        of(&in_state(&reservation("late", U1, 1_000), State::Expired), Kind::Expire, 90_000_000),
    ];
    ledger.append(0, 1, &entries(1, batch)).await.unwrap();
    let days = |days: i64| Timestamp::from_millis(1_000) + Span::from_secs(days * 86_400);
    assert_eq!(ledger.prune(days(35)).await.unwrap(), 0, "not older than 35 days");
    assert_eq!(ledger.prune(days(35) + Span::from_millis(1)).await.unwrap(), 2, "one reservation and one request id");
    assert_eq!(ledger.prune(days(35) + Span::from_millis(1)).await.unwrap(), 0);
    for account in [None, Some(U1)] {
        let filter =
            ReservationFilter { account: account.map(String::from), limit: 10, ..ReservationFilter::default() };
        let mut left = ids(&ledger, &filter).await;
        left.sort();
        assert_eq!(left, ["late", "open", "stored"]);
    }
    let freed = Reservation { charges: vec![], ..stored.clone() };
    ledger.append(0, 1, &entries(5, vec![of(&freed, Kind::Free, days(40).millis())])).await.unwrap();
    assert_eq!(ledger.prune(days(60)).await.unwrap(), 1, "the late one; what was freed counts from then");
    assert_eq!(ledger.prune(days(76)).await.unwrap(), 1);
    assert_eq!(ledger.open_reservations(0).await.unwrap(), [open]);
}
