//! What is kept beside the catalog: requests for more, and who changed what.

use super::admin::{World, adjust, by};
use crate::api::helpers::*;
use crate::support::cli;
use quotad::proto::v1::*;
use tonic::Code::{AlreadyExists, FailedPrecondition, NotFound};

/// S0.43: a user asks for more, and an administrator approves, which changes the quota with it, or rejects; once.
#[tokio::test]
async fn requests_for_more() {
    requesting(World::embedded().await).await;
}

/// S0.43: the same on Redis and PostgreSQL.
#[tokio::test]
async fn requests_for_more_on_redis() {
    requesting(World::shared().await).await;
}

async fn requesting(world: World) {
    let api = &world.api;
    let ann = user("ann");
    let limit = |amount: i64, kind: WindowKind| Limit {
        window: Some(Window { kind: kind.into(), ..Default::default() }),
        value: Some(limit::Value::Amount(amount)),
    };
    let ask = |id: &str, wanted| CreateLimitRequestRequest {
        tenant: TENANT.into(),
        limit_request_id: id.into(),
        account: ann.clone(),
        meter: "job.runs".into(),
        wanted,
        reason: "two papers are due".into(),
    };
    let get = |id: &str| GetLimitRequestRequest { tenant: TENANT.into(), limit_request_id: id.into() };
    let resolve = |id: &str, decision: LimitRequestState| ResolveLimitRequestRequest {
        tenant: TENANT.into(),
        limit_request_id: id.into(),
        decision: decision.into(),
        ..Default::default()
    };
    let more = || vec![limit(50, WindowKind::Lifetime)];
    api.used("r1", vec![charge(&ann, "job.runs", 8)]).await;
    let made = api.create_limit_request(ask("more", more())).await.unwrap().limit_request.unwrap();
    assert_eq!((made.state(), made.requester.as_str()), (LimitRequestState::Pending, "anonymous"));
    assert_eq!((made.usage[0].limit, made.usage[0].used), (Some(10), 8), "what was in use then");
    let again = api.create_limit_request(ask("more", more())).await.unwrap().limit_request.unwrap();
    assert_eq!(again, made, "a repeat finds it");
    let other = ask("more", vec![limit(60, WindowKind::Lifetime)]);
    assert_eq!(refused(api.create_limit_request(other).await).kind(), (AlreadyExists, "REQUEST_ID_REUSED"));
    let bad = CreateLimitRequestRequest { reason: String::new(), ..ask("", vec![]) };
    assert_eq!(refused(api.create_limit_request(bad).await).names(), ["reason", "wanted"]);
    let twice = vec![limit(9, WindowKind::Day), limit(8, WindowKind::Month)];
    assert_eq!(refused(api.create_limit_request(ask("", twice)).await).kind().1, "INVALID_FIELD");
    denied(api.reserve(reserve("r2", vec![charge(&ann, "job.runs", 5)])).await.unwrap());

    let answer = api.resolve_limit_request(resolve("more", LimitRequestState::Approved)).await.unwrap();
    let resolved = answer.limit_request.unwrap();
    assert_eq!((resolved.state(), &resolved.granted), (LimitRequestState::Approved, &resolved.wanted));
    assert_eq!(answer.quota.unwrap().limits, more());
    granted(api.reserve(reserve("r2", vec![charge(&ann, "job.runs", 5)])).await.unwrap());
    let fault = refused(api.resolve_limit_request(resolve("more", LimitRequestState::Rejected)).await);
    assert_eq!(
        (fault.kind(), fault.metadata["state"].as_str()),
        ((FailedPrecondition, "LIMIT_REQUEST_RESOLVED"), "approved")
    );
    assert_eq!(refused(api.get_limit_request(get("no")).await).kind(), (NotFound, "LIMIT_REQUEST_NOT_FOUND"));

    // Others than wanted, on top of what the quota says already; and not at all.
    api.create_limit_request(ask("day", vec![limit(9, WindowKind::Day)])).await.unwrap();
    let less = ResolveLimitRequestRequest {
        limits: vec![limit(7, WindowKind::Day)],
        comment: "not so much".into(),
        ..resolve("day", LimitRequestState::Approved)
    };
    let answer = api.resolve_limit_request(less).await.unwrap();
    let kinds: Vec<i32> =
        answer.quota.unwrap().limits.iter().map(|limit| limit.window.as_ref().unwrap().kind).collect();
    assert_eq!(kinds, [i32::from(WindowKind::Lifetime), i32::from(WindowKind::Day)]);
    let cli = |args: &[&str]| {
        let all = [&["request"], args, &["--addr", api.server.grpc_addr(), "--json", "--actor", "boss"]].concat();
        cli(all)
    };
    let made = cli(&[
        "create",
        "--account",
        &ann,
        "--meter",
        "job.runs",
        "--limit",
        "lifetime=99",
        "--reason",
        "more!",
        "--id",
        "cli",
    ]);
    assert_eq!(made.json()["limitRequest"]["requester"], "anonymous:boss", "{made:?}");
    let rejected = cli(&["reject", "cli", "--tenant", TENANT, "--comment", "no"]);
    assert_eq!(rejected.json()["limitRequest"]["state"], "LIMIT_REQUEST_STATE_REJECTED", "{rejected:?}");
    assert_eq!(cli(&["approve", "cli", "--tenant", TENANT]).status, Some(1));
    assert_eq!(api.windows(&ann, "job.runs").await[0].limit, Some(50), "it stays what it was");
    pages(api).await;
    let entries = world.audit(TENANT, "limit-request", 6).await;
    assert_eq!((entries[0].actor.as_str(), entries[0].action.as_str()), ("anonymous:boss", "update"));
}

