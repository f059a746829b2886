//! Raises: limits that are higher for a time. What a quota and its account's use show, how a raise ends early, what keeps it, what
//! it must fit into. That it ends by itself is told by `stories/raises.story`.

use crate::api::helpers::*;
use crate::support::{Options, cli};
use pbjson_types::Timestamp;
use quotad::proto::v1::*;
use std::collections::BTreeSet;
use tonic::Code::{FailedPrecondition, InvalidArgument};

const HOUR: i64 = 3_600;

fn limit(kind: WindowKind, amount: i64) -> Limit {
    let window = Window { kind: kind.into(), ..Default::default() };
    Limit { window: Some(window), value: Some(limit::Value::Amount(amount)) }
}

/// So many seconds after noon.
fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds: NOON.millis() / 1000 + seconds, nanos: 0 }
}

fn raise(kind: WindowKind, amount: i64, until: i64) -> Raise {
    Raise { limits: vec![limit(kind, amount)], until: Some(at(until)), is_over: false }
}

/// A lifetime quota on `job.runs`.
fn quota(id: &str, amount: i64, raise: Option<Raise>) -> Quota {
    let limits = vec![limit(WindowKind::Lifetime, amount)];
    Quota { subject: user(id), meter: "job.runs".into(), limits, raise, ..Default::default() }
}

async fn create(api: &Api, quota: Quota) -> Quota {
    let (tenant, if_current) = (TENANT.into(), IfCurrent::Fail.into());
    let request = CreateQuotasRequest { tenant, quotas: vec![quota], if_current, etag: String::new() };
    api.create_quotas(request).await.unwrap().quotas.remove(0)
}

fn edit(quota: Quota, end_raise: bool) -> UpdateQuotaRequest {
    UpdateQuotaRequest { tenant: TENANT.into(), quota: Some(quota), end_raise, ..Default::default() }
}

async fn get(api: &Api, id: &str) -> Quota {
    let request = GetQuotaRequest { tenant: TENANT.into(), subject: user(id), meter: "job.runs".into() };
    api.get_quota(request).await.unwrap().quota.unwrap()
}

/// The limit in force, and until when it is raised.
async fn in_force(api: &Api, id: &str) -> (Option<i64>, Option<Timestamp>) {
    let window = api.windows(&user(id), "job.runs").await.remove(0);
    (window.limit, window.raised_until)
}

#[tokio::test]
async fn a_quota_shows_its_raise_and_whether_it_is_over() {
    let api = Api::start().await;
    let made = create(&api, quota("r", 5, Some(raise(WindowKind::Lifetime, 8, HOUR)))).await;
    assert_eq!(made.raise, Some(raise(WindowKind::Lifetime, 8, HOUR)));
    assert_eq!(
        (get(&api, "r").await.raise, in_force(&api, "r").await),
        (made.raise.clone(), (Some(8), Some(at(HOUR))))
    );
    let window = api.windows(&user("r"), "job.runs").await.remove(0);
    assert_eq!((window.available, window.origin()), (Some(8), LimitOrigin::Own));

    api.clock(HOUR).await;
    let over = Some(Raise { is_over: true, ..raise(WindowKind::Lifetime, 8, HOUR) });
    assert_eq!((get(&api, "r").await.raise, in_force(&api, "r").await), (over.clone(), (Some(5), None)));
    let list = ListQuotasRequest { tenant: TENANT.into(), subject: user("r"), ..Default::default() };
    assert_eq!(api.list_quotas(list).await.unwrap().quotas[0].raise, over);
    let (subject, meter) = (user("r"), "job.runs".into());
    let versions = ListQuotaVersionsRequest { tenant: TENANT.into(), subject, meter, ..Default::default() };
    assert_eq!(api.list_quota_versions(versions).await.unwrap().quotas[0].raise, over);
    // Whoever sends back what was read changes nothing; an edit that does not say it lets go what has ended.
    let read = get(&api, "r").await;
    assert_eq!(api.update_quota(edit(read, false)).await.unwrap().quota.unwrap().raise, over);
    assert_eq!(api.update_quota(edit(quota("r", 5, None), false)).await.unwrap().quota.unwrap().raise, None);
}

