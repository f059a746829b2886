//! Documents applied, pruned, exported, refused.

use super::helpers::{World, request};
use crate::engine::manage::{Apply, ApplyError, ChangeKind};
use crate::engine::ports::{Cards, CatalogStore};
use crate::store::database::connection::Product;
use crate::store::database::tests::support::on_both;

on_both!(
    every_example_applies_once_and_exports,
    a_tenant_sees_the_installation_and_its_own,
    rate_cards_are_loaded_where_they_are_asked_for,
    what_is_not_named_stays_unless_pruned,
    plans_in_use_stay,
    a_dry_run_and_a_faulty_document_change_nothing,
    an_etag_guards,
    notes_are_kept,
);

const EXAMPLES: [(&str, &str); 5] = [
    ("ai-platform", include_str!("../../../../../deploy/catalogs/ai-platform.yaml")),
    ("storage-hub", include_str!("../../../../../deploy/catalogs/storage-hub.yaml")),
    ("workspaces", include_str!("../../../../../deploy/catalogs/workspaces.yaml")),
    ("llm-pools", include_str!("../../../../../deploy/catalogs/llm-pools.yaml")),
    ("saas-spend", include_str!("../../../../../deploy/catalogs/saas-spend.yaml")),
];

async fn every_example_applies_once_and_exports(product: Product) {
    let all = World::new(product).await;
    for (name, yaml) in EXAMPLES {
        let alone = World::new(product).await;
        let first = alone.apply(yaml).await;
        assert!(first.changes.iter().all(|change| change.kind == ChangeKind::Create), "{name}");
        let again = alone.apply(yaml).await;
        assert_eq!(again.changes, [], "{name}");
        assert_eq!(again.etag, first.etag, "{name}");

        let exported = alone.catalogs.export(None).await.unwrap();
        assert_eq!(exported.etag, first.etag);
        let back = alone.catalogs.apply(Apply { prune: true, ..request(None, &exported.yaml) }).await.unwrap();
        assert_eq!(back.changes, [], "{name}:\n{}", exported.yaml);

        let fresh = World::new(product).await;
        assert_eq!(fresh.apply(&exported.yaml).await.changes.len(), first.changes.len(), "{name}");
        assert_eq!(fresh.catalogs.export(None).await.unwrap().yaml, exported.yaml, "{name}");
        // Beside each other: nothing of another example is touched.
        assert_eq!(all.apply(yaml).await.changes.len(), first.changes.len(), "{name}");
    }
    for (name, yaml) in EXAMPLES {
        assert_eq!(all.apply(yaml).await.changes, [], "{name}");
    }
}

async fn a_tenant_sees_the_installation_and_its_own(product: Product) {
    let world = World::new(product).await;
    world.apply("meters: [{name: m}, {name: n}]\nplans: [{name: p}]\n").await;
    world.apply_to("tenants/a", "meters: [{name: m, unit: own}]\nquotas: [{subject: tenants/a, meter: n}]\n").await;
    world.apply_to("tenants/b", "accounts: [{name: tenants/b/users/u, plan: p}]\n").await;
    let a = world.store.load(Some("tenants/a")).await.unwrap();
    assert_eq!(a.meters.iter().map(|meter| meter.unit.as_str()).collect::<Vec<_>>(), ["own", "unit"]);
    assert_eq!((a.quotas.len(), a.accounts.len(), a.plans.len()), (1, 0, 1));
    let own = world.store.load(None).await.unwrap();
    assert_eq!((own.meters.len(), own.quotas.len(), own.version), (2, 0, 1));
    assert_eq!(world.store.tenants().await.unwrap(), ["tenants/a", "tenants/b"]);
    // The version of a view is the greater of both: a change of the installation reaches everybody.
    assert_eq!((a.version, world.store.version(None).await.unwrap()), (2, 3));
    world.apply("meters: [{name: o}]\n").await;
    assert_eq!(world.store.version(Some("tenants/a")).await.unwrap(), 4);
    assert_eq!(world.store.version(Some("tenants/unknown")).await.unwrap(), 4);
    let each = [(None, 4), (Some("tenants/a".to_owned()), 2), (Some("tenants/b".to_owned()), 3)];
    assert_eq!(world.store.versions().await.unwrap(), each);
}

async fn rate_cards_are_loaded_where_they_are_asked_for(product: Product) {
    let world = World::new(product).await;
    // Names that sort around those of m.
    let cards = |meters: &[&str]| {
        let card = |meter: &&str| {
            format!("{{meter: {meter}, from: 2026-01-01T00:00:00Z}}, {{meter: {meter}, from: 2027-01-01T00:00:00Z}}")
        };
        meters.iter().map(card).collect::<Vec<_>>().join(", ")
    };
    let meters = ["m", "m-x", "m.x", "m_x", "m1"];
    let named = meters.map(|meter| format!("{{name: {meter}}}")).join(", ");
    world.apply(&format!("meters: [{named}]\nrate_cards: [{}]\n", cards(&meters))).await;
    world.apply_to("tenants/a", &format!("rate_cards: [{}]\n", cards(&["m"]))).await;
    let (m, begin) = ("m".parse().unwrap(), "2027-01-01T00:00:00Z".parse().unwrap());
    let a = Some("tenants/a");
    let all = world.store.load(a).await.unwrap();
    assert_eq!(all.rate_cards.len(), 12);
    for (cards, tenant, expected) in [
        (Cards::None, a, 0),
        (Cards::Of(&m), a, 4),
        (Cards::Of(&m), None, 2),
        (Cards::From(&m, begin), a, 2),
        (Cards::From(&m, begin), Some("tenants/b"), 1),
        (Cards::All, a, 12),
    ] {
        let data = world.store.load_definitions(tenant, cards).await.unwrap();
        assert_eq!((data.rate_cards.len(), data.meters.len()), (expected, 5), "{cards:?}");
        assert!(cards == Cards::All || data.rate_cards.iter().all(|card| card.meter == m), "{cards:?}");
    }
    assert_eq!(world.store.load_definitions(a, Cards::All).await.unwrap(), all);
    // What judges quotas and records prices nothing.
    assert_eq!(world.store.load_for(a, &[]).await.unwrap().rate_cards, []);
    assert_eq!(world.store.load_records(a, &[]).await.unwrap().rate_cards, []);
}

