//! A lowered limit binds although the counter store forgot it, or the server that wrote it died before it could say so.

use crate::api::helpers::{TENANT, reserve, runs};
use crate::support::redis::{Keep, RedisServer};
use crate::support::{Options, Postgres, Server, TempDir};
use quotad::domain::name::Uid;
use quotad::domain::time::Timestamp;
use quotad::engine::manage::{Apply, Catalogs};
use quotad::engine::ports::CatalogStore;
use quotad::proto::v1::{
    ApplyRequest, CheckRequest, CreateQuotasRequest, IfCurrent, Quota, check_response, reserve_response::Outcome,
};
use quotad::store::database::{Database, DatabaseCatalog};
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// Two replicas with 6 of 100 held, each started with what else `options` say of it, and where they are.
pub(super) struct World {
    pub(super) one: Server,
    pub(super) other: Server,
    pub(super) postgres: Postgres,
    pub(super) url: String,
    _redis: RedisServer,
    _folder: TempDir,
}

impl World {
    pub(super) async fn new(prefix: &str, options: impl Fn(Options, &str) -> Options) -> World {
        let (folder, postgres) = (TempDir::new("catalog"), Postgres::start());
        let redis = RedisServer::start();
        let file = folder.path().join("catalog.yaml");
        std::fs::write(&file, document(100, true)).unwrap();
        let url = postgres.fresh_database();
        let options = options(Options::new().catalog(file).redis(&redis.url(), prefix).database(&url), &url);
        let (one, other) = (Server::start(options.clone()), Server::start(options));
        assert!(is_granted(&one, "r1", 3).await && is_granted(&other, "r2", 3).await);
        World { one, other, postgres, url, _redis: redis, _folder: folder }
    }

    /// A third server lowers the limit; it dies when that stands in the database. Answers the catalog's version.
    pub(super) async fn lower(&self, limit: u32) -> u64 {
        let database = Database::open_url(&self.url).await.unwrap();
        let yaml = document(limit, false);
        let write = Apply {
            tenant: Some(TENANT),
            yaml: yaml.as_bytes(),
            dry_run: false,
            prune: false,
            etag: None,
            actor: "dead",
            now: Timestamp::from_millis(0),
        };
        let store = Arc::new(DatabaseCatalog::new(database.clone()));
        let applied = Catalogs::new(store.clone()).apply(write).await.unwrap();
        assert_eq!(applied.changes.len(), 1);
        let version = store.version(None).await.unwrap();
        database.close().await;
        version
    }
}

/// The replicas, and a limit that a dead server has lowered to 10.
async fn lowered_by_a_dead_server(prefix: &str) -> World {
    let world = World::new(prefix, |options, _| options).await;
    world.lower(10).await;
    world
}

/// Whether 5 more would fit.
pub(super) async fn would_fit(server: &Server) -> bool {
    let request = CheckRequest { tenant: TENANT.into(), charges: runs("u1", 5) };
    let answer = server.quota().check(request).await.unwrap().into_inner();
    matches!(answer.outcome, Some(check_response::Outcome::Granted(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_server_wrote_binds_everywhere_a_little_later() {
    let World { one, other, .. } = &lowered_by_a_dead_server("dead:").await;
    for server in [one, other] {
        let started = Instant::now();
        while would_fit(server).await {
            assert!(started.elapsed() < Duration::from_secs(60), "the old limit is still in force");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_makes_bind_what_was_written_before() {
    let World { one, other, .. } = &lowered_by_a_dead_server("again:").await;
    let yaml = document(10, false).into_bytes();
    let again = one.catalog().apply(ApplyRequest { tenant: TENANT.into(), yaml, ..ApplyRequest::default() }).await;
    assert_eq!(again.unwrap().into_inner().changes, [], "it is written already");
    assert!(!would_fit(other).await && !would_fit(one).await);

    let World { one, other, .. } = &lowered_by_a_dead_server("exists:").await;
    let quota = Quota { subject: TENANT.into(), meter: "job.runs".into(), ..Quota::default() };
    let (tenant, if_current) = (TENANT.into(), IfCurrent::Fail.into());
    let request = CreateQuotasRequest { tenant, quotas: vec![quota], if_current, etag: String::new() };
    let again = one.catalog().create_quotas(request).await;
    assert!(again.unwrap_err().message().contains("has a quota"));
    assert!(!would_fit(other).await && !would_fit(one).await);
}
