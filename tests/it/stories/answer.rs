//! Answers of the server in the words of a story.

use super::expect::{Answer, Facts};
use super::names::Names;
use pbjson_types::Timestamp;
use quotad::proto::v1::{
    AccountMoved, Allowance, ApplyResponse, Cause, ChangeKind, Charge, ChargeCost, Denial, Durability, Enforcement,
    LimitOrigin, MeterUsage, Reservation, ReservationState, SetActivePoolResponse, UsageState, WindowUsage,
};
use tonic::Status;
use tonic_types::StatusExt;

/// A reservation, with how its answer is marked.
pub(super) fn reservation(reservation: &Reservation, replayed: bool, durability: Durability, names: &Names) -> Answer {
    let (outcome, held) = match reservation.state() {
        ReservationState::Held => ("held", true),
        ReservationState::PartiallyCommitted => ("partly", false),
        ReservationState::Committed => ("committed", false),
        ReservationState::Released => ("released", false),
        ReservationState::Expired => ("expired", false),
        ReservationState::Parked => ("parked", true),
        ReservationState::Unspecified => ("nothing", false),
    };
    let states = &reservation.committed;
    let flags = [
        ("late", reservation.late),
        ("overrun", reservation.overrun),
        ("recovered", reservation.recovered),
        ("unenforced", reservation.unenforced),
        ("saturated", reservation.saturated),
        ("replayed", replayed),
    ];
    let mut head = Facts { words: vec![stored(durability).to_owned()], values: Vec::new() };
    head.values.push(("created", time(reservation.create_time.as_ref())));
    head.values.push(("expires", time(reservation.expire_time.as_ref())));
    head.values.extend(reservation.labels.iter().map(|(key, value)| ("label", format!("{key}={value}"))));
    let lines = states.iter().map(|charge| Facts {
        words: vec![names.short(&charge.account), charge.meter.clone(), charge.item.clone()],
        values: vec![
            ("held", charge.held.to_string()),
            ("recorded", charge.committed.to_string()),
            ("freed", charge.freed.to_string()),
        ]
        .into_iter()
        .chain(charge.cost.iter().flat_map(cost))
        .collect(),
    });
    Answer {
        outcome,
        amounts: states.iter().map(|charge| if held { charge.held } else { charge.committed }).collect(),
        flags: flags.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect(),
        head,
        lines: lines.collect(),
        ..Answer::default()
    }
}

