//! What was granted without the counter store is recorded alike by both engines: in full, as of then, and once.

use crate::support::TempDir;
use crate::support::redis::RedisServer;
use quotad::app::{Node, NodeOptions, RedisStorage, Storage};
use quotad::domain::name::{AccountName, IdKey, IdSpace, Uid};
use quotad::domain::price::Quantities;
use quotad::domain::reservation::{Flags, Reservation, State};
use quotad::domain::time::{Span, Timestamp};
use quotad::engine::call::ChargeRequest;
use quotad::engine::manage::Apply;
use quotad::engine::operation::{Known, Miss, Operation, Outcome, Reply, Verb};
use quotad::engine::plan::{Amounts, plan_charges};
use quotad::engine::snapshot::Snapshot;
use quotad::engine::tasks::refill;
use quotad::store::clock::TestClock;
use quotad::store::redis::options::{RedisFlags, RedisOptions};
use std::sync::Arc;

/// Noon of a day.
const NOW: i64 = 20_000 * 86_400_000 + 43_200_000;
const DAY: i64 = 86_400_000;
const TENANT: &str = "tenants/a";
const USER: &str = "tenants/a/users/u";
const CATALOG: &str = "
meters: [{name: calls}]
quotas:
  - {subject: tenants/-/users/-, meter: calls, limits: {day: 10, month: 1000}, top_up: 3, hold_share_percent: 20}
";

async fn node(storage: Storage, folder: &TempDir) -> Node {
    let clock = Some(Arc::new(TestClock::new(Timestamp::from_millis(NOW))));
    let options = NodeOptions { storage, data_dir: folder.path().to_owned(), clock, ..NodeOptions::default() };
    let node = Node::open(options).await.unwrap();
    let now = node.clock.now();
    let (yaml, actor) = (CATALOG.as_bytes(), "test");
    let apply = Apply { tenant: None, yaml, dry_run: false, prune: true, etag: None, actor, now };
    node.catalogs.apply(apply).await.unwrap();
    node
}

fn template(id: &str) -> Reservation {
    Reservation {
        tenant: Uid::of(TENANT),
        tenant_name: TENANT.into(),
        id: id.into(),
        key: IdKey::of(Uid::of(TENANT), IdSpace::Reservation, id),
        fingerprint: 7,
        state: State::Held,
        flags: Flags { unenforced: true, ..Flags::default() },
        create_time: Timestamp::default(),
        expire_time: Timestamp::default(),
        charges: Vec::new(),
        labels: Vec::new(),
        requests: Vec::new(),
    }
}

/// Tells a node of what was granted `ago` milliseconds before now. The reservation, and whether it was known.
async fn tell(node: &Node, id: &str, amount: u64, ago: i64, consume: bool) -> (Reservation, bool) {
    let snapshot = Snapshot::new(node.catalogs.store().load(Some(TENANT)).await.unwrap());
    let (account, meter) = (USER.parse().unwrap(), "calls".parse().unwrap());
    let (quantities, item, service) = (Quantities::default(), String::new(), String::new());
    let charges = [ChargeRequest { account, meter, amount: Some(amount), quantities, item, service, also: Vec::new() }];
    let granted = Some(Timestamp::from_millis(NOW - ago));
    let mut known = Known { reservation: Some(None), ..Known::default() };
    for _ in 0..10 {
        let (charges, plan) = plan_charges(&snapshot, &charges, Amounts::Recorded, node.clock.now()).unwrap();
        let template = Arc::new(Reservation { charges, ..template(id) });
        let mut operation = Operation {
            tenant: Uid::of(TENANT),
            catalog_version: snapshot.version(),
            request: None,
            fingerprint: 7,
            verb: Verb::Reserve {
                template,
                ttl: Span::from_secs(600),
                consume,
                fresh: false,
                tentative: false,
                granted,
            },
            plan: Some(plan),
            known: known.clone(),
        };
        match node.counters.apply(&mut operation).await.unwrap() {
            Reply::Done(done) => match done.outcome {
                Outcome::Reservation(reservation) => return (Reservation::clone(&reservation), done.replayed),
                other => panic!("{id}: {other:?}"),
            },
            Reply::Miss(miss) => {
                let miss = Miss { tenant: Some(Uid::of(TENANT)), ..miss };
                if let Some(key) = miss.reservation {
                    node.flushed().await.unwrap();
                    let found = node.ledger.reservations(Uid::of(TENANT), &[key]).await.unwrap().pop().flatten();
                    known = Known { reservation: Some(found.map(Arc::new)), request: None, as_of: miss.flushed_to };
                }
                refill::counters(&*node.ledger, &*node.counters, &miss).await.unwrap();
            }
            other => panic!("{id}: {other:?}"),
        }
    }
    panic!("{id} is never decided");
}

/// By window: used and held; and what the top-up leaves.
async fn usage(node: &Node) -> (Vec<(u64, u64)>, Option<u64>) {
    let tenant: AccountName = TENANT.parse().unwrap();
    let (_, usages) = node.authority.usage(&tenant, &USER.parse().unwrap(), None).await.unwrap();
    (usages[0].windows.iter().map(|window| (window.used, window.held)).collect(), usages[0].top_up_remaining)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_record_alike_what_was_granted_without_them() {
    let (server, folders) = (RedisServer::start(), [TempDir::new("embedded"), TempDir::new("redis")]);
    let redis = RedisOptions::new(&RedisFlags { url: server.url(), ..RedisFlags::default() }).unwrap();
    let redis = Storage::Redis(Box::new(RedisStorage { redis, database: None }));
    let nodes = [node(Storage::Embedded, &folders[0]).await, node(redis, &folders[1]).await];
    let mut told = Vec::new();
    for node in &nodes {
        let mut all = vec![
            tell(node, "held", 4, 1_000, false).await,
            // 6 fit the day, 2 the top-up.
            tell(node, "used", 8, 500, true).await,
            // The top-up's last, and 6 beyond every limit.
            tell(node, "above", 7, 0, true).await,
            tell(node, "yesterday", 5, DAY, true).await,
            tell(node, "later", 1, -5_000, true).await,
        ];
        assert!(all.iter().all(|(_, replayed)| !replayed));
        all.push(tell(node, "held", 4, 1_000, false).await);
        all.push(tell(node, "used", 8, 500, true).await);
        assert_eq!(usage(node).await, (vec![(13, 4), (18, 4)], Some(0)));
        told.push(all);
    }
    assert_eq!(told[0], told[1]);
    let [held, used, above, yesterday, later, again, _] = &told[0][..] else { panic!("seven") };
    assert_eq!(again, &(held.0.clone(), true));
    assert!(held.0.flags.unenforced && held.0.state == State::Held);
    assert_eq!(held.0.expire_time, Timestamp::from_millis(NOW - 1_000 + 600_000));
    assert_eq!(
        (used.0.charges[0].path.get(1).unwrap().used_top_up, above.0.charges[0].path.get(1).unwrap().used_top_up),
        (2, 1)
    );
    assert_eq!(yesterday.0.create_time, Timestamp::from_millis(NOW - DAY));
    assert_eq!(later.0.create_time, Timestamp::from_millis(NOW), "nothing happens in times to come");
    for node in nodes {
        node.flushed().await.unwrap();
        node.close().await;
    }
}
