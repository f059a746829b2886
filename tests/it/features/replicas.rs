//! What holds for one server holds for several that share a Redis and a PostgreSQL.

use crate::support::redis::until;
use crate::support::{Options, Server, Shared, TempDir};
use quotad::proto::v1::{
    ApplyRequest, Charge, CommitRequest, ConsumeRequest, GetMeterRequest, GetReservationRequest, GetUsageRequest,
    ReleaseRequest, Reservation, ReservationState, ReserveRequest, consume_response, reserve_response,
};
use std::fs;
use tokio::task::JoinSet;
use tonic::{Code, Status};

const CATALOG: &str = "
meters:
  - {name: runs, unit: run}
tenants:
  - name: tenants/a
    quotas:
      - {subject: tenants/a, meter: runs, limits: {lifetime: 10}}
      - {subject: tenants/a/teams/-/users/-, meter: runs, limits: {lifetime: 10}}
  - name: tenants/b
    quotas:
      - {subject: tenants/b, meter: runs, limits: {lifetime: 10}}
";
const USER: &str = "tenants/a/teams/t/users/u";

/// Two replicas of one installation.
struct Pair {
    one: Server,
    two: Server,
    shared: Shared,
    options: Options,
    _folder: TempDir,
}

fn pair() -> Pair {
    let folder = TempDir::new("catalog");
    let file = folder.path().join("replicas.yaml");
    fs::write(&file, CATALOG).unwrap();
    let shared = Shared::with_postgres();
    let options = shared.installation(Options::new().catalog(file));
    let (one, two) = (Server::start(options.clone()), Server::start(options.clone()));
    Pair { one, two, shared, options, _folder: folder }
}

fn charges(account: &str, amount: i64) -> Vec<Charge> {
    vec![Charge { account: account.into(), meter: "runs".into(), amount: Some(amount), ..Charge::default() }]
}

fn tenant(account: &str) -> String {
    account.splitn(3, '/').take(2).collect::<Vec<_>>().join("/")
}

/// The reservation and whether that is a repeat's answer; `None` if denied.
async fn reserve(server: &Server, account: &str, id: &str, amount: i64, seconds: i64) -> Option<(Reservation, bool)> {
    let ttl = Some(pbjson_types::Duration { seconds, nanos: 0 });
    let (tenant, reservation_id, charges) = (tenant(account), id.to_owned(), charges(account, amount));
    let request = ReserveRequest { tenant, reservation_id, charges, ttl, ..ReserveRequest::default() };
    let response = server.quota().reserve(request).await.unwrap().into_inner();
    match response.outcome.unwrap() {
        reserve_response::Outcome::Granted(reservation) => Some((reservation, response.replayed)),
        reserve_response::Outcome::Denied(_) => None,
    }
}

async fn consume(server: &Server, account: &str, id: &str, amount: i64, durable: bool) -> Result<bool, Status> {
    let (tenant, reservation_id, charges) = (tenant(account), id.to_owned(), charges(account, amount));
    let request =
        ConsumeRequest { tenant, reservation_id, charges, wait_for_durable: durable, ..ConsumeRequest::default() };
    let outcome = server.quota().consume(request).await?.into_inner().outcome.unwrap();
    Ok(matches!(outcome, consume_response::Outcome::Granted(_)))
}

async fn commit(server: &Server, id: &str, amount: i64) -> Result<(Reservation, bool), Status> {
    let (tenant, reservation_id, charges) = (tenant(USER), id.to_owned(), charges(USER, amount));
    let request = CommitRequest { tenant, reservation_id, charges, ..CommitRequest::default() };
    let response = server.quota().commit(request).await?.into_inner();
    Ok((response.reservation.unwrap(), response.replayed))
}

async fn release(server: &Server, id: &str) -> Result<bool, Status> {
    let request = ReleaseRequest { tenant: tenant(USER), reservation_id: id.into(), ..ReleaseRequest::default() };
    Ok(server.quota().release(request).await?.into_inner().replayed)
}

async fn get(server: &Server, tenant: &str, id: &str) -> Result<Reservation, Status> {
    let request = GetReservationRequest { tenant: tenant.into(), reservation_id: id.into() };
    Ok(server.quota().get_reservation(request).await?.into_inner().reservation.unwrap())
}

/// Used and held.
async fn figures(server: &Server, account: &str) -> (i64, i64) {
    let request = GetUsageRequest { tenant: tenant(account), account: account.into(), meter: "runs".into() };
    let report = server.usage().get_usage(request).await.unwrap().into_inner();
    let window = &report.meters[0].windows[0];
    (window.used, window.held)
}

