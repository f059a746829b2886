//! Sixty-four connections: a limit of 10,000 over three levels grants 10,000, neither more nor less, by one server and by
//! three replicas.

use super::history::History;
use super::place::Place;
use quotad::proto::v1::{
    Charge, CommitRequest, ReserveRequest, quota_service_client::QuotaServiceClient, reserve_response,
};
use std::time::Instant;
use tokio::task::JoinSet;
use tonic::transport::Channel;

/// How many at once.
pub(super) const CONNECTIONS: usize = 64;
/// What a connection takes at once.
pub(super) const MOST: i64 = 4;
/// Whose limit it is.
pub(super) const TENANT: &str = "tenants/race";
pub(super) const LIMIT: i64 = 10_000;
/// A limit below the tenant's share of that user, which binds first.
const LESSER: i64 = 100;
/// The limits.
pub(super) const CATALOG: &str = "
meters:
  - {name: runs, unit: run}
tenants:
  - name: tenants/race
    quotas:
      - {subject: tenants/race, meter: runs, limits: {lifetime: 10_000, month: 1_000_000}}
      - {subject: tenants/race/subtenants/-, meter: runs, limits: {lifetime: 20_000}}
      - {subject: tenants/race/subtenants/-/users/-, meter: runs, limits: {lifetime: 15_000}}
      - {subject: tenants/race/subtenants/s/users/u0, meter: runs, limits: {lifetime: 100}}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_ten_thousand_grants_exactly_ten_thousand() {
    race(Place::embedded(CATALOG)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_grant_exactly_ten_thousand() {
    race(Place::replicas(CATALOG)).await;
}

/// Every connection takes what it gets until not even 1 is left; then all of it is committed elsewhere.
async fn race(mut place: Place) {
    let begin = Instant::now();
    let mut clients = JoinSet::new();
    for connection in 0..CONNECTIONS {
        // Eight users, so that eight connections meet on each user's counter too.
        clients.spawn(take(place.quota(connection), user(connection % 8)));
    }
    let granted = clients.join_all().await;
    let sum = |granted: &[Vec<(String, i64)>]| granted.iter().flatten().map(|(_, amount)| amount).sum::<i64>();
    println!("races: {} granted to {CONNECTIONS} connections in {:?}", sum(&granted), begin.elapsed());
    assert_eq!(sum(&granted), LIMIT);
    check(&place, |figures| (figures.held, figures.used)).await;

    let mut commits = JoinSet::new();
    for (connection, granted) in granted.into_iter().enumerate() {
        commits.spawn(commit(place.quota(connection + 1), granted));
    }
    commits.join_all().await;
    check(&place, |figures| (figures.used, figures.held)).await;
    check_history(&place.end().await);
}

/// The ledger says so too, entry by entry.
pub(super) fn check_history(history: &History) {
    let sums = history.replay(|account, _| (account == TENANT).then_some(LIMIT));
    assert_eq!(sums[TENANT], (LIMIT, 0), "by the entries");
    for (account, (used, held)) in &sums {
        assert_eq!((history.counters[account], 0), (*used, *held), "{account}: counter and entries");
    }
}

/// One of an account's figures is what it should be, and the other nothing, on every level.
pub(super) async fn check(place: &Place, figures: fn(quotad::proto::v1::WindowUsage) -> (i64, i64)) {
    let of = async |account: &str| figures(place.figures(TENANT, account).await);
    assert_eq!(of(TENANT).await, (LIMIT, 0));
    assert_eq!(of("tenants/race/subtenants/s").await, (LIMIT, 0));
    assert_eq!(of(&user(0)).await, (LESSER, 0));
    let mut users = 0;
    for index in 0..8 {
        users += of(&user(index)).await.0;
    }
    assert_eq!(users, LIMIT);
}

/// Reserves until there is nothing left; answers the reservations.
async fn take(mut quota: QuotaServiceClient<Channel>, account: String) -> Vec<(String, i64)> {
    let (mut granted, mut amount) = (Vec::new(), MOST);
    loop {
        let charge =
            Charge { account: account.clone(), meter: "runs".into(), amount: Some(amount), ..Charge::default() };
        let ttl = Some(pbjson_types::Duration { seconds: 600, nanos: 0 });
        let request = ReserveRequest { tenant: TENANT.into(), charges: vec![charge], ttl, ..ReserveRequest::default() };
        match quota.reserve(request).await.unwrap().into_inner().outcome.unwrap() {
            reserve_response::Outcome::Granted(reservation) => granted.push((reservation.reservation_id, amount)),
            reserve_response::Outcome::Denied(denied) => {
                let by = &denied.violations[0].account;
                assert!(by == TENANT || by.ends_with("/u0"), "{denied:?}");
                if amount == 1 {
                    return granted;
                }
            }
        }
        amount = if amount == 1 { MOST } else { amount - 1 };
    }
}

/// Commits all of it.
async fn commit(mut quota: QuotaServiceClient<Channel>, granted: Vec<(String, i64)>) {
    for (reservation_id, amount) in granted {
        let request = CommitRequest { tenant: TENANT.into(), reservation_id, ..CommitRequest::default() };
        let reservation = quota.commit(request).await.unwrap().into_inner().reservation.unwrap();
        assert_eq!(reservation.committed[0].committed, amount);
    }
}

/// One of the users.
pub(super) fn user(index: usize) -> String {
    format!("tenants/race/subtenants/s/users/u{index}")
}