#[tokio::test]
async fn a_raise_ends_early_only_when_that_is_said() {
    let api = Api::start().await;
    create(&api, quota("r", 5, Some(raise(WindowKind::Lifetime, 8, HOUR)))).await;
    let kept = api.update_quota(edit(Quota { note: "more".into(), ..quota("r", 6, None) }, false)).await.unwrap();
    assert_eq!(kept.quota.unwrap().raise, Some(raise(WindowKind::Lifetime, 8, HOUR)));
    let other = raise(WindowKind::Lifetime, 9, 2 * HOUR);
    api.update_quota(edit(quota("r", 6, Some(other.clone())), false)).await.unwrap();
    assert_eq!(in_force(&api, "r").await, (Some(9), Some(at(2 * HOUR))));
    let fault = refused(api.update_quota(edit(quota("r", 6, Some(other)), true)).await);
    assert_eq!((fault.kind(), fault.names()), ((InvalidArgument, "INVALID_FIELD"), vec!["end_raise"]));
    api.hold("all", runs("r", 9)).await;
    let ended = api.update_quota(edit(quota("r", 6, None), true)).await.unwrap().quota.unwrap();
    assert_eq!((ended.raise, in_force(&api, "r").await), (None, (Some(6), None)));
    api.commit(commit("all", vec![])).await.unwrap();
    denied(api.reserve(reserve("", runs("r", 1))).await.unwrap());
}

#[tokio::test]
async fn more_that_is_approved_keeps_the_raise() {
    let api = Api::start().await;
    create(&api, quota("r", 5, Some(raise(WindowKind::Lifetime, 8, HOUR)))).await;
    for (amount, limit_in_force) in [(7, 8), (20, 20)] {
        let asked = CreateLimitRequestRequest {
            tenant: TENANT.into(),
            limit_request_id: format!("for-{amount}"),
            account: user("r"),
            meter: "job.runs".into(),
            wanted: vec![limit(WindowKind::Lifetime, amount)],
            reason: "more".into(),
        };
        api.create_limit_request(asked).await.unwrap();
        let decided = ResolveLimitRequestRequest {
            tenant: TENANT.into(),
            limit_request_id: format!("for-{amount}"),
            decision: LimitRequestState::Approved.into(),
            ..Default::default()
        };
        api.resolve_limit_request(decided).await.unwrap();
        assert_eq!(in_force(&api, "r").await.0, Some(limit_in_force));
    }
}

/// Every bad field of a raise is named beside those of the quota.
#[tokio::test]
async fn every_bad_field_of_a_raise_is_named() {
    let api = Api::start().await;
    let shaped = Window { kind: WindowKind::Lifetime.into(), time_zone: "Asia/Shanghai".into(), ..Default::default() };
    let limits = vec![
        Limit { window: Some(shaped), ..limit(WindowKind::Lifetime, 9) },
        Limit { value: None, ..limit(WindowKind::Day, 9) },
        limit(WindowKind::Lifetime, -1),
        limit(WindowKind::Unspecified, 9),
    ];
    let bad = Quota { note: "\0".into(), ..quota("r", 5, Some(Raise { limits, until: None, is_over: true })) };
    let fault = refused(api.update_quota(edit(bad, false)).await);
    let expected: BTreeSet<&str> = [
        "quota.note",
        "quota.raise.until",
        "quota.raise.limits[1]",
        "quota.raise.limits[2].window",
        "quota.raise.limits[3].window.kind",
    ]
    .into();
    assert_eq!(fault.names().into_iter().collect::<BTreeSet<_>>(), expected, "{fault:?}");
    let shaped = Window { kind: WindowKind::Lifetime.into(), cron: "0 1 * * *".into(), ..Default::default() };
    let limits = vec![Limit { window: Some(shaped), ..limit(WindowKind::Lifetime, 9) }];
    let bad = quota("u1", 5, Some(Raise { limits, until: Some(at(-1)), is_over: false }));
    let fault = refused(api.update_quota(edit(bad, false)).await);
    assert_eq!(fault.names(), ["quota.raise.until", "quota.raise.limits[0]"], "{fault:?}");
}

