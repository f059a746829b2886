//! The service in front of a node in a folder of its own; the words of the protocol; what refusals say.

use super::CatalogApi;
use super::errors::from_apply;
use crate::app::{Node, NodeOptions};
use crate::domain::meter::Meter;
use crate::domain::quota::{Enforcement, Limit, LimitValue, Quota, Raise, Subject};
use crate::domain::time::{Span, Timestamp};
use crate::domain::window::{WindowKind, WindowSpec};
use crate::engine::manage::ApplyError;
use crate::engine::manage::document::{Place, Problems, meter as words, quota as quota_words};
use crate::engine::ports::StoreError;
use crate::proto::v1;
use crate::proto::v1::catalog_service_server::CatalogService;
use crate::services::actor::actor;
use crate::services::convert;
use std::sync::atomic::{AtomicU32, Ordering};
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

const INSTALLATION: &str = "meters: [{name: runs, unit: run}, {name: bytes, unit: byte}]
quotas: [{subject: tenants/-/users/-, meter: runs, limits: {day: {amount: 5, zone: Asia/Shanghai, anchor: '01:00'}}}]
";
const ACME: &str = "meters: [{name: runs, unit: job}]
accounts: [{name: tenants/acme/users/b, display_name: Bo}, {name: tenants/acme/users/a, labels: {team: x}}]
quotas: [{subject: tenants/acme/users/a, meter: runs, limits: {lifetime: unlimited, rate: {amount: 9, length: 1500ms}}}]
";

async fn with_api<F: Future<Output = ()>>(test: impl FnOnce(CatalogApi) -> F) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("quotad-catalog-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let data_dir = std::env::temp_dir().join(name);
    let node = Node::open(NodeOptions { data_dir: data_dir.clone(), partitions: Some(1), ..NodeOptions::default() })
        .await
        .unwrap();
    test(CatalogApi::new(
        node.catalogs.clone(),
        node.clock.clone(),
        node.authority.clone(),
        node.mover.clone(),
        tokio::runtime::Handle::current(),
    ))
    .await;
    node.close().await;
    std::fs::remove_dir_all(data_dir).unwrap();
}

