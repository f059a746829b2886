//! Bad inputs, by their numbers in the list of all that was tried: each gets its status, its reason and the name of every
//! bad field, and changes nothing. Numbers that are missing here need credentials, or are answers and not errors
//! (`edges.rs`), or frames and headers (`framing.rs`).

use super::helpers::*;
use quotad::proto::v1::*;
use std::collections::HashMap;
use tonic::Code::{self, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound};

/// Any call.
pub(super) enum Call {
    Check(CheckRequest),
    Reserve(ReserveRequest),
    Commit(CommitRequest),
    Release(ReleaseRequest),
    Extend(ExtendRequest),
    Consume(ConsumeRequest),
    Free(FreeRequest),
    Get(GetReservationRequest),
    List(ListReservationsRequest),
    Meters(ListMetersRequest),
    Usage(GetUsageRequest),
    Apply(ApplyRequest),
}

impl Call {
    pub(super) async fn send(self, api: &Api) -> Result<String, Fault> {
        fn text<T: std::fmt::Debug>(answer: Result<T, Fault>) -> Result<String, Fault> {
            answer.map(|answer| format!("{answer:?}"))
        }
        match self {
            Call::Check(request) => text(api.check(request).await),
            Call::Reserve(request) => text(api.reserve(request).await),
            Call::Commit(request) => text(api.commit(request).await),
            Call::Release(request) => text(api.release(request).await),
            Call::Extend(request) => text(api.extend(request).await),
            Call::Consume(request) => text(api.consume(request).await),
            Call::Free(request) => text(api.free(request).await),
            Call::Get(request) => text(api.get_reservation(request).await),
            Call::List(request) => text(api.list_reservations(request).await),
            Call::Meters(request) => text(api.list_meters(request).await),
            Call::Usage(request) => text(api.get_usage(request).await),
            Call::Apply(request) => text(api.apply(request).await),
        }
    }
}

