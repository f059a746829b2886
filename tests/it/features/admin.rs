//! What administrators do to what was used: adjustments and recalculation; on one server alone and on Redis with PostgreSQL.

use crate::api::helpers::*;
use crate::support::{Options, Shared, TempDir, cli};
use quotad::proto::v1::adjustment_line::Change;
use quotad::proto::v1::*;
use std::fs;
use std::time::{Duration, Instant};
use tonic::Code::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound};

const HUB: &str = "tenants/hub";
const ALICE: &str = "tenants/hub/namespaces/alice";
const MODEL: &str = "tenants/hub/namespaces/alice/repos/model.m";
const CATALOG: &str = "
meters:
  - {name: job.runs}
  - {name: storage.bytes, family: allocation}
tenants:
  - name: tenants/acme
    quotas:
      - {subject: tenants/acme, meter: job.runs, limits: {month: 1000}}
      - {subject: tenants/acme/users/-, meter: job.runs, limits: {lifetime: 10}}
      - {subject: tenants/acme/users/day, meter: job.runs, limits: {day: 10}, top_up: 5}
  - name: tenants/hub
    quotas:
      - {subject: tenants/hub/namespaces/-, meter: storage.bytes, limits: {lifetime: 1000}}
";
const PATIENCE: Duration = Duration::from_secs(60);

/// A server, and what it stands on.
pub(super) struct World {
    pub(super) api: Api,
    /// Where the ledger is, if not in the server's folder.
    database: Option<String>,
    _shared: Option<Shared>,
    _folder: TempDir,
}

impl World {
    /// Everything in its folder.
    pub(super) async fn embedded() -> World {
        World::on(None).await
    }

    /// Counters in Redis, ledger and catalog in PostgreSQL.
    pub(super) async fn shared() -> World {
        World::on(Some(Shared::with_postgres())).await
    }

    async fn on(shared: Option<Shared>) -> World {
        let folder = TempDir::new("catalog");
        let file = folder.path().join("admin.yaml");
        fs::write(&file, CATALOG).unwrap();
        let options = Options::new().catalog(file);
        let options = shared.iter().fold(options, |options, shared| shared.installation(options));
        let database = options.database_url().map(str::to_owned);
        World { api: Api::with(options).await, database, _shared: shared, _folder: folder }
    }

