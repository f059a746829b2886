//! A recovery that dies while it loads a partition from the database: another takes over, and everything is there, once.

use crate::api::helpers::{TENANT, commit, reserve, runs, seconds};
use crate::support::redis::RedisServer;
use crate::support::{Options, Proxy, Server, TempDir, cli};
use quotad::proto::v1::batch_commit_result::Result as Committed;
use quotad::proto::v1::batch_reserve_result::Result as Reserved;
use quotad::proto::v1::{
    BatchCommitRequest, BatchReserveRequest, CommitRequest, GetUsageRequest, ReserveRequest, reserve_response::Outcome,
};
use quotad::store::database::{Database, DatabaseCatalog, DatabaseLedger, Sync};
use quotad::store::redis::link::Link;
use quotad::store::redis::options::{RedisFlags, RedisOptions};
use quotad::store::redis::recover::{Recoverer, RecovererOptions};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const PREFIX: &str = "half:";
/// Open reservations, each with a request id and a deadline: more than two portions.
const MANY: usize = 2_400;
/// Items of one batch.
const BATCH: usize = 64;

/// How many fields there are, or values of 16 bytes.
fn fields(redis: &RedisServer, hash: &str) -> usize {
    redis.ask(&["HLEN", &format!("{PREFIX}{{p0}}:{hash}")])
}

fn deadlines(redis: &RedisServer) -> usize {
    let pieces: Vec<Vec<u8>> = redis.ask(&["HVALS", &format!("{PREFIX}{{p0}}:deadlines")]);
    pieces.iter().map(|piece| piece.len() / 16).sum()
}

fn held(number: usize) -> ReserveRequest {
    let id = format!("r{number}");
    ReserveRequest { request_id: format!("q{number}"), ttl: seconds(3600), ..reserve(&id, runs("u1", 1)) }
}

/// Makes all reservations; they are granted, and all of them, or none, were before.
async fn reserve_all(server: &Server, before: bool) {
    let all: Vec<ReserveRequest> = (0..MANY).map(held).collect();
    for part in all.chunks(BATCH) {
        let batch = BatchReserveRequest { tenant: TENANT.into(), requests: part.to_vec() };
        for result in server.quota().batch_reserve(batch).await.unwrap().into_inner().results {
            let Some(Reserved::Response(answer)) = result.result else { panic!("{result:?}") };
            assert!(matches!(answer.outcome, Some(Outcome::Granted(_))) && answer.replayed == before, "{answer:?}");
        }
    }
}

async fn commit_all(server: &Server) {
    let all: Vec<CommitRequest> = (0..MANY).map(|number| commit(&format!("r{number}"), Vec::new())).collect();
    for part in all.chunks(BATCH) {
        let batch = BatchCommitRequest { tenant: TENANT.into(), requests: part.to_vec() };
        for result in server.quota().batch_commit(batch).await.unwrap().into_inner().results {
            assert!(matches!(result.result, Some(Committed::Response(_))), "{result:?}");
        }
    }
}

/// What the tenant has used and holds.
async fn figures(server: &Server) -> (i64, i64) {
    let request = GetUsageRequest { tenant: TENANT.into(), account: TENANT.into(), ..GetUsageRequest::default() };
    let usage = server.usage().get_usage(request).await.unwrap().into_inner();
    (usage.meters[0].windows[0].used, usage.meters[0].windows[0].held)
}

/// Recovers the partition by hands that lose their Redis for ever after so many bytes of its answers.
async fn die(redis: &RedisServer, ledger: &Path, installation: &str, bytes: usize) {
    let database = Database::open(ledger, Sync::Normal).await.unwrap();
    let way = Proxy::start(redis.port());
    let url = format!("redis://127.0.0.1:{}", way.port());
    let flags = RedisFlags { url, prefix: Some(PREFIX.to_owned()), ..RedisFlags::default() };
    let link = Link::open(RedisOptions::new(&flags).unwrap()).unwrap();
    link.ready(Duration::from_secs(10)).await.unwrap();
    let options = RecovererOptions {
        link,
        prefix: PREFIX.to_owned(),
        partitions: 1,
        installation: installation.to_owned(),
        ledger: Arc::new(DatabaseLedger::new(database.clone())),
        catalog: Arc::new(DatabaseCatalog::new(database.clone())),
        clock: None,
    };
    way.end_after(bytes);
    let outcome = Recoverer::new(options).unwrap().recover(0, 0).await;
    assert!(outcome.is_err(), "the way was long enough: {outcome:?}");
    database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_was_half_loaded_is_loaded_once() {
    let (folder, redis) = (TempDir::new("catalog"), RedisServer::start());
    let file = folder.path().join("catalog.yaml");
    let quotas = format!("[{{subject: {TENANT}, meter: job.runs, limits: {{lifetime: 1_000_000}}}}]");
    let tenants = format!("[{{name: {TENANT}, quotas: {quotas}}}]");
    std::fs::write(&file, format!("meters: [{{name: job.runs, unit: run}}]\ntenants: {tenants}\n")).unwrap();
    let mut server = Server::start(Options::new().catalog(file).redis(&redis.url(), PREFIX));
    reserve_all(&server, false).await;
    assert!(server.terminate().success());
    let installation: String = redis.ask(&["GET", &format!("{PREFIX}{{p0}}:installation")]);
    let ledger = server.data_dir().join("ledger.db");

    // The answers to a look and to a claim, and one or more to portions. A slow machine shows more signs of life in between.
    let mut bytes = 900;
    loop {
        redis.ask::<()>(&["FLUSHALL"]);
        die(&redis, &ledger, &installation, bytes).await;
        if fields(&redis, "requests") > 0 {
            break;
        }
        bytes += 350;
    }
    let half = (fields(&redis, "requests"), fields(&redis, "reservations"));
    println!("recovery: it died after {bytes} bytes with {half:?} of {MANY} request ids and reservations");
    assert!(half.1 < MANY && redis.ask::<bool>(&["EXISTS", &format!("{PREFIX}{{p0}}:meta")]));

    server.restart();
    assert_eq!((fields(&redis, "requests"), fields(&redis, "reservations"), deadlines(&redis)), (MANY, MANY, MANY));
    let many = i64::try_from(MANY).unwrap();
    assert_eq!(figures(&server).await, (0, many));
    reserve_all(&server, true).await;
    commit_all(&server).await;
    assert_eq!(figures(&server).await, (many, 0));
    assert!(server.terminate().success());
    let verdict = cli(["verify", "--database-url", &format!("sqlite:{}", ledger.display())]);
    assert_eq!(verdict.status, Some(0), "{verdict:?}");
}
