//! A replica that follows what changed sees what one sees that has just loaded all of it; and lists give page by page what is there.

use super::helpers::{NOW, World, request};
use crate::domain::name::AccountName;
use crate::domain::time::Timestamp;
use crate::engine::manage::{Apply, QuotaContext, RecordChange};
use crate::engine::pools::Choice;
use crate::engine::ports::{CatalogStore, QuotaPage};
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshots::Snapshots;
use crate::store::database::connection::Product;
use crate::store::database::tests::support::on_both;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::fmt::Write;
use std::sync::Arc;

on_both!(
    a_snapshot_that_follows_is_one_that_was_loaded,
    a_database_that_was_put_back_is_loaded_anew,
    lists_come_page_by_page,
);

const TENANT: &str = "tenants/a";
const USERS: usize = 4;
const POOLS: [&str; 3] = ["p", "q", "r"];
const STEPS: usize = 60;

/// A document that sets some of everything that limits come from.
fn document(random: &mut StdRng) -> (Option<&'static str>, String) {
    let of_installation = random.random_bool(0.3);
    let mut yaml = String::from("meters: [{name: m}");
    if random.random_bool(0.5) {
        write!(yaml, ", {{name: n, warn_percent: {}}}", random.random_range(1..100)).unwrap();
    }
    yaml.push_str("]\nplans:\n");
    for plan in some(random, ["gold", "tin"]) {
        let amount = random.random_range(0..100);
        writeln!(yaml, "  - {{name: {plan}, quotas: [{{meter: m, limits: {{day: {amount}}}}}]}}").unwrap();
    }
    if !of_installation {
        yaml.push_str("accounts:\n");
        for user in 0..USERS {
            let zone = ["UTC", "Asia/Tokyo"][random.random_range(0..2)];
            let (state, team) = (["active", "closed"][random.random_range(0..2)], random.random_range(0..2));
            let record = format!("time_zone: {zone}, state: {state}, labels: {{team: \"{team}\"}}");
            writeln!(yaml, "  - {{name: {TENANT}/users/u{user}, {record}}}").unwrap();
        }
        yaml.push_str("pools:\n");
        for pool in some(random, POOLS) {
            let join = ["chosen", "always"][random.random_range(0..2)];
            let members = some(random, (0..USERS).map(|user| format!("{TENANT}/users/u{user}"))).join(", ");
            let rule = some(random, ["team: \"0\""]).join("");
            let body = format!("meters: [m], join: {join}, members: [{members}], rule: {{{rule}}}");
            writeln!(yaml, "  - {{account: {TENANT}/pools/{pool}, {body}}}").unwrap();
        }
    }
    yaml.push_str("quotas:\n");
    let patterns = if of_installation { ["tenants/-", "tenants/-/users/-"] } else { [TENANT, "tenants/a/users/-"] };
    let users = (0..USERS).map(|user| format!("{TENANT}/users/u{user}")).filter(|_| !of_installation);
    for subject in some(random, users.chain(patterns.map(str::to_owned))) {
        let (window, amount) = (["day", "month"][random.random_range(0..2)], random.random_range(0..100));
        let until = Timestamp::from_millis(NOW + random.random_range(-1..2));
        let raise = format!(", raise: {{limits: {{{window}: {}}}, until: {until}}}", amount + 1);
        let raise = if random.random_bool(0.3) { raise } else { String::new() };
        writeln!(yaml, "  - {{subject: {subject}, meter: m, limits: {{{window}: {amount}}}{raise}}}").unwrap();
    }
    ((!of_installation).then_some(TENANT), yaml)
}

/// Each of them by the toss of a coin.
fn some<T>(random: &mut StdRng, of: impl IntoIterator<Item = T>) -> Vec<T> {
    of.into_iter().filter(|_| random.random_bool(0.5)).collect()
}

/// What limits whom, in words.
fn seen(snapshot: &Snapshot) -> Vec<String> {
    let chains = (0..USERS).flat_map(|user| seen_by(snapshot, user));
    chains.chain(snapshot.meters().into_iter().map(|meter| format!("{meter:?}"))).collect()
}

/// What limits one user.
fn seen_by(snapshot: &Snapshot, user: usize) -> Vec<String> {
    let user = format!("{TENANT}/users/u{user}").parse::<AccountName>().unwrap();
    let of = |meter| {
        let chain = snapshot.chain(&user, meter, Timestamp::from_millis(NOW));
        let levels = chain.levels.iter().map(|level| &level.bound).collect::<Vec<_>>();
        let chosen = match &chain.standing.choice {
            Some(Choice::Pool(pool, next)) => format!("{pool:?} {next:?}"),
            Some(Choice::Gone(pool)) => format!("{pool} is gone"),
            None => String::new(),
        };
        let pools = snapshot.pools(Some(&user), Timestamp::from_millis(NOW));
        format!("{levels:?} {:?} {pools:?} {chosen} {:?}", chain.inactive, snapshot.choice(&user))
    };
    snapshot.meters().into_iter().map(|meter| of(meter)).collect()
}