async fn apply(api: &CatalogApi, tenant: &str, yaml: &str) -> Result<v1::ApplyResponse, Status> {
    let request = v1::ApplyRequest { tenant: tenant.into(), yaml: yaml.into(), ..Default::default() };
    api.apply(Request::new(request)).await.map(tonic::Response::into_inner)
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_go_in_and_come_out() {
    with_api(async |api: CatalogApi| {
        let applied = apply(&api, "", INSTALLATION).await.unwrap();
        assert_eq!(applied.changes.len(), 3);
        assert!(applied.changes.iter().all(|change| change.kind() == v1::ChangeKind::Create));
        apply(&api, "tenants/acme", ACME).await.unwrap();
        let exported = api.export(Request::new(v1::ExportRequest::default())).await.unwrap().into_inner();
        let text = String::from_utf8(exported.yaml).unwrap();
        let again = apply(&api, "", &text).await.unwrap();
        assert_eq!((again.changes.len(), &again.etag), (0, &exported.etag), "{text}");

        let stale = v1::ApplyRequest { yaml: INSTALLATION.into(), etag: "0".into(), ..Default::default() };
        let refused = api.apply(Request::new(stale)).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Aborted, "ETAG_MISMATCH"));
        let refused = apply(&api, "acme", "").await.unwrap_err();
        assert_eq!(reason(&refused), "INVALID_FIELD");
        let fields = refused.get_details_bad_request().unwrap().field_violations;
        assert_eq!(fields.iter().map(|field| field.field.as_str()).collect::<Vec<_>>(), ["tenant", "yaml"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_sees_the_installation_and_its_own() {
    with_api(async |api: CatalogApi| {
        apply(&api, "", INSTALLATION).await.unwrap();
        apply(&api, "tenants/acme", ACME).await.unwrap();
        for (tenant, unit) in [("", "run"), ("tenants/acme", "job"), ("tenants/other", "run")] {
            let request = v1::GetMeterRequest { tenant: tenant.into(), meter: "runs".into() };
            let meter = api.get_meter(Request::new(request)).await.unwrap().into_inner().meter.unwrap();
            assert_eq!(meter.unit, unit);
        }

        // One at a time, to the end.
        let mut request = v1::ListQuotasRequest { tenant: "tenants/acme".into(), page_size: 1, ..Default::default() };
        let mut subjects = Vec::new();
        loop {
            let page = api.list_quotas(Request::new(request.clone())).await.unwrap().into_inner();
            assert_eq!(page.quotas.len(), 1);
            subjects.extend(page.quotas.into_iter().map(|quota| quota.subject));
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
            let other = v1::ListQuotasRequest { meter: "runs".into(), ..request.clone() };
            assert_eq!(api.list_quotas(Request::new(other)).await.unwrap_err().code(), Code::InvalidArgument);
        }
        assert_eq!(subjects, ["tenants/-/users/-", "tenants/acme/users/a"]);

        let request = v1::ListAccountsRequest { tenant: "tenants/acme".into(), ..Default::default() };
        let accounts = api.list_accounts(Request::new(request)).await.unwrap().into_inner().accounts;
        let names: Vec<&str> = accounts.iter().map(|account| account.name.as_str()).collect();
        assert_eq!(names, ["tenants/acme/users/a", "tenants/acme/users/b"]);
        assert_eq!(accounts[0].uid.len(), 32);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_has_its_reason() {
    with_api(async |api: CatalogApi| {
        apply(&api, "", INSTALLATION).await.unwrap();
        let tenant = || String::from("tenants/acme");
        let request = v1::GetMeterRequest { tenant: tenant(), meter: "none".into() };
        assert_eq!(reason(&api.get_meter(Request::new(request)).await.unwrap_err()), "METER_NOT_FOUND");
        let request = v1::GetQuotaRequest { tenant: tenant(), subject: "plans/vip".into(), meter: "runs".into() };
        assert_eq!(reason(&api.get_quota(Request::new(request)).await.unwrap_err()), "QUOTA_NOT_FOUND");
        for account in ["tenants/acme/users/a", "tenants/other"] {
            let request = v1::GetAccountRequest { tenant: tenant(), account: account.into() };
            assert_eq!(reason(&api.get_account(Request::new(request)).await.unwrap_err()), "ACCOUNT_NOT_FOUND");
        }
        let refused = api.get_quota(Request::new(v1::GetQuotaRequest::default())).await.unwrap_err();
        assert_eq!(refused.get_details_bad_request().unwrap().field_violations.len(), 2);
    })
    .await;
}

#[test]
fn refusals_have_their_reasons() {
    let cases = [
        (ApplyError::EtagMismatch("7".into()), Code::Aborted, "ETAG_MISMATCH"),
        (ApplyError::InUse("the plan p is in use".into()), Code::InvalidArgument, "CATALOG_INVALID"),
        (ApplyError::Contention, Code::Aborted, "ETAG_MISMATCH"),
        (StoreError::Unavailable("away".into()).into(), Code::Unavailable, "LEDGER_UNAVAILABLE"),
        (StoreError::Corrupt("secret".into()).into(), Code::Internal, "INTERNAL"),
    ];
    for (error, code, text) in cases {
        let status = from_apply(error);
        assert_eq!((status.code(), reason(&status).as_str()), (code, text));
        assert!(!status.message().contains("secret"));
    }
}

#[test]
fn many_problems_stay_within_what_headers_carry() {
    for count in [1, 12, 700] {
        let mut problems = Problems::default();
        for line in 1..=count {
            problems.add(&Place::root().key("quotas", line).item(line, line), "must be \u{4e00} thing of \"its\" own");
        }
        let status = from_apply(ApplyError::Document(problems));
        let fields = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(fields[0].field, "quotas[1]");
        assert!(fields[0].description.starts_with("line 1: must be"));
        let more = match count {
            1 => None,
            12 => Some("and 2 more"),
            _ => Some("and at least 490 more"),
        };
        assert_eq!(status.message().lines().nth(10), more);
        let headers = headers_of(&status);
        let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        assert!(size < 15 << 10, "{size}");
        assert!(count > 12 || fields.len() == count);
    }
}

fn headers_of(status: &Status) -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    status.add_header(&mut headers).unwrap();
    headers
}

#[test]
fn a_name_that_nobody_checked_is_marked() {
    let named = |name: &str| {
        let mut metadata = MetadataMap::new();
        metadata.insert("quotad-actor", name.parse().unwrap());
        actor(&metadata)
    };
    assert_eq!(actor(&MetadataMap::new()), "anonymous");
    assert_eq!(named("ann@acme"), "anonymous:ann@acme");
    assert_eq!(named("two words"), "anonymous");
    assert_eq!(named(&"a".repeat(129)), "anonymous");
}

/// The protocol's words are the document's, in capitals and with the kind before them.
#[test]
fn the_words_are_those_of_documents() {
    let word = |prefix: &str, word: &str| format!("{prefix}_{}", word.replace('-', "_").to_uppercase());
    let mut meter = Meter::new("m".parse().unwrap());
    for (text, family) in words::FAMILIES {
        meter.rules.family = family;
        assert_eq!(convert::meter::meter(&meter).family().as_str_name(), word("METER_FAMILY", text));
    }
    for (text, overage) in words::OVERAGES {
        meter.rules.overage = overage;
        assert_eq!(convert::meter::meter(&meter).overage().as_str_name(), word("OVERAGE_RULE", text));
    }
    for (text, expiry) in words::EXPIRIES {
        meter.rules.expiry = expiry;
        assert_eq!(convert::meter::meter(&meter).expiry().as_str_name(), word("EXPIRY_RULE", text));
    }
    for (text, policy) in words::FAILURE_POLICIES {
        meter.failure_policy = policy;
        assert_eq!(convert::meter::meter(&meter).failure_policy().as_str_name(), word("FAILURE_POLICY", text));
    }
    for (text, kind) in quota_words::KINDS {
        let window = convert::window::window(&WindowSpec::of(kind));
        assert_eq!(window.kind().as_str_name(), word("WINDOW_KIND", text));
    }
}

#[test]
fn limits_keep_their_shape() {
    let rate = WindowSpec { length: Some(Span::from_millis(1500)), ..WindowSpec::of(WindowKind::Rate) };
    let raised = Limit { window: rate.clone(), value: LimitValue::Finite(7) };
    let quota = Quota {
        tenant: None,
        subject: Subject::parse("plans/vip").unwrap(),
        meter: "runs".parse().unwrap(),
        limits: vec![
            Limit { window: WindowSpec::of(WindowKind::Lifetime), value: LimitValue::Unlimited },
            Limit { window: rate, value: LimitValue::Finite(0) },
        ],
        top_up: Some(3),
        hold_share_percent: Some(50),
        enforcement: Enforcement::Shadow,
        locked_without: None,
        raise: Some(Raise { limits: vec![raised], until: Timestamp::from_millis(5000) }),
        note: String::new(),
        version: 4,
        create_time: Timestamp::from_millis(1500),
        update_time: Timestamp::from_millis(2500),
    };
    let shown = convert::quota::quota(&quota, Timestamp::from_millis(4999));
    assert_eq!((shown.subject.as_str(), shown.version, shown.state()), ("plans/vip", 4, v1::QuotaState::Current));
    assert_eq!(shown.limits[0].value, Some(v1::limit::Value::Unlimited(true)));
    assert_eq!(shown.limits[1].value, Some(v1::limit::Value::Amount(0)));
    let length = shown.limits[1].window.as_ref().and_then(|window| window.length.as_ref()).unwrap();
    assert_eq!((length.seconds, length.nanos), (1, 500_000_000));
    assert_eq!(shown.enforcement(), v1::Enforcement::Shadow);
    let over = |quota: &v1::Quota| quota.raise.as_ref().map(|raise| raise.is_over);
    let later = convert::quota::quota(&quota, Timestamp::from_millis(5000));
    assert_eq!((over(&shown), over(&later)), (Some(false), Some(true)));
}
