//! An end between the parts of a move: the next start finishes it, or takes it back if it was refused.

use super::faults::tamper;
use crate::support::TempDir;
use quotad::app::{Node, NodeOptions};
use quotad::domain::name::AccountName;
use quotad::engine::call::{CallError, ChargeRequest, ReserveCall, Verdict};
use quotad::engine::manage::{Apply, Begun, MoveRequest, QuotaContext};
use quotad::engine::relocate::Moved;
use std::time::{Duration, Instant};

const TENANT: &str = "tenants/hub";
const OLD: &str = "tenants/hub/namespaces/a/repos/r";
const NEW: &str = "tenants/hub/namespaces/b/repos/r";
const CATALOG: &str = "{meters: [{name: bytes, family: allocation}], quotas: [
  {subject: tenants/hub/namespaces/-, meter: bytes, limits: {lifetime: 10}}]}";
const STOP: &str = "CREATE TRIGGER stop BEFORE UPDATE ON moved_name WHEN NEW.definition LIKE '{\"moved\"%'
    BEGIN SELECT RAISE(ABORT, 'no further'); END";
const GO_ON: &str = "DROP TRIGGER stop";

fn name(text: &str) -> AccountName {
    text.parse().unwrap()
}

/// A node whose repository has 7 in use.
async fn begun(folder: &TempDir) -> Node {
    let node = Node::open(options(folder)).await.unwrap();
    let apply = Apply {
        tenant: Some(TENANT),
        yaml: CATALOG.as_bytes(),
        dry_run: false,
        prune: false,
        etag: None,
        actor: "ann",
        now: node.clock.now(),
    };
    node.catalogs.apply(apply).await.unwrap();
    assert!(charge(&node, OLD, 7).await.unwrap());
    node
}

fn options(folder: &TempDir) -> NodeOptions {
    NodeOptions { data_dir: folder.path().to_owned(), partitions: Some(1), ..NodeOptions::default() }
}

async fn charge(node: &Node, account: &str, amount: u64) -> Result<bool, CallError> {
    let charge = ChargeRequest { amount: Some(amount), ..ChargeRequest::of(name(account), "bytes".parse().unwrap()) };
    let call = ReserveCall {
        tenant: name(TENANT),
        reservation_id: None,
        request_id: None,
        charges: vec![charge],
        ttl: None,
        labels: Vec::new(),
        wait_for_durable: false,
    };
    Ok(matches!(node.authority.consume(call).await?.value, Verdict::Granted(_)))
}

/// Used by the tenant, by each of the two namespaces, and by the repository under its old name.
async fn used(node: &Node) -> [u64; 4] {
    let mut all = [0; 4];
    for (at, account) in [TENANT, "tenants/hub/namespaces/a", "tenants/hub/namespaces/b", OLD].into_iter().enumerate() {
        let meter = "bytes".parse().unwrap();
        let (_, meters) = node.authority.usage(&name(TENANT), &name(account), Some(&meter)).await.unwrap();
        all[at] = meters[0].windows[0].used;
    }
    all
}

async fn start_again(node: Node, folder: &TempDir) -> Node {
    node.abandon().await;
    let node = Node::open(options(folder)).await.unwrap();
    let begin = Instant::now();
    while !node.catalogs.moving().await.unwrap().is_empty() {
        assert!(begin.elapsed().as_secs() < 10, "nobody finishes the move");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    node
}

fn context(node: &Node) -> QuotaContext<'static> {
    QuotaContext { tenant: Some(TENANT), etag: None, actor: "ann", now: node.clock.now() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_had_only_begun_is_finished() {
    let folder = TempDir::new("moves");
    let node = begun(&folder).await;
    let asked = MoveRequest { account: &name(OLD), to: &name(NEW), resets_quotas: false };
    node.catalogs.begin_move(context(&node), asked).await.unwrap();
    for moving in [OLD, NEW, &format!("{OLD}/files/f")] {
        assert!(matches!(charge(&node, moving, 1).await, Err(CallError::Moving(_))), "{moving}");
    }
    assert!(charge(&node, "tenants/hub/namespaces/a/repos/s", 1).await.unwrap(), "others go on");
    let node = start_again(node, &folder).await;
    assert_eq!(used(&node).await, [8, 1, 7, 7]);
    assert!(charge(&node, OLD, 1).await.unwrap());
    assert!(!charge(&node, NEW, 3).await.unwrap(), "8 of 10 are used");
    assert_eq!(used(&node).await, [9, 1, 8, 8]);
    node.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_whose_step_was_taken_is_finished_and_the_step_is_not_taken_twice() {
    let folder = TempDir::new("moves");
    let node = begun(&folder).await;
    let ledger = folder.path().join("ledger.db");
    tamper(&ledger, STOP).await;
    let asked = MoveRequest { account: &name(OLD), to: &name(NEW), resets_quotas: false };
    assert!(node.mover.move_account(context(&node), asked).await.is_err(), "the last part can't be written");
    assert_eq!(used(&node).await, [7, 0, 7, 7], "the step was taken");
    assert!(matches!(charge(&node, OLD, 1).await, Err(CallError::Moving(_))));
    node.abandon().await;
    tamper(&ledger, GO_ON).await;
    let node = start_again(Node::open(options(&folder)).await.unwrap(), &folder).await;
    assert_eq!(used(&node).await, [7, 0, 7, 7]);
    let again = node.mover.move_account(context(&node), asked).await.unwrap();
    assert!(matches!(again, Moved::To(to, _) if to == name(NEW)));
    node.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_was_refused_is_taken_back() {
    let folder = TempDir::new("moves");
    let node = begun(&folder).await;
    let asked = MoveRequest { account: &name(OLD), to: &name(NEW), resets_quotas: false };
    let Begun::Moving(record) = node.catalogs.begin_move(context(&node), asked).await.unwrap() else { panic!() };
    node.catalogs.refuse_move(TENANT, &record, node.clock.now()).await.unwrap();
    let node = start_again(node, &folder).await;
    assert_eq!(used(&node).await, [7, 7, 0, 7]);
    assert!(charge(&node, OLD, 1).await.unwrap());
    let moved = node.mover.move_account(context(&node), asked).await.unwrap();
    assert!(matches!(moved, Moved::To(to, _) if to == name(NEW)), "it can be asked for again");
    assert_eq!(used(&node).await, [8, 0, 8, 8]);
    node.close().await;
}
