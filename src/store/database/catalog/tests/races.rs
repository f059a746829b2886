//! Two who apply at once: both get through, none is lost, and the chain of versions is linear (S4.28). Who looked at every tenant is
//! told of one that came meanwhile.

use super::helpers::{NOW, World, request};
use crate::domain::time::Timestamp;
use crate::engine::manage::ApplyError;
use crate::engine::ports::{CatalogStore, CatalogWrite, ScopeWrite, WriteContext, Written};
use crate::store::database::connection::Product;
use crate::store::database::tests::support::on_both;

on_both!(racing_applies_make_one_chain, a_tenant_that_came_meanwhile_is_not_overlooked,);

async fn racing_applies_make_one_chain(product: Product) {
    let world = World::new(product).await;
    world.apply("meters: [{name: m}]\n").await;
    let mut tasks = Vec::new();
    for writer in 0..4 {
        let catalogs = if writer % 2 == 0 { world.catalogs.clone() } else { world.beside().await };
        tasks.push(tokio::spawn(async move {
            let mut done = 0;
            for round in 0..5 {
                let amount = writer * 100 + round;
                let yaml = format!(
                    "quotas: [{{subject: tenants/a, meter: m, limits: {{day: {amount}}}}}, {{subject: tenants/a/users/w{writer}, meter: m, limits: {{day: {amount}}}}}]\n"
                );
                match catalogs.apply(request(Some("tenants/a"), &yaml)).await {
                    Ok(applied) => done += usize::from(!applied.changes.is_empty()),
                    Err(ApplyError::Contention) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            done
        }));
    }
    let mut done = 0;
    for task in tasks {
        done += task.await.unwrap();
    }
    assert!(done >= 5, "{done}");
    // One version for each apply that changed something, after the first.
    assert_eq!(world.store.version(None).await.unwrap(), 1 + done as u64);
    let chain =
        world.rows("SELECT version || ' ' || state FROM quota WHERE subject = 'tenants/a' ORDER BY version").await;
    assert_eq!(chain.len(), done);
    for (index, row) in chain.iter().enumerate() {
        let state = if index + 1 == done { "current" } else { "closed" };
        assert_eq!(*row, format!("{} {state}", index + 1));
    }
    assert_eq!(world.store.load(Some("tenants/a")).await.unwrap().version, 1 + done as u64);
}

async fn a_tenant_that_came_meanwhile_is_not_overlooked(product: Product) {
    let world = World::new(product).await;
    world.apply("meters: [{name: m}]\n").await;
    let looked_at = world.store.version(None).await.unwrap();
    let seen = world.store.load(None).await.unwrap();
    world.apply_to("tenants/new", "quotas: [{subject: tenants/new, meter: m, limits: {day: 1}}]\n").await;
    let latest = world.store.version(None).await.unwrap();
    let delete = ScopeWrite {
        tenant: None,
        // The installation's own has not changed.
        expect_version: Some(seen.version),
        changes: vec![CatalogWrite::DeleteMeter(seen.meters[0].clone())],
    };
    let context = |latest| {
        let context = WriteContext::new("", Timestamp::from_millis(NOW));
        WriteContext { expect_latest: Some(latest), ..context }
    };
    let written = world.store.write(&context(looked_at), std::slice::from_ref(&delete)).await.unwrap();
    assert_eq!(written, Written::Conflict(latest));
    assert_eq!(world.store.load(None).await.unwrap(), seen);
    let written = world.store.write(&context(latest), &[delete]).await.unwrap();
    assert_eq!(written, Written::Done(latest + 1));
}