/// Where limits must fit into what the accounts above have left, so must a raise, when it is set.
#[tokio::test]
async fn a_raise_fits_into_what_is_left_above() {
    let api = Api::start().await;
    let yaml = "meters: [{name: job.within, within_parent: true}]
quotas: [{subject: tenants/acme, meter: job.within, limits: {lifetime: 10}}]";
    let request = ApplyRequest { tenant: TENANT.into(), yaml: yaml.into(), ..Default::default() };
    api.apply(request).await.unwrap();
    let within = |amount, raise| Quota { meter: "job.within".into(), ..quota("r", amount, raise) };
    create(&api, within(4, None)).await;
    let more = |amount| within(4, Some(raise(WindowKind::Lifetime, amount, HOUR)));
    // 10 are there, and the 4 that are replaced.
    let fault = refused(api.update_quota(edit(more(15), false)).await);
    assert_eq!((fault.kind(), fault.names()), ((FailedPrecondition, "LIMIT_ABOVE_PARENT"), vec!["quota.raise"]));
    api.update_quota(edit(more(9), false)).await.unwrap();
    api.used("c", vec![charge(&user("r"), "job.within", 9)]).await;
    // The one that stands is not asked about again, whatever is left.
    api.update_quota(edit(within(4, None), false)).await.unwrap();
    let fault = refused(api.update_quota(edit(more(11), false)).await);
    assert_eq!(fault.names(), ["quota.raise"], "1 is left, and 9 are replaced: {fault:?}");
    api.update_quota(edit(more(10), false)).await.unwrap();
}

/// What is raised above is there for a while: only for a raise that ends no later. Unlimited is above whatever is limited.
#[tokio::test]
async fn what_is_raised_above_is_lent_no_longer_than_that() {
    let api = Api::start().await;
    let yaml = "meters: [{name: job.within, within_parent: true}]
quotas: [{subject: tenants/acme, meter: job.within, limits: {lifetime: 10}}]";
    let request = ApplyRequest { tenant: TENANT.into(), yaml: yaml.into(), ..Default::default() };
    api.apply(request).await.unwrap();
    let within = |quota: Quota| Quota { meter: "job.within".into(), ..quota };
    let above = Quota { subject: TENANT.into(), ..quota("", 10, Some(raise(WindowKind::Lifetime, 20, HOUR))) };
    api.update_quota(edit(within(above), false)).await.unwrap();
    let unlimited = Limit { value: Some(limit::Value::Unlimited(true)), ..limit(WindowKind::Lifetime, 0) };
    let lifted = Raise { limits: vec![unlimited.clone()], ..raise(WindowKind::Lifetime, 0, HOUR) };
    for (asked, field, why) in [
        (quota("a", 11, None), "limits", "11 is above the 10"),
        (quota("a", 4, Some(raise(WindowKind::Lifetime, 11, HOUR + 1))), "raise", "11 is above the 10"),
        (quota("a", 4, Some(raise(WindowKind::Lifetime, 21, HOUR))), "raise", "21 is above the 20"),
        (quota("a", 4, Some(lifted)), "raise", "unlimited is above the 20"),
        (Quota { limits: vec![unlimited], ..quota("a", 0, None) }, "limits", "unlimited is above the 10"),
    ] {
        let (tenant, quotas) = (TENANT.into(), vec![within(asked)]);
        let fault = refused(api.create_quotas(CreateQuotasRequest { tenant, quotas, ..Default::default() }).await);
        assert_eq!(fault.kind(), (FailedPrecondition, "LIMIT_ABOVE_PARENT"), "{fault:?}");
        assert_eq!(fault.names(), [format!("quotas[0].{field}")], "{fault:?}");
        assert!(fault.fields[0].1.starts_with(why), "{fault:?}");
    }
    create(&api, within(quota("a", 10, Some(raise(WindowKind::Lifetime, 20, HOUR))))).await;
}

/// An edit keeps the raise that stands; where that does not fit its meter any more, one sentence says so, and how to go on.
#[tokio::test]
async fn a_raise_that_does_not_fit_any_more_is_told_in_one_sentence() {
    let api = Api::start().await;
    let bound = |most: i64| ApplyRequest {
        tenant: TENANT.into(),
        yaml: format!("meters: [{{name: job.bound, max_limit: {most}}}]").into(),
        ..Default::default()
    };
    api.apply(bound(20)).await.unwrap();
    let mut two = raise(WindowKind::Lifetime, 15, HOUR);
    two.limits.push(limit(WindowKind::Day, 16));
    let limits = vec![limit(WindowKind::Lifetime, 5), limit(WindowKind::Day, 4)];
    let raised = Quota { meter: "job.bound".into(), limits, ..quota("r", 5, Some(two)) };
    create(&api, raised.clone()).await;
    api.apply(bound(10)).await.unwrap();
    let unsaid = Quota { raise: None, note: "lowered".into(), ..raised };
    let fault = refused(api.update_quota(edit(unsaid.clone(), false)).await);
    assert_eq!((fault.kind(), fault.names()), ((InvalidArgument, "INVALID_FIELD"), vec!["quota.raise"]), "{fault:?}");
    let told = &fault.fields[0].1;
    for part in ["the raise that stands until 2100-", "must be at most 10, the greatest limit of job.bound", "end it"] {
        assert!(told.contains(part), "{told}");
    }
    let quota = api.update_quota(edit(unsaid, true)).await.unwrap().quota.unwrap();
    assert_eq!((quota.raise, quota.note.as_str()), (None, "lowered"));
}