/// S0.43: what an old request asks for is given where it is more; it takes nothing away.
#[tokio::test]
async fn an_old_request_lowers_nothing() {
    let api = Api::start().await;
    let ann = user("ann");
    let create = |value| CreateQuotasRequest {
        tenant: TENANT.into(),
        quotas: vec![Quota { subject: ann.clone(), meter: "job.runs".into(), limits: value, ..Default::default() }],
        if_current: IfCurrent::Replace.into(),
        ..Default::default()
    };
    let limit = |kind: WindowKind, amount: i64| Limit {
        window: Some(Window { kind: kind.into(), ..Default::default() }),
        value: Some(limit::Value::Amount(amount)),
    };
    api.create_quotas(create(vec![limit(WindowKind::Lifetime, 10), limit(WindowKind::Month, 5)])).await.unwrap();
    let ask = CreateLimitRequestRequest {
        tenant: TENANT.into(),
        limit_request_id: "old".into(),
        account: ann.clone(),
        meter: "job.runs".into(),
        wanted: vec![limit(WindowKind::Lifetime, 20), limit(WindowKind::Month, 6)],
        reason: "a paper is due".into(),
    };
    api.create_limit_request(ask).await.unwrap();
    api.create_quotas(create(vec![limit(WindowKind::Lifetime, 50), limit(WindowKind::Month, 5)])).await.unwrap();
    let approve = ResolveLimitRequestRequest {
        tenant: TENANT.into(),
        limit_request_id: "old".into(),
        decision: LimitRequestState::Approved.into(),
        ..Default::default()
    };
    let quota = api.resolve_limit_request(approve).await.unwrap().quota.unwrap();
    assert_eq!(quota.limits, [limit(WindowKind::Lifetime, 50), limit(WindowKind::Month, 6)]);
}

/// A request is for its account, also if that was moved before anybody decided.
#[tokio::test]
async fn a_request_follows_its_account() {
    let api = Api::start().await;
    let limits = |amount: i64| {
        let window = Some(Window { kind: WindowKind::Lifetime.into(), ..Default::default() });
        vec![Limit { window, value: Some(limit::Value::Amount(amount)) }]
    };
    let ask = |id: &str| CreateLimitRequestRequest {
        tenant: TENANT.into(),
        limit_request_id: id.into(),
        account: format!("{TENANT}/teams/t/users/ann"),
        meter: "job.runs".into(),
        wanted: limits(20),
        reason: "a paper is due".into(),
    };
    for id in ["wanted", "less", "no"] {
        api.create_limit_request(ask(id)).await.unwrap();
    }
    // Twice, the second time with what is above.
    for (account, new_name) in [("teams/t/users/ann", "teams/t/users/annie"), ("teams/t", "teams/u")] {
        let (account, new_name) = (format!("{TENANT}/{account}"), format!("{TENANT}/{new_name}"));
        let request = MoveAccountRequest { tenant: TENANT.into(), account, new_name, ..Default::default() };
        let outcome = api.move_account(request).await.unwrap().outcome;
        assert!(matches!(outcome, Some(move_account_response::Outcome::Moved(_))), "{outcome:?}");
    }
    let annie = format!("{TENANT}/teams/u/users/annie");
    // By whatever name it is asked for.
    for account in [ask("no").account, annie.clone(), format!("{TENANT}/teams/t"), format!("{TENANT}/teams/u")] {
        let request = ListLimitRequestsRequest { tenant: TENANT.into(), account, ..Default::default() };
        let found = api.list_limit_requests(request).await.unwrap().limit_requests;
        assert!(found.len() == 3 && found.iter().all(|request| request.account == annie), "{found:?}");
    }
    let resolve = |id: &str, decision: LimitRequestState, limits| ResolveLimitRequestRequest {
        tenant: TENANT.into(),
        limit_request_id: id.into(),
        decision: decision.into(),
        limits,
        ..Default::default()
    };
    for (id, given, amount) in [("wanted", Vec::new(), 20), ("less", limits(15), 15)] {
        let answer = api.resolve_limit_request(resolve(id, LimitRequestState::Approved, given)).await.unwrap();
        let quota = answer.quota.unwrap();
        assert_eq!((quota.subject.as_str(), quota.limits), (annie.as_str(), limits(amount)));
        assert_eq!(answer.limit_request.unwrap().account, annie);
        assert_eq!(api.windows(&annie, "job.runs").await[0].limit, Some(amount));
    }
    let answer = api.resolve_limit_request(resolve("no", LimitRequestState::Rejected, Vec::new())).await.unwrap();
    assert_eq!(answer.limit_request.unwrap().state(), LimitRequestState::Rejected);
    let back = format!("{TENANT}/teams/u/users/ann");
    let request =
        MoveAccountRequest { tenant: TENANT.into(), account: annie, new_name: back.clone(), ..Default::default() };
    api.move_account(request).await.unwrap();
    let all = api.list_limit_requests(ListLimitRequestsRequest { tenant: TENANT.into(), ..Default::default() }).await;
    assert!(all.unwrap().limit_requests.iter().all(|request| request.account == back));
    let request = GetLimitRequestRequest { tenant: TENANT.into(), limit_request_id: "wanted".into() };
    let shown = api.get_limit_request(request).await.unwrap().limit_request.unwrap();
    assert_eq!((shown.account.as_str(), shown.state()), (back.as_str(), LimitRequestState::Approved));
}

