//! Meters that administrators make one by one: at once in force, judged as in a document, and kept as long as something names them.

use super::engine::{Engine, stories};
use crate::api::helpers::*;
use quotad::proto::v1::*;
use std::collections::BTreeSet;
use tokio::task::JoinSet;
use tonic::Code::{Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound};
use tonic::Response;

stories! {
    a_meter_counts_at_once
    a_meter_is_made_to_be_so
    what_is_counted_stays_so
    a_meter_in_use_stays
    a_tenant_has_its_own
    every_bad_field_is_named
    of_many_creators_one_wins
    nobody_names_what_was_deleted
    a_meter_that_cards_price_keeps_its_unit
    an_own_meter_goes_only_for_one_that_counts_alike
}

fn meter(name: &str) -> Meter {
    Meter { name: name.into(), unit: "picture".into(), ..Default::default() }
}

fn create(meter: Meter) -> CreateMeterRequest {
    CreateMeterRequest { meter: Some(meter), ..Default::default() }
}

fn update(meter: Meter) -> UpdateMeterRequest {
    UpdateMeterRequest { meter: Some(meter), ..Default::default() }
}

fn delete(meter: &str) -> DeleteMeterRequest {
    DeleteMeterRequest { meter: meter.into(), ..Default::default() }
}

/// A tenant without a record.
const LATE: &str = "tenants/late";

fn described(tenant: &str, yaml: &str, prune: bool) -> ApplyRequest {
    ApplyRequest { tenant: tenant.into(), yaml: yaml.into(), prune, ..Default::default() }
}

fn get(tenant: &str, meter: &str) -> GetMeterRequest {
    GetMeterRequest { tenant: tenant.into(), meter: meter.into() }
}

/// A lifetime quota in the catalog of a tenant, or of the installation.
fn quota(tenant: &str, subject: &str, meter: &str, amount: i64) -> CreateQuotasRequest {
    let window = Window { kind: WindowKind::Lifetime.into(), ..Default::default() };
    let limits = vec![Limit { window: Some(window), value: Some(limit::Value::Amount(amount)) }];
    let quota = Quota { subject: subject.into(), meter: meter.into(), limits, ..Default::default() };
    CreateQuotasRequest { tenant: tenant.into(), quotas: vec![quota], ..Default::default() }
}

fn no_quota(tenant: &str, subject: &str, meter: &str) -> DeleteQuotaRequest {
    let (tenant, subject, meter) = (tenant.into(), subject.into(), meter.into());
    DeleteQuotaRequest { tenant, subject, meter, ..Default::default() }
}

/// What was written down about the installation's meter of that name, newest first.
async fn audit(api: &Api, meter: &str) -> Vec<String> {
    let request = ListAuditEntriesRequest { subject_prefix: format!("meter {meter}"), ..Default::default() };
    api.list_audit_entries(request).await.unwrap().entries.into_iter().map(|entry| entry.action).collect()
}

/// S0.02: a meter that a call made is counted by the next Reserve, on every replica, without a restart; a repeat is refused.
async fn a_meter_counts_at_once(engine: &Engine) {
    let (one, other) = (&engine.one, engine.other());
    let pictures = |amount| vec![charge(&user("a"), "labels", amount)];
    assert_eq!(refused(other.reserve(reserve("r", pictures(4))).await).kind(), (NotFound, "METER_NOT_FOUND"));
    let named = Meter { display_names: [("zh".to_owned(), "自动标注".to_owned())].into(), ..meter("labels") };
    let made = one.create_meter(create(named)).await.unwrap();
    other.hold("r", pictures(4)).await;
    assert_eq!(one.figures(&user("a"), "labels").await, (0, 4));
    let fault = refused(other.create_meter(create(meter("labels"))).await);
    assert_eq!((fault.kind(), fault.names()), ((AlreadyExists, "METER_EXISTS"), vec!["meter"]));
    let read = other.get_meter(get("", "labels")).await.unwrap();
    assert_eq!((read.meter, read.etag), (made.meter.clone(), made.etag));
    let shown = made.meter.unwrap();
    assert_eq!((shown.display_names["zh"].as_str(), shown.unit.as_str()), ("自动标注", "picture"));
    assert_eq!((shown.may_be_unlimited, shown.warn_percent, shown.tenant.as_str()), (Some(true), Some(80), ""));
    assert_eq!(audit(one, "labels").await, ["create"]);
}

