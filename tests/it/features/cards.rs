//! Rate cards that administrators make one by one: what is charged by quantities costs by them at once.

use super::engine::{Engine, stories};
use crate::api::helpers::*;
use quotad::proto::v1::*;
use std::collections::BTreeSet;
use tokio::task::JoinSet;
use tonic::Code::{Aborted, AlreadyExists, InvalidArgument, NotFound};

stories! {
    a_card_prices_at_once
    a_tenants_card_wins
    every_bad_field_of_a_card_is_named
    of_many_who_make_a_card_one_does
}

/// The first second of these years.
const IN_2020: i64 = 1_577_836_800;
const IN_2021: i64 = 1_609_459_200;
const IN_2100: i64 = 4_102_444_800;

fn at(seconds: i64) -> Option<pbjson_types::Timestamp> {
    Some(pbjson_types::Timestamp { seconds, nanos: 0 })
}

/// A card of `job.balance` (EUR, 6 decimals), on which a million of `gpt`'s input costs this.
fn card(from: i64, price: &str) -> RateCard {
    let price = ItemPrice {
        item: "gpt".into(),
        per: 1_000_000,
        components: [("input".to_owned(), price.to_owned())].into(),
        ..Default::default()
    };
    RateCard { meter: "job.balance".into(), from_time: at(from), prices: vec![price], ..Default::default() }
}

fn create(tenant: &str, card: RateCard) -> CreateRateCardRequest {
    CreateRateCardRequest { tenant: tenant.into(), rate_card: Some(card), ..Default::default() }
}

fn update(tenant: &str, card: RateCard) -> UpdateRateCardRequest {
    UpdateRateCardRequest { tenant: tenant.into(), rate_card: Some(card), ..Default::default() }
}

fn delete(tenant: &str, from: i64) -> DeleteRateCardRequest {
    let (tenant, meter) = (tenant.into(), "job.balance".into());
    DeleteRateCardRequest { tenant, meter, from_time: at(from), ..Default::default() }
}

/// The card that begins then; `None`: the one in force.
fn get(tenant: &str, from: Option<i64>) -> GetRateCardRequest {
    let (tenant, meter) = (tenant.into(), "job.balance".into());
    GetRateCardRequest { tenant, meter, from_time: from.and_then(at) }
}

fn one_input(id: &str) -> Vec<Charge> {
    let quantities = [("input".to_owned(), 1)].into();
    vec![Charge { amount: None, item: "gpt".into(), quantities, ..charge(&user(id), "job.balance", 0) }]
}

/// What one input costs now, by a user who has not spent before.
async fn cost(api: &Api, id: &str) -> i64 {
    api.used("", one_input(id)).await.committed[0].committed
}

async fn listed(api: &Api, tenant: &str, meter: &str) -> Vec<(String, i64, i32)> {
    let mut request =
        ListRateCardsRequest { tenant: tenant.into(), meter: meter.into(), page_size: 1, ..Default::default() };
    let mut cards = Vec::new();
    loop {
        let page = api.list_rate_cards(request.clone()).await.unwrap();
        assert!(page.rate_cards.iter().all(|card| card.prices.is_empty()), "lists leave them out");
        let said = |card: RateCard| (card.tenant, card.from_time.unwrap().seconds, card.price_count);
        cards.extend(page.rate_cards.into_iter().map(said));
        if page.next_page_token.is_empty() {
            return cards;
        }
        request.page_token = page.next_page_token;
    }
}

