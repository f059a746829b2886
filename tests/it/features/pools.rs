//! Accounts and pools that administrators make one by one, and the choices of their members.

use crate::api::helpers::*;
use quotad::proto::v1::*;
use std::collections::BTreeSet;
use tonic::Code::{Aborted, AlreadyExists, InvalidArgument, NotFound};

fn record(name: &str) -> Account {
    Account { name: name.into(), ..Default::default() }
}

fn create(account: Account) -> CreateAccountRequest {
    CreateAccountRequest { tenant: TENANT.into(), account: Some(account), etag: String::new() }
}

fn update(account: Account) -> UpdateAccountRequest {
    UpdateAccountRequest { tenant: TENANT.into(), account: Some(account), etag: String::new() }
}

fn delete(account: &str) -> DeleteAccountRequest {
    DeleteAccountRequest { tenant: TENANT.into(), account: account.into(), etag: String::new() }
}

fn lifetime(subject: &str, amount: i64) -> CreateQuotasRequest {
    let window = Window { kind: WindowKind::Lifetime.into(), ..Default::default() };
    let limits = vec![Limit { window: Some(window), value: Some(limit::Value::Amount(amount)) }];
    let quota = Quota { subject: subject.into(), meter: "job.runs".into(), limits, ..Default::default() };
    CreateQuotasRequest { tenant: TENANT.into(), quotas: vec![quota], ..Default::default() }
}

/// A pool on `job.runs` that these may use.
fn pool(id: &str, members: &[&str]) -> Pool {
    let member = |id: &&str| PoolMember { account: user(id), ..Default::default() };
    Pool {
        account: format!("{TENANT}/pots/{id}"),
        meters: vec!["job.runs".into()],
        members: members.iter().map(member).collect(),
        ..Default::default()
    }
}

fn create_pool(pool: Pool) -> CreatePoolRequest {
    CreatePoolRequest { tenant: TENANT.into(), pool: Some(pool), etag: String::new() }
}

fn update_pool(pool: Pool) -> UpdatePoolRequest {
    UpdatePoolRequest { tenant: TENANT.into(), pool: Some(pool), etag: String::new() }
}

fn switch(id: &str, pool: &str) -> SetActivePoolRequest {
    SetActivePoolRequest { tenant: TENANT.into(), account: user(id), pool: format!("{TENANT}/pots/{pool}") }
}

fn cause(response: ReserveResponse) -> (Cause, String) {
    let violation = denied(response).violations.remove(0);
    (violation.cause(), violation.account)
}

/// S0.07: a tenant that registers its accounts knows no other: neither a charge nor a quota names one.
#[tokio::test]
async fn who_is_not_registered_is_not_known() {
    let api = Api::start().await;
    // The catalog of these tests gives quotas to accounts without a record.
    let tenant = Account { account_policy: AccountPolicy::Registered.into(), ..record(TENANT) };
    let fault = refused(api.update_account(update(tenant.clone())).await);
    assert_eq!((fault.kind(), fault.names()), ((InvalidArgument, "INVALID_FIELD"), vec!["account.account_policy"]));
    assert!(fault.fields[0].1.contains("users/u1") && fault.fields[0].1.contains("projects/p1"), "{fault:?}");
    for known in ["users/u1", "projects/p1"] {
        api.create_account(create(record(&format!("{TENANT}/{known}")))).await.unwrap();
    }
    api.update_account(update(tenant)).await.unwrap();

    let fault = refused(api.create_quotas(lifetime(&user("new"), 5)).await);
    assert_eq!((fault.kind(), fault.names()), ((NotFound, "ACCOUNT_NOT_FOUND"), vec!["quotas[0].subject"]));
    let mut two = runs("u1", 1);
    two.extend(runs("new", 1));
    let fault = refused(api.reserve(reserve("r", two)).await);
    assert_eq!((fault.kind(), fault.names()), ((NotFound, "ACCOUNT_NOT_FOUND"), vec!["charges[1].account"]));
    let fault = refused(api.set_active_pool(switch("new", "p")).await);
    assert_eq!(fault.kind(), (NotFound, "ACCOUNT_NOT_FOUND"));
    api.create_account(create(record(&user("new")))).await.unwrap();
    api.create_quotas(lifetime(&user("new"), 5)).await.unwrap();
    api.hold("r", runs("new", 5)).await;
}

