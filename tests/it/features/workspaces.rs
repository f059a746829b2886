//! Workspace quotas as an operator's catalogue offers them: what a quota and its meter show, in which order, and who wins a race.

use crate::api::helpers::*;
use crate::support::Options;
use quotad::proto::v1::*;
use std::collections::BTreeSet;
use std::sync::Arc;

const PROJECT: &str = "tenants/project-a";
/// Its meters, each with bounds of its own.
const METERS: [&str; 3] = ["training.cpu_minutes", "training.gpu_minutes", "training.npu_minutes"];

async fn start() -> Api {
    let api = Api::with(Options::new().example("workspaces").test_clock()).await;
    api.server.set_clock(NOON).await;
    api
}

fn workspace(id: &str) -> String {
    format!("{PROJECT}/workspaces/{id}")
}

/// Lifetime quotas of a workspace, on these meters in this order.
fn put(id: &str, quotas: &[(&str, i64)]) -> CreateQuotasRequest {
    let quota = |(meter, amount): &(&str, i64)| {
        let window = Window { kind: WindowKind::Lifetime.into(), ..Default::default() };
        let limits = vec![Limit { window: Some(window), value: Some(limit::Value::Amount(*amount)) }];
        Quota { subject: workspace(id), meter: (*meter).to_owned(), limits, ..Default::default() }
    };
    CreateQuotasRequest {
        tenant: PROJECT.into(),
        quotas: quotas.iter().map(quota).collect(),
        if_current: IfCurrent::Replace.into(),
        etag: String::new(),
    }
}

fn said(quotas: &[Quota]) -> Vec<(&str, Option<limit::Value>)> {
    quotas.iter().map(|quota| (quota.meter.as_str(), quota.limits[0].value)).collect()
}

/// S2.07, S2.08, S2.09, S2.10: the answer holds what was changed, and nothing else, in the order of the request, as it was set; a quota
/// and its meter show all that people see beside it; each resource has its own time of change.
#[tokio::test]
async fn a_quota_shows_what_was_set() {
    let api = start().await;
    let wanted = [(METERS[2], 100_000), (METERS[0], 20)];
    let answer = api.create_quotas(put("0", &wanted)).await.unwrap();
    assert_eq!(said(&answer.quotas), wanted.map(|(meter, amount)| (meter, Some(limit::Value::Amount(amount)))));

    api.clock(60).await;
    let later = api.create_quotas(put("0", &[(METERS[0], 20)])).await.unwrap().quotas.remove(0);
    let get = |meter: &str| GetQuotaRequest { tenant: PROJECT.into(), subject: workspace("0"), meter: meter.into() };
    assert_eq!(api.get_quota(get(METERS[0])).await.unwrap().quota, Some(later.clone()));
    let other = api.get_quota(get(METERS[2])).await.unwrap().quota.unwrap();
    assert_eq!(
        (later.create_time, later.update_time.map(|time| time.seconds)),
        (other.create_time, other.update_time.map(|time| time.seconds + 60))
    );

    let request = GetMeterRequest { tenant: PROJECT.into(), meter: METERS[2].into() };
    let meter = api.get_meter(request).await.unwrap().meter.unwrap();
    assert_eq!((meter.min_limit, meter.max_limit, meter.may_be_unlimited), (Some(1), Some(100_000), Some(false)));
    let names = |names: &std::collections::HashMap<String, String>| (names["en"].clone(), names["zh"].clone());
    assert_eq!(names(&meter.display_names), ("NPU time for training".into(), "训练NPU时长".into()));
    assert_eq!(names(&meter.unit_names), ("minutes".into(), "分钟".into()));
}

/// S2.02, S2.11: the default workspace is there without being made, and one question shows every resource with bounds and use, what is
/// unlimited too.
#[tokio::test]
async fn every_resource_is_listed() {
    let api = start().await;
    let charge = charge(&workspace("0"), METERS[1], 7);
    let consume = ConsumeRequest { tenant: "tenants/project-b".into(), ..Default::default() };
    let theirs = Charge { account: "tenants/project-b/workspaces/0".into(), ..charge.clone() };
    api.consume(ConsumeRequest { charges: vec![theirs], ..consume.clone() }).await.unwrap();
    api.consume(ConsumeRequest { tenant: PROJECT.into(), charges: vec![charge], ..consume }).await.unwrap();
    let request = GetUsageRequest { tenant: PROJECT.into(), account: workspace("0"), ..Default::default() };
    let report = api.get_usage(request).await.unwrap();
    let used: Vec<_> = report.meters.iter().map(|meter| (meter.meter.as_str(), meter.windows[0].used)).collect();
    let listed = api.list_meters(ListMetersRequest { tenant: PROJECT.into(), ..Default::default() }).await.unwrap();
    assert_eq!(
        used.iter().map(|(meter, _)| *meter).collect::<Vec<_>>(),
        listed.meters.iter().map(|meter| meter.name.as_str()).collect::<Vec<_>>()
    );
    assert!(listed.meters.iter().all(|meter| meter.min_limit == Some(1)));
    assert!(used.contains(&(METERS[1], 7)), "counted though unlimited: {used:?}");
}

/// S2.20: of two who set all resources at once the one or the other's call stands, never some of each.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_complete_results_one_stands() {
    let api = Arc::new(start().await);
    for round in 0..6 {
        let set = |amount: i64| {
            let api = api.clone();
            tokio::spawn(
                async move { api.create_quotas(put("0", &METERS.map(|meter| (meter, amount)))).await.unwrap() },
            )
        };
        let both = [set(10 + round), set(1000 + round)];
        for call in both {
            call.await.unwrap();
        }
        let request = ListQuotasRequest { tenant: PROJECT.into(), subject: workspace("0"), ..Default::default() };
        let quotas = api.list_quotas(request).await.unwrap().quotas;
        let amounts: BTreeSet<String> = quotas.iter().map(|quota| format!("{:?}", quota.limits[0].value)).collect();
        assert_eq!((quotas.len(), amounts.len()), (METERS.len(), 1), "{quotas:?}");
    }
}