/// S3.06: the card that a call made, changed or deleted is in force at once on every replica; a repeat is refused.
async fn a_card_prices_at_once(engine: &Engine) {
    let (one, other) = (&engine.one, engine.other());
    let fault = refused(other.consume(consume("", one_input("a"))).await);
    assert_eq!(fault.kind(), (InvalidArgument, "NO_RATE_CARD"));
    assert_eq!(refused(other.get_rate_card(get(TENANT, None)).await).kind(), (NotFound, "RATE_CARD_NOT_FOUND"));
    let made = one.create_rate_card(create("", card(IN_2020, "1"))).await.unwrap();
    assert_eq!(cost(other, "a").await, 1);
    let fault = refused(other.create_rate_card(create("", card(IN_2020, "2"))).await);
    assert_eq!((fault.kind(), fault.names()), ((AlreadyExists, "RATE_CARD_EXISTS"), vec!["rate_card"]));
    let read = other.get_rate_card(get("", None)).await.unwrap();
    assert_eq!((read.rate_card.as_ref(), &read.etag), (made.rate_card.as_ref(), &made.etag));
    let shown = read.rate_card.unwrap();
    assert_eq!((shown.price_count, shown.prices[0].components["input"].as_str()), (1, "1.00"));

    let request = UpdateRateCardRequest { etag: made.etag.clone(), ..update("", card(IN_2020, "2")) };
    let set = one.update_rate_card(request.clone()).await.unwrap();
    assert_eq!(cost(other, "b").await, 2);
    assert_eq!(refused(other.update_rate_card(request).await).kind(), (Aborted, "ETAG_MISMATCH"));
    assert_eq!(other.update_rate_card(update("", card(IN_2020, "2"))).await.unwrap(), set, "again, nothing changes");
    let none = refused(one.update_rate_card(update("", card(IN_2021, "3"))).await);
    assert_eq!((none.kind(), none.names()), ((NotFound, "RATE_CARD_NOT_FOUND"), vec!["rate_card"]));

    one.create_rate_card(create("", card(IN_2100, "5"))).await.unwrap();
    one.create_rate_card(create("", card(IN_2021, "3"))).await.unwrap();
    assert_eq!(cost(other, "c").await, 3);
    let starts = |cards: Vec<(String, i64, i32)>| cards.into_iter().map(|(_, from, _)| from).collect::<Vec<_>>();
    assert_eq!(starts(listed(other, TENANT, "job.balance").await), [IN_2020, IN_2021, IN_2100]);
    assert_eq!(listed(other, TENANT, "job.runs").await, []);
    let old = other.get_rate_card(get("", Some(IN_2020))).await.unwrap().rate_card.unwrap();
    assert_eq!((old.from_time, old.prices[0].components["input"].as_str()), (at(IN_2020), "2.00"));
    other.hold("frozen", one_input("d")).await;
    one.delete_rate_card(delete("", IN_2021)).await.unwrap();
    assert_eq!(cost(other, "e").await, 2, "the one before it");
    let settled = other.commit(commit("frozen", vec![])).await.unwrap().reservation.unwrap();
    assert_eq!(settled.committed[0].committed, 3, "as it was reserved");
    let again = refused(other.delete_rate_card(delete("", IN_2021)).await);
    assert_eq!((again.kind(), again.names()), ((NotFound, "RATE_CARD_NOT_FOUND"), vec!["from_time"]));
    let request = ListAuditEntriesRequest { subject_prefix: "rate card job.balance 2020".into(), ..Default::default() };
    let audit = one.list_audit_entries(request).await.unwrap().entries;
    assert_eq!(audit.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["update", "create"]);
}

/// A tenant's own card is its own business, and stands before the installation's of the same time.
async fn a_tenants_card_wins(engine: &Engine) {
    let (one, other) = (&engine.one, engine.other());
    one.create_rate_card(create("", card(IN_2020, "1"))).await.unwrap();
    one.create_rate_card(create(TENANT, card(IN_2020, "4"))).await.unwrap();
    assert_eq!(cost(other, "a").await, 4);
    let own = other.get_rate_card(get(TENANT, Some(IN_2020))).await.unwrap().rate_card.unwrap();
    assert_eq!((own.tenant.as_str(), own.prices[0].components["input"].as_str()), (TENANT, "4.00"));
    assert_eq!(other.get_rate_card(get("tenants/other", None)).await.unwrap().rate_card.unwrap().tenant, "");
    let both = [(String::new(), IN_2020, 1), (TENANT.to_owned(), IN_2020, 1)];
    assert_eq!(listed(other, TENANT, "").await, both);
    let wrong = refused(one.delete_rate_card(delete("tenants/other", IN_2020)).await);
    assert_eq!(wrong.kind(), (NotFound, "RATE_CARD_NOT_FOUND"), "that is the installation's");
    one.delete_rate_card(delete(TENANT, IN_2020)).await.unwrap();
    assert_eq!(cost(other, "b").await, 1);
}

