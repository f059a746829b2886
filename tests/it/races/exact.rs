//! Sixty-four connections that reserve 1 each: a limit of 10,000 grants 10,000, neither more nor less.

use crate::support::{Options, Server, TempDir};
use quotad::proto::v1::{Charge, GetUsageRequest, ReserveRequest, reserve_response};
use std::fs;
use std::time::Instant;
use tokio::task::JoinSet;

const CONNECTIONS: usize = 64;
const LIMIT: i64 = 10_000;
/// A limit below the tenant's share of that user, which binds first.
const LESSER: i64 = 100;
const CATALOG: &str = "
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
    let folder = TempDir::new("catalog");
    let file = folder.path().join("race.yaml");
    fs::write(&file, CATALOG).unwrap();
    let server = Server::start(Options::new().catalog(file));
    let begin = Instant::now();
    let mut clients = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let mut quota = server.quota();
        // Eight users, so that eight connections meet on each user's counter too.
        let account = user(connection % 8);
        clients.spawn(async move {
            let mut granted = 0_i64;
            loop {
                let charge =
                    Charge { account: account.clone(), meter: "runs".into(), amount: Some(1), ..Charge::default() };
                let ttl = Some(pbjson_types::Duration { seconds: 600, nanos: 0 });
                let request = ReserveRequest {
                    tenant: "tenants/race".into(),
                    charges: vec![charge],
                    ttl,
                    ..ReserveRequest::default()
                };
                match quota.reserve(request).await.unwrap().into_inner().outcome.unwrap() {
                    reserve_response::Outcome::Granted(_) => granted += 1,
                    reserve_response::Outcome::Denied(denied) => {
                        let by = &denied.violations[0].account;
                        assert!(by == "tenants/race" || by.ends_with("/u0"), "{denied:?}");
                        return granted;
                    }
                }
            }
        });
    }
    let granted: i64 = clients.join_all().await.into_iter().sum();
    println!("races: {granted} grants to {CONNECTIONS} connections in {:?}", begin.elapsed());
    assert_eq!(granted, LIMIT);
    assert_eq!(held(&server, "tenants/race").await, LIMIT);
    assert_eq!(held(&server, "tenants/race/subtenants/s").await, LIMIT);
    assert_eq!(held(&server, &user(0)).await, LESSER);
    let mut users = 0;
    for index in 0..8 {
        users += held(&server, &user(index)).await;
    }
    assert_eq!(users, LIMIT);
}

fn user(index: usize) -> String {
    format!("tenants/race/subtenants/s/users/u{index}")
}

async fn held(server: &Server, account: &str) -> i64 {
    let request = GetUsageRequest { tenant: "tenants/race".into(), account: account.into(), meter: "runs".into() };
    let report = server.usage().get_usage(request).await.unwrap().into_inner();
    report.meters[0].windows.iter().find(|window| window.window == "lifetime").unwrap().held
}
