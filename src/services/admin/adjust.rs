//! Adjust and Recalculate: the lines, every bad field in one answer, and where a refusal is about one of them.

use crate::domain::adjustment::{Move, Short};
use crate::domain::amount;
use crate::domain::entry::Note;
use crate::domain::error::RuleError;
use crate::domain::name::{AccountName, MeterName};
use crate::engine::adjust::{AdjustCall, AdjustLine, Adjusted, NOT_MEASURABLE};
use crate::engine::authority::Authority;
use crate::engine::call::{CallError, ChargeRequest};
use crate::proto::v1;
use crate::services::convert::charge::{Purpose, account, one, tenant};
use crate::services::convert::request::{MAX_REASON, optional_id, reason};
use crate::services::convert::reservation::{durability, signed};
use crate::services::convert::time::from_timestamp;
use crate::services::status::{Reason, bad_fields, from_call, internal, status, to_message};
use crate::services::violations::Violations;
use std::sync::Arc;
use tonic::Status;

/// Most lines of one adjustment, as of the charges of a reservation (rule 17).
const MAX_LINES: usize = 16;
/// Most sizes of one recalculation.
const MAX_SIZES: usize = 256;
/// How many of them are under way at once; the counter store takes them together.
const AT_ONCE: usize = 32;
/// The reason of a recalculation for which none is given.
const RECALCULATED: &str = "recalculated";

/// Adjust.
///
/// # Errors
/// INVALID_FIELD with every bad field, else as [`refused`] says; so for every function here.
pub async fn adjust(
    authority: Arc<Authority>,
    actor: String,
    request: v1::AdjustRequest,
) -> Result<v1::AdjustResponse, Status> {
    let mut bad = Violations::default();
    let tenant = tenant(&request.tenant, &mut bad);
    let request_id = optional_id(request.request_id, "request_id", &mut bad);
    let reason = reason(request.reason, "reason", &mut bad);
    if reason.is_empty() {
        bad.add("reason", format!("is required: 1 to {MAX_REASON} characters"));
    }
    if request.lines.is_empty() || request.lines.len() > MAX_LINES {
        bad.add("lines", format!("must have 1 to {MAX_LINES} lines"));
    }
    let mut lines = Vec::new();
    for (index, one) in request.lines.into_iter().take(MAX_LINES).enumerate() {
        lines.extend(line(one, &format!("lines[{index}]"), tenant.as_ref(), &mut bad));
    }
    bad.finish()?;
    let tenant = tenant.ok_or_else(|| internal("an adjustment without tenant passed"))?;
    let has_ids = request_id.is_some();
    let note = Note { actor: actor.into(), reason: reason.into() };
    let call = AdjustCall { tenant, request_id, note, lines, wait_for_durable: request.wait_for_durable };
    let answer = authority.adjust(call.clone()).await;
    let answer = answer.map_err(|error| refused(error, &call.lines, "lines", has_ids))?;
    if !answer.replayed {
        tracing::info!(actor = &*call.note.actor, tenant = %call.tenant, lines = call.lines.len(), "use adjusted");
    }
    Ok(v1::AdjustResponse {
        adjustments: call.lines.iter().zip(&answer.value).map(|(line, adjusted)| shown(line, adjusted)).collect(),
        replayed: answer.replayed,
        durability: durability(answer.durability),
    })
}