/// Number, call, code, reason, bad fields.
pub(super) type Row = (u32, Call, Code, &'static str, &'static [&'static str]);

/// Sends every row and looks that nothing changed.
pub(super) async fn all_refused(api: &Api, rows: Vec<Row>) {
    let before = api.digest().await;
    let mut wrong = Vec::new();
    for (place, (number, call, code, reason, fields)) in rows.into_iter().enumerate() {
        match call.send(api).await {
            Ok(answer) => wrong.push(format!("{number} (row {place}): answered {answer}")),
            Err(fault) if fault.kind() != (code, reason) || fault.names() != fields => {
                wrong.push(format!("{number} (row {place}): {fault:?}, not {code:?} {reason} {fields:?}"));
            }
            Err(fault) => assert!(!fault.message.is_empty(), "{number} (row {place}): no message"),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(api.digest().await, before, "a bad input changed something");
}

fn ask(charges: Vec<Charge>) -> Call {
    Call::Reserve(reserve("bad", charges))
}

/// A Reserve on an account that is none.
fn account(name: &str) -> Call {
    ask(vec![charge(name, "job.runs", 1)])
}

fn extend(ttl: Option<pbjson_types::Duration>) -> ExtendRequest {
    ExtendRequest { tenant: TENANT.into(), reservation_id: "held".into(), ttl, ..Default::default() }
}

const ACCOUNT: &[&str] = &["charges[0].account"];
const AMOUNT: &[&str] = &["charges[0].amount"];
pub(super) const BAD: &str = "INVALID_FIELD";

#[tokio::test]
async fn names_and_ids() {
    let api = Api::start().await;
    api.hold("held", runs("u2", 1)).await;
    let mut rows: Vec<Row> = vec![
        (38, account(""), InvalidArgument, BAD, ACCOUNT),
        (
            39,
            account(&format!("{TENANT}/users/{}/a/{}", "u".repeat(120), "x".repeat(115))),
            InvalidArgument,
            BAD,
            ACCOUNT,
        ),
        (41, account("../../etc/passwd"), InvalidArgument, BAD, ACCOUNT),
        (43, account("tenants/other/users/u1"), NotFound, "ACCOUNT_NOT_FOUND", ACCOUNT),
        (46, account(&format!("{TENANT}{}", "/a/b".repeat(8))), FailedPrecondition, "TOO_MANY_LIMITS", ACCOUNT),
    ];
    for bad in ["{", "}", ":", "*", "%", "\0", "\r\n", " ", "\\", "..", "#"] {
        rows.push((40, account(&user(bad)), InvalidArgument, BAD, ACCOUNT));
        rows.push((40, account(&format!("{}{bad}x", user("u"))), InvalidArgument, BAD, ACCOUNT));
    }
    rows.retain(|row| !matches!(&row.1, Call::Reserve(r) if r.charges[0].account == user("u..x")));
    for bad in ["ü", "аdmin", "用户", "u\u{200b}1", "ＡＢ"] {
        rows.push((42, account(&user(bad)), InvalidArgument, BAD, ACCOUNT));
    }
    for bad in
        [format!("{TENANT}/"), format!("{TENANT}/users"), "tenants//users/u".into(), "/tenants/acme".into(), user("-")]
    {
        rows.push((40, account(&bad), InvalidArgument, BAD, ACCOUNT));
    }
    let (long, spaced, other) = ("x".repeat(129), "a b", "naïve");
    for bad in [long.as_str(), spaced, other, "a\nb", "\u{7f}"] {
        let named = ReserveRequest { request_id: bad.into(), ..reserve("", runs("u2", 1)) };
        rows.push((48, Call::Reserve(named), InvalidArgument, BAD, &["request_id"]));
        rows.push((53, Call::Reserve(reserve(bad, runs("u2", 1))), InvalidArgument, BAD, &["reservation_id"]));
        rows.push((53, Call::Commit(commit(bad, vec![])), InvalidArgument, BAD, &["reservation_id"]));
        rows.push((53, Call::Release(release(bad)), InvalidArgument, BAD, &["reservation_id"]));
        let item = Charge { item: bad.into(), ..charge(&user("u2"), "job.runs", 1) };
        rows.push((53, ask(vec![item]), InvalidArgument, BAD, &["charges[0].item"]));
    }
    let get = |id: &str| Call::Get(GetReservationRequest { tenant: TENANT.into(), reservation_id: id.into() });
    let missing: &'static [&'static str] = &["reservation_id"];
    for call in [Call::Commit(commit("", vec![])), Call::Release(release("")), get("")] {
        rows.push((53, call, InvalidArgument, BAD, missing));
    }
    rows.push((55, get("never"), NotFound, "RESERVATION_NOT_FOUND", &[]));
    rows.push((55, Call::Commit(commit("never", vec![])), NotFound, "RESERVATION_NOT_FOUND", &[]));
    rows.push((55, Call::Release(release("never")), NotFound, "RESERVATION_NOT_FOUND", &[]));
    let unknown = ExtendRequest { reservation_id: "never".into(), ..extend(None) };
    rows.push((55, Call::Extend(unknown), NotFound, "RESERVATION_NOT_FOUND", &[]));
    let foreign = |id: &str| GetReservationRequest { tenant: "tenants/other".into(), reservation_id: id.into() };
    rows.push((54, Call::Get(foreign("held")), NotFound, "RESERVATION_NOT_FOUND", &[]));
    let foreign = CommitRequest { tenant: "tenants/other".into(), ..commit("held", vec![]) };
    rows.push((54, Call::Commit(foreign), NotFound, "RESERVATION_NOT_FOUND", &[]));
    let foreign = ReleaseRequest { tenant: "tenants/other".into(), ..release("held") };
    rows.push((54, Call::Release(foreign), NotFound, "RESERVATION_NOT_FOUND", &[]));
    for bad in ["", "acme", "tenants", "tenants/acme/users/u1", "tenants/-"] {
        let request = ReserveRequest { tenant: bad.into(), ..reserve("bad", runs("u2", 1)) };
        rows.push((38, Call::Reserve(request), InvalidArgument, BAD, &["tenant"]));
    }
    all_refused(&api, rows).await;
}

#[tokio::test]
async fn amounts_charges_and_times() {
    let api = Api::start().await;
    api.hold("held", runs("u2", 1)).await;
    let one = |amount: i64| vec![charge(&user("u2"), "job.runs", amount)];
    let rows: Vec<Row> = vec![
        (62, Call::Extend(extend(seconds(24 * 3600 + 1))), InvalidArgument, BAD, &["ttl"]),
        (63, ask(one(0)), InvalidArgument, BAD, AMOUNT),
        (63, Call::Check(CheckRequest { tenant: TENANT.into(), charges: one(0) }), InvalidArgument, BAD, AMOUNT),
        (63, Call::Consume(consume("bad", one(0))), InvalidArgument, BAD, AMOUNT),
        (63, free(vec![charge(&user("u2"), "disk.bytes", 0)]), InvalidArgument, BAD, AMOUNT),
        (63, raise(0), InvalidArgument, BAD, AMOUNT),
        (63, ask(vec![Charge { amount: None, ..charge(&user("u2"), "job.runs", 0) }]), InvalidArgument, BAD, AMOUNT),
        (64, ask(one(-1)), InvalidArgument, BAD, AMOUNT),
        (64, ask(one(i64::MIN)), InvalidArgument, BAD, AMOUNT),
        (64, Call::Check(CheckRequest { tenant: TENANT.into(), charges: one(-1) }), InvalidArgument, BAD, AMOUNT),
        (64, Call::Consume(consume("bad", one(-1))), InvalidArgument, BAD, AMOUNT),
        (64, Call::Commit(commit("held", one(-1))), InvalidArgument, BAD, AMOUNT),
        (64, Call::Release(ReleaseRequest { charges: one(-1), ..release("held") }), InvalidArgument, BAD, AMOUNT),
        (64, free(vec![charge(&user("u2"), "disk.bytes", -1)]), InvalidArgument, BAD, AMOUNT),
        (64, raise(-1), InvalidArgument, BAD, AMOUNT),
        (64, ask(vec![charge(&user("u2"), "job.balance", -1)]), InvalidArgument, BAD, AMOUNT),
        (72, ask(vec![]), InvalidArgument, BAD, &["charges"]),
        (
            72,
            ask((0..17).map(|n| charge(&user(&format!("n{n}")), "job.runs", 1)).collect()),
            InvalidArgument,
            BAD,
            &["charges"],
        ),
        (72, Call::Check(CheckRequest { tenant: TENANT.into(), charges: vec![] }), InvalidArgument, BAD, &["charges"]),
        (
            72,
            ask(vec![Charge { also: vec![user("p"); 8], ..charge(&user("u2"), "job.runs", 1) }]),
            InvalidArgument,
            BAD,
            &["charges[0].also"],
        ),
        (72, free(vec![]), InvalidArgument, BAD, &["reservation_id"]),
        (72, both_kinds_of_free(), InvalidArgument, BAD, &["reservation_id"]),
        (74, ttl(0, 0), InvalidArgument, BAD, &["ttl"]),
        (74, ttl(-1, 0), InvalidArgument, BAD, &["ttl"]),
        (74, ttl(0, -1), InvalidArgument, BAD, &["ttl"]),
        (74, ttl(0, 999_999), InvalidArgument, BAD, &["ttl"]),
        (74, ttl(25 * 3600, 0), InvalidArgument, BAD, &["ttl"]),
        (74, ttl(i64::MAX, 0), InvalidArgument, BAD, &["ttl"]),
        (74, ttl(i64::MIN, i32::MIN), InvalidArgument, BAD, &["ttl"]),
        (88, labels((0..33).map(|n| (format!("k{n}"), "v".into())).collect()), InvalidArgument, BAD, &["labels"]),
        (88, labels([("k".into(), "v".repeat(4096))].into()), InvalidArgument, BAD, &["labels"]),
        (88, labels([(String::new(), "v".into())].into()), InvalidArgument, BAD, &["labels"]),
        (0, ask(vec![charge(&user("u2"), "Job Runs", 1)]), InvalidArgument, BAD, &["charges[0].meter"]),
        (0, ask(vec![charge(&user("u2"), "job.run", 1)]), NotFound, "METER_NOT_FOUND", &["charges[0].meter"]),
        (0, priced(None), InvalidArgument, "NO_RATE_CARD", &["charges[0].quantities"]),
        (0, priced(Some(1)), InvalidArgument, BAD, &["charges[0].quantities"]),
        (0, part_without_request_id(), InvalidArgument, BAD, &["request_id"]),
    ];
    all_refused(&api, rows).await;
}

fn free(charges: Vec<Charge>) -> Call {
    Call::Free(FreeRequest { tenant: TENANT.into(), charges, ..Default::default() })
}

fn both_kinds_of_free() -> Call {
    let charges = vec![charge(&user("u2"), "disk.bytes", 1)];
    Call::Free(FreeRequest { tenant: TENANT.into(), reservation_id: "held".into(), charges, ..Default::default() })
}

fn raise(amount: i64) -> Call {
    let charges = vec![charge(&user("u2"), "job.runs", amount)];
    Call::Extend(ExtendRequest { request_id: "raise".into(), charges, ..extend(None) })
}

fn ttl(seconds: i64, nanos: i32) -> Call {
    let ttl = Some(pbjson_types::Duration { seconds, nanos });
    Call::Reserve(ReserveRequest { ttl, ..reserve("bad", runs("u2", 1)) })
}

fn labels(labels: HashMap<String, String>) -> Call {
    Call::Reserve(ReserveRequest { labels, ..reserve("bad", runs("u2", 1)) })
}

fn priced(amount: Option<i64>) -> Call {
    let quantities = [("input".into(), 10)].into();
    ask(vec![Charge { amount, quantities, ..charge(&user("u2"), "job.balance", 0) }])
}

fn part_without_request_id() -> Call {
    Call::Commit(CommitRequest { r#final: Some(false), ..commit("held", runs("u2", 1)) })
}

#[tokio::test]
async fn ended_reservations_and_reused_ids() {
    let api = Api::start().await;
    let named = |id: &str, request: &str, amount| ReserveRequest {
        request_id: request.into(),
        ..reserve(id, runs("u2", amount))
    };
    api.reserve(named("open", "q1", 1)).await.unwrap();
    api.hold("committed", runs("u2", 2)).await;
    api.commit(commit("committed", vec![])).await.unwrap();
    api.hold("released", runs("u2", 1)).await;
    api.release(release("released")).await.unwrap();

    let release_with = |request: &str| ReleaseRequest { request_id: request.into(), ..release("open") };
    let raise = ExtendRequest { reservation_id: "open".into(), request_id: "q1".into(), ..extend(seconds(9)) };
    let rows: Vec<Row> = vec![
        (49, Call::Reserve(named("open", "", 2)), AlreadyExists, "REQUEST_ID_REUSED", &[]),
        (49, Call::Reserve(named("open", "q1", 2)), AlreadyExists, "REQUEST_ID_REUSED", &[]),
        (49, Call::Reserve(named("", "q1", 2)), AlreadyExists, "REQUEST_ID_REUSED", &[]),
        (49, Call::Reserve(named("elsewhere", "q1", 1)), AlreadyExists, "REQUEST_ID_REUSED", &[]),
        (50, Call::Consume(consume("open", runs("u2", 1))), AlreadyExists, "REQUEST_ID_REUSED", &[]),
        (50, Call::Release(release_with("q1")), AlreadyExists, "REQUEST_ID_REUSED", &[]),
        (50, Call::Extend(raise), AlreadyExists, "REQUEST_ID_REUSED", &[]),
        (56, Call::Commit(commit("released", vec![])), FailedPrecondition, "RESERVATION_RELEASED", &[]),
        (57, Call::Release(release("committed")), FailedPrecondition, "RESERVATION_COMMITTED", &[]),
        (58, Call::Commit(commit("committed", runs("u2", 1))), FailedPrecondition, "RESERVATION_COMMITTED", &[]),
    ];
    all_refused(&api, rows).await;
    let second = refused(api.commit(commit("committed", runs("u2", 1))).await);
    assert_eq!(
        second.metadata.into_iter().collect::<Vec<_>>(),
        [("tenants/acme/users/u2 job.runs".into(), "2".into())],
        "58"
    );
}