/// X.02, X.03, X.05: forty reserves at two replicas on a limit of ten grant ten; what one granted the other repeats, commits
/// and refuses to release.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_decide_as_one() {
    let Pair { one, two, shared: _shared, .. } = &pair();
    let mut calls = JoinSet::new();
    for n in 0..40 {
        let mut quota = [one, two][n % 2].quota();
        let (tenant, reservation_id) = (tenant(USER), format!("r{n}"));
        let request = ReserveRequest { tenant, reservation_id, charges: charges(USER, 1), ..ReserveRequest::default() };
        calls.spawn(async move { quota.reserve(request).await.unwrap().into_inner().outcome.unwrap() });
    }
    let granted: Vec<Reservation> = calls.join_all().await.into_iter().filter_map(granted).collect();
    assert_eq!(granted.len(), 10);
    assert_eq!((figures(one, USER).await, figures(two, "tenants/a").await), ((0, 10), (0, 10)));

    let first = &granted[0];
    let id = first.reservation_id.as_str();
    for server in [one, two] {
        assert_eq!(reserve(server, USER, id, 1, 60).await, Some((first.clone(), true)));
    }
    let (committed, replayed) = commit(one, id, 1).await.unwrap();
    assert!(!replayed && committed.state() == ReservationState::Committed);
    assert_eq!(commit(two, id, 1).await.unwrap(), (committed, true));
    for (server, error) in [(one, release(one, id).await), (two, release(two, id).await)] {
        assert_eq!(error.unwrap_err().code(), Code::FailedPrecondition, "{}", server.grpc_addr());
    }
    let id = granted[1].reservation_id.as_str();
    assert_eq!((release(two, id).await.unwrap(), release(one, id).await.unwrap()), (false, true));
    assert_eq!(commit(one, id, 1).await.unwrap_err().code(), Code::FailedPrecondition);
    assert_eq!((figures(one, USER).await, figures(two, USER).await), ((1, 8), (1, 8)));
}

fn granted(outcome: reserve_response::Outcome) -> Option<Reservation> {
    match outcome {
        reserve_response::Outcome::Granted(reservation) => Some(reservation),
        reserve_response::Outcome::Denied(_) => None,
    }
}

/// X.04: a hold ends at its deadline although the replica that granted it is gone; a late commit elsewhere is recorded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_replicas_hold_ends_in_time() {
    let Pair { mut one, two, shared: _shared, .. } = pair();
    assert!(reserve(&one, USER, "r1", 10, 1).await.is_some());
    one.kill_hard();
    assert_eq!(reserve(&two, USER, "r2", 1, 60).await, None, "held");
    let mut tries = 0..200;
    while get(&two, "tenants/a", "r1").await.unwrap().state() != ReservationState::Expired {
        assert!(tries.next().is_some(), "never ends");
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert!(reserve(&two, USER, "r2", 10, 60).await.is_some(), "free again");
    let (late, _) = commit(&two, "r1", 3).await.unwrap();
    assert!(late.late);
    assert_eq!(figures(&two, USER).await, (3, 10));
}

/// X.06: killing every replica loses nothing while Redis lives; with Redis emptied what the ledger had is there again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_with_the_replicas_and_nothing_durable_with_redis() {
    let Pair { mut one, mut two, mut shared, options, _folder } = pair();
    assert!(consume(&one, USER, "c1", 2, false).await.unwrap());
    assert!(reserve(&two, USER, "r1", 3, 600).await.is_some());
    one.kill_hard();
    two.kill_hard();
    let one = Server::start(options);
    assert_eq!((figures(&one, USER).await, figures(&one, "tenants/a").await), ((2, 3), (2, 3)));
    // The answer waits until the ledger has this, and so all before.
    assert!(consume(&one, USER, "c2", 1, true).await.unwrap());
    shared.redis.restart_empty();
    let mut tries = 0..200;
    // Calls are refused until the connection is there again.
    while consume(&one, USER, "c1", 2, false).await.is_err() {
        assert!(tries.next().is_some(), "does not come back");
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert_eq!(figures(&one, USER).await, (3, 3), "nothing lost, and c1 not twice");
    assert_eq!(reserve(&one, USER, "r2", 5, 60).await, None);
    assert!(reserve(&one, USER, "r2", 4, 60).await.is_some());
    commit(&one, "r1", 3).await.unwrap();
    assert_eq!((figures(&one, USER).await, figures(&one, "tenants/a").await), ((6, 4), (6, 4)));
}

