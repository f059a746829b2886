//! Quotas that an administrator sets one by one: how a second creation is met, editing, deleting, the chain of versions.

use crate::api::helpers::*;
use quotad::proto::v1::*;
use std::collections::BTreeSet;
use tonic::Code::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound};

/// A limit over a window that needs nothing but its kind.
fn limit(kind: WindowKind, amount: i64) -> Limit {
    let window = Window { kind: kind.into(), ..Default::default() };
    Limit { window: Some(window), value: Some(limit::Value::Amount(amount)) }
}

/// A quota on `job.runs`.
fn quota(subject: &str, limits: &[(WindowKind, i64)]) -> Quota {
    let limits = limits.iter().map(|(kind, amount)| limit(*kind, *amount)).collect();
    Quota { subject: subject.into(), meter: "job.runs".into(), limits, ..Default::default() }
}

fn lifetime(subject: &str, amount: i64) -> Quota {
    quota(subject, &[(WindowKind::Lifetime, amount)])
}

fn create(quotas: Vec<Quota>, if_current: IfCurrent) -> CreateQuotasRequest {
    CreateQuotasRequest { tenant: TENANT.into(), quotas, if_current: if_current.into(), etag: String::new() }
}

fn edit(quota: Quota) -> UpdateQuotaRequest {
    UpdateQuotaRequest { tenant: TENANT.into(), quota: Some(quota), ..Default::default() }
}

fn delete(subject: &str, after: AfterDelete) -> DeleteQuotaRequest {
    let (subject, meter) = (subject.to_owned(), "job.runs".to_owned());
    DeleteQuotaRequest { tenant: TENANT.into(), subject, meter, after: after.into(), ..Default::default() }
}

/// Version, state, first limit, whether it is closed: newest first.
async fn history(api: &Api, subject: &str) -> Vec<(i64, QuotaState, i64, bool)> {
    let request = ListQuotaVersionsRequest {
        tenant: TENANT.into(),
        subject: subject.into(),
        meter: "job.runs".into(),
        ..Default::default()
    };
    let versions = api.list_quota_versions(request).await.unwrap().quotas;
    let amount = |quota: &Quota| match quota.limits[0].value {
        Some(limit::Value::Amount(amount)) => amount,
        ref other => panic!("no amount: {other:?}"),
    };
    versions.iter().map(|quota| (quota.version, quota.state(), amount(quota), quota.close_time.is_some())).collect()
}

async fn limit_of(api: &Api, account: &str) -> Option<i64> {
    api.windows(account, "job.runs").await[0].limit
}

/// S0.08, S0.09: a second creation is refused and changes nothing; 0 is a limit, and blocks.
#[tokio::test]
async fn a_second_creation_is_refused_whole() {
    let api = Api::start().await;
    let made = api.create_quotas(create(vec![lifetime(&user("new"), 0)], IfCurrent::Unspecified)).await.unwrap();
    assert_eq!((made.quotas[0].version, made.quotas[0].state()), (1, QuotaState::Current));
    denied(api.reserve(reserve("", runs("new", 1))).await.unwrap());
    let before = api.digest().await;
    let both = vec![lifetime(&user("other"), 5), lifetime(&user("new"), 7)];
    let fault = refused(api.create_quotas(create(both, IfCurrent::Fail)).await);
    assert_eq!((fault.kind(), fault.names()), ((AlreadyExists, "QUOTA_EXISTS"), vec!["quotas[1]"]));
    assert_eq!(api.digest().await, before, "the other one was not made either");
    let without =
        Quota { limits: vec![Limit { value: None, ..limit(WindowKind::Lifetime, 0) }], ..lifetime(&user("x"), 0) };
    let fault = refused(api.create_quotas(create(vec![without], IfCurrent::Fail)).await);
    assert_eq!(fault.names(), ["quotas[0].limits[0]"], "an empty total is no total");
}