async fn what_is_not_named_stays_unless_pruned(product: Product) {
    let world = World::new(product).await;
    let both = "meters: [{name: m}, {name: n}]\ntenants:\n  - {name: tenants/a, time_zone: UTC, quotas: [{subject: tenants/a, meter: m}]}\n";
    world.apply(both).await;
    assert_eq!(world.apply("meters: [{name: m}]\n").await.changes, []);

    // A tenant without a block is left alone, so a meter that it names can't go.
    let without = "meters: [{name: n}]\n";
    let error = world.refused(Apply { prune: true, ..request(None, without) }).await;
    assert!(matches!(&error, ApplyError::InUse(text) if text.contains("the meter m")), "{error}");

    let emptied = "meters: [{name: n}]\ntenants: [{name: tenants/a}]\n";
    let applied = world.catalogs.apply(Apply { prune: true, ..request(None, emptied) }).await.unwrap();
    let subjects: Vec<&str> = applied.changes.iter().map(|change| change.subject.as_str()).collect();
    assert_eq!(subjects, ["meter m", "quota tenants/a m", "account tenants/a"]);
    assert_eq!(applied.versions, [(None, 2), (Some("tenants/a".to_owned()), 2)]);
    assert!(world.store.tenants().await.unwrap().is_empty());
    assert_eq!(
        world.catalogs.export(None).await.unwrap().yaml,
        "meters:\n  - name: \"n\"\n    unit: unit\n",
        "n is a truth value to other readers"
    );
}

async fn plans_in_use_stay(product: Product) {
    let world = World::new(product).await;
    world.apply("plans: [{name: p}]\ntenants: [{name: tenants/a, plan: p}]\n").await;
    let error = world.refused(Apply { prune: true, ..request(None, "") }).await;
    assert!(matches!(&error, ApplyError::InUse(text) if text.contains("the plan p is in use by tenants/a")), "{error}");
}

async fn a_dry_run_and_a_faulty_document_change_nothing(product: Product) {
    let world = World::new(product).await;
    let yaml = "meters: [{name: m}]\nquotas: [{subject: tenants/-, meter: m, limits: {day: 1}}]\n";
    let dry = world.catalogs.apply(Apply { dry_run: true, ..request(None, yaml) }).await.unwrap();
    assert_eq!((dry.changes.len(), dry.etag.as_str(), dry.versions.len()), (2, "0", 0));
    let error = world.refused(request(None, "meters: [{name: m}, {name: M}]\n")).await;
    assert!(error.to_string().starts_with("line 1: meters[1].name: "), "{error}");
    let error = world.refused(request(Some("tenants/a/users/u"), yaml)).await;
    assert!(matches!(error, ApplyError::Tenant(_)));
    assert_eq!(world.store.version(None).await.unwrap(), 0);
    assert_eq!(world.rows("SELECT subject FROM audit").await, [""; 0]);
    // The dry run told the truth.
    assert_eq!(world.apply(yaml).await.changes, dry.changes);
}

async fn an_etag_guards(product: Product) {
    let world = World::new(product).await;
    let first = world.apply("meters: [{name: m}]\n").await;
    let other = world.apply_to("tenants/a", "time_zone: UTC\n").await;
    let late = Apply { etag: Some(&first.etag), ..request(None, "meters: [{name: n}]\n") };
    let error = world.refused(late).await;
    assert!(matches!(&error, ApplyError::EtagMismatch(etag) if *etag == other.etag), "{error}");
    // Also where nothing would change, and in a dry run.
    let late = Apply { etag: Some("ff"), dry_run: true, ..request(Some("tenants/a"), "") };
    assert!(matches!(world.refused(late).await, ApplyError::EtagMismatch(_)));
    let etag = world.catalogs.export(Some("tenants/a")).await.unwrap().etag;
    let fresh = Apply { etag: Some(&etag), ..request(Some("tenants/a"), "time_zone: Asia/Tokyo\n") };
    let applied = world.catalogs.apply(fresh).await.unwrap();
    assert_eq!(applied.etag, world.catalogs.etag(Some("tenants/a")).await.unwrap());
}

async fn notes_are_kept(product: Product) {
    let world = World::new(product).await;
    assert_eq!(world.store.note("file").await.unwrap(), None);
    world.store.set_note("file", "abc").await.unwrap();
    assert_eq!(world.store.note("file").await.unwrap().as_deref(), Some("abc"));
}
