//! Every reason an error can have, once: what a caller is told, word for word. `QUOTAD_UPDATE_GOLDENS=1` writes the files
//! of `goldens/` anew; read the difference before you commit it.

use crate::api::{framing, helpers::*};
use crate::support::Options;
use quotad::proto::v1::*;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};

/// Reasons without a golden, and why.
const WITHOUT: [(&str, &str); 5] = [
    ("ACCOUNT_MOVING", "a moment in between; features/moves.rs and crash/moves.rs meet it"),
    ("STORE_UNAVAILABLE", "needs a journal that can't be written; its message is the operating system's"),
    ("LEDGER_UNAVAILABLE", "needs a database that can't be read or written; likewise"),
    ("OUTCOME_UNKNOWN", "needs a call that fails halfway; likewise"),
    ("INTERNAL", "needs a fault of the server; the tests beside the layers make one"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/goldens")
}

/// Compares an error with its golden, or writes it.
fn golden(reason: &str, fault: &Fault) {
    assert_eq!(fault.reason, reason, "{fault:?}");
    let fields = fault.fields.iter().map(|(field, description)| json!({ "field": field, "description": description }));
    let value = json!({
        "code": format!("{:?}", fault.code),
        "reason": fault.reason,
        "message": fault.message,
        "metadata": fault.metadata,
        "field_violations": fields.collect::<Vec<_>>(),
        "retry": fault.retry,
    });
    let text = format!("{value:#}\n");
    let path = folder().join(format!("{reason}.json"));
    if std::env::var_os("QUOTAD_UPDATE_GOLDENS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{}: set QUOTAD_UPDATE_GOLDENS=1 if it is meant to change", path.display());
}

#[tokio::test]
async fn bad_requests() {
    let api = Api::start().await;
    let mut bad = runs("a", -1);
    bad.push(charge("", "job.runs", 1));
    golden("INVALID_FIELD", &refused(api.reserve(reserve("a b", bad)).await));
    let priced =
        Charge { amount: None, quantities: [("input".into(), 10)].into(), ..charge(&user("a"), "job.balance", 0) };
    golden("NO_RATE_CARD", &refused(api.reserve(reserve("r", vec![priced])).await));
    let misspelt = vec![charge(&user("a"), "job.run", 1)];
    golden("METER_NOT_FOUND", &refused(api.reserve(reserve("r", misspelt)).await));
    let foreign = vec![charge("tenants/other/users/u", "job.runs", 1)];
    golden("ACCOUNT_NOT_FOUND", &refused(api.reserve(reserve("r", foreign)).await));
    let deep = format!("{TENANT}{}", "/a/b".repeat(8));
    golden("TOO_MANY_LIMITS", &refused(api.reserve(reserve("r", vec![charge(&deep, "job.runs", 1)])).await));
    let quota = GetQuotaRequest { tenant: TENANT.into(), subject: user("zoe"), meter: "job.runs".into() };
    golden("QUOTA_NOT_FOUND", &refused(api.get_quota(quota).await));
    let again = |version| Quota { version, subject: user("u1"), meter: "job.runs".into(), ..Default::default() };
    let create = CreateQuotasRequest { tenant: TENANT.into(), quotas: vec![again(0)], ..Default::default() };
    golden("QUOTA_EXISTS", &refused(api.create_quotas(create).await));
    let edit = UpdateQuotaRequest { tenant: TENANT.into(), quota: Some(again(7)), ..Default::default() };
    golden("QUOTA_NOT_CURRENT", &refused(api.update_quota(edit).await));
    let more = "meters: [{name: job.locked}, {name: job.within, within_parent: true}]
quotas: [{subject: tenants/-, meter: job.locked, limits: {day: 5}, locked_without: own_quotas}]
tenants: [{name: tenants/acme, quotas: [{subject: tenants/acme, meter: job.within, limits: {lifetime: 5}}]}]";
    api.apply(ApplyRequest { yaml: more.into(), ..Default::default() }).await.unwrap();
    let of = |meter: &str, amount: i64| {
        let window = Window { kind: WindowKind::Lifetime.into(), ..Default::default() };
        let limits = vec![Limit { window: Some(window), value: Some(limit::Value::Amount(amount)) }];
        let quotas = vec![Quota { subject: user("a"), meter: meter.into(), limits, ..Default::default() }];
        CreateQuotasRequest { tenant: TENANT.into(), quotas, ..Default::default() }
    };
    golden("FEATURE_MISSING", &refused(api.create_quotas(of("job.locked", 1)).await));
    golden("LIMIT_ABOVE_PARENT", &refused(api.create_quotas(of("job.within", 6)).await));
    let document = |yaml: &str, etag: &str| ApplyRequest {
        tenant: TENANT.into(),
        yaml: yaml.as_bytes().to_vec(),
        etag: etag.into(),
        ..Default::default()
    };
    let faulty = "quotas:\n  - {subject: tenants/acme/users/u1, meter: job.runs, limits: {lifetime: -1}}\n  - {meter: no.such}\n";
    golden("CATALOG_INVALID", &refused(api.apply(document(faulty, "")).await));
    let mut mismatch = refused(api.apply(document("quotas: []", "stale")).await);
    let now = api.export(ExportRequest { tenant: TENANT.into() }).await.unwrap().etag;
    assert_eq!(mismatch.metadata.insert("etag".into(), "(the etag now)".into()).as_ref(), Some(&now));
    mismatch.message = mismatch.message.replace(&now, "(the etag now)");
    golden("ETAG_MISMATCH", &mismatch);
}

#[tokio::test]
async fn records_and_pools() {
    let api = Api::start().await;
    let account = Some(Account { name: user("vera"), ..Default::default() });
    let create = CreateAccountRequest { tenant: TENANT.into(), account, etag: String::new() };
    golden("ACCOUNT_EXISTS", &refused(api.create_account(create).await));
    let account = format!("{TENANT}/pools/p");
    let pool = Pool { account: account.clone(), meters: vec!["job.runs".into()], ..Default::default() };
    let create = CreatePoolRequest { tenant: TENANT.into(), pool: Some(pool.clone()), etag: String::new() };
    let switch = SetActivePoolRequest { tenant: TENANT.into(), account: user("a"), pool: account };
    golden("POOL_NOT_FOUND", &refused(api.set_active_pool(switch.clone()).await));
    api.create_pool(create.clone()).await.unwrap();
    golden("POOL_EXISTS", &refused(api.create_pool(create).await));
    golden("NOT_A_MEMBER", &refused(api.set_active_pool(switch.clone()).await));
    let disabled = Some(Pool { disabled: true, ..pool });
    let update = UpdatePoolRequest { tenant: TENANT.into(), pool: disabled, etag: String::new() };
    api.update_pool(update).await.unwrap();
    golden("POOL_DISABLED", &refused(api.set_active_pool(switch).await));
}

#[tokio::test]
async fn meters_plans_and_rate_cards() {
    let api = Api::start().await;
    let runs = Some(Meter { name: "job.runs".into(), ..Default::default() });
    let create = CreateMeterRequest { meter: runs, ..Default::default() };
    golden("METER_EXISTS", &refused(api.create_meter(create).await));
    let delete = DeleteMeterRequest { meter: "job.runs".into(), ..Default::default() };
    golden("METER_IN_USE", &refused(api.delete_meter(delete).await));
    let plan = Some(Plan { name: "gold".into(), ..Default::default() });
    let create = CreatePlanRequest { tenant: TENANT.into(), plan, ..Default::default() };
    golden("PLAN_EXISTS", &refused(api.create_plan(create).await));
    let delete = |plan: &str| DeletePlanRequest { tenant: TENANT.into(), plan: plan.into(), ..Default::default() };
    golden("PLAN_IN_USE", &refused(api.delete_plan(delete("gold")).await));
    golden("PLAN_NOT_FOUND", &refused(api.delete_plan(delete("silver")).await));
    let from_time = Some(pbjson_types::Timestamp { seconds: NOON.millis() / 1000, nanos: 0 });
    let rate_card = Some(RateCard { meter: "job.balance".into(), from_time, ..Default::default() });
    let create = CreateRateCardRequest { rate_card, ..Default::default() };
    api.create_rate_card(create.clone()).await.unwrap();
    golden("RATE_CARD_EXISTS", &refused(api.create_rate_card(create).await));
    let delete = DeleteRateCardRequest { meter: "job.calls".into(), from_time, ..Default::default() };
    golden("RATE_CARD_NOT_FOUND", &refused(api.delete_rate_card(delete).await));
}

#[tokio::test]
async fn reservations_in_the_wrong_state() {
    let api = Api::start().await;
    let extend = |id: &str| ExtendRequest { tenant: TENANT.into(), reservation_id: id.into(), ..Default::default() };
    let free = |id: &str| FreeRequest { tenant: TENANT.into(), reservation_id: id.into(), ..Default::default() };
    golden("RESERVATION_NOT_FOUND", &refused(api.release(release("never")).await));
    api.hold("r", runs("a", 1)).await;
    golden("REQUEST_ID_REUSED", &refused(api.reserve(reserve("r", runs("a", 2))).await));
    golden("CHARGE_NOT_HELD", &refused(api.commit(commit("r", runs("b", 1))).await));
    golden("RESERVATION_OPEN", &refused(api.free(free("r")).await));
    api.commit(commit("r", vec![])).await.unwrap();
    golden("RESERVATION_COMMITTED", &refused(api.release(release("r")).await));
    golden("NOT_FREEABLE", &refused(api.free(free("r")).await));
    api.hold("released", runs("a", 1)).await;
    api.release(release("released")).await.unwrap();
    golden("RESERVATION_RELEASED", &refused(api.commit(commit("released", vec![])).await));
    let full = |amount| vec![charge(&user("a"), "job.refused", amount)];
    api.hold("full", full(5)).await;
    golden("OVERAGE_REFUSED", &refused(api.commit(commit("full", full(11))).await));
    api.hold("expired", runs("a", 1)).await;
    api.hold("parked", vec![charge(&user("a"), "job.parked", 1)]).await;
    api.clock(61).await;
    let moving = MoveAccountRequest {
        tenant: TENANT.into(),
        account: user("mover"),
        new_name: user("moved"),
        ..Default::default()
    };
    api.hold("upload", vec![charge(&user("mover"), "disk.bytes", 1)]).await;
    golden("ALLOCATION_HELD", &refused(api.move_account(moving).await));
    golden("RESERVATION_EXPIRED", &refused(api.extend(extend("expired")).await));
    golden("RESERVATION_PARKED", &refused(api.extend(extend("parked")).await));
}

#[tokio::test]
async fn what_administrators_are_refused() {
    use quotad::proto::v1::adjustment_line::Change;
    let api = Api::start().await;
    let adjust = |meter: &str, change, expected| AdjustRequest {
        tenant: TENANT.into(),
        reason: "counted twice".into(),
        lines: vec![AdjustmentLine {
            account: user("a"),
            meter: meter.into(),
            change: Some(change),
            expected,
            ..Default::default()
        }],
        ..Default::default()
    };
    api.used("r", runs("a", 3)).await;
    golden("ADJUSTMENT_BELOW_ZERO", &refused(api.adjust(adjust("job.runs", Change::Amount(-5), None)).await));
    golden("USE_CHANGED", &refused(api.adjust(adjust("disk.bytes", Change::Measured(5), Some(3))).await));
    let of = |id: &str, decision: LimitRequestState| ResolveLimitRequestRequest {
        tenant: TENANT.into(),
        limit_request_id: id.into(),
        decision: decision.into(),
        ..Default::default()
    };
    let none = of("never", LimitRequestState::Approved);
    golden("LIMIT_REQUEST_NOT_FOUND", &refused(api.resolve_limit_request(none).await));
    let window = Some(Window { kind: WindowKind::Lifetime.into(), ..Default::default() });
    let more = CreateLimitRequestRequest {
        tenant: TENANT.into(),
        limit_request_id: "more".into(),
        account: user("a"),
        meter: "job.runs".into(),
        wanted: vec![Limit { window, value: Some(limit::Value::Amount(20)) }],
        reason: "two papers are due".into(),
    };
    api.create_limit_request(more).await.unwrap();
    api.resolve_limit_request(of("more", LimitRequestState::Rejected)).await.unwrap();
    let again = of("more", LimitRequestState::Approved);
    golden("LIMIT_REQUEST_RESOLVED", &refused(api.resolve_limit_request(again).await));
}

#[tokio::test]
async fn bounds_and_the_end() {
    let capped = Api::with(Options::new().catalog(catalog()).arg("--max-open-reservations").arg("1")).await;
    capped.hold("one", runs("a", 1)).await;
    golden("CAP_REACHED", &refused(capped.reserve(reserve("two", runs("a", 1))).await));

    let full = Api::with(Options::new().arg("--max-in-flight").arg("1")).await;
    let second = async {
        // Not before the first is in.
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let fault = refused(full.reserve(reserve("r", runs("a", 1))).await);
            if fault.reason != "METER_NOT_FOUND" {
                break fault;
            }
        }
    };
    tokio::select! {
        status = framing::unfinished(&full) => panic!("the first call has ended: {status:?}"),
        fault = second => golden("OVERLOADED", &fault),
    }

    let mut ending = Api::with(Options::new()).await;
    let (_requests, receiver) = tokio::sync::mpsc::channel::<EnforceRequest>(1);
    let mut answers = ending.server.quota().enforce(ReceiverStream::new(receiver)).await.unwrap().into_inner();
    tokio::task::spawn_blocking(move || assert!(ending.server.terminate().success())).await.unwrap();
    golden("SHUTTING_DOWN", &Fault::from(&answers.next().await.unwrap().unwrap_err()));
}

#[tokio::test]
async fn a_deadline_of_the_servers_own() {
    let api = Api::with(Options::new()).await;
    golden("DEADLINE", &Fault::from(&framing::unfinished(&api).await));
}

#[test]
fn every_reason_has_its_golden_or_says_why_not() {
    let numbers = 1..1000;
    let reasons = numbers.filter_map(|number| ErrorReason::try_from(number).ok());
    let reasons: BTreeSet<String> =
        reasons.map(|reason| reason.as_str_name().trim_start_matches("ERROR_REASON_").to_owned()).collect();
    let mut covered: BTreeSet<String> = WITHOUT.iter().map(|(reason, _)| (*reason).to_owned()).collect();
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let reason = name.strip_suffix(".json").unwrap_or_else(|| panic!("{name} is no golden")).to_owned();
        assert!(covered.insert(reason), "{name}: in the list of those without, too");
    }
    assert_eq!(reasons, covered);
    assert!(WITHOUT.iter().all(|(_, why)| !why.is_empty()));
}