/// An update says the whole; said again it changes nothing; its etag guards what was read.
async fn a_meter_is_made_to_be_so(engine: &Engine) {
    let (one, other) = (&engine.one, engine.other());
    assert_eq!(refused(one.update_meter(update(meter("labels"))).await).kind(), (NotFound, "METER_NOT_FOUND"));
    let full = Meter { max_limit: Some(9), default_policy: DefaultPolicy::Deny.into(), ..meter("labels") };
    let made = one.create_meter(create(full)).await.unwrap();
    denied(other.reserve(reserve("r", vec![charge(&user("a"), "labels", 1)])).await.unwrap());
    let bound = refused(one.create_quotas(quota(TENANT, &user("a"), "labels", 10)).await);
    assert_eq!(bound.kind(), (InvalidArgument, "INVALID_FIELD"));

    let request = UpdateMeterRequest { etag: made.etag.clone(), ..update(meter("labels")) };
    let set = one.update_meter(request.clone()).await.unwrap();
    let shown = set.meter.clone().unwrap();
    assert_eq!((shown.max_limit, shown.default_policy()), (None, DefaultPolicy::Allow), "what is left out is gone");
    other.hold("s", vec![charge(&user("a"), "labels", 1)]).await;
    let late = refused(other.update_meter(request.clone()).await);
    assert_eq!(late.kind(), (Aborted, "ETAG_MISMATCH"));
    assert_eq!(late.metadata["etag"], set.etag);
    let again = other.update_meter(UpdateMeterRequest { etag: set.etag.clone(), ..request }).await.unwrap();
    assert_eq!(again, set);
    assert_eq!(audit(one, "labels").await, ["update", "create"], "one entry for each change");
    let stale = DeleteMeterRequest { etag: made.etag, ..delete("labels") };
    assert_eq!(refused(one.delete_meter(stale).await).kind(), (Aborted, "ETAG_MISMATCH"));
    let gone = one.delete_meter(DeleteMeterRequest { etag: set.etag, ..delete("labels") }).await.unwrap();
    assert_eq!(gone.etag, one.export(ExportRequest::default()).await.unwrap().etag);
    assert_eq!(refused(other.delete_meter(delete("labels")).await).kind(), (NotFound, "METER_NOT_FOUND"));
    assert_eq!(refused(other.get_meter(get("", "labels")).await).kind(), (NotFound, "METER_NOT_FOUND"));
}

/// What Apply refuses on a meter that exists, or existed, is refused in the same words.
async fn what_is_counted_stays_so(engine: &Engine) {
    let one = &engine.one;
    one.create_meter(create(Meter { decimals: 2, ..meter("labels") })).await.unwrap();
    one.used("c", vec![charge(&user("a"), "labels", 700)]).await;
    let other = Meter { decimals: 3, family: MeterFamily::Allocation.into(), ..meter("labels") };
    let yaml = "meters: [{name: labels, decimals: 3, family: allocation}]".into();
    let document = refused(one.apply(ApplyRequest { yaml, ..Default::default() }).await);
    let words: BTreeSet<&str> = document.fields.iter().map(|(_, why)| why.trim_start_matches("line 1: ")).collect();
    for gone in [false, true] {
        let fault = if gone {
            one.delete_meter(delete("labels")).await.unwrap();
            refused(one.create_meter(create(other.clone())).await)
        } else {
            refused(one.update_meter(update(other.clone())).await)
        };
        assert_eq!(fault.kind(), (InvalidArgument, "INVALID_FIELD"));
        assert_eq!(fault.names().into_iter().collect::<BTreeSet<_>>(), ["meter.decimals", "meter.family"].into());
        assert_eq!(fault.fields.iter().map(|(_, why)| why.as_str()).collect::<BTreeSet<_>>(), words);
    }
    one.create_meter(create(Meter { decimals: 2, ..meter("labels") })).await.unwrap();
    assert_eq!(one.figures(&user("a"), "labels").await, (700, 0), "as it was");
}