/// A user chooses a pool, or none; answers how many did.
async fn choose(world: &World, random: &mut StdRng) -> usize {
    let name = |text: String| text.parse::<AccountName>().unwrap();
    let user = name(format!("{TENANT}/users/u{}", random.random_range(0..USERS)));
    let pool = name(format!("{TENANT}/pools/{}", POOLS[random.random_range(0..POOLS.len())]));
    let pool = random.random_bool(0.8).then_some(&pool);
    let context = QuotaContext { tenant: Some(TENANT), etag: None, actor: "test", now: Timestamp::from_millis(NOW) };
    // One may be no member, and the pool not there.
    usize::from(world.catalogs.change_record(context, RecordChange::Choose(&user, pool)).await.is_ok())
}

async fn a_snapshot_that_follows_is_one_that_was_loaded(product: Product) {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::new(product).await;
    let snapshots = Snapshots::new(Arc::new(world.store.clone()));
    let mut followed = 0;
    for step in 0..STEPS {
        let (tenant, yaml) = document(&mut random);
        let prune = random.random_bool(0.5);
        let applied = world.catalogs.apply(Apply { prune, ..request(tenant, &yaml) }).await;
        // A document may take away what another still names.
        let Ok(applied) = applied else { continue };
        followed += applied.changes.len() + choose(&world, &mut random).await;
        let version = world.store.version(Some(TENANT)).await.unwrap();
        let kept = snapshots.get(TENANT, version).await.unwrap();
        let loaded = Snapshot::new(world.store.load(Some(TENANT)).await.unwrap());
        assert_eq!(
            (kept.version(), seen(&kept)),
            (loaded.version(), seen(&loaded)),
            "step {step}, seed {seed}:\n{yaml}"
        );
        // One that was asked for others before shares with them; one that was asked for nobody can't.
        let user = random.random_range(0..USERS);
        let alone = Snapshot::new(world.store.load(Some(TENANT)).await.unwrap());
        assert_eq!(seen_by(&kept, user), seen_by(&alone, user), "user {user}, step {step}, seed {seed}:\n{yaml}");
    }
    assert!(followed > STEPS, "only {followed} changes, seed {seed}");
}

async fn a_database_that_was_put_back_is_loaded_anew(product: Product) {
    let world = World::new(product).await;
    world.apply("meters: [{name: m}]\n").await;
    let version = world.store.version(Some(TENANT)).await.unwrap();
    assert!(world.store.changes(TENANT, version).await.unwrap().is_some_and(|changes| changes.frame.is_none()));
    assert_eq!(world.store.changes(TENANT, version + 1).await.unwrap(), None);
}

async fn lists_come_page_by_page(product: Product) {
    let world = World::new(product).await;
    world.apply("meters: [{name: m}, {name: n}]\nplans: [{name: p, quotas: [{meter: m, limits: {day: 1}}]}]\n").await;
    let quota = |user: usize, meter: char| {
        format!("  - {{subject: {TENANT}/users/u{user}, meter: {meter}, limits: {{day: {user}}}}}\n")
    };
    let quotas: String = (0..9).map(|user| quota(user, 'm') + &quota(user, 'n')).collect();
    let own = "plans: [{name: p, quotas: [{meter: m, limits: {day: 2}}]}]\n";
    let accounts: String = (0..9).map(|user| format!("  - {{name: {TENANT}/users/u{user}}}\n")).collect();
    world.apply_to(TENANT, &format!("{own}accounts:\n{accounts}quotas:\n{quotas}")).await;

    let key = |quota: &crate::domain::quota::Quota| (quota.subject.to_string(), quota.meter.to_string());
    let mut page = QuotaPage { limit: 4, ..QuotaPage::default() };
    let mut all = Vec::new();
    loop {
        let found = world.store.list_quotas(Some(TENANT), &page).await.unwrap();
        let Some(last) = found.last() else { break };
        page.after = Some(key(last));
        all.extend(found);
    }
    let keys: Vec<_> = all.iter().map(key).collect();
    assert_eq!(keys.len(), 19);
    assert!(keys.is_sorted());
    assert_eq!(all[0].tenant.as_deref(), Some(TENANT), "the tenant's plan takes the place of the installation's");

    let one = QuotaPage {
        subject: Some("tenants/a/users/u3").map(|text| crate::domain::quota::Subject::parse(text).unwrap()),
        limit: 9,
        ..QuotaPage::default()
    };
    assert_eq!(world.store.list_quotas(Some(TENANT), &one).await.unwrap().len(), 2);
    let on = QuotaPage { meter: "n".parse().ok(), limit: 99, ..QuotaPage::default() };
    assert_eq!(world.store.list_quotas(Some(TENANT), &on).await.unwrap().len(), 9);
    assert_eq!(world.store.list_quotas(None, &QuotaPage { limit: 9, ..QuotaPage::default() }).await.unwrap().len(), 1);

    let accounts = world.store.list_accounts(TENANT, Some("tenants/a/users/u2"), 3).await.unwrap();
    let names: Vec<&str> = accounts.iter().map(|account| account.name.as_str()).collect();
    assert_eq!(names, ["tenants/a/users/u3", "tenants/a/users/u4", "tenants/a/users/u5"]);
    assert_eq!(accounts[0].create_time, Timestamp::from_millis(NOW));
    let name = |text: &str| text.parse::<AccountName>().unwrap();
    assert_eq!(world.store.account(&name("tenants/a/users/u3")).await.unwrap().as_ref(), accounts.first());
    assert_eq!(world.store.account(&name("tenants/a/users/nobody")).await.unwrap(), None);
}