/// S2.18: a new account has every limit at its default, and a deleted one is unknown; made anew it is new. What is held is
/// settled all the same.
#[tokio::test]
async fn a_deleted_account_is_unknown() {
    let api = Api::start().await;
    let workspace = format!("{TENANT}/workspaces/{:032x}", 7);
    let runs = |amount| vec![charge(&workspace, "job.runs", amount)];
    api.create_account(create(record(&workspace))).await.unwrap();
    assert_eq!(api.windows(&workspace, "job.runs").await[0].limit, None);
    api.create_quotas(lifetime(&workspace, 5)).await.unwrap();
    api.hold("r", runs(4)).await;
    for known in [user("u1"), format!("{TENANT}/projects/p1")] {
        api.create_account(create(record(&known))).await.unwrap();
    }
    let tenant = Account { account_policy: AccountPolicy::Registered.into(), ..record(TENANT) };
    api.update_account(update(tenant)).await.unwrap();
    api.delete_account(delete(&workspace)).await.unwrap();
    assert_eq!(refused(api.delete_account(delete(&workspace)).await).kind(), (NotFound, "ACCOUNT_NOT_FOUND"));
    assert_eq!(refused(api.reserve(reserve("s", runs(1))).await).kind(), (NotFound, "ACCOUNT_NOT_FOUND"));
    let request = GetAccountRequest { tenant: TENANT.into(), account: workspace.clone() };
    assert_eq!(refused(api.get_account(request).await).kind(), (NotFound, "ACCOUNT_NOT_FOUND"));
    api.commit(commit("r", vec![])).await.unwrap();
    api.create_account(create(record(&workspace))).await.unwrap();
    assert_eq!(api.windows(&workspace, "job.runs").await[0].limit, None, "its quota went with it");
    assert_eq!(api.figures(&workspace, "job.runs").await, (4, 0), "its use did not");
}

/// S2.02: a workspace is there without being made, and two projects' "0" are different accounts.
#[tokio::test]
async fn a_workspace_needs_no_record() {
    let api = Api::start().await;
    let of = |project: &str| format!("{TENANT}/projects/{project}/workspaces/0");
    api.create_quotas(lifetime(&of("a"), 3)).await.unwrap();
    api.used("c", vec![charge(&of("a"), "job.runs", 3)]).await;
    denied(api.reserve(reserve("r", vec![charge(&of("a"), "job.runs", 1)])).await.unwrap());
    api.used("d", vec![charge(&of("b"), "job.runs", 4)]).await;
    assert_eq!(api.figures(&of("a"), "job.runs").await, (3, 0));
    assert_eq!(api.figures(&of("b"), "job.runs").await, (4, 0));
}