/// Quotas, pools and rate cards, of whatever tenant, keep the meter that they name. A document is told the same words.
async fn a_meter_in_use_stays(engine: &Engine) {
    let (one, other) = (&engine.one, engine.other());
    let in_use = async |who: &str| {
        let fault = refused(one.delete_meter(delete("labels")).await);
        assert_eq!((fault.kind(), fault.names()), ((FailedPrecondition, "METER_IN_USE"), vec!["meter"]));
        assert_eq!(fault.fields[0].1, format!("the meter labels is in use by {who}"));
    };
    one.create_meter(create(meter("labels"))).await.unwrap();
    one.create_quotas(quota("", "tenants/-", "labels", 5)).await.unwrap();
    in_use("the quota of tenants/-").await;
    one.delete_quota(no_quota("", "tenants/-", "labels")).await.unwrap();
    for id in ["a", "b", "c", "d"] {
        other.create_quotas(quota(TENANT, &user(id), "labels", 5)).await.unwrap();
    }
    in_use(&format!("the quota of {}, {}, {} and others", user("a"), user("b"), user("c"))).await;
    for id in ["a", "b", "c"] {
        one.delete_quota(no_quota(TENANT, &user(id), "labels")).await.unwrap();
    }
    let who = format!("the quota of {}", user("d"));
    in_use(&who).await;
    let meters = one.list_meters(ListMetersRequest { page_size: 1000, ..Default::default() }).await.unwrap().meters;
    let others = meters.iter().filter(|meter| meter.name != "labels").map(|meter| {
        let family = if meter.family() == MeterFamily::Allocation { "allocation" } else { "consumption" };
        format!("{{name: {}, decimals: {}, family: {family}}}", meter.name, meter.decimals)
    });
    let yaml = format!("meters: [{}]", others.collect::<Vec<_>>().join(", ")).into_bytes();
    let document = refused(one.apply(ApplyRequest { yaml, prune: true, ..Default::default() }).await);
    assert_eq!(
        (document.names(), document.fields[0].1.as_str()),
        (vec!["prune"], &*format!("the meter labels is in use by {who}"))
    );
    one.delete_quota(no_quota(TENANT, &user("d"), "labels")).await.unwrap();

    let account = format!("{TENANT}/pots/p");
    let pool = Pool { account: account.clone(), meters: vec!["labels".into()], ..Default::default() };
    other
        .create_pool(CreatePoolRequest { tenant: TENANT.into(), pool: Some(pool), ..Default::default() })
        .await
        .unwrap();
    in_use(&format!("the pool {account}")).await;
    one.delete_pool(DeletePoolRequest { tenant: TENANT.into(), account, ..Default::default() }).await.unwrap();
    let card = "rate_cards: [{meter: labels, from: 2020-01-01T00:00:00Z}]";
    one.apply(described(LATE, card, false)).await.unwrap();
    in_use("a rate card of tenants/late").await;
    one.apply(described(LATE, "name: tenants/late", true)).await.unwrap();
    one.delete_meter(delete("labels")).await.unwrap();
    assert_eq!(audit(one, "labels").await, ["delete", "create"]);
}