/// What is exported is taken back without a change, before the end and after it; the audit tells the raise.
#[tokio::test]
async fn an_export_comes_back() {
    let api = Api::start().await;
    let mut two = raise(WindowKind::Lifetime, 8, HOUR);
    two.limits.push(Limit { value: Some(limit::Value::Unlimited(true)), ..limit(WindowKind::Rate, 0) });
    let length = seconds(1);
    let rate = Window { kind: WindowKind::Rate.into(), length, ..Default::default() };
    let mut wanted = quota("r", 5, Some(two));
    wanted.limits.push(Limit { window: Some(rate), ..limit(WindowKind::Rate, 2) });
    let made = create(&api, wanted).await;
    assert_eq!(made.raise.as_ref().unwrap().limits[1].window, made.limits[1].window, "the window is the quota's own");
    let export = || async {
        let exported = api.export(ExportRequest { tenant: TENANT.into() }).await.unwrap();
        String::from_utf8(exported.yaml).unwrap()
    };
    for _ in 0..2 {
        let text = export().await;
        assert!(text.contains("raise:\n") && text.contains("until: \"2100-"), "{text}");
        let request = ApplyRequest { tenant: TENANT.into(), yaml: text.clone().into(), ..Default::default() };
        assert_eq!(api.apply(request).await.unwrap().changes, [], "{text}");
        api.clock(HOUR).await;
    }
    let audit = api.list_audit_entries(ListAuditEntriesRequest { tenant: TENANT.into(), ..Default::default() }).await;
    let entries = audit.unwrap().entries;
    assert!(entries.iter().any(|entry| entry.after.contains("\"raise\":{")), "{entries:?}");
}

#[test]
fn the_command_line_sets_shows_and_ends_a_raise() {
    let server = crate::support::Server::start(Options::new().example("ai-platform"));
    let name = ["--addr", server.grpc_addr(), "--subject", "tenants/ai/users/new", "--meter", "training.runs"];
    let quota = |command: &str, more: &[&str]| cli(["quota", command].iter().chain(&name).chain(more));
    let own = ["--limit", "lifetime=5", "--limit", "day=2"];
    let raised = ["--raise", "lifetime=9", "--raise", "day=unlimited", "--raise-until", "2100-01-01T00:00:00Z"];
    let set = quota("set", &[&own[..], &raised].concat());
    let told = "lifetime 5, day 2, raised to lifetime 9 and day unlimited until 2100-01-01T00:00:00Z";
    assert!(set.status == Some(0) && set.stdout.contains(told), "{set:?}");
    assert!(quota("get", &[]).stdout.contains(told) && quota("history", &[]).stdout.contains(told));
    assert_eq!(quota("get", &["--json"]).json()["quota"]["raise"]["until"], "2100-01-01T00:00:00Z");
    let usage =
        cli(["usage", "--account", "tenants/ai/users/new", "--addr", server.grpc_addr(), "--meter", "training.runs"]);
    assert!(usage.stdout.contains("9 (until 2100-01-01T00:00:00Z)"), "{usage:?}");
    let kept = quota("edit", &["--limit", "lifetime=6", "--limit", "day=2"]);
    assert!(kept.stdout.contains("lifetime 6, day 2, raised to lifetime 9"), "{kept:?}");
    let ended = quota("edit", &[&own[..], &["--end-raise"]].concat());
    assert!(ended.status == Some(0) && ended.stdout.contains("lifetime 5, day 2 ") && !ended.stdout.contains("raised"));
    for (more, why) in [
        (&["--limit", "day=2", "--raise", "day=3"][..], "--raise-until"),
        (&["--limit", "day=2", "--raise-until", "2100-01-01T00:00:00Z"], "--raise"),
        (&["--limit", "day=2", "--raise", "day=3", "--raise-until", "soon"], "is not a time like"),
        (&["--limit", "day=2", "--raise", "day=2", "--raise-until", "2100-01-01T00:00:00Z"], "must be above"),
    ] {
        let wrong = quota("edit", more);
        assert!(wrong.status != Some(0) && wrong.stderr.contains(why), "{wrong:?}");
    }
}