/// S0.10: any Unicode, line breaks kept, shown as it was written; may be empty.
#[tokio::test]
async fn a_note_is_kept_as_it_is() {
    let api = Api::start().await;
    let longest = "é".repeat(32_768);
    for note in ["", &longest, "für die 训练\nzweite Zeile 🚀 \"quoted\" \\ : # - "] {
        let quota = Quota { note: note.into(), ..lifetime(&user("noted"), 5) };
        let set = api.create_quotas(create(vec![quota], IfCurrent::Replace)).await.unwrap();
        assert_eq!(set.quotas[0].note, note);
        let request = GetQuotaRequest { tenant: TENANT.into(), subject: user("noted"), meter: "job.runs".into() };
        assert_eq!(api.get_quota(request).await.unwrap().quota.unwrap().note, note);
    }
    let longer = Quota { note: longest + "é", ..lifetime(&user("noted"), 5) };
    assert_eq!(refused(api.update_quota(edit(longer)).await).names(), ["quota.note"]);
}

/// S2.06: several in one call are all set or none; one bad, one twice, one unknown, an empty list.
#[tokio::test]
async fn several_are_set_together_or_not_at_all() {
    let api = Api::start().await;
    let before = api.digest().await;
    let good = lifetime(&user("a"), 5);
    let unknown = Quota { meter: "job.none".into(), ..good.clone() };
    for (bad, field) in [
        (vec![], "quotas"),
        (vec![good.clone(), good.clone()], "quotas[1]"),
        (vec![good.clone(), lifetime(&user("b"), -1)], "quotas[1].limits[0].amount"),
        (vec![good.clone(), unknown], "quotas[1].meter"),
        (vec![good.clone(), lifetime("tenants/other/users/u", 1)], "quotas[1].subject"),
        (vec![good.clone(), quota(&user("c"), &[(WindowKind::Day, 9), (WindowKind::Month, 8)])], "quotas[1].limits[0]"),
    ] {
        let fault = refused(api.create_quotas(create(bad, IfCurrent::Replace)).await);
        assert_eq!((fault.kind(), fault.names()), ((InvalidArgument, "INVALID_FIELD"), vec![field]), "{fault:?}");
    }
    assert_eq!(api.digest().await, before);
    let set = vec![lifetime(&user("b"), 2), lifetime(&user("a"), 1)];
    let answer = api.create_quotas(create(set, IfCurrent::Replace)).await.unwrap();
    let subjects: Vec<&str> = answer.quotas.iter().map(|quota| quota.subject.as_str()).collect();
    assert_eq!(subjects, [user("b"), user("a")], "in the order of the request");
    let many = |count| (0..count).map(|number| lifetime(&user(&format!("many{number}")), 5)).collect();
    let all = api.create_quotas(create(many(256), IfCurrent::Fail)).await.unwrap();
    assert_eq!(all.quotas.len(), 256);
    assert_eq!(refused(api.create_quotas(create(many(257), IfCurrent::Replace)).await).names(), ["quotas"]);
}

/// Every bad field of a request has its own line in one answer.
#[tokio::test]
async fn every_bad_field_is_named() {
    let api = Api::start().await;
    let window = |kind: WindowKind, zone: &str, anchor: &str, cron: &str| Window {
        kind: kind.into(),
        time_zone: zone.into(),
        anchor: anchor.into(),
        cron: cron.into(),
        length: None,
    };
    let limits = [
        window(WindowKind::Day, "Mars/Phobos", "25:00", ""),
        window(WindowKind::Cron, "", "", "61 * * * *"),
        window(WindowKind::Sliding, "", "", ""),
        window(WindowKind::Unspecified, "", "", ""),
        window(WindowKind::Day, "", "", ""),
    ];
    let limits = limits.map(|window| Limit { window: Some(window), value: Some(limit::Value::Amount(1)) });
    let bad = Quota {
        limits: limits.into(),
        hold_share_percent: Some(101),
        enforcement: 9,
        ..lifetime("tenants/acme/users/a b", 1)
    };
    let fault = refused(api.create_quotas(create(vec![bad], IfCurrent::Fail)).await);
    let expected: BTreeSet<&str> = [
        "quotas[0].subject",
        "quotas[0].limits[0].window.time_zone",
        "quotas[0].limits[0].window.anchor",
        "quotas[0].limits[1].window.cron",
        "quotas[0].limits[2].window.length",
        "quotas[0].limits[3].window.kind",
        "quotas[0].limits[4].window",
        "quotas[0].hold_share_percent",
        "quotas[0].enforcement",
    ]
    .into();
    assert_eq!(fault.names().into_iter().collect::<BTreeSet<_>>(), expected, "{fault:?}");
}

