//! `CatalogService`: documents in and out, and reading what they said.

use super::helpers::*;
use crate::support::Options;
use quotad::proto::v1::*;
use tonic::Code::{Aborted, InvalidArgument, NotFound};

fn apply(yaml: &str) -> ApplyRequest {
    ApplyRequest { tenant: TENANT.into(), yaml: yaml.as_bytes().to_vec(), ..Default::default() }
}

const RAISE: &str = "quotas:\n  - {subject: tenants/acme/users/u1, meter: job.runs, limits: {lifetime: 5}}\n";

fn kinds(response: &ApplyResponse) -> Vec<(ChangeKind, &str)> {
    response.changes.iter().map(|change| (change.kind(), change.subject.as_str())).collect()
}

async fn etag(api: &Api) -> String {
    api.export(ExportRequest { tenant: TENANT.into() }).await.unwrap().etag
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_changes_nothing() {
    let api = Api::start().await;
    let before = etag(&api).await;
    let dry = api.apply(ApplyRequest { dry_run: true, ..apply(RAISE) }).await.unwrap();
    let changed = [(ChangeKind::Update, "quota tenants/acme/users/u1 job.runs")];
    assert_eq!(kinds(&dry), changed, "{dry:?}");
    assert_eq!(etag(&api).await, before);
    denied(api.reserve(reserve("", runs("u1", 4))).await.unwrap());
    let real = api.apply(apply(RAISE)).await.unwrap();
    assert_eq!(real.changes, dry.changes);
    assert!(real.changes[0].before.contains('3') && real.changes[0].after.contains('5'), "{real:?}");
    assert_ne!(real.etag, before);
    assert_eq!(etag(&api).await, real.etag);
    // In force from the moment the call returned.
    api.hold("r", runs("u1", 5)).await;
    let again = api.apply(apply(RAISE)).await.unwrap();
    assert_eq!((again.changes.len(), again.etag), (0, real.etag), "the same document again changes nothing");
}

#[tokio::test]
async fn an_etag_of_before_is_refused() {
    let api = Api::start().await;
    let first = etag(&api).await;
    let ok = api.apply(ApplyRequest { etag: first.clone(), ..apply(RAISE) }).await.unwrap();
    let fault = refused(api.apply(ApplyRequest { etag: first, ..apply(RAISE) }).await);
    assert_eq!(fault.kind(), (Aborted, "ETAG_MISMATCH"));
    assert_eq!(fault.metadata.get("etag"), Some(&ok.etag));
}

#[tokio::test]
async fn prune_removes_what_is_not_named() {
    let api = Api::start().await;
    let all = api.export(ExportRequest { tenant: TENANT.into() }).await.unwrap().yaml;
    let quota = |subject: &str, meter: &str| GetQuotaRequest {
        tenant: TENANT.into(),
        subject: subject.into(),
        meter: meter.into(),
    };
    let kept = api.apply(apply(RAISE)).await.unwrap();
    assert_eq!(kept.changes.len(), 1);
    api.get_quota(quota("tenants/acme/projects/p1", "job.runs")).await.unwrap();
    let pruned = api.apply(ApplyRequest { prune: true, ..apply(RAISE) }).await.unwrap();
    assert!(pruned.changes.iter().all(|change| change.kind() == ChangeKind::Delete), "{pruned:?}");
    assert!(kinds(&pruned).contains(&(ChangeKind::Delete, "quota tenants/acme/projects/p1 job.runs")), "{pruned:?}");
    let fault = refused(api.get_quota(quota("tenants/acme/projects/p1", "job.runs")).await);
    assert_eq!(fault.kind(), (NotFound, "QUOTA_NOT_FOUND"));
    // The installation's default is not the tenant's to remove.
    denied(api.reserve(reserve("", vec![charge(&user("a"), "job.installed", 8)])).await.unwrap());
    // Back again, and exactly so.
    api.apply(ApplyRequest { yaml: all.clone(), prune: true, ..apply("") }).await.unwrap();
    assert_eq!(api.export(ExportRequest { tenant: TENANT.into() }).await.unwrap().yaml, all);
}

#[tokio::test]
async fn an_export_is_taken_back_without_a_change_also_by_an_empty_server() {
    let api = Api::start().await;
    let exported = api.export(ExportRequest::default()).await.unwrap();
    let whole = |yaml: Vec<u8>, prune| ApplyRequest { yaml, prune, ..Default::default() };
    let same = api.apply(whole(exported.yaml.clone(), true)).await.unwrap();
    assert_eq!((kinds(&same), &same.etag), (vec![], &exported.etag));

    let empty = Api::with(crate::support::Options::new()).await;
    let made = empty.apply(whole(exported.yaml.clone(), false)).await.unwrap();
    assert!(made.changes.iter().all(|change| change.kind() == ChangeKind::Create) && made.changes.len() > 30);
    assert_eq!(empty.export(ExportRequest::default()).await.unwrap().yaml, exported.yaml);
    denied(empty.reserve(reserve("", runs("u1", 4))).await.unwrap());
}

#[tokio::test]
async fn every_fault_of_a_document_is_named_with_its_line() {
    let api = Api::start().await;
    let before = api.digest().await;
    let document = "meters:
  - {name: Bad Name, unit: run}
quotas:
  - {subject: tenants/acme/users/u1, meter: job.runs, limits: {lifetime: -1}}
  - {subject: tenants/other/users/u1, meter: job.runs, limits: {lifetime: 1}}
  - {subject: tenants/acme/users/u2, meter: no.such, limits: {lifetime: 1}}
  - {subject: tenants/acme/users/u3, meter: job.runs, limits: {fortnight: 1}}
  - {subject: tenants/acme/users/u4, meter: job.runs, limits: {lifetime: 1}, colour: red}
";
    let fault = refused(api.apply(apply(document)).await);
    assert_eq!(fault.kind(), (InvalidArgument, "CATALOG_INVALID"));
    for line in [2, 4, 5, 6, 7, 8] {
        assert!(fault.fields.iter().any(|(_, why)| why.starts_with(&format!("line {line}: "))), "{line}: {fault:?}");
    }
    for (document, line) in
        [("quotas: [", "line 2"), ("a: b: c", "line 1"), ("\tquotas: 1", "line 1"), ("- x", "line 1")]
    {
        let fault = refused(api.apply(apply(document)).await);
        assert_eq!(fault.kind(), (InvalidArgument, "CATALOG_INVALID"), "{document}");
        assert!(fault.fields[0].1.starts_with(line), "{document}: {fault:?}");
    }
    for (request, field) in [(apply(""), "yaml"), (ApplyRequest { tenant: "acme".into(), ..apply(RAISE) }, "tenant")] {
        let fault = refused(api.apply(request).await);
        assert_eq!((fault.kind(), fault.names()), ((InvalidArgument, "INVALID_FIELD"), vec![field]));
    }
    let latin = ApplyRequest { yaml: vec![b'a', b':', b' ', 0xFF], ..apply("") };
    assert_eq!(refused(api.apply(latin).await).kind(), (InvalidArgument, "CATALOG_INVALID"));
    assert_eq!(api.digest().await, before);
}

#[tokio::test]
async fn single_things() {
    let api = Api::start().await;
    let meter = |tenant: &str, name: &str| GetMeterRequest { tenant: tenant.into(), meter: name.into() };
    let bytes = api.get_meter(meter(TENANT, "disk.bytes")).await.unwrap().meter.unwrap();
    assert_eq!((bytes.family(), bytes.unit.as_str(), bytes.tenant.as_str()), (MeterFamily::Allocation, "byte", ""));
    let balance = api.get_meter(meter("", "job.balance")).await.unwrap().meter.unwrap();
    assert_eq!((balance.admission(), balance.decimals), (AdmissionRule::Positive, 6));
    assert_eq!(refused(api.get_meter(meter(TENANT, "no.such")).await).kind(), (NotFound, "METER_NOT_FOUND"));
    assert_eq!(refused(api.get_meter(meter(TENANT, "")).await).names(), ["meter"]);

    let quota =
        |subject: &str| GetQuotaRequest { tenant: TENANT.into(), subject: subject.into(), meter: "job.runs".into() };
    let own = api.get_quota(quota(&user("u1"))).await.unwrap().quota.unwrap();
    assert_eq!((own.note.as_str(), own.version, own.state()), ("The first course.", 1, QuotaState::Current));
    assert_eq!(own.limits.len(), 1);
    assert_eq!(own.limits[0].value, Some(limit::Value::Amount(3)));
    api.apply(apply(RAISE)).await.unwrap();
    assert_eq!(api.get_quota(quota(&user("u1"))).await.unwrap().quota.unwrap().version, 2);
    let pool = api.get_quota(quota("tenants/acme/pools/-")).await.unwrap().quota.unwrap();
    assert_eq!((pool.top_up, pool.limits[0].window.as_ref().unwrap().kind()), (Some(5), WindowKind::Day));
    assert_eq!(
        api.get_quota(quota("plans/gold")).await.unwrap().quota.unwrap().limits[0].value,
        Some(limit::Value::Amount(100))
    );
    assert_eq!(refused(api.get_quota(quota(&user("zoe"))).await).kind(), (NotFound, "QUOTA_NOT_FOUND"));

    let account = |name: &str| GetAccountRequest { tenant: TENANT.into(), account: name.into() };
    let vera = api.get_account(account(&user("vera"))).await.unwrap().account.unwrap();
    assert_eq!((vera.display_name.as_str(), vera.plan.as_str(), vera.labels["team"].as_str()), ("Vera", "gold", "red"));
    assert!(vera.uid.len() == 32 && vera.create_time.is_some(), "{vera:?}");
    assert_eq!(refused(api.get_account(account(&user("zoe"))).await).kind(), (NotFound, "ACCOUNT_NOT_FOUND"));
    assert_eq!(
        refused(api.get_account(account("tenants/other/users/u")).await).kind(),
        (NotFound, "ACCOUNT_NOT_FOUND")
    );
}

#[tokio::test]
async fn lists_in_pages() {
    let api = Api::start().await;
    macro_rules! pages {
        ($call:ident, $request:expr, $items:ident, $name:expr) => {{
            let (mut all, mut request, mut count) = (Vec::new(), $request, 0);
            loop {
                let page = api.$call(request.clone()).await.unwrap();
                count += 1;
                all.extend(page.$items.iter().map($name));
                if page.next_page_token.is_empty() {
                    break (all, count);
                }
                request.page_token = page.next_page_token;
            }
        }};
    }
    let meters = ListMetersRequest { tenant: TENANT.into(), page_size: 5, ..Default::default() };
    let (names, count) = pages!(list_meters, meters, meters, |meter: &Meter| meter.name.clone());
    assert!(names.len() == 12 && count == 3 && names.is_sorted(), "{names:?}");
    let quotas = ListQuotasRequest { tenant: TENANT.into(), page_size: 4, ..Default::default() };
    let key = |quota: &Quota| (quota.subject.clone(), quota.meter.clone());
    let (all, _) = pages!(list_quotas, quotas.clone(), quotas, key);
    assert!(all.is_sorted() && all.len() >= 19, "{all:?}");
    let mine = ListQuotasRequest { subject: user("u1"), ..quotas.clone() };
    assert_eq!(pages!(list_quotas, mine, quotas, key).0, [(user("u1"), "job.runs".into())]);
    let runs = ListQuotasRequest { meter: "job.runs".into(), page_size: 2, ..quotas };
    let (runs, _) = pages!(list_quotas, runs, quotas, key);
    assert!(runs.len() >= 7 && runs.iter().all(|(_, meter)| meter == "job.runs"), "{runs:?}");
    let accounts = ListAccountsRequest { tenant: TENANT.into(), page_size: 1, ..Default::default() };
    let (accounts, _) = pages!(list_accounts, accounts, accounts, |account: &Account| account.name.clone());
    assert!(
        accounts.is_sorted() && accounts.contains(&user("vera")) && accounts.contains(&user("rob")),
        "{accounts:?}"
    );
    let theirs = ListAccountsRequest { tenant: "tenants/other".into(), ..Default::default() };
    assert!(
        api.list_accounts(theirs)
            .await
            .unwrap()
            .accounts
            .iter()
            .all(|account| account.name.starts_with("tenants/other"))
    );
}

#[tokio::test]
async fn a_meter_that_was_removed_comes_back_as_it_was_or_not_at_all() {
    let api = Api::with(Options::new()).await;
    let apply = async |meters: &str, prune: bool| {
        let yaml = format!("meters: [{meters}]\ntenants: [{{name: {TENANT}}}]\n").into_bytes();
        api.apply(ApplyRequest { yaml, prune, ..Default::default() }).await
    };
    apply("{name: job.runs, decimals: 2}", false).await.unwrap();
    api.used("c", runs("a", 7)).await;
    apply("{name: other}", true).await.unwrap();
    for changed in ["family: allocation, decimals: 2", "decimals: 3"] {
        let fault = refused(apply(&format!("{{name: job.runs, {changed}}}"), false).await);
        assert_eq!(fault.reason, "CATALOG_INVALID");
        assert!(format!("{fault:?}").contains("changed once the meter exists"), "{fault:?}");
    }
    apply("{name: job.runs, decimals: 2}", false).await.unwrap();
    assert_eq!(api.figures(&user("a"), "job.runs").await, (7, 0));
}
