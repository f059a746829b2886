//! Bad documents and bad page tokens, by their numbers in the list of all that was tried; and requests with several bad
//! fields, which are all named in one answer.

use super::bad_inputs::{BAD, Call, Row, all_refused};
use super::helpers::*;
use quotad::proto::v1::*;
use tonic::Code::{InvalidArgument, NotFound};

fn apply(yaml: &str) -> Call {
    Call::Apply(ApplyRequest { tenant: TENANT.into(), yaml: yaml.as_bytes().to_vec(), ..Default::default() })
}

/// A document with one limit.
fn limit(meter: &str, limits: &str) -> Call {
    apply(&format!("quotas:\n  - {{subject: tenants/acme/users/bad, meter: {meter}, limits: {{{limits}}}}}\n"))
}

#[tokio::test]
async fn documents_and_pages() {
    let api = Api::start().await;
    for n in 0..3 {
        api.hold(&format!("r{n}"), runs("u2", 1)).await;
    }
    let list = |tenant: &str, size: i32, token: &str| ListReservationsRequest {
        tenant: tenant.into(),
        page_size: size,
        page_token: token.into(),
        ..Default::default()
    };
    let token = api.list_reservations(list(TENANT, 1, "")).await.unwrap().next_page_token;
    let edited: String = token.chars().rev().collect();
    let filtered = ListReservationsRequest { account: user("u2"), ..list(TENANT, 1, &token) };
    let meters =
        |size: i32, token: &str| ListMetersRequest { page_size: size, page_token: token.into(), ..Default::default() };
    let invalid = "CATALOG_INVALID";
    let mut rows: Vec<Row> = vec![
        (85, Call::List(list(TENANT, 1, &edited)), InvalidArgument, BAD, &["page_token"]),
        (85, Call::List(list(TENANT, 1, &format!("{token}00"))), InvalidArgument, BAD, &["page_token"]),
        (85, Call::List(list(TENANT, 1, "not a token")), InvalidArgument, BAD, &["page_token"]),
        (85, Call::List(list("tenants/other", 1, &token)), InvalidArgument, BAD, &["page_token"]),
        (85, Call::List(filtered), InvalidArgument, BAD, &["page_token"]),
        (85, Call::Meters(meters(1, &token)), InvalidArgument, BAD, &["page_token"]),
        (86, Call::List(list(TENANT, -1, "")), InvalidArgument, BAD, &["page_size"]),
        (86, Call::Meters(meters(-1, "")), InvalidArgument, BAD, &["page_size"]),
        (
            82,
            limit("job.runs", "day: {amount: 1, zone: Mars/Phobos}"),
            InvalidArgument,
            invalid,
            &["quotas[0].limits.day.zone"],
        ),
        (
            84,
            limit("job.runs", "sliding: {amount: 1, length: 0s}"),
            InvalidArgument,
            invalid,
            &["quotas[0].limits.sliding.length"],
        ),
        (
            84,
            limit("job.runs", "rate: {amount: 1, length: 0s}"),
            InvalidArgument,
            invalid,
            &["quotas[0].limits.rate.length"],
        ),
        (
            84,
            limit("job.runs", "sliding: {amount: 1, length: 100000h}"),
            InvalidArgument,
            invalid,
            &["quotas[0].limits.sliding.length"],
        ),
        (76, limit("job.runs", "lifetime: -1"), InvalidArgument, invalid, &["quotas[0].limits.lifetime"]),
        (
            76,
            limit("job.runs", "lifetime: 9223372036854775808"),
            InvalidArgument,
            invalid,
            &["quotas[0].limits.lifetime"],
        ),
        (70, limit("job.balance", "lifetime: \"0.0000001\""), InvalidArgument, invalid, &["quotas[0].limits.lifetime"]),
        (70, limit("job.runs", "lifetime: \"1.5\""), InvalidArgument, invalid, &["quotas[0].limits.lifetime"]),
        (
            0,
            Call::Usage(GetUsageRequest { tenant: TENANT.into(), account: "u1".into(), meter: "A".into() }),
            InvalidArgument,
            BAD,
            &["account", "meter"],
        ),
    ];
    for bad in ["NaN", "Infinity", "-0", "1e400", "0x10", "\"1,000\"", "\" 1\"", "+1", "\"٣\"", "\"１\"", "1e3", ".nan"]
    {
        rows.push((
            69,
            limit("job.runs", &format!("lifetime: {bad}")),
            InvalidArgument,
            invalid,
            &["quotas[0].limits.lifetime"],
        ));
    }
    all_refused(&api, rows).await;
}

#[tokio::test]
async fn every_bad_field_is_named_at_once() {
    let api = Api::start().await;
    let request = ReserveRequest {
        tenant: TENANT.into(),
        reservation_id: "a b".into(),
        request_id: "ü".into(),
        charges: vec![
            charge("", "", -1),
            Charge { item: "\n".into(), also: vec!["x".into()], ..charge("tenants/other/users/u", "job.runs", 1) },
        ],
        ttl: seconds(0),
        labels: [(String::new(), String::new())].into(),
        wait_for_durable: false,
    };
    let fault = refused(api.reserve(request).await);
    assert_eq!(fault.kind(), (InvalidArgument, BAD));
    let all = [
        "reservation_id",
        "request_id",
        "charges[0].account",
        "charges[0].meter",
        "charges[0].amount",
        "charges[1].account",
        "charges[1].item",
        "charges[1].also[0]",
        "ttl",
        "labels",
    ];
    let mut named = fault.names();
    named.sort_unstable();
    let mut expected = all.to_vec();
    expected.sort_unstable();
    assert_eq!(named, expected);
    assert!(all.iter().all(|field| fault.message.contains(field)), "{}", fault.message);

    // Fields that only the catalog can judge are named together too.
    let zeros = vec![
        charge(&user("u2"), "job.runs", 0),
        charge(&user("u2"), "job.balance", 0),
        charge(&user("u3"), "job.runs", 0),
    ];
    let fault = refused(api.reserve(reserve("zeros", zeros)).await);
    assert_eq!(fault.names(), ["charges[0].amount", "charges[2].amount"]);
    let unknown =
        vec![charge(&user("u2"), "no.such", 1), charge(&user("u2"), "job.runs", 1), charge(&user("u3"), "nor.this", 1)];
    let fault = refused(api.reserve(reserve("unknown", unknown)).await);
    assert_eq!((fault.code, fault.names()), (NotFound, vec!["charges[0].meter", "charges[2].meter"]));
}
