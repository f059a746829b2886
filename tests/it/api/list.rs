//! `GetReservation` and `ListReservations`: pages, filters, tokens.

use super::helpers::*;
use quotad::proto::v1::*;
use tonic::Code::{InvalidArgument, NotFound};

fn list() -> ListReservationsRequest {
    ListReservationsRequest { tenant: TENANT.into(), ..Default::default() }
}

fn ids(response: &ListReservationsResponse) -> Vec<&str> {
    response.reservations.iter().map(|reservation| reservation.reservation_id.as_str()).collect()
}

/// All pages of a question, each of at most `size`.
async fn pages(api: &Api, question: ListReservationsRequest, size: i32) -> Vec<String> {
    let mut all = Vec::new();
    let mut request = ListReservationsRequest { page_size: size, ..question };
    loop {
        let page = api.list_reservations(request.clone()).await.unwrap();
        assert!(page.reservations.len() <= size as usize);
        all.extend(ids(&page).into_iter().map(str::to_owned));
        if page.next_page_token.is_empty() {
            return all;
        }
        assert_eq!(page.reservations.len(), size as usize, "a page before the last is full");
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn newest_first_in_pages_of_any_size() {
    let api = Api::start().await;
    assert_eq!(api.list_reservations(list()).await.unwrap(), ListReservationsResponse::default());
    let mut expected = Vec::new();
    for n in 0..60 {
        // Three in each second, so that some share their time.
        api.clock(n / 3).await;
        let id = format!("r{n}");
        api.hold(&id, vec![charge(&format!("tenants/acme/bots/b{n}"), "job.calls", 1)]).await;
        expected.push((n / 3, id));
    }
    for size in [1, 7, 59, 60, 1000] {
        let listed = pages(&api, list(), size).await;
        assert_eq!(listed.len(), 60, "{size}");
        let second = |id: &String| expected.iter().find(|(_, known)| known == id).unwrap().0;
        assert!(listed.is_sorted_by(|a, b| second(a) >= second(b)), "{size}: {listed:?}");
        let mut distinct = listed.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 60, "{size}: each once");
    }
    assert_eq!(api.list_reservations(list()).await.unwrap().reservations.len(), 50, "50 where no size is given");

    // What comes while somebody turns pages moves nothing that is still to come.
    let first = api.list_reservations(ListReservationsRequest { page_size: 30, ..list() }).await.unwrap();
    api.hold("new", runs("a", 1)).await;
    let second = ListReservationsRequest { page_size: 30, page_token: first.next_page_token.clone(), ..list() };
    let second = api.list_reservations(second).await.unwrap();
    assert!(ids(&second).iter().all(|id| !ids(&first).contains(id) && *id != "new"));
    assert_eq!((second.reservations.len(), second.next_page_token.as_str()), (30, ""));
}

#[tokio::test]
async fn filters() {
    let api = Api::start().await;
    api.hold("held", runs("a", 1)).await;
    api.hold("also", vec![Charge { also: vec!["tenants/acme/projects/p1".into()], ..runs("b", 1).remove(0) }]).await;
    api.used("used", runs("a", 1)).await;
    api.hold("released", runs("a", 1)).await;
    api.release(release("released")).await.unwrap();
    api.hold("below", vec![charge("tenants/acme/users/a/jobs/j", "job.runs", 1)]).await;
    api.hold("not-below", vec![charge("tenants/acme/users/ab", "job.runs", 1)]).await;

    let question = |account: &str, states: &[ReservationState]| ListReservationsRequest {
        account: account.into(),
        states: states.iter().map(|state| (*state).into()).collect(),
        ..list()
    };
    use ReservationState::{Committed, Held, Parked, Released};
    let cases: [(&str, &[ReservationState], &[&str]); 6] = [
        (&user("a"), &[], &["below", "held", "released", "used"]),
        (&user("a"), &[Held], &["below", "held"]),
        ("", &[Committed, Released], &["released", "used"]),
        ("", &[Parked], &[]),
        (TENANT, &[Held], &["also", "below", "held", "not-below"]),
        ("tenants/acme/users/zoe", &[], &[]),
    ];
    for (account, states, expected) in cases {
        for size in [1, 50] {
            let mut found = pages(&api, question(account, states), size).await;
            found.sort();
            assert_eq!(found, expected, "{account} {states:?} {size}");
        }
    }
    for (states, expected) in [(vec![99], vec!["states[0]"]), (vec![1, 0, -1], vec!["states[1]", "states[2]"])] {
        let fault = refused(api.list_reservations(ListReservationsRequest { states, ..list() }).await);
        assert_eq!((fault.code, fault.names()), (InvalidArgument, expected), "{fault:?}");
    }
}

#[tokio::test]
async fn one_reservation_in_every_state() {
    let api = Api::start().await;
    let held = api.hold("r", runs("a", 3)).await;
    assert_eq!(api.get("r").await, held);
    let part = CommitRequest { request_id: "q".into(), r#final: Some(false), ..commit("r", runs("a", 1)) };
    let parted = api.commit(part).await.unwrap().reservation.unwrap();
    assert_eq!(api.get("r").await, parted);
    let listed = api.list_reservations(list()).await.unwrap();
    assert_eq!(listed.reservations, [parted]);
    let get = GetReservationRequest { tenant: TENANT.into(), reservation_id: "none".into() };
    assert_eq!(refused(api.get_reservation(get).await).kind(), (NotFound, "RESERVATION_NOT_FOUND"));
}
