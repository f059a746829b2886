//! Plans that administrators make one by one: at once in force, and kept as long as an account has them.

use super::engine::{Engine, stories};
use crate::api::helpers::*;
use quotad::proto::v1::*;
use std::collections::BTreeSet;
use tokio::task::JoinSet;
use tonic::Code::{Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound};

stories! {
    a_plan_binds_at_once
    a_feature_counts_at_once
    a_plan_that_accounts_have_stays
    a_plan_of_the_installation_is_everybodys
    every_bad_field_of_a_plan_is_named
    of_many_who_make_a_plan_one_does
}

fn plan(name: &str) -> Plan {
    Plan { name: name.into(), ..Default::default() }
}

fn create(tenant: &str, plan: Plan) -> CreatePlanRequest {
    CreatePlanRequest { tenant: tenant.into(), plan: Some(plan), ..Default::default() }
}

fn update(tenant: &str, plan: Plan) -> UpdatePlanRequest {
    UpdatePlanRequest { tenant: tenant.into(), plan: Some(plan), ..Default::default() }
}

fn delete(tenant: &str, plan: &str) -> DeletePlanRequest {
    DeletePlanRequest { tenant: tenant.into(), plan: plan.into(), ..Default::default() }
}

fn get(tenant: &str, plan: &str) -> GetPlanRequest {
    GetPlanRequest { tenant: tenant.into(), plan: plan.into() }
}

/// A lifetime quota in the catalog of a tenant, or of the installation.
fn quota(tenant: &str, subject: &str, meter: &str, amount: i64) -> CreateQuotasRequest {
    let window = Window { kind: WindowKind::Lifetime.into(), ..Default::default() };
    let limits = vec![Limit { window: Some(window), value: Some(limit::Value::Amount(amount)) }];
    let quota = Quota { subject: subject.into(), meter: meter.into(), limits, ..Default::default() };
    CreateQuotasRequest { tenant: tenant.into(), quotas: vec![quota], ..Default::default() }
}

/// A record that has a plan; empty: none.
fn record(account: &str, plan: &str) -> Account {
    Account { name: account.into(), plan: plan.into(), ..Default::default() }
}

async fn on(api: &Api, account: &str, plan: &str) {
    let account = Some(record(account, plan));
    api.create_account(CreateAccountRequest { tenant: TENANT.into(), account, ..Default::default() }).await.unwrap();
}

async fn off(api: &Api, account: &str) {
    let account = Some(record(account, ""));
    api.update_account(UpdateAccountRequest { tenant: TENANT.into(), account, ..Default::default() }).await.unwrap();
}

async fn listed(api: &Api, tenant: &str, page_size: i32) -> Vec<String> {
    let mut request = ListPlansRequest { tenant: tenant.into(), page_size, ..Default::default() };
    let mut names = Vec::new();
    loop {
        let page = api.list_plans(request.clone()).await.unwrap();
        names.extend(page.plans.into_iter().map(|plan| plan.name));
        if page.next_page_token.is_empty() {
            return names;
        }
        request.page_token = page.next_page_token;
    }
}

/// A plan that a call made, its quotas and who has it bind at once on every replica; an update says the whole, and leaves the quotas.
async fn a_plan_binds_at_once(engine: &Engine) {
    let (one, other) = (&engine.one, engine.other());
    let full = Plan { display_name: "Silver".into(), features: vec!["b".into(), "a".into()], ..plan("silver") };
    let made = one.create_plan(create(TENANT, full.clone())).await.unwrap();
    let shown = made.plan.clone().unwrap();
    assert_eq!((shown.tenant.as_str(), shown.features.join(" ")), (TENANT, "a b".to_owned()));
    let fault = refused(other.create_plan(create(TENANT, full)).await);
    assert_eq!((fault.kind(), fault.names()), ((AlreadyExists, "PLAN_EXISTS"), vec!["plan"]));
    let read = other.get_plan(get(TENANT, "silver")).await.unwrap();
    assert_eq!((read.plan, &read.etag), (made.plan, &made.etag));
    assert_eq!(listed(other, TENANT, 1).await, ["gold", "silver"]);
    assert_eq!(listed(other, "", 1).await, Vec::<String>::new(), "both are the tenant's");

    other.create_quotas(quota(TENANT, "plans/silver", "job.runs", 20)).await.unwrap();
    on(one, &user("sue"), "silver").await;
    denied(other.reserve(reserve("r", runs("sue", 21))).await.unwrap());
    other.hold("r", runs("sue", 20)).await;

    let late = refused(one.update_plan(UpdatePlanRequest { etag: made.etag, ..update(TENANT, plan("silver")) }).await);
    assert_eq!(late.kind(), (Aborted, "ETAG_MISMATCH"));
    let set = one.update_plan(update(TENANT, plan("silver"))).await.unwrap();
    let bare = set.plan.clone().unwrap();
    assert_eq!((bare.display_name.as_str(), bare.features.len()), ("", 0), "what is left out is gone");
    assert_eq!(other.update_plan(update(TENANT, plan("silver"))).await.unwrap(), set, "again, nothing changes");
    denied(other.reserve(reserve("s", runs("sue", 1))).await.unwrap());
    assert_eq!(refused(one.update_plan(update(TENANT, plan("none"))).await).kind(), (NotFound, "PLAN_NOT_FOUND"));
    let request =
        ListAuditEntriesRequest { tenant: TENANT.into(), subject_prefix: "plan silver".into(), ..Default::default() };
    let audit = one.list_audit_entries(request).await.unwrap().entries;
    assert_eq!(audit.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["update", "create"]);
}