/// A record is made once, changed as a whole, and refused with every bad field; its etag guards what was read.
#[tokio::test]
async fn a_record_says_what_a_name_can_not() {
    let api = Api::start().await;
    let full = Account {
        display_name: "Ann".into(),
        plan: "gold".into(),
        time_zone: "Asia/Shanghai".into(),
        labels: [("role".to_owned(), "student".to_owned())].into(),
        state: AccountState::Suspended.into(),
        currency: "CNY".into(),
        ..record(&user("ann"))
    };
    let made = api.create_account(create(full.clone())).await.unwrap();
    let shown = made.account.unwrap();
    assert_eq!((shown.kind.as_str(), shown.state(), shown.uid.len()), ("users", AccountState::Suspended, 32));
    assert_eq!((&shown.labels, &shown.currency), (&full.labels, &full.currency));
    assert!(shown.create_time.is_some());
    let again = refused(api.create_account(create(full.clone())).await);
    assert_eq!((again.kind(), again.names()), ((AlreadyExists, "ACCOUNT_EXISTS"), vec!["account"]));
    assert_eq!(cause(api.reserve(reserve("r", runs("ann", 1))).await.unwrap()), (Cause::NotPermitted, user("ann")));

    let request = GetAccountRequest { tenant: TENANT.into(), account: user("ann") };
    let read = api.get_account(request).await.unwrap();
    assert_eq!((&read.etag, read.account.as_ref()), (&made.etag, Some(&shown)));
    let active = update(Account { state: 0, ..full.clone() });
    api.update_account(UpdateAccountRequest { etag: read.etag.clone(), ..active.clone() }).await.unwrap();
    api.hold("r", runs("ann", 100)).await;
    let late = refused(api.update_account(UpdateAccountRequest { etag: read.etag, ..active }).await);
    assert_eq!(late.kind(), (Aborted, "ETAG_MISMATCH"));
    assert_eq!(refused(api.update_account(update(record(&user("bob")))).await).names(), ["account"]);

    let bad = Account {
        name: "tenants/other/users/u".into(),
        display_name: "x".repeat(1025),
        plan: "no plan".into(),
        time_zone: "Mars/Phobos".into(),
        labels: [(String::new(), String::new())].into(),
        state: 9,
        currency: "yuan".into(),
        account_policy: 9,
        ..Default::default()
    };
    let fault = refused(api.create_account(create(bad)).await);
    let fields = ["name", "display_name", "plan", "time_zone", "labels", "state", "currency", "account_policy"];
    let expected: BTreeSet<String> = fields.iter().map(|field| format!("account.{field}")).collect();
    assert_eq!(fault.names().into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected, "{fault:?}");
    let unknown = Account { plan: "silver".into(), ..record(&user("zoe")) };
    assert_eq!(refused(api.create_account(create(unknown)).await).names(), ["account.plan"]);
    let user_only = Account { account_policy: AccountPolicy::Registered.into(), ..record(&user("zoe")) };
    assert_eq!(refused(api.create_account(create(user_only)).await).names(), ["account.account_policy"]);
}