/// A tenant needs no record to have meters; its own stand before the installation's, and theirs behind them.
async fn a_tenant_has_its_own(engine: &Engine) {
    let (one, other) = (&engine.one, engine.other());
    let of = |tenant: &str, meter: Meter| CreateMeterRequest { tenant: tenant.into(), ..create(meter) };
    one.create_meter(of("tenants/new", meter("own"))).await.unwrap();
    assert_eq!(refused(one.get_meter(get(TENANT, "own")).await).kind(), (NotFound, "METER_NOT_FOUND"));
    let wrong = DeleteMeterRequest { tenant: "tenants/nobody".into(), ..delete("own") };
    assert_eq!(refused(one.delete_meter(wrong).await).kind(), (NotFound, "METER_NOT_FOUND"));
    let above = UpdateMeterRequest { tenant: TENANT.into(), ..update(meter("job.runs")) };
    assert_eq!(
        refused(one.update_meter(above).await).kind(),
        (NotFound, "METER_NOT_FOUND"),
        "that is the installation's"
    );

    let made = one.create_meter(of(TENANT, meter("job.runs"))).await.unwrap();
    let read = other.get_meter(get(TENANT, "job.runs")).await.unwrap();
    assert_eq!((read.meter.as_ref(), &read.etag), (made.meter.as_ref(), &made.etag));
    assert_eq!(read.meter.unwrap().tenant, TENANT);
    // Its quotas name the installation's from then on.
    let own = DeleteMeterRequest { tenant: TENANT.into(), etag: made.etag, ..delete("job.runs") };
    one.delete_meter(own).await.unwrap();
    assert_eq!(other.get_meter(get(TENANT, "job.runs")).await.unwrap().meter.unwrap().unit, "run");
    denied(other.reserve(reserve("r", runs("a", 11))).await.unwrap());
    other.hold("r", runs("a", 10)).await;
}

/// One answer names every bad field.
async fn every_bad_field_is_named(engine: &Engine) {
    let one = &engine.one;
    let before = one.export(ExportRequest::default()).await.unwrap().etag;
    let bad = Meter {
        name: "Labels".into(),
        unit: "x".repeat(64),
        decimals: 11,
        display_names: [(String::new(), String::new())].into(),
        unit_names: [("en".to_owned(), "x".repeat(1025))].into(),
        min_limit: Some(-1),
        max_limit: Some(-2),
        family: 3,
        admission: 3,
        overage: 4,
        expiry: 4,
        charge: 3,
        warn_percent: Some(101),
        default_policy: -1,
        failure_policy: 3,
        ..Default::default()
    };
    let fields = [
        "name",
        "unit",
        "decimals",
        "display_names",
        "unit_names",
        "min_limit",
        "max_limit",
        "family",
        "admission",
        "overage",
        "expiry",
        "charge",
        "warn_percent",
        "default_policy",
        "failure_policy",
    ];
    let mut expected: BTreeSet<String> = fields.iter().map(|field| format!("meter.{field}")).collect();
    expected.insert("tenant".into());
    for fault in [
        refused(one.create_meter(CreateMeterRequest { tenant: "acme".into(), ..create(bad.clone()) }).await),
        refused(one.update_meter(UpdateMeterRequest { tenant: "acme".into(), ..update(bad) }).await),
    ] {
        assert_eq!(fault.kind(), (InvalidArgument, "INVALID_FIELD"));
        assert_eq!(fault.names().into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected, "{fault:?}");
    }
    let crossed = Meter { min_limit: Some(5), max_limit: Some(4), ..meter("labels") };
    assert_eq!(refused(one.create_meter(create(crossed)).await).names(), ["meter.max_limit"]);
    assert_eq!(refused(one.create_meter(CreateMeterRequest::default()).await).names(), ["meter"]);
    assert_eq!(refused(one.update_meter(UpdateMeterRequest::default()).await).names(), ["meter"]);
    let nameless = DeleteMeterRequest { tenant: "acme".into(), ..Default::default() };
    assert_eq!(refused(one.delete_meter(nameless).await).names(), ["tenant", "meter"]);
    assert_eq!(one.export(ExportRequest::default()).await.unwrap().etag, before, "nothing has changed");
}