/// S4.05: what a default is locked without is given and taken by a change of the plan.
async fn a_feature_counts_at_once(engine: &Engine) {
    let (one, other) = (&engine.one, engine.other());
    let yaml = "meters: [{name: job.locked}]
quotas: [{subject: tenants/-, meter: job.locked, limits: {lifetime: 5}, locked_without: own_quotas}]";
    one.apply(ApplyRequest { yaml: yaml.into(), ..Default::default() }).await.unwrap();
    one.create_plan(create("", plan("pro"))).await.unwrap();
    let tenant = Some(record(TENANT, "pro"));
    one.update_account(UpdateAccountRequest { tenant: TENANT.into(), account: tenant, ..Default::default() })
        .await
        .unwrap();
    let own = quota(TENANT, &user("a"), "job.locked", 2);
    assert_eq!(refused(other.create_quotas(own.clone()).await).kind(), (FailedPrecondition, "FEATURE_MISSING"));
    let with = Plan { features: vec!["own_quotas".into()], ..plan("pro") };
    one.update_plan(update("", with)).await.unwrap();
    other.create_quotas(own).await.unwrap();
    denied(other.reserve(reserve("r", vec![charge(&user("a"), "job.locked", 3)])).await.unwrap());
    one.update_plan(update("", plan("pro"))).await.unwrap();
    other.hold("s", vec![charge(&user("a"), "job.locked", 3)]).await;
}

/// Accounts keep the plan that they have; nobody's goes, and its quotas with it.
async fn a_plan_that_accounts_have_stays(engine: &Engine) {
    let (one, other) = (&engine.one, engine.other());
    one.create_plan(create(TENANT, plan("trial"))).await.unwrap();
    one.create_quotas(quota(TENANT, "plans/trial", "job.runs", 2)).await.unwrap();
    let users = ["a", "b", "c", "d"].map(user);
    for name in &users {
        on(other, name, "trial").await;
    }
    for (gone, who) in [
        (None, format!("{}, {}, {} and others", users[0], users[1], users[2])),
        (Some(0), users[1..].join(", ")),
        (Some(1), users[2..].join(", ")),
    ] {
        if let Some(gone) = gone {
            off(other, &users[gone]).await;
        }
        let fault = refused(one.delete_plan(delete(TENANT, "trial")).await);
        assert_eq!((fault.kind(), fault.names()), ((FailedPrecondition, "PLAN_IN_USE"), vec!["plan"]));
        assert_eq!(fault.fields[0].1, format!("the plan trial is in use by {who}"));
    }
    off(one, &users[2]).await;
    off(one, &users[3]).await;
    let etag = other.get_plan(get(TENANT, "trial")).await.unwrap().etag;
    one.delete_plan(DeletePlanRequest { etag, ..delete(TENANT, "trial") }).await.unwrap();
    let request = GetQuotaRequest { tenant: TENANT.into(), subject: "plans/trial".into(), meter: "job.runs".into() };
    assert_eq!(refused(other.get_quota(request).await).kind(), (NotFound, "QUOTA_NOT_FOUND"));
    assert_eq!(refused(other.get_plan(get(TENANT, "trial")).await).kind(), (NotFound, "PLAN_NOT_FOUND"));
    assert_eq!(refused(other.delete_plan(delete(TENANT, "trial")).await).kind(), (NotFound, "PLAN_NOT_FOUND"));
    let request = CreateAccountRequest {
        tenant: TENANT.into(),
        account: Some(record(&user("late"), "trial")),
        ..Default::default()
    };
    assert_eq!(refused(other.create_account(request).await).names(), ["account.plan"]);
}