    /// The audit of a tenant, from a subject on, once it has so many entries: an adjustment is there with the ledger.
    pub(super) async fn audit(&self, tenant: &str, prefix: &str, count: usize) -> Vec<AuditEntry> {
        let request =
            ListAuditEntriesRequest { tenant: tenant.into(), subject_prefix: prefix.into(), ..Default::default() };
        let begin = Instant::now();
        loop {
            let entries = self.api.list_audit_entries(request.clone()).await.unwrap().entries;
            if entries.len() >= count {
                assert_eq!(entries.len(), count, "{entries:#?}");
                return entries;
            }
            assert!(begin.elapsed() < PATIENCE, "not written down: {entries:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn line(account: &str, meter: &str, change: Change) -> AdjustmentLine {
    AdjustmentLine { account: account.into(), meter: meter.into(), change: Some(change), ..Default::default() }
}

pub(super) fn by(amount: i64) -> Vec<AdjustmentLine> {
    vec![line(&user("ann"), "job.runs", Change::Amount(amount))]
}

pub(super) fn adjust(request_id: &str, lines: Vec<AdjustmentLine>) -> AdjustRequest {
    let (tenant, reason) = (TENANT.to_owned(), "counted twice".to_owned());
    AdjustRequest { tenant, request_id: request_id.into(), reason, lines, wait_for_durable: false }
}

fn size(account: &str, used: i64, expected: Option<i64>) -> MeasuredSize {
    MeasuredSize { account: account.into(), meter: "storage.bytes".into(), used, expected }
}

fn sizes(sizes: Vec<MeasuredSize>) -> RecalculateRequest {
    RecalculateRequest { tenant: HUB.into(), sizes, ..Default::default() }
}

/// Change, before and after of what must have been recorded.
#[track_caller]
fn recorded(result: &RecalculateResult) -> (i64, i64, i64) {
    match &result.result {
        Some(recalculate_result::Result::Adjustment(one)) => (one.amount, one.charged_before, one.charged_after),
        other => panic!("not recorded: {other:?}"),
    }
}

/// S0.38, M10, X.08: signed, with a reason, never below zero, all lines or none, once; who, why and what is in the audit.
#[tokio::test]
async fn adjustments() {
    adjusting(World::embedded().await).await;
}

/// S0.38, X.08: the same on Redis and PostgreSQL.
#[tokio::test]
async fn adjustments_on_redis() {
    adjusting(World::shared().await).await;
}

async fn adjusting(mut world: World) {
    let api = &world.api;
    let ann = user("ann");
    api.used("r1", vec![charge(&ann, "job.runs", 5)]).await;
    api.hold("r2", vec![charge(&ann, "job.runs", 2)]).await;
    let answer = api.adjust(adjust("q1", by(-2))).await.unwrap();
    let one = &answer.adjustments[0];
    assert_eq!((one.amount, one.charged_before, one.charged_after, answer.replayed), (-2, 5, 3, false));
    assert_eq!(api.figures(&ann, "job.runs").await, (3, 2), "what is held stays");
    assert_eq!(api.figures(TENANT, "job.runs").await, (3, 2), "and the tenant moves alike");
    let again = api.adjust(adjust("q1", by(-2))).await.unwrap();
    assert_eq!((again.adjustments, again.replayed), (answer.adjustments, true));
    let other = AdjustRequest { reason: "another".into(), ..adjust("q1", by(-2)) };
    assert_eq!(refused(api.adjust(other).await).kind(), (AlreadyExists, "REQUEST_ID_REUSED"));

    let fault = refused(api.adjust(adjust("q2", [by(1), by(-5)].concat())).await);
    assert_eq!(fault.kind(), (FailedPrecondition, "ADJUSTMENT_BELOW_ZERO"));
    assert_eq!((fault.metadata["account"].as_str(), fault.metadata["in_use"].as_str()), (ann.as_str(), "4"));
    assert_eq!(api.figures(&ann, "job.runs").await, (3, 2), "all lines or none");
    api.adjust(adjust("", by(20))).await.unwrap();
    assert_eq!(api.figures(&ann, "job.runs").await, (23, 2), "what happened is recorded, whatever the limit");
    denied(api.reserve(reserve("r3", vec![charge(&ann, "job.runs", 1)])).await.unwrap());
    // The organization's own figure can be set right where its users' are what they are.
    api.adjust(adjust("", vec![line(TENANT, "job.runs", Change::Amount(-20))])).await.unwrap();
    assert_eq!(api.figures(TENANT, "job.runs").await, (3, 2));

    // What does not fit the day stands in the top-up, and goes back from there first.
    let day = |amount| vec![line(&user("day"), "job.runs", Change::Amount(amount))];
    api.adjust(adjust("", day(13))).await.unwrap();
    let rest = |usage: GetUsageResponse| (usage.meters[0].windows[0].used, usage.meters[0].top_up_remaining);
    let usage = GetUsageRequest { tenant: TENANT.into(), account: user("day"), meter: "job.runs".into() };
    assert_eq!(rest(api.get_usage(usage.clone()).await.unwrap()), (10, Some(2)));
    api.adjust(adjust("", day(-4))).await.unwrap();
    assert_eq!(rest(api.get_usage(usage).await.unwrap()), (9, Some(5)));

    bad_adjustments(api).await;
    let cli = |args: &[&str]| {
        let all = [&["adjust"], args, &["--addr", api.server.grpc_addr(), "--actor", "bob"]].concat();
        cli(all)
    };
    let output = cli(&[&ann, "job.runs", "-3", "--reason", "goodwill", "--item", "run7"]);
    assert!(output.status == Some(0) && output.stdout.contains("-3"), "{output:?}");
    assert_eq!(cli(&[&ann, "job.runs", "-99", "--reason", "too much"]).status, Some(1));

    // An adjustment survives `kill -9`, and is in the ledger with who and why.
    world.api.server.kill_hard();
    world.api.server.restart();
    world.api.reconnect();
    assert_eq!(world.api.figures(&ann, "job.runs").await, (20, 2));
    let entries = world.audit(TENANT, &format!("adjustment {ann}"), 3).await;
    let newest = &entries[0];
    assert_eq!((newest.actor.as_str(), newest.action.as_str()), ("anonymous:bob", "adjust"));
    let said = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let (before, after) = (said(&newest.before), said(&newest.after));
    assert_eq!((&before["charged"], &after["charged"], &after["amount"]), (&23.into(), &20.into(), &(-3).into()));
    assert_eq!((&after["reason"], &after["item"]), (&"goodwill".into(), &"run7".into()));
    assert_eq!(entries[2].actor, "anonymous", "nobody was named");
}

async fn bad_adjustments(api: &Api) {
    let now = pbjson_types::Timestamp { seconds: jiff::Timestamp::now().as_second(), nanos: 0 };
    let at = |days: i64, amount| AdjustmentLine {
        effective_time: Some(pbjson_types::Timestamp { seconds: now.seconds + days * 86_400, nanos: 0 }),
        ..line(&user("day"), "job.runs", Change::Amount(amount))
    };
    let measured = line(&user("ann"), "job.runs", Change::Measured(3));
    let without = AdjustmentLine { change: None, ..measured.clone() };
    let expected = AdjustmentLine { expected: Some(1), ..by(1).remove(0) };
    for (lines, field) in [
        (vec![], "lines"),
        (std::iter::repeat_n(by(1), 17).flatten().collect(), "lines"),
        (by(0), "lines[0].amount"),
        (by(1 << 53), "lines[0].amount"),
        (vec![without], "lines[0]"),
        (vec![expected], "lines[0].expected"),
        (vec![measured], "lines[0].meter"),
        (vec![at(3, 1)], "lines[0].effective_time"),
        (vec![at(-3, -1)], "lines[0].effective_time"),
    ] {
        let fault = refused(api.adjust(adjust("", lines)).await);
        assert_eq!((fault.kind(), fault.names()), ((InvalidArgument, "INVALID_FIELD"), vec![field]), "{fault:?}");
    }
    let silent = AdjustRequest { reason: " ".into(), ..adjust("", by(1)) };
    assert_eq!(refused(api.adjust(silent).await).names(), ["reason"]);
    let unknown = vec![line(&user("ann"), "job.none", Change::Amount(1))];
    let fault = refused(api.adjust(adjust("", unknown)).await);
    assert_eq!((fault.kind(), fault.names()), ((NotFound, "METER_NOT_FOUND"), vec!["lines[0].meter"]));
    // What happened before the present day counts there, and leaves the present alone.
    api.adjust(adjust("", vec![at(-3, 1)])).await.unwrap();
    let windows = api.windows(&user("day"), "job.runs").await;
    let used: Vec<(&str, i64)> = windows.iter().map(|window| (window.window.as_str(), window.used)).collect();
    assert_eq!(used, [("lifetime", 10), ("day", 9)]);
}

/// S1.16, S1.37: used becomes the true sizes, the namespace moves by the same differences, held uploads survive, and a
/// repeat changes nothing.
#[tokio::test]
async fn recalculation() {
    recalculating(World::embedded().await).await;
}

/// S1.16, S1.37: the same on Redis and PostgreSQL.
#[tokio::test]
async fn recalculation_on_redis() {
    recalculating(World::shared().await).await;
}

async fn recalculating(world: World) {
    let api = &world.api;
    let data = format!("{ALICE}/repos/dataset.d");
    let bytes = |account: &str, amount| vec![charge(account, "storage.bytes", amount)];
    let consume = |id: &str, charges| ConsumeRequest { tenant: HUB.into(), ..consume(id, charges) };
    api.consume(consume("c1", bytes(MODEL, 100))).await.unwrap();
    api.consume(consume("c2", bytes(&data, 50))).await.unwrap();
    let upload = ReserveRequest { tenant: HUB.into(), ..reserve("upload", bytes(MODEL, 30)) };
    granted(api.reserve(upload).await.unwrap());

    let measured = || sizes(vec![size(MODEL, 70, None), size(&data, 80, None)]);
    let results = api.recalculate(measured()).await.unwrap().results;
    assert_eq!(results.iter().map(recorded).collect::<Vec<_>>(), [(-30, 100, 70), (30, 50, 80)]);
    let results = api.recalculate(measured()).await.unwrap().results;
    assert_eq!(
        results.iter().map(recorded).collect::<Vec<_>>(),
        [(0, 70, 70), (0, 80, 80)],
        "a repeat changes nothing"
    );
    assert_eq!(api.figures(MODEL, "storage.bytes").await, (70, 30), "the upload is held still");
    assert_eq!(api.figures(ALICE, "storage.bytes").await, (150, 30));
    let commit = CommitRequest { tenant: HUB.into(), ..commit("upload", vec![]) };
    api.commit(commit).await.unwrap();
    assert_eq!(api.figures(ALICE, "storage.bytes").await, (180, 0));

    // Measured before the upload was committed: each line decides by itself.
    let stale = sizes(vec![size(MODEL, 70, Some(70)), size(&data, 0, Some(80))]);
    let results = api.recalculate(stale).await.unwrap().results;
    let Some(recalculate_result::Result::Error(error)) = &results[0].result else { panic!("{results:?}") };
    let fault = Fault::from(error);
    assert_eq!((fault.kind(), fault.metadata["in_use"].as_str()), ((FailedPrecondition, "USE_CHANGED"), "100"));
    assert_eq!(recorded(&results[1]), (-80, 80, 0));
    assert_eq!(api.figures(ALICE, "storage.bytes").await, (100, 0));

    let bad = sizes(vec![size(MODEL, -1, None), size(MODEL, 1, None), size(MODEL, 1, None)]);
    assert_eq!(refused(api.recalculate(bad).await).names(), ["sizes[0].used", "sizes[2]"]);
    assert_eq!(refused(api.recalculate(sizes(vec![])).await).names(), ["sizes"]);
    let none = MeasuredSize { meter: "none".into(), ..size(MODEL, 1, None) };
    let results = api.recalculate(sizes(vec![none])).await.unwrap().results;
    let Some(recalculate_result::Result::Error(error)) = &results[0].result else { panic!("{results:?}") };
    assert_eq!(Fault::from(error).names(), ["sizes[0].meter"]);

    let file = world._folder.path().join("sizes.csv");
    fs::write(&file, format!("account,meter,used\n{MODEL},storage.bytes,60\n{data},storage.bytes,5\n")).unwrap();
    let output = cli(["recalculate", "--file", file.to_str().unwrap(), "--addr", api.server.grpc_addr()]);
    assert_eq!(output.status, Some(0), "{output:?}");
    let word = format!("{MODEL},storage.bytes,9,expected=1");
    assert_eq!(cli(["recalculate", &word, "--addr", api.server.grpc_addr()]).status, Some(2), "refused");
    assert_eq!(api.figures(ALICE, "storage.bytes").await, (65, 0));
    let entries = world.audit(HUB, "adjustment", 5).await;
    assert!(entries.iter().all(|entry| entry.after.contains("recalculated")), "{entries:?}");
}

/// S0.38: sixty-four corrections and as many holds at once, while sizes are measured against uploads in flight: every figure
/// is the sum in the end.
#[tokio::test]
async fn everything_at_once() {
    racing(World::embedded().await).await;
}

/// S0.38: the same on Redis and PostgreSQL.
#[tokio::test]
async fn everything_at_once_on_redis() {
    racing(World::shared().await).await;
}

async fn racing(mut world: World) {
    let api = std::sync::Arc::new(world.api);
    api.adjust(adjust("", vec![line(&user("race"), "job.runs", Change::Amount(640))])).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..64 {
        let task = api.clone();
        tasks.spawn(async move {
            let up = vec![line(&user("race"), "job.runs", Change::Amount(3))];
            task.adjust(adjust(&format!("up{number}"), up)).await.unwrap();
            let down = vec![line(&user("race"), "job.runs", Change::Amount(-2))];
            task.adjust(adjust(&format!("down{number}"), down)).await.unwrap();
        });
        let task = api.clone();
        tasks.spawn(async move {
            let bytes = vec![charge(MODEL, "storage.bytes", 5)];
            let id = format!("upload{number}");
            let upload = ReserveRequest { tenant: HUB.into(), ..reserve(&id, bytes.clone()) };
            granted(task.reserve(upload).await.unwrap());
            task.recalculate(sizes(vec![size(&format!("{ALICE}/repos/r{number}"), number, None)])).await.unwrap();
            task.commit(CommitRequest { tenant: HUB.into(), ..commit(&id, vec![]) }).await.unwrap();
        });
    }
    tasks.join_all().await;
    assert_eq!(api.figures(&user("race"), "job.runs").await, (640 + 64, 0));
    assert_eq!(api.figures(TENANT, "job.runs").await, (640 + 64, 0));
    assert_eq!(api.figures(MODEL, "storage.bytes").await, (320, 0));
    assert_eq!(api.figures(ALICE, "storage.bytes").await, (320 + 63 * 64 / 2, 0));
    world.api = std::sync::Arc::into_inner(api).unwrap();
    assert!(world.api.server.terminate().success());
    let file = world.api.server.data_dir().join("ledger.db");
    let url = world.database.clone().unwrap_or_else(|| format!("sqlite:{}", file.display()));
    let verdict = cli(["verify", "--database-url", &url]);
    assert_eq!(verdict.status, Some(0), "{verdict:?}");
}