/// Of many who make the same meter at once, at whatever replica, one does.
async fn of_many_creators_one_wins(engine: &Engine) {
    let mut racers = JoinSet::new();
    for number in 0..16 {
        let mut catalog = if number % 2 == 0 { &engine.one } else { engine.other() }.server.catalog();
        let request = create(Meter { unit: format!("unit{number}"), ..meter("raced") });
        racers.spawn(async move { catalog.create_meter(request).await });
    }
    let answers = racers.join_all().await;
    let answers: Vec<Result<CreateMeterResponse, Fault>> = answers
        .into_iter()
        .map(|answer| answer.map(Response::into_inner).map_err(|status| Fault::from(&status)))
        .collect();
    let won: Vec<&CreateMeterResponse> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
    let lost = answers.iter().filter_map(|answer| answer.as_ref().err());
    assert!(lost.clone().all(|fault| fault.reason == "METER_EXISTS"), "{answers:?}");
    assert_eq!((won.len(), lost.count()), (1, 15));
    assert_eq!(engine.other().get_meter(get("", "raced")).await.unwrap().meter, won[0].meter);
    assert_eq!(audit(&engine.one, "raced").await, ["create"]);
}

/// Whoever deletes a meter while a tenant that nobody knew begins to use it: one of the two is refused.
async fn nobody_names_what_was_deleted(engine: &Engine) {
    for round in 0..12 {
        let (name, tenant) = (format!("raced{round}"), format!("tenants/raced{round}"));
        engine.one.create_meter(create(meter(&name))).await.unwrap();
        let (deleting, naming) =
            if round % 2 == 0 { (&engine.one, engine.other()) } else { (engine.other(), &engine.one) };
        let (deleted, named) =
            tokio::join!(deleting.delete_meter(delete(&name)), naming.create_quotas(quota(&tenant, &tenant, &name, 5)));
        match (deleted, named) {
            (Ok(_), Err(fault)) => assert_eq!(fault.names(), ["quotas[0].meter"], "{fault:?}"),
            (Err(fault), Ok(_)) => assert_eq!(fault.reason, "METER_IN_USE"),
            both => panic!("{both:?}"),
        }
    }
}

/// Rate cards price in the unit of their meter.
async fn a_meter_that_cards_price_keeps_its_unit(engine: &Engine) {
    let (one, other) = (&engine.one, engine.other());
    one.create_meter(create(meter("labels"))).await.unwrap();
    let from_time = Some(pbjson_types::Timestamp { seconds: 1_577_836_800, nanos: 0 });
    let card = RateCard { meter: "labels".into(), from_time, ..Default::default() };
    one.create_rate_card(CreateRateCardRequest { rate_card: Some(card), ..Default::default() }).await.unwrap();
    let other_unit = Meter { unit: "frame".into(), ..meter("labels") };
    let fault = refused(other.update_meter(update(other_unit.clone())).await);
    assert_eq!((fault.kind(), fault.names()), ((FailedPrecondition, "METER_IN_USE"), vec!["meter"]));
    let other_threshold = Meter { warn_percent: Some(50), ..meter("labels") };
    other.update_meter(update(other_threshold)).await.unwrap();
    let yaml = "meters:\n  - name: labels\n    unit: frame\n";
    let fault = refused(one.apply(described("", yaml, false)).await);
    assert_eq!((fault.kind(), fault.names()), ((InvalidArgument, "CATALOG_INVALID"), vec!["meters[0].unit"]));
    let gone = DeleteRateCardRequest { meter: "labels".into(), from_time, ..Default::default() };
    one.delete_rate_card(gone).await.unwrap();

    // Those of a tenant keep it as well, but for one that has a meter of its own of that name.
    let card = "rate_cards: [{meter: labels, from: 2020-01-01T00:00:00Z}]";
    one.apply(described(LATE, card, false)).await.unwrap();
    one.apply(described("tenants/apart", &format!("meters: [{{name: labels}}]\n{card}"), false)).await.unwrap();
    let why = "the rate cards of tenants/late price in: delete these first";
    let fault = refused(other.update_meter(update(other_unit.clone())).await);
    assert_eq!((fault.kind(), fault.names()), ((FailedPrecondition, "METER_IN_USE"), vec!["meter"]));
    assert!(fault.fields[0].1.ends_with(why), "{fault:?}");
    // Nor does the tenant make one of its own between its cards and that.
    let own = CreateMeterRequest { tenant: LATE.into(), ..create(other_unit.clone()) };
    assert!(refused(one.create_meter(own).await).fields[0].1.ends_with(why));
    // One answer says all: what can't be read, what can't be changed, and what is in use.
    let wrong = Meter { decimals: 3, family: MeterFamily::Allocation.into(), ..other_unit.clone() };
    for (wrong, more) in
        [(wrong.clone(), None), (Meter { warn_percent: Some(101), decimals: 11, ..wrong }, Some("warn_percent"))]
    {
        let fault = refused(other.update_meter(update(wrong)).await);
        assert_eq!(fault.kind(), (InvalidArgument, "INVALID_FIELD"));
        let names = fault.names().into_iter().collect::<Vec<_>>();
        let fields = ["decimals", "family", "unit"].into_iter().chain(more).map(|field| format!("meter.{field}"));
        assert_eq!(names.len(), 3 + usize::from(more.is_some()), "each once: {fault:?}");
        assert!(fields.into_iter().all(|field| names.contains(&&*field)), "{fault:?}");
    }
    // Whether the document says something of the tenant or not.
    for tenants in ["", "tenants: [{name: tenants/late, plans: [{name: p}]}, {name: tenants/apart}]"] {
        let fault = refused(one.apply(described("", &format!("{yaml}{tenants}"), false)).await);
        assert_eq!((fault.kind(), fault.names()), ((InvalidArgument, "CATALOG_INVALID"), vec!["meters[0].unit"]));
        assert!(fault.fields[0].1.ends_with(why), "{fault:?}");
    }
    one.apply(described(LATE, "name: tenants/late", true)).await.unwrap();
    other.update_meter(update(other_unit)).await.unwrap();
    assert_eq!(audit(one, "labels").await, ["update", "update", "create"]);
}