/// Recalculate.
#[allow(clippy::missing_errors_doc)]
pub async fn recalculate(
    authority: Arc<Authority>,
    actor: String,
    request: v1::RecalculateRequest,
) -> Result<v1::RecalculateResponse, Status> {
    let mut bad = Violations::default();
    let tenant = tenant(&request.tenant, &mut bad);
    let reason = reason(request.reason, "reason", &mut bad);
    let reason = if reason.is_empty() { RECALCULATED.to_owned() } else { reason };
    if request.sizes.is_empty() || request.sizes.len() > MAX_SIZES {
        bad.add("sizes", format!("must have 1 to {MAX_SIZES} sizes"));
    }
    let mut lines: Vec<AdjustLine> = Vec::new();
    for (index, size) in request.sizes.iter().take(MAX_SIZES).enumerate() {
        let path = format!("sizes[{index}]");
        let Some(line) = size_line(size, &path, tenant.as_ref(), &mut bad) else { continue };
        if lines.iter().any(|known| known.charge == line.charge) {
            bad.add(path, "is the second size of the same account and meter");
        }
        lines.push(line);
    }
    bad.finish()?;
    let tenant = tenant.ok_or_else(|| internal("a recalculation without tenant passed"))?;
    tracing::info!(actor, %tenant, sizes = lines.len(), "use recalculated");
    let note = Note { actor: actor.into(), reason: reason.into() };
    let mut results = Vec::with_capacity(lines.len());
    for (first, some) in (0..).step_by(AT_ONCE).zip(lines.chunks(AT_ONCE)) {
        let started = (first..).zip(some).map(|(index, line)| {
            let (tenant, note, lines) = (tenant.clone(), note.clone(), vec![line.clone()]);
            let call = AdjustCall { tenant, request_id: None, note, lines, wait_for_durable: request.wait_for_durable };
            tokio::spawn(recalculate_one(authority.clone(), call, index))
        });
        for task in started.collect::<Vec<_>>() {
            results.push(task.await.map_err(|error| internal(&error.to_string()))?);
        }
    }
    Ok(v1::RecalculateResponse { results })
}

/// One size; what was measured may be said twice, so that a repeat is safe without an id.
async fn recalculate_one(authority: Arc<Authority>, call: AdjustCall, index: usize) -> v1::RecalculateResult {
    use v1::recalculate_result::Result as One;
    let result = match authority.adjust(call.clone()).await {
        Ok(answer) => One::Adjustment(shown(&call.lines[0], &answer.value[0])),
        Err(error) => One::Error(to_message(&refused(error, &call.lines, &format!("sizes[{index}]"), true))),
    };
    v1::RecalculateResult { result: Some(result) }
}

fn line(
    line: v1::AdjustmentLine,
    path: &str,
    tenant: Option<&AccountName>,
    bad: &mut Violations,
) -> Option<AdjustLine> {
    use v1::adjustment_line::Change;
    let v1::AdjustmentLine { account, meter, item, also, change, expected, effective_time } = line;
    let charge = v1::Charge { account, meter, item, also, ..v1::Charge::default() };
    let charge = one(&charge, format_args!("{path}"), tenant, Purpose::Release, bad);
    let effective = effective_time.map(|time| from_timestamp(&time));
    if effective == Some(None) {
        bad.add(format!("{path}.effective_time"), "is no time");
    }
    let change = match change {
        Some(Change::Amount(by)) if by != 0 && by.unsigned_abs() <= amount::MAX => Some(Move::By(by)),
        Some(Change::Amount(_)) => {
            bad.add(format!("{path}.amount"), "must not be 0, and at most 2^53-1 in size");
            None
        }
        Some(Change::Measured(measured)) => {
            if effective.is_some() {
                bad.add(format!("{path}.effective_time"), "goes with an amount: what is measured is there now");
            }
            to(measured, expected, &format!("{path}.measured"), &format!("{path}.expected"), bad)
        }
        None => {
            bad.add(path, "needs an amount, or what was measured");
            None
        }
    };
    if expected.is_some() && matches!(change, Some(Move::By(_))) {
        bad.add(format!("{path}.expected"), "goes with what was measured");
    }
    Some(AdjustLine { charge: charge?, change: change?, effective: effective.flatten() })
}