/// S4.10, S4.11: a new version closes the one before; use is not reset; the history tells both with their times.
#[tokio::test]
async fn a_new_version_closes_the_current_one() {
    let api = Api::start().await;
    api.used("c", runs("a", 4)).await;
    api.create_quotas(create(vec![lifetime(&user("a"), 5)], IfCurrent::Supersede)).await.unwrap();
    api.clock(60).await;
    api.create_quotas(create(vec![lifetime(&user("a"), 6)], IfCurrent::Supersede)).await.unwrap();
    assert_eq!(history(&api, &user("a")).await, [(2, QuotaState::Current, 6, false), (1, QuotaState::Closed, 5, true)]);
    assert_eq!(api.figures(&user("a"), "job.runs").await, (4, 0));
    denied(api.reserve(reserve("", runs("a", 3))).await.unwrap());
    api.hold("fits", runs("a", 2)).await;
    let request = ListQuotaVersionsRequest {
        tenant: TENANT.into(),
        subject: user("a"),
        meter: "job.runs".into(),
        page_size: 1,
        ..Default::default()
    };
    let newest = api.list_quota_versions(request.clone()).await.unwrap();
    let rest = ListQuotaVersionsRequest { page_token: newest.next_page_token, ..request };
    let oldest = api.list_quota_versions(rest).await.unwrap();
    assert_eq!((oldest.quotas[0].version, oldest.next_page_token.as_str()), (1, ""));
    assert_eq!(oldest.quotas[0].close_time, newest.quotas[0].create_time, "the one begins where the other ends");
}

/// S4.12, S2.10: an edit changes the current version in place, with a new update time, also if it says the same; a closed
/// version can't be edited.
#[tokio::test]
async fn only_the_current_version_is_edited() {
    let api = Api::start().await;
    for amount in [5, 6] {
        api.create_quotas(create(vec![lifetime(&user("a"), amount)], IfCurrent::Supersede)).await.unwrap();
    }
    api.clock(60).await;
    let edited = api.update_quota(edit(lifetime(&user("a"), 9))).await.unwrap().quota.unwrap();
    assert_eq!((edited.version, limit_of(&api, &user("a")).await), (2, Some(9)));
    assert_ne!(edited.update_time, edited.create_time);
    api.clock(61).await;
    let same = api.update_quota(edit(Quota { version: 2, ..lifetime(&user("a"), 9) })).await.unwrap().quota.unwrap();
    assert_ne!(same.update_time, edited.update_time);
    assert_eq!(history(&api, &user("a")).await, [(2, QuotaState::Current, 9, false), (1, QuotaState::Closed, 5, true)]);
    let before = api.digest().await;
    let fault = refused(api.update_quota(edit(Quota { version: 1, ..lifetime(&user("a"), 1) })).await);
    assert_eq!(fault.kind(), (FailedPrecondition, "QUOTA_NOT_CURRENT"));
    assert_eq!(fault.metadata["current"], "2");
    let fault = refused(api.update_quota(edit(lifetime(&user("nobody"), 1))).await);
    assert_eq!(fault.kind(), (NotFound, "QUOTA_NOT_FOUND"));
    assert_eq!(api.digest().await, before);
}