/// What was counted on a tenant's meter is read by the installation's once that takes its place.
async fn an_own_meter_goes_only_for_one_that_counts_alike(engine: &Engine) {
    let (one, other) = (&engine.one, engine.other());
    let own = Meter { family: MeterFamily::Allocation.into(), ..meter("stock") };
    one.create_meter(CreateMeterRequest { tenant: TENANT.into(), ..create(own) }).await.unwrap();
    one.apply(described(LATE, "meters: [{name: stock, decimals: 2}]", false)).await.unwrap();
    other.create_meter(create(meter("stock"))).await.unwrap();
    let gone = DeleteMeterRequest { tenant: TENANT.into(), ..delete("stock") };
    let fault = refused(one.delete_meter(gone.clone()).await);
    assert_eq!((fault.kind(), fault.names()), ((FailedPrecondition, "METER_IN_USE"), vec!["meter"]));
    assert!(fault.fields[0].1.contains("another family"), "{fault:?}");
    // Nor by a document that does not name it.
    let empty = || described(LATE, "name: tenants/late", true);
    let fault = refused(one.apply(empty()).await);
    assert_eq!((fault.kind(), fault.names()), ((InvalidArgument, "CATALOG_INVALID"), vec!["prune"]));
    assert!(fault.fields[0].1.contains("of tenants/late, and has another family"), "{fault:?}");
    other.delete_meter(delete("stock")).await.unwrap();
    one.delete_meter(gone).await.unwrap();
    one.apply(empty()).await.unwrap();

    // Cards price in the unit of the one that they were made for.
    other.create_meter(create(meter("cost"))).await.unwrap();
    let card = "rate_cards: [{meter: cost, from: 2020-01-01T00:00:00Z}]";
    one.apply(described(LATE, &format!("meters: [{{name: cost, unit: CNY}}]\n{card}"), false)).await.unwrap();
    let own = DeleteMeterRequest { tenant: LATE.into(), ..delete("cost") };
    assert!(refused(one.delete_meter(own).await).fields[0].1.contains("another unit"));
    assert!(refused(one.apply(described(LATE, card, true)).await).fields[0].1.contains("another unit"));
    one.apply(empty()).await.unwrap();
}