fn size_line(
    size: &v1::MeasuredSize,
    path: &str,
    tenant: Option<&AccountName>,
    bad: &mut Violations,
) -> Option<AdjustLine> {
    let account = account(&size.account, format_args!("{path}.account"), tenant, bad);
    let meter = size.meter.parse::<MeterName>().map_err(|error| bad.add(format!("{path}.meter"), error.to_string()));
    let change = to(size.used, size.expected, &format!("{path}.used"), &format!("{path}.expected"), bad);
    let charge = ChargeRequest::of(account?, meter.ok()?);
    Some(AdjustLine { charge, change: change?, effective: None })
}

fn to(measured: i64, expected: Option<i64>, field: &str, other: &str, bad: &mut Violations) -> Option<Move> {
    let mut within = |size: i64, field: &str| {
        let size = u64::try_from(size).ok().filter(|size| *size <= amount::MAX);
        if size.is_none() {
            bad.add(field, "must be 0 to 2^53-1");
        }
        size
    };
    let expected = expected.map(|expected| within(expected, other));
    Some(Move::To { measured: within(measured, field)?, expected: expected.flatten() })
}

fn shown(line: &AdjustLine, adjusted: &Adjusted) -> v1::Adjustment {
    v1::Adjustment {
        account: line.charge.account.to_string(),
        meter: line.charge.meter.to_string(),
        amount: adjusted.amount,
        charged_before: signed(adjusted.before),
        charged_after: signed(adjusted.after),
    }
}

/// The status of lines that were not recorded; `field` is where they stand in the request, each with its number after
/// `lines`.
fn refused(error: CallError, lines: &[AdjustLine], field: &str, has_ids: bool) -> Status {
    let place = |at: usize, name: &str| match field {
        "lines" => format!("lines[{at}].{name}"),
        one => format!("{one}.{name}"),
    };
    match error {
        CallError::Rule(RuleError::BelowZero(short)) => about(Reason::AdjustmentBelowZero, &short, lines, |at| {
            format!("{at}: no more than {} is in use there", short.in_use)
        }),
        CallError::Rule(RuleError::Unexpected(short)) => about(Reason::UseChanged, &short, lines, |at| {
            format!("{at}: {} is charged there by now, which is not what was expected", short.in_use)
        }),
        CallError::Rule(RuleError::PeriodEnded(short)) => {
            let why = "lies in a period that has ended: what was used then can only be raised";
            bad_fields(Reason::InvalidField, vec![(place(short.line, "effective_time"), why.to_owned())])
        }
        CallError::MeterNotFound(meters) => {
            let fields = meters.into_iter().map(|(at, name)| (place(at, "meter"), format!("no meter {name}")));
            bad_fields(Reason::MeterNotFound, fields.collect())
        }
        CallError::BadCharges(faults) => {
            let name = |why| if why == NOT_MEASURABLE { "meter" } else { "effective_time" };
            let fields = faults.into_iter().map(|(at, why)| (place(at, name(why)), why.to_owned()));
            bad_fields(Reason::InvalidField, fields.collect())
        }
        error => from_call(error, has_ids),
    }
}

/// Tells on which account of a line's path it was, and what is there.
fn about(reason: Reason, short: &Short, lines: &[AdjustLine], message: impl Fn(&str) -> String) -> Status {
    let charge = lines.get(short.line).map(|line| &line.charge);
    let own = charge.into_iter().flat_map(|charge| charge.account.chain());
    let name = own.chain(charge.into_iter().flat_map(|charge| &charge.also).flat_map(AccountName::chain));
    let mut seen: Vec<&str> = Vec::new();
    for name in name {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    let account = seen.get(short.level).map_or_else(String::new, |name| (*name).to_owned());
    let meter = charge.map_or_else(String::new, |charge| charge.meter.to_string());
    let message = message(&format!("{account} on {meter}"));
    let metadata = [
        ("line".to_owned(), short.line.to_string()),
        ("account".to_owned(), account),
        ("meter".to_owned(), meter),
        ("in_use".to_owned(), short.in_use.to_string()),
    ];
    status(reason, message, metadata.into())
}