/// S4.13, S4.14: deleting reopens the version before, again and again, past those that were deleted; at the end of the chain
/// nothing of the subject's own is left.
#[tokio::test]
async fn deleting_reopens_the_version_before() {
    let api = Api::start().await;
    let reopen = || api.delete_quota(delete(&user("a"), AfterDelete::ReopenPrevious));
    for amount in [5, 6, 7] {
        api.create_quotas(create(vec![lifetime(&user("a"), amount)], IfCurrent::Supersede)).await.unwrap();
    }
    assert_eq!(reopen().await.unwrap().reopened.unwrap().version, 2);
    assert_eq!(limit_of(&api, &user("a")).await, Some(6));
    api.create_quotas(create(vec![lifetime(&user("a"), 8)], IfCurrent::Supersede)).await.unwrap();
    let wrong = DeleteQuotaRequest { version: 2, ..delete(&user("a"), AfterDelete::ReopenPrevious) };
    assert_eq!(refused(api.delete_quota(wrong).await).kind(), (FailedPrecondition, "QUOTA_NOT_CURRENT"));
    assert_eq!(reopen().await.unwrap().reopened.unwrap().version, 2, "past the deleted third");
    assert_eq!(reopen().await.unwrap().reopened.unwrap().version, 1);
    assert_eq!(
        history(&api, &user("a")).await,
        [
            (4, QuotaState::Deleted, 8, true),
            (3, QuotaState::Deleted, 7, true),
            (2, QuotaState::Deleted, 6, true),
            (1, QuotaState::Current, 5, false)
        ]
    );
    assert_eq!(reopen().await.unwrap().reopened, None);
    assert_eq!(limit_of(&api, &user("a")).await, Some(10), "the default of the users");
    assert_eq!(refused(reopen().await).kind(), (NotFound, "QUOTA_NOT_FOUND"));
    api.delete_quota(delete("tenants/acme/users/-", AfterDelete::FallBack)).await.unwrap();
    assert_eq!(limit_of(&api, &user("a")).await, None, "no quota at any level: no limit");
}

/// S0.18, S4.13: deleting can also fall back to what patterns say, whatever was before.
#[tokio::test]
async fn deleting_falls_back() {
    let api = Api::start().await;
    api.used("c", runs("u1", 3)).await;
    api.create_quotas(create(vec![lifetime(&user("u1"), 4)], IfCurrent::Supersede)).await.unwrap();
    let gone = api.delete_quota(delete(&user("u1"), AfterDelete::FallBack)).await.unwrap();
    assert_eq!((gone.reopened, limit_of(&api, &user("u1")).await), (None, Some(10)));
    assert_eq!(api.figures(&user("u1"), "job.runs").await, (3, 0), "use stays");
}

/// S4.18: chains of different scopes do not touch each other.
#[tokio::test]
async fn each_subject_has_a_chain_of_its_own() {
    let api = Api::start().await;
    let (a, b) = ("tenants/acme/subtenants/a", "tenants/acme/subtenants/b");
    let set = |subject: &str, amount| create(vec![lifetime(subject, amount)], IfCurrent::Supersede);
    for request in [set(a, 1), set(b, 2), set(a, 3)] {
        api.create_quotas(request).await.unwrap();
    }
    api.delete_quota(delete(a, AfterDelete::ReopenPrevious)).await.unwrap();
    assert_eq!(history(&api, b).await, [(1, QuotaState::Current, 2, false)]);
    assert_eq!(history(&api, a).await, [(2, QuotaState::Deleted, 3, true), (1, QuotaState::Current, 1, false)]);
    assert_eq!(history(&api, TENANT).await, [(1, QuotaState::Current, 1_000, false)]);
}

/// S4.28: of many that create, edit and delete at once, one after the other wins: one version is current, and each
/// version closes where the next one begins.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_version_is_current() {
    let api = std::sync::Arc::new(Api::start().await);
    let writers: Vec<_> = (0..64_i64)
        .map(|number| {
            let api = api.clone();
            tokio::spawn(async move {
                let subject = user("a");
                let answer = match number % 4 {
                    0 => api.update_quota(edit(lifetime(&subject, 100 + number))).await.map(|_| ()),
                    1 => api.delete_quota(delete(&subject, AfterDelete::ReopenPrevious)).await.map(|_| ()),
                    _ => {
                        let set = create(vec![lifetime(&subject, 100 + number)], IfCurrent::Supersede);
                        api.create_quotas(set).await.map(|_| ())
                    }
                };
                if let Err(fault) = answer {
                    assert_eq!(fault.reason, "QUOTA_NOT_FOUND", "{fault:?}");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let versions = history(&api, &user("a")).await;
    let current = versions.iter().filter(|(_, state, _, _)| *state == QuotaState::Current).count();
    assert_eq!(current, 1, "{versions:?}");
    let numbers: Vec<i64> = versions.iter().map(|(version, ..)| *version).collect();
    assert_eq!(numbers, (1..=32).rev().collect::<Vec<_>>(), "every creation made one");
    assert!(versions.iter().all(|(_, state, _, closed)| (*state == QuotaState::Current) != *closed), "{versions:?}");
}