/// One answer names every bad field; what only the catalog can tell comes after that.
async fn every_bad_field_of_a_card_is_named(engine: &Engine) {
    let one = &engine.one;
    let price = |item: &str, currency: &str, per, component: &str, price: &str| ItemPrice {
        item: item.into(),
        currency: currency.into(),
        per,
        components: [(component.to_owned(), price.to_owned())].into(),
    };
    let discount =
        |service: &str, factor: &str| Discount { service: service.into(), factor: factor.into(), ..Default::default() };
    let rate = |currency: &str, since, rate: &str| ExchangeRate {
        currency: currency.into(),
        since_time: since,
        rate: rate.into(),
    };
    let bad = RateCard {
        meter: "Job".into(),
        from_time: None,
        prices: vec![
            price("a b", "two words", -1, "in", "1"),
            price("c", "", 0, "in", "one"),
            ItemPrice { item: "d".into(), ..Default::default() },
            price("e", "", 1_000_000_001, "in put", "1"),
            price("f", "", 1, "in", "1"),
            price("f", "", 1, "in", "1"),
        ],
        discounts: vec![discount("", "1"), discount("s", "1.01"), discount("t", "1"), discount("t", "0")],
        rates: vec![
            rate("", None, "1"),
            rate("USD", Some(pbjson_types::Timestamp { seconds: 0, nanos: -1 }), "0"),
            rate("JPY", at(5), "1"),
            rate("JPY", at(5), "2"),
        ],
        ..Default::default()
    };
    let fields = [
        "meter",
        "from_time",
        "prices[0].item",
        "prices[0].currency",
        "prices[0].per",
        "prices[1].components.in",
        "prices[2].components",
        "prices[3].per",
        "prices[3].components",
        "prices[5]",
        "discounts[0].service",
        "discounts[1].factor",
        "discounts[3]",
        "rates[0].currency",
        "rates[1].since_time",
        "rates[1].rate",
        "rates[3]",
    ];
    let mut expected: BTreeSet<String> = fields.iter().map(|field| format!("rate_card.{field}")).collect();
    expected.insert("tenant".into());
    for fault in [
        refused(one.create_rate_card(create("acme", bad.clone())).await),
        refused(one.update_rate_card(update("acme", bad)).await),
    ] {
        assert_eq!(fault.kind(), (InvalidArgument, "INVALID_FIELD"));
        assert_eq!(fault.names().into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected, "{fault:?}");
    }
    let of = |meter: &str| RateCard { meter: meter.into(), ..card(IN_2020, "1") };
    for (card, field) in [
        (of("no.such"), "rate_card.meter"),
        (of("disk.bytes"), "rate_card.meter"),
        (RateCard { prices: vec![price("a", "USD", 1, "in", "1")], ..card(IN_2020, "1") }, "rate_card.rates"),
        (RateCard { rates: vec![rate("EUR", None, "1")], ..card(IN_2020, "1") }, "rate_card.rates"),
    ] {
        let fault = refused(one.create_rate_card(create("", card)).await);
        assert_eq!((fault.kind(), fault.names()), ((InvalidArgument, "INVALID_FIELD"), vec![field]));
    }
    assert_eq!(refused(one.create_rate_card(CreateRateCardRequest::default()).await).names(), ["rate_card"]);
    let nameless = DeleteRateCardRequest { tenant: "acme".into(), ..Default::default() };
    assert_eq!(refused(one.delete_rate_card(nameless).await).names(), ["tenant", "meter", "from_time"]);
    assert_eq!(listed(one, "", "").await, [], "nothing has changed");
}

/// Of many who make the card of one time at once, at whatever replica, one does.
async fn of_many_who_make_a_card_one_does(engine: &Engine) {
    let mut racers = JoinSet::new();
    for number in 1..=16 {
        let mut catalog = if number % 2 == 0 { &engine.one } else { engine.other() }.server.catalog();
        let request = create("", card(IN_2020, &number.to_string()));
        racers.spawn(async move { catalog.create_rate_card(request).await });
    }
    let answers = racers.join_all().await;
    let won: Vec<_> = answers.iter().flatten().collect();
    assert!(
        won.len() == 1
            && answers.iter().flat_map(|answer| answer.as_ref().err()).all(|status| status.code() == AlreadyExists)
    );
    let stands = engine.other().get_rate_card(get("", None)).await.unwrap().rate_card;
    assert_eq!(stands, won[0].get_ref().rate_card);
}
