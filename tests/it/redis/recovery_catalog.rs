//! A lowered limit binds although the server that was told of it died before it told its replica.

use crate::api::helpers::{TENANT, reserve, runs};
use crate::support::redis::{Keep, RedisServer};
use crate::support::{Options, Postgres, Server, TempDir};
use quotad::domain::name::Uid;
use quotad::proto::v1::{ApplyRequest, reserve_response::Outcome};

const PREFIX: &str = "late:";

/// The catalog, or the tenant's part of it.
fn document(limit: u32, whole: bool) -> String {
    let quotas = format!("quotas: [{{subject: {TENANT}, meter: job.runs, limits: {{lifetime: {limit}}}}}]");
    if whole {
        return format!("meters: [{{name: job.runs, unit: run}}]\ntenants: [{{name: {TENANT}, {quotas}}}]\n");
    }
    quotas
}

async fn is_granted(server: &Server, id: &str, amount: i64) -> bool {
    let answer = server.quota().reserve(reserve(id, runs("u1", amount))).await.unwrap().into_inner();
    matches!(answer.outcome, Some(Outcome::Granted(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lowered_limit_binds_though_the_counter_store_forgot_it() {
    let (folder, postgres) = (TempDir::new("catalog"), Postgres::start());
    let redis = RedisServer::start_with(Keep::Nothing, &["--enable-debug-command", "yes"]);
    let file = folder.path().join("catalog.yaml");
    std::fs::write(&file, document(100, true)).unwrap();
    let options = Options::new().catalog(file).redis(&redis.url(), PREFIX).database(&postgres.fresh_database());
    let (one, other) = (Server::start(options.clone()), Server::start(options));
    assert!(is_granted(&one, "r1", 3).await && is_granted(&other, "r2", 3).await);

    let keys = format!("{PREFIX}{{p0}}:tenants");
    let mut connection = redis.connection();
    let uid = Uid::of(TENANT).to_bytes();
    let before: Vec<u8> = redis::cmd("HGET").arg(&keys).arg(&uid).query(&mut connection).unwrap();
    let yaml = document(10, false).into_bytes();
    let apply = ApplyRequest { tenant: TENANT.into(), yaml, ..ApplyRequest::default() };
    one.catalog().apply(apply).await.unwrap();
    let after: Vec<u8> = redis::cmd("HGET").arg(&keys).arg(&uid).query(&mut connection).unwrap();
    assert_ne!(before, after, "the version is there");

    // As on a replica that is promoted and lacks the last write: another history, without it.
    redis::cmd("HSET").arg(&keys).arg(&uid).arg(&before).exec(&mut connection).unwrap();
    redis.ask::<()>(&["DEBUG", "CHANGE-REPL-ID"]);
    assert!(!is_granted(&other, "r3", 5).await, "6 of 10 are held");
    assert!(is_granted(&other, "r4", 4).await);
    let kept: Vec<u8> = redis::cmd("HGET").arg(&keys).arg(&uid).query(&mut connection).unwrap();
    assert_ne!(kept, before);
}