async fn pages(api: &Api) {
    let mut request = ListLimitRequestsRequest { tenant: TENANT.into(), page_size: 1, ..Default::default() };
    let mut seen = Vec::new();
    loop {
        let page = api.list_limit_requests(request.clone()).await.unwrap();
        seen.extend(page.limit_requests.iter().map(|one| one.limit_request_id.clone()));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(seen, ["cli", "day", "more"], "newest first");
    for (account, state, count) in [
        (user("ann"), LimitRequestState::Unspecified, 3),
        (TENANT.to_owned(), LimitRequestState::Approved, 2),
        (user("an"), LimitRequestState::Unspecified, 0),
        (String::new(), LimitRequestState::Pending, 0),
    ] {
        let some =
            ListLimitRequestsRequest { tenant: TENANT.into(), account, state: state.into(), ..Default::default() };
        assert_eq!(api.list_limit_requests(some).await.unwrap().limit_requests.len(), count);
    }
}

/// X.08: every change of a limit and every adjustment, newest first, page by page, by subject and time; with before and after.
#[tokio::test]
async fn the_audit() {
    let world = World::embedded().await;
    let api = &world.api;
    api.adjust(AdjustRequest { wait_for_durable: true, ..adjust("", by(7)) }).await.unwrap();
    let edit = Quota { subject: TENANT.into(), meter: "job.runs".into(), note: "none".into(), ..Default::default() };
    api.update_quota(UpdateQuotaRequest { tenant: TENANT.into(), quota: Some(edit), ..Default::default() })
        .await
        .unwrap();
    let mut request = ListAuditEntriesRequest { tenant: TENANT.into(), page_size: 1, ..Default::default() };
    let mut all = Vec::new();
    loop {
        let page = api.list_audit_entries(request.clone()).await.unwrap();
        all.extend(page.entries);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let told: Vec<(&str, &str)> = all.iter().map(|entry| (entry.action.as_str(), entry.subject.as_str())).collect();
    assert_eq!(told[0], ("update", "quota tenants/acme job.runs"));
    assert_eq!(told[1], ("adjust", "adjustment tenants/acme/users/ann job.runs"));
    assert!(all[0].before.contains("1000") && !all[0].after.contains("1000"), "{:?}", all[0]);
    assert!(told[2..].iter().all(|(action, _)| *action == "create") && told.len() == 5, "{told:?}");
    assert!(all.is_sorted_by(|newer, older| newer.id > older.id));
    let newest = all[0].time;
    let of = |start_time, end_time| ListAuditEntriesRequest {
        tenant: TENANT.into(),
        start_time,
        end_time,
        subject_prefix: "quota".into(),
        ..Default::default()
    };
    let count = async |request| api.list_audit_entries(request).await.unwrap().entries.len();
    assert_eq!((count(of(None, None)).await, count(of(newest, None)).await, count(of(None, newest)).await), (4, 1, 3));
    let installation = api.list_audit_entries(ListAuditEntriesRequest::default()).await.unwrap().entries;
    assert!(installation.len() == 2 && installation.iter().all(|entry| entry.subject.starts_with("meter ")));
    let edited = ListAuditEntriesRequest { page_token: "00".into(), page_size: -1, ..of(None, None) };
    assert_eq!(refused(api.list_audit_entries(edited).await).names(), ["page_size", "page_token"]);
    let output = cli(["audit", "--tenant", TENANT, "--limit", "2", "--addr", api.server.grpc_addr()]);
    assert!(output.status == Some(0) && output.stdout.contains("counted twice"), "{output:?}");
}
