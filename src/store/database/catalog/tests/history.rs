//! Versions, states and audit entries: what was agreed when, and by whom.

use super::helpers::{NOW, World, request};
use crate::domain::quota::LimitValue;
use crate::domain::time::{Span, Timestamp};
use crate::engine::manage::Apply;
use crate::engine::ports::{CatalogStore, CatalogWrite, ScopeWrite, WriteContext, Written};
use crate::store::database::connection::Product;
use crate::store::database::tests::support::on_both;

on_both!(
    a_quota_keeps_its_versions,
    every_change_is_written_down,
    a_write_without_a_change_draws_no_version,
    several_scopes_are_written_together_or_not_at_all,
    an_account_keeps_the_time_when_its_record_was_made,
);

const HISTORY: &str = "SELECT subject || ' ' || version || ' ' || state || ' ' || limits || ' ' || CASE WHEN close_time IS NULL THEN 1 ELSE 0 END
                       FROM quota ORDER BY subject, version";

fn day(amount: u32) -> String {
    format!("meters: [{{name: m}}]\nquotas: [{{subject: tenants/-, meter: m, limits: {{day: {amount}}}}}]\n")
}

async fn a_quota_keeps_its_versions(product: Product) {
    let world = World::new(product).await;
    world.apply(&day(5)).await;
    let later = Timestamp::from_millis(NOW) + Span::from_secs(60);
    world.catalogs.apply(Apply { now: later, ..request(None, &day(6)) }).await.unwrap();
    world.apply(&day(6)).await;
    let current = &world.store.load(None).await.unwrap().quotas[0];
    assert_eq!((current.version, current.create_time, current.update_time), (2, later, later));
    assert_eq!(current.limits[0].value, LimitValue::Finite(6));
    world.catalogs.apply(Apply { prune: true, ..request(None, "meters: [{name: m}]\n") }).await.unwrap();
    assert!(world.store.load(None).await.unwrap().quotas.is_empty());
    world.apply(&day(7)).await;
    assert_eq!(
        world.rows(HISTORY).await,
        [
            r#"tenants/- 1 closed [{"kind":"day","amount":5}] 0"#,
            r#"tenants/- 2 deleted [{"kind":"day","amount":6}] 0"#,
            r#"tenants/- 3 current [{"kind":"day","amount":7}] 1"#,
        ]
    );
}

async fn every_change_is_written_down(product: Product) {
    let world = World::new(product).await;
    world.apply(&day(5)).await;
    let other = Apply { actor: "anna", prune: true, ..request(None, "meters: [{name: m, unit: run}]\n") };
    world.catalogs.apply(other).await.unwrap();
    let sql = "SELECT version || ' ' || actor || ' ' || action || ' ' || subject || ' ' ||
               CASE WHEN before IS NULL THEN 1 ELSE 0 END || CASE WHEN after IS NULL THEN 1 ELSE 0 END
               FROM audit ORDER BY id";
    assert_eq!(
        world.rows(sql).await,
        [
            "1 tester create meter m 10",
            "1 tester create quota tenants/- m 10",
            "2 anna update meter m 00",
            "2 anna delete quota tenants/- m 01",
        ]
    );
    let times = world.rows("SELECT DISTINCT CAST(time AS TEXT) FROM audit").await;
    assert_eq!(times, [NOW.to_string()]);
}

async fn a_write_without_a_change_draws_no_version(product: Product) {
    let world = World::new(product).await;
    world.apply(&day(5)).await;
    let data = world.store.load(None).await.unwrap();
    let changes = vec![CatalogWrite::PutMeter(data.meters[0].clone()), CatalogWrite::PutQuota(data.quotas[0].clone())];
    let context = WriteContext::new("", Timestamp::from_millis(NOW + 1));
    let scopes = [ScopeWrite { tenant: None, expect_version: Some(1), changes }];
    assert_eq!(world.store.write(&context, &scopes).await.unwrap(), Written::Done(1));
    assert_eq!(world.store.version(None).await.unwrap(), 1);
    assert_eq!(world.rows(HISTORY).await.len(), 1);
}

async fn several_scopes_are_written_together_or_not_at_all(product: Product) {
    let world = World::new(product).await;
    let applied = world
        .apply("meters: [{name: m}]\ntenants:\n  - {name: tenants/a, time_zone: UTC}\n  - {name: tenants/b, time_zone: UTC}\n")
        .await;
    assert_eq!(applied.versions.len(), 3);
    assert!(applied.versions.iter().all(|(_, version)| *version == 1));
    let meter = world.store.load(None).await.unwrap().meters[0].clone();
    let scope = |tenant: Option<&str>, expect_version| ScopeWrite {
        tenant: tenant.map(str::to_owned),
        expect_version: Some(expect_version),
        changes: vec![CatalogWrite::DeleteMeter(meter.clone())],
    };
    let context = WriteContext::new("", Timestamp::from_millis(NOW));
    let scopes = [scope(None, 1), scope(Some("tenants/a"), 9)];
    assert_eq!(world.store.write(&context, &scopes).await.unwrap(), Written::Conflict(1));
    assert_eq!(world.store.load(None).await.unwrap().meters.len(), 1);
}

async fn an_account_keeps_the_time_when_its_record_was_made(product: Product) {
    let world = World::new(product).await;
    world.apply_to("tenants/a", "labels: {x: y}\n").await;
    let later = Timestamp::from_millis(NOW + 1_000);
    let change = Apply { now: later, ..request(Some("tenants/a"), "display_name: A\n") };
    world.catalogs.apply(change).await.unwrap();
    let account = world.store.load(Some("tenants/a")).await.unwrap().accounts.remove(0);
    assert_eq!(account.create_time, Timestamp::from_millis(NOW));
    assert!(account.labels.is_empty());
    world.catalogs.apply(Apply { prune: true, ..request(Some("tenants/a"), "") }).await.unwrap();
    world.catalogs.apply(Apply { now: later, ..request(Some("tenants/a"), "display_name: A\n") }).await.unwrap();
    let account = world.store.load(Some("tenants/a")).await.unwrap().accounts.remove(0);
    assert_eq!(account.create_time, later);
}