/// What a charge costs, in the words of a charge's clause.
fn cost(cost: &ChargeCost) -> Vec<(&'static str, String)> {
    let mut priced: Vec<String> = cost.quantities.iter().map(|(name, quantity)| format!("{name}={quantity}")).collect();
    priced.sort();
    vec![
        ("service", cost.service.clone()),
        ("priced", priced.join(",")),
        ("original", cost.original.clone()),
        ("discount", cost.discount.clone()),
        ("exchange", cost.exchange_rate.clone()),
        ("cost", cost.r#final.clone()),
    ]
}

/// A denial; every violation must be expected.
pub(super) fn denied(denial: &Denial, replayed: bool, names: &Names) -> Answer {
    let line = |violation: &quotad::proto::v1::Violation| Facts {
        words: vec![
            names.short(&violation.account),
            violation.meter.clone(),
            violation.window.clone(),
            enum_word(violation.cause().as_str_name(), Cause::Unspecified.as_str_name()),
        ],
        values: vec![
            ("limit", amount(violation.limit)),
            ("used", violation.used.to_string()),
            ("held", violation.held.to_string()),
            ("remaining", violation.remaining.to_string()),
            ("requested", violation.requested.to_string()),
            ("resets", time(violation.reset_time.as_ref())),
            ("advice", names.shown(&violation.advice)),
        ],
    };
    Answer {
        outcome: "denied",
        flags: if replayed { vec!["replayed"] } else { Vec::new() },
        head: Facts {
            words: Vec::new(),
            values: vec![
                ("message", names.shown(&denial.message)),
                ("tried", denial.tried_pools.iter().map(|pool| names.short(pool)).collect::<Vec<_>>().join(",")),
            ],
        },
        lines: denial.violations.iter().map(line).collect(),
        complete: true,
        ..Answer::default()
    }
}

/// What a check passes: every limit on the path, in the order of the answer.
pub(super) fn granted(allowance: &Allowance, names: &Names) -> Answer {
    let line = |line: &quotad::proto::v1::AllowanceLine| Facts {
        words: vec![names.short(&line.account), line.meter.clone(), line.window.clone()],
        values: vec![
            ("limit", amount(line.limit)),
            ("used", line.used.to_string()),
            ("held", line.held.to_string()),
            ("remaining", amount(line.remaining)),
        ],
    };
    Answer { outcome: "granted", lines: allowance.limits.iter().map(line).collect(), ..Answer::default() }
}

/// What a Free gave back.
pub(super) fn freed(freed: &[Charge], replayed: bool) -> Answer {
    Answer {
        outcome: "freed",
        amounts: freed.iter().map(|charge| charge.amount.unwrap_or_default()).collect(),
        flags: if replayed { vec!["replayed"] } else { Vec::new() },
        ..Answer::default()
    }
}

/// The windows of one meter, all or one; every one must be expected.
pub(super) fn usage(meter: &MeterUsage, window: Option<&str>, names: &Names) -> Answer {
    let windows = meter.windows.iter().filter(|usage| window.is_none_or(|window| usage.window == window));
    let line = |usage: &WindowUsage| Facts {
        words: vec![
            usage.window.clone(),
            enum_word(usage.enforcement().as_str_name(), Enforcement::Unspecified.as_str_name()),
        ],
        values: vec![
            ("limit", amount(usage.limit)),
            ("raised", time(usage.raised_until.as_ref())),
            ("used", usage.used.to_string()),
            ("held", usage.held.to_string()),
            ("remaining", amount(usage.remaining)),
            ("available", amount(usage.available)),
            ("percent", usage.percent.map_or_else(none, |percent| format!("{percent:.1}"))),
            ("state", enum_word(usage.state().as_str_name(), UsageState::Unspecified.as_str_name())),
            ("origin", enum_word(usage.origin().as_str_name(), LimitOrigin::Unspecified.as_str_name())),
            ("from", names.short(&usage.origin_subject)),
            ("starts", time(usage.start_time.as_ref())),
            ("resets", time(usage.reset_time.as_ref())),
            ("zone", usage.time_zone.clone()),
        ],
    };
    let head = vec![
        ("unit", meter.unit.clone()),
        ("decimals", meter.decimals.to_string()),
        ("top_up", amount(meter.top_up_remaining)),
    ];
    Answer {
        head: Facts { words: Vec::new(), values: head },
        lines: windows.map(line).collect(),
        complete: true,
        ..Answer::default()
    }
}

/// What a document changed.
pub(super) fn applied(response: &ApplyResponse, names: &Names) -> Answer {
    let line = |change: &quotad::proto::v1::CatalogChange| {
        let kind = enum_word(change.kind().as_str_name(), ChangeKind::Unspecified.as_str_name());
        let subject = names.shown(&change.subject);
        let words = std::iter::once(kind).chain(subject.split(' ').map(str::to_owned)).collect();
        Facts { words, values: Vec::new() }
    };
    let amounts = vec![i64::try_from(response.changes.len()).unwrap_or(i64::MAX)];
    Answer { outcome: "applied", amounts, lines: response.changes.iter().map(line).collect(), ..Answer::default() }
}

/// The pool that is chosen.
pub(super) fn active(response: &SetActivePoolResponse, names: &Names) -> Answer {
    let pool = if response.active_pool.is_empty() { none() } else { names.short(&response.active_pool) };
    let values = vec![("warning", names.shown(&response.warning))];
    Answer { outcome: "active", head: Facts { words: vec![pool], values }, exact: true, ..Answer::default() }
}

/// The name that an account has now.
pub(super) fn moved(moved: &AccountMoved, names: &Names) -> Answer {
    let head = Facts { words: vec![names.short(&moved.name)], values: Vec::new() };
    Answer { outcome: "moved", head, exact: true, ..Answer::default() }
}

/// Ids, in order.
pub(super) fn found(ids: Vec<String>) -> Answer {
    Answer { outcome: "found", head: Facts { words: ids, values: Vec::new() }, exact: true, ..Answer::default() }
}

/// An error: its code, its reason and every bad field, in order.
pub(super) fn error(status: &Status, names: &Names) -> Answer {
    let details = status.get_error_details();
    let reason = details.error_info().map_or_else(|| String::from("NO_REASON"), |info| info.reason.clone());
    // `FailedPrecondition` as `FAILED_PRECONDITION`.
    let mut code = String::new();
    for c in format!("{:?}", status.code()).chars() {
        if c.is_ascii_uppercase() && !code.is_empty() {
            code.push('_');
        }
        code.push(c.to_ascii_uppercase());
    }
    let fields = details.bad_request().map(|bad| bad.field_violations.iter().map(|field| field.field.clone()));
    let words = [code, reason].into_iter().chain(fields.into_iter().flatten()).collect();
    let values = vec![("message", names.shown(status.message()))];
    Answer { outcome: "error", head: Facts { words, values }, exact: true, ..Answer::default() }
}

fn stored(durability: Durability) -> &'static str {
    match durability {
        Durability::Unspecified => "",
        Durability::Applied => "applied",
        Durability::Journaled => "journaled",
        Durability::Durable => "durable",
    }
}

/// `CAUSE_SPENT` as `SPENT`: without what all values of its kind begin with.
fn enum_word(name: &str, unspecified: &str) -> String {
    if name == unspecified {
        return none();
    }
    name.strip_prefix(unspecified.trim_end_matches("UNSPECIFIED")).unwrap_or(name).to_owned()
}

fn none() -> String {
    String::from("none")
}

fn amount(amount: Option<i64>) -> String {
    amount.map_or_else(none, |amount| amount.to_string())
}

fn time(time: Option<&Timestamp>) -> String {
    let Some(time) = time else { return none() };
    jiff::Timestamp::new(time.seconds, time.nanos).map_or_else(|e| e.to_string(), |time| time.to_string())
}