/// The installation's plan is kept by accounts of any tenant, and by quotas that a tenant has for it; a tenant's own stands before it.
async fn a_plan_of_the_installation_is_everybodys(engine: &Engine) {
    let (one, other) = (&engine.one, engine.other());
    let refused_for = async |who: &str| {
        let fault = refused(one.delete_plan(delete("", "gold")).await);
        assert_eq!(fault.fields, [("plan".to_owned(), format!("the plan gold is in use by {who}"))]);
    };
    // The tenant has a gold of its own, which vera has.
    one.create_plan(create("", plan("gold"))).await.unwrap();
    assert_eq!(other.get_plan(get(TENANT, "gold")).await.unwrap().plan.unwrap().tenant, TENANT);
    assert_eq!(other.get_plan(get("tenants/other", "gold")).await.unwrap().plan.unwrap().tenant, "");
    one.delete_plan(delete(TENANT, "gold")).await.unwrap();
    assert_eq!(other.get_plan(get(TENANT, "gold")).await.unwrap().plan.unwrap().tenant, "", "vera has this one now");
    refused_for(&user("vera")).await;
    off(one, &user("vera")).await;
    other.create_quotas(quota("tenants/third", "plans/gold", "job.runs", 7)).await.unwrap();
    refused_for("a quota of tenants/third on job.runs").await;
    let request = DeleteQuotaRequest {
        tenant: "tenants/third".into(),
        subject: "plans/gold".into(),
        meter: "job.runs".into(),
        ..Default::default()
    };
    one.delete_quota(request).await.unwrap();
    one.delete_plan(delete("", "gold")).await.unwrap();
    assert_eq!(refused(other.get_plan(get(TENANT, "gold")).await).kind(), (NotFound, "PLAN_NOT_FOUND"));
}

/// One answer names every bad field.
async fn every_bad_field_of_a_plan_is_named(engine: &Engine) {
    let one = &engine.one;
    let features = vec!["good".into(), "Not good".into(), String::new()];
    let bad = Plan { display_name: "x".repeat(1025), features, ..plan("two words") };
    for fault in [
        refused(one.create_plan(create("acme", bad.clone())).await),
        refused(one.update_plan(update("acme", bad)).await),
    ] {
        assert_eq!(fault.kind(), (InvalidArgument, "INVALID_FIELD"));
        let expected = ["tenant", "plan.name", "plan.display_name", "plan.features[1]", "plan.features[2]"];
        assert_eq!(fault.names().into_iter().collect::<BTreeSet<_>>(), expected.into(), "{fault:?}");
    }
    assert_eq!(refused(one.create_plan(CreatePlanRequest::default()).await).names(), ["plan"]);
    for fault in [refused(one.delete_plan(delete("acme", "")).await), refused(one.get_plan(get("acme", "a/b")).await)] {
        assert_eq!(fault.names(), ["tenant", "plan"]);
    }
    let wild = ListPlansRequest { page_size: -1, page_token: "?".into(), ..Default::default() };
    assert_eq!(refused(one.list_plans(wild).await).names().len(), 2);
}

/// Of many who make the same plan at once, at whatever replica, one does.
async fn of_many_who_make_a_plan_one_does(engine: &Engine) {
    let mut racers = JoinSet::new();
    for number in 0..16 {
        let mut catalog = if number % 2 == 0 { &engine.one } else { engine.other() }.server.catalog();
        let request = create(TENANT, Plan { display_name: format!("by {number}"), ..plan("raced") });
        racers.spawn(async move { catalog.create_plan(request).await });
    }
    let answers = racers.join_all().await;
    let won: Vec<_> = answers.iter().flatten().collect();
    assert!(
        won.len() == 1
            && answers.iter().flat_map(|answer| answer.as_ref().err()).all(|status| status.code() == AlreadyExists)
    );
    assert_eq!(engine.other().get_plan(get(TENANT, "raced")).await.unwrap().plan, won[0].get_ref().plan);
}