/// A pool is made once, changed as a whole, and refused with every bad field; a deleted one must be chosen anew.
#[tokio::test]
async fn a_pool_is_made_and_chosen() {
    let api = Api::start().await;
    api.create_pool(create_pool(pool("a", &["ann", "bob"]))).await.unwrap();
    let fault = refused(api.create_pool(create_pool(pool("a", &[]))).await);
    assert_eq!((fault.kind(), fault.names()), ((AlreadyExists, "POOL_EXISTS"), vec!["pool"]));
    let always = Pool { join: PoolJoin::Always.into(), meters: vec!["job.calls".into()], ..pool("b", &["bob"]) };
    api.create_pool(create_pool(always.clone())).await.unwrap();
    api.set_active_pool(switch("bob", "a")).await.unwrap();

    let of = |member: &str| ListPoolsRequest { tenant: TENANT.into(), member: user(member), ..Default::default() };
    let listed = api.list_pools(of("bob")).await.unwrap();
    let names: Vec<&str> = listed.pools.iter().map(|pool| pool.account.as_str()).collect();
    assert_eq!(names, [format!("{TENANT}/pots/a"), format!("{TENANT}/pots/b")]);
    assert_eq!((listed.active_pool.as_str(), listed.pools[0].member_count), (names[0], 2));
    assert!(listed.pools[0].members.is_empty(), "lists leave them out");
    let alone = api.list_pools(of("ann")).await.unwrap();
    assert_eq!((alone.pools.len(), alone.active_pool.as_str()), (1, ""));
    let request = GetPoolRequest { tenant: TENANT.into(), account: always.account.clone() };
    assert_eq!(api.get_pool(request.clone()).await.unwrap().pool, Some(Pool { member_count: 1, ..always.clone() }));
    let request = GetAccountRequest { tenant: TENANT.into(), account: user("vera") };
    assert_eq!(api.get_account(request).await.unwrap().account.unwrap().active_pool, "");

    // A document knows nothing of what users chose, and does not undo it.
    let yaml = api.export(ExportRequest { tenant: TENANT.into() }).await.unwrap().yaml;
    let whole = ApplyRequest { tenant: TENANT.into(), yaml, prune: true, ..Default::default() };
    assert_eq!(api.apply(whole).await.unwrap().changes, []);
    assert_eq!(api.list_pools(of("bob")).await.unwrap().active_pool, names[0]);

    let gone = DeletePoolRequest { tenant: TENANT.into(), account: format!("{TENANT}/pots/a"), etag: String::new() };
    // While another pool pays for this meter, nobody falls back to paying alone.
    api.create_pool(create_pool(pool("c", &[]))).await.unwrap();
    api.delete_pool(gone.clone()).await.unwrap();
    let expected = (Cause::PoolNotFound, format!("{TENANT}/pots/a"));
    assert_eq!(cause(api.reserve(reserve("r", runs("bob", 1))).await.unwrap()), expected);
    assert_eq!(refused(api.delete_pool(gone).await).kind(), (NotFound, "POOL_NOT_FOUND"));
    api.update_pool(update_pool(pool("c", &["bob"]))).await.unwrap();
    api.set_active_pool(switch("bob", "c")).await.unwrap();
    api.hold("r", runs("bob", 1)).await;

    let member = PoolMember {
        account: "tenants/other/users/u".into(),
        from_time: Some(pbjson_types::Timestamp { seconds: 9, nanos: 0 }),
        to_time: Some(pbjson_types::Timestamp { seconds: 9, nanos: 0 }),
    };
    let bad = Pool {
        account: TENANT.into(),
        meters: vec!["job.runs".into(), "a b".into()],
        join: 9,
        members: vec![member],
        rule: [("k".repeat(64), String::new())].into(),
        allow_items: vec![String::new()],
        deny_items: vec!["ok".into(), "two words".into()],
        ..Default::default()
    };
    let fault = refused(api.update_pool(update_pool(bad)).await);
    let fields = [
        "account",
        "meters[1]",
        "join",
        "members[0].account",
        "members[0].to_time",
        "rule",
        "allow_items[0]",
        "deny_items[1]",
    ];
    let expected: BTreeSet<String> = fields.iter().map(|field| format!("pool.{field}")).collect();
    assert_eq!(fault.names().into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected, "{fault:?}");
    let meters = ["job.none", "disk.bytes", "job.runs", "job.runs"].map(str::to_owned);
    let fault = refused(api.update_pool(update_pool(Pool { meters: meters.into(), ..pool("c", &[]) })).await);
    assert_eq!(fault.names().len(), 3, "unknown, of the other family, twice: {fault:?}");
}

/// What limits a pool does not go with its account's record as long as it is one.
#[tokio::test]
async fn the_record_of_a_pool_stays() {
    let api = Api::start().await;
    let name = format!("{TENANT}/pots/a");
    api.create_account(create(record(&name))).await.unwrap();
    api.create_pool(create_pool(pool("a", &["ann"]))).await.unwrap();
    api.create_quotas(lifetime(&name, 5)).await.unwrap();
    let fault = refused(api.delete_account(delete(&name)).await);
    assert_eq!((fault.kind().1, fault.names()), ("POOL_EXISTS", vec!["account"]), "{fault:?}");
    assert_eq!(api.windows(&name, "job.runs").await[0].limit, Some(5), "nothing went");
    let pool = DeletePoolRequest { tenant: TENANT.into(), account: name.clone(), etag: String::new() };
    api.delete_pool(pool).await.unwrap();
    api.delete_account(delete(&name)).await.unwrap();
    assert_eq!(api.windows(&name, "job.runs").await[0].limit, None);
}

