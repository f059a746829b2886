//! Servers on a real Redis and a real PostgreSQL while Redis is killed or emptied: no grant passes the limit, and what was
//! answered DURABLE stays.

use crate::api::helpers::{TENANT, reserve, runs, seconds};
use crate::support::redis::{Keep, RedisServer};
use crate::support::{Options, Postgres, Server, TempDir};
use quotad::proto::v1::quota_service_client::QuotaServiceClient;
use quotad::proto::v1::{reserve_response::Outcome, *};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tonic::Code;
use tonic::transport::Channel;

const LIMIT: i64 = 60;

fn catalog(folder: &TempDir) -> PathBuf {
    let file = folder.path().join("catalog.yaml");
    let text = format!(
        "meters: [{{name: job.runs, unit: run}}]\ntenants:\n  - name: {TENANT}\n    quotas: [{{subject: {TENANT}, meter: job.runs, limits: {{lifetime: {LIMIT}}}}}]\n"
    );
    std::fs::write(&file, text).unwrap();
    file
}

fn one(id: &str) -> ReserveRequest {
    ReserveRequest {
        request_id: format!("q-{id}"),
        ttl: seconds(3600),
        wait_for_durable: true,
        ..reserve(id, runs("u1", 1))
    }
}

/// Asks until there is an answer; whether it was granted.
async fn ask(mut quota: QuotaServiceClient<Channel>, id: String) -> bool {
    let begin = Instant::now();
    loop {
        match quota.reserve(one(&id)).await {
            Ok(answer) => {
                let answer = answer.into_inner();
                let granted = matches!(answer.outcome, Some(Outcome::Granted(_)));
                assert!(!granted || answer.durability() == Durability::Durable, "{id}: {answer:?}");
                return granted;
            }
            Err(status) => {
                let code = status.code();
                assert!(matches!(code, Code::Unavailable | Code::DeadlineExceeded), "{id}: {status:?}");
                assert!(begin.elapsed() < Duration::from_secs(60), "{id}: {status:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// What the tenant holds, by the reservations that are listed, and by the counter.
async fn held(server: &Server) -> (i64, i64) {
    let list = ListReservationsRequest { tenant: TENANT.into(), page_size: 1000, ..Default::default() };
    let listed = server.quota().list_reservations(list).await.unwrap().into_inner().reservations.len();
    let usage = GetUsageRequest { tenant: TENANT.into(), account: TENANT.into(), ..Default::default() };
    let usage = server.usage().get_usage(usage).await.unwrap().into_inner();
    let window = &usage.meters[0].windows[0];
    (i64::try_from(listed).unwrap(), window.held)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_keep_the_limit_while_redis_comes_and_goes() {
    let folder = TempDir::new("serving");
    let mut redis = RedisServer::start_with(Keep::Everything, &[]);
    let postgres = Postgres::start();
    let url = postgres.fresh_database();
    let options = || {
        let options = Options::new().catalog(catalog(&folder)).ready_within(Duration::from_secs(30));
        options.env("QUOTAD_REDIS_URL", &redis.url()).env("QUOTAD_DATABASE_URL", &url)
    };
    let servers = [Server::start(options()), Server::start(options())];

    let mut asked = Vec::new();
    for round in 0..4 {
        for n in 0..30 {
            let quota = servers[n % 2].quota();
            asked.push((format!("r{round}-{n}"), tokio::spawn(ask(quota, format!("r{round}-{n}")))));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        match round {
            0 | 2 => redis.ask::<()>(&["FLUSHALL"]),
            1 => {
                redis.kill();
                redis.restart();
            }
            _ => {}
        }
    }
    let mut granted = Vec::new();
    for (id, asked) in asked {
        if asked.await.unwrap() {
            granted.push(id);
        }
    }
    for server in &servers {
        let (listed, held) = held(server).await;
        assert_eq!(listed, held, "the ledger's reservations and the counter");
        assert!(held <= LIMIT && i64::try_from(granted.len()).unwrap() <= held, "{} granted, {held}", granted.len());
    }
    for id in &granted {
        let get = GetReservationRequest { tenant: TENANT.into(), reservation_id: id.clone() };
        let found = servers[0].quota().get_reservation(get).await.unwrap().into_inner();
        assert_eq!(found.reservation.unwrap().state(), ReservationState::Held, "{id}");
    }
}