/// With Redis out of reach calls are refused in time; none is half done, and each counts once when it is repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_calls_are_refused_whole() {
    let Pair { one, two, shared, .. } = &pair();
    assert!(consume(one, USER, "before", 1, false).await.unwrap());
    shared.redis.freeze();
    let each = |n: usize| (format!("c{n}"), [one, two][n % 2].quota());
    let mut calls = JoinSet::new();
    for (reservation_id, mut quota) in (0..8).map(each) {
        let (tenant, charges) = (tenant(USER), charges(USER, 1));
        let request = ConsumeRequest { tenant, reservation_id, charges, ..ConsumeRequest::default() };
        calls.spawn(async move { quota.consume(request).await });
    }
    for answer in calls.join_all().await {
        let refused = answer.unwrap_err();
        assert!(matches!(refused.code(), Code::Unavailable | Code::DeadlineExceeded), "{refused:?}");
    }
    shared.redis.thaw();
    for n in 0..8 {
        let mut tries = 0..400;
        while consume([one, two][(n + 1) % 2], USER, &format!("c{n}"), 1, false).await.ok() != Some(true) {
            assert!(tries.next().is_some(), "does not come back");
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
    }
    for account in ["tenants/a", USER] {
        assert_eq!((figures(one, account).await, figures(two, account).await), ((9, 0), (9, 0)), "{account}");
    }
}

/// X.11: the same ids of two tenants are different things, neither sees or charges the other's; installations that share a
/// Redis keep to their own keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_and_installations_are_apart() {
    let Pair { one, two, shared, _folder: folder, .. } = pair();
    let catalog = folder.path().join("replicas.yaml");
    let other = Server::start(shared.installation(Options::new().catalog(catalog)));
    assert!(reserve(&one, USER, "same", 10, 600).await.is_some());
    assert!(reserve(&two, "tenants/b", "only-b", 1, 600).await.is_some());
    let (theirs, replayed) = reserve(&two, "tenants/b", "same", 4, 600).await.unwrap();
    assert_eq!((theirs.tenant.as_str(), replayed), ("tenants/b", false));
    let hidden = get(&one, "tenants/a", "only-b").await.unwrap_err();
    assert_eq!(hidden.code(), Code::NotFound);
    let foreign = ConsumeRequest { tenant: "tenants/a".into(), charges: charges("tenants/b", 1), ..Default::default() };
    let foreign = one.quota().consume(foreign).await.unwrap_err();
    assert_eq!(foreign.code(), Code::NotFound, "{foreign:?}");
    assert_eq!((figures(&one, USER).await, figures(&one, "tenants/b").await), ((0, 10), (0, 5)));

    assert_eq!((figures(&other, USER).await, figures(&other, "tenants/b").await), ((0, 0), (0, 0)));
    assert!(!reserve(&other, USER, "same", 9, 600).await.unwrap().1);
    assert_eq!(figures(&one, USER).await, (0, 10));
    let keys = || shared.redis.ask::<Vec<String>>(&["KEYS", "*"]);
    until("both installations have keys", || {
        ["i0:", "i1:"].iter().all(|own| keys().iter().any(|key| key.starts_with(own)))
    });
    let strays: Vec<String> =
        keys().into_iter().filter(|key| !key.starts_with("i0:") && !key.starts_with("i1:")).collect();
    assert_eq!(strays, Vec::<String>::new());
}

/// S0.02, S2.14: a meter is added while all replicas run: every one of them counts on it at once and shows it, under the names
/// that it was given, and what was counted on others stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meter_is_added_without_a_restart() {
    let Pair { one, two, shared: _shared, _folder, .. } = &pair();
    assert!(consume(one, USER, "", 3, false).await.unwrap() && consume(two, USER, "", 2, false).await.unwrap());
    let of = |meter: &str| {
        let charge = Charge { meter: meter.into(), ..charges(USER, 4).remove(0) };
        ConsumeRequest { tenant: "tenants/a".into(), charges: vec![charge], ..ConsumeRequest::default() }
    };
    assert_eq!(two.quota().consume(of("labels")).await.unwrap_err().code(), Code::NotFound);

    let yaml =
        "meters: [{name: labels, unit: picture, display_names: {en: Annotation, zh: 自动标注}, unit_names: {zh: 张}}]";
    let request = ApplyRequest { yaml: yaml.into(), ..ApplyRequest::default() };
    assert_eq!(one.catalog().apply(request).await.unwrap().into_inner().changes.len(), 1);
    let answer = two.quota().consume(of("labels")).await.unwrap().into_inner();
    assert!(matches!(answer.outcome, Some(consume_response::Outcome::Granted(_))));
    let request = GetUsageRequest { tenant: "tenants/a".into(), account: USER.into(), meter: String::new() };
    for server in [one, two] {
        let report = server.usage().get_usage(request.clone()).await.unwrap().into_inner();
        let used: Vec<(&str, i64)> = report.meters.iter().map(|m| (m.meter.as_str(), m.windows[0].used)).collect();
        assert_eq!(used, [("labels", 4), ("runs", 5)]);
        let request = GetMeterRequest { tenant: "tenants/a".into(), meter: "labels".into() };
        let meter = server.catalog().get_meter(request).await.unwrap().into_inner().meter.unwrap();
        assert_eq!((meter.display_names["zh"].as_str(), meter.unit_names["zh"].as_str()), ("自动标注", "张"));
    }
}