/// Where accounts are registered a pool is known; it stays so, with its quotas and its use, when it is none any more.
#[tokio::test]
async fn an_account_that_is_no_pool_any_more_stays_known() {
    let api = Api::start().await;
    for known in ["users/u1", "projects/p1"] {
        api.create_account(create(record(&format!("{TENANT}/{known}")))).await.unwrap();
    }
    let tenant = Account { account_policy: AccountPolicy::Registered.into(), ..record(TENANT) };
    api.update_account(update(tenant)).await.unwrap();
    let name = format!("{TENANT}/pots/a");
    api.create_pool(create_pool(pool("a", &["u1"]))).await.unwrap();
    api.create_quotas(lifetime(&name, 5)).await.unwrap();
    let charged = |amount| vec![charge(&name, "job.runs", amount)];
    api.used("c", charged(2)).await;
    let gone = DeletePoolRequest { tenant: TENANT.into(), account: name.clone(), etag: String::new() };
    api.delete_pool(gone).await.unwrap();
    let request = GetAccountRequest { tenant: TENANT.into(), account: name.clone() };
    assert_eq!(api.get_account(request).await.unwrap().account.unwrap().name, name);
    let window = api.windows(&name, "job.runs").await.remove(0);
    assert_eq!((window.limit, window.used), (Some(5), 2));
    denied(api.reserve(reserve("r", charged(4))).await.unwrap());
    api.hold("r", charged(3)).await;
    // What stands is what a document may say.
    let yaml = api.export(ExportRequest { tenant: TENANT.into() }).await.unwrap().yaml;
    let whole = ApplyRequest { tenant: TENANT.into(), yaml, prune: true, ..Default::default() };
    assert_eq!(api.apply(whole).await.unwrap().changes, []);
}

/// A member is named by the name that it has today, as in a document.
#[tokio::test]
async fn a_former_name_is_no_members() {
    let api = Api::start().await;
    let (account, new_name) = (user("ann"), user("annie"));
    let request = MoveAccountRequest { tenant: TENANT.into(), account, new_name, ..Default::default() };
    api.move_account(request).await.unwrap();
    let of_ann = || pool("a", &["bob", "ann"]);
    let made = refused(api.create_pool(create_pool(of_ann())).await);
    api.create_pool(create_pool(pool("a", &["bob", "annie"]))).await.unwrap();
    let changed = refused(api.update_pool(update_pool(of_ann())).await);
    for fault in [made, changed] {
        assert_eq!((fault.kind(), fault.names()), ((InvalidArgument, "INVALID_FIELD"), vec!["pool"]), "{fault:?}");
        assert!(fault.fields[0].1.contains("users/ann was moved: it is tenants/acme/users/annie now"), "{fault:?}");
    }
    api.set_active_pool(switch("annie", "a")).await.unwrap();
}

/// S3.34: what several members hold of one balance at the same moment is never more than it.
#[tokio::test(flavor = "multi_thread")]
async fn members_at_once_share_one_balance() {
    let api = std::sync::Arc::new(Api::start().await);
    let members: Vec<String> = (0..24).map(|number| format!("m{number}")).collect();
    let names: Vec<&str> = members.iter().map(String::as_str).collect();
    api.create_pool(create_pool(pool("shared", &names))).await.unwrap();
    api.create_quotas(lifetime(&format!("{TENANT}/pots/shared"), 20)).await.unwrap();
    for member in &names {
        api.set_active_pool(switch(member, "shared")).await.unwrap();
    }
    let asking: Vec<_> = members
        .into_iter()
        .map(|member| {
            let api = api.clone();
            tokio::spawn(async move {
                let answer = api.reserve(reserve("", runs(&member, 3))).await.unwrap();
                matches!(answer.outcome, Some(reserve_response::Outcome::Granted(_)))
            })
        })
        .collect();
    let mut granted = 0;
    for asked in asking {
        granted += i64::from(asked.await.unwrap());
    }
    assert_eq!(granted, 6, "of 20, three each");
    assert_eq!(api.figures(&format!("{TENANT}/pots/shared"), "job.runs").await, (0, 18));
}
