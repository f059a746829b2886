//! A denial as the scripts leave it, the plans and values that it was decided on, to every limit in the way: the same rule
//! says here what stood in the way there.

use super::pack::{Read, Reader, damaged};
use super::{barred, record, value};
use crate::domain::admission::{self, Demand};
use crate::domain::amount;
use crate::domain::counter::WindowPlan;
use crate::domain::name::{AccountName, MeterId, Uid};
use crate::domain::reservation::{Held, Reservation};
use crate::domain::time::{Period, Timestamp};
use crate::domain::window::{WindowId, WindowKind};
use crate::engine::call::{Denial, Violation};
use crate::engine::operation::{Operation, Verb};
use crate::engine::ports::CounterKey;
use crate::engine::verdict;
use std::sync::Arc;

/// One counter that was in the way.
struct Denied {
    key: CounterKey,
    top_up: Option<u64>,
    windows: Vec<WindowPlan>,
    value: value::Value,
    demand: Demand,
}

/// Reads a denial of an operation, the present one or one that it repeats; with the reservation whose hold was to be raised.
///
/// # Errors
/// [`crate::engine::ports::StoreError::Corrupt`] if it is none, or if by the rule nothing stands in the way.
pub fn read(operation: &Operation, bytes: &[u8]) -> Read<(Denial, Option<Reservation>)> {
    let mut reader = Reader::new(bytes);
    let more = reader.tuple(4)?;
    let (now, barred) = (reader.time()?, barred::read(reader.bytes()?)?);
    let count = reader.array()?;
    let counters = (0..count).map(|_| denied(&mut reader, operation)).collect::<Read<Vec<Denied>>>()?;
    let before = match reader.bytes()? {
        b"" => None,
        packed => Some(record::unpack(packed)?),
    };
    reader.skip_many(more)?;
    reader.end()?;

    let mut violations = verdict::barred(&barred, charges(operation));
    for counter in &counters {
        violations.extend(in_the_way(operation, before.as_ref(), counter, now)?);
    }
    if violations.is_empty() {
        return Err(disagreement("nothing"));
    }
    Ok((verdict::denial(violations), before))
}

fn denied(reader: &mut Reader<'_>, operation: &Operation) -> Read<Denied> {
    let more = reader.tuple(4)?;
    let (key, top_up, windows) = plan(reader, operation)?;
    let value = value::read(reader.bytes()?)?;
    let demand = Demand { amount: reader.uint()?, positive: reader.flag()? };
    reader.skip_many(more)?;
    Ok(Denied { key, top_up, windows, value, demand })
}

fn plan(reader: &mut Reader<'_>, operation: &Operation) -> Read<(CounterKey, Option<u64>, Vec<WindowPlan>)> {
    let more = reader.tuple(3)?;
    let key: &[u8; 24] = reader.bytes()?.try_into().map_err(|_| damaged("a counter's key that has not 24 bytes"))?;
    let (mut account, mut meter) = ([0; 16], [0; 8]);
    account.copy_from_slice(&key[..16]);
    meter.copy_from_slice(&key[16..]);
    let key = CounterKey { account: Uid(u128::from_be_bytes(account)), meter: MeterId(u64::from_be_bytes(meter)) };
    let top_up = reader.maybe()?;
    let count = reader.array()?;
    let mut windows = (0..count).map(|_| window(reader)).collect::<Read<Vec<WindowPlan>>>()?;
    reader.skip_many(more)?;
    // Limits beyond 2^53-1 were cut on their way; they are shown as set.
    let exact = operation.plan.as_ref().and_then(|plan| plan.counter(key));
    for window in windows.iter_mut().filter(|window| window.limit == Some(amount::MAX)) {
        let set = exact.and_then(|exact| exact.windows.iter().find(|known| known.window == window.window));
        window.limit = window.limit.max(set.and_then(|known| known.limit));
    }
    Ok((key, top_up, windows))
}

fn window(reader: &mut Reader<'_>) -> Read<WindowPlan> {
    let more = reader.tuple(8)?;
    let window = WindowId(reader.word()?);
    let kind = WindowKind::ALL.get(reader.count()?).ok_or_else(|| damaged("a window of an unknown kind"))?;
    let plan = WindowPlan {
        window,
        kind: *kind,
        period: Period { start: reader.time()?, end: reader.time()? },
        step: reader.int()?,
        limit: reader.maybe()?,
        enforced: reader.flag()?,
        hold_cap: reader.maybe()?,
    };
    reader.skip_many(more)?;
    Ok(plan)
}

/// The limits of one counter that stand in the way.
fn in_the_way(
    operation: &Operation,
    before: Option<&Reservation>,
    counter: &Denied,
    now: Timestamp,
) -> Read<Vec<Violation>> {
    let Denied { key, top_up, windows, value, .. } = counter;
    let demand = Demand { amount: exact_amount(operation, before, counter), ..counter.demand };
    let decided = match before {
        Some(before) => verdict::raise_one(before, *key, windows, *top_up, (&value.counter, demand.amount), now),
        None => admission::decide(&value.counter, windows, *top_up, demand, now),
    };
    let Err(refusals) = decided else { return Err(disagreement(&format!("{key:?}"))) };
    let (account, meter) = names(operation, before, *key);
    let violation = |refusal| Violation { account: account.clone(), meter: meter.clone(), refusal };
    Ok(refusals.into_iter().map(violation).collect())
}

/// What was asked of a counter. Beyond the range the scripts know only that it is beyond; the repeat asks for the same.
fn exact_amount(operation: &Operation, before: Option<&Reservation>, counter: &Denied) -> u64 {
    let said = counter.demand.amount;
    if said <= amount::MAX {
        return said;
    }
    let asked = match (before, &operation.verb, &operation.plan) {
        (Some(before), Verb::Extend { listed, .. }, _) => {
            listed.matched(before).ok().map(|matched| verdict::raise_on(before, &matched, counter.key))
        }
        (None, _, Some(plan)) => {
            let place = plan.counters.iter().position(|planned| planned.bound.key == counter.key);
            let demands = verdict::demands(plan, charges(operation));
            place.and_then(|place| demands.get(place).map(|demand| demand.amount))
        }
        _ => None,
    };
    said.max(asked.unwrap_or(0))
}

fn charges(operation: &Operation) -> &[Held] {
    match &operation.verb {
        Verb::Check { charges } | Verb::FreeAmounts { charges } | Verb::Adjust { charges, .. } => charges,
        Verb::Reserve { template, .. } => &template.charges,
        _ => &[],
    }
}

/// The names behind a counter: by the plan, else by the charges whose path it is on.
fn names(operation: &Operation, before: Option<&Reservation>, key: CounterKey) -> (Arc<str>, Arc<str>) {
    if let Some(planned) = operation.plan.as_ref().and_then(|plan| plan.counter(key)) {
        return (planned.bound.account.clone(), planned.bound.meter.clone());
    }
    let charges = before.map_or_else(|| charges(operation), |before| &before.charges);
    let on_path = charges.iter().filter(|charge| charge.meter_id == key.meter);
    let found = on_path.filter_map(|charge| Some((charge, level_name(charge, key.account)?))).next();
    found.map_or_else(
        || (key.account.to_string().into(), "".into()),
        |(charge, account)| (account.into(), Arc::from(&*charge.meter)),
    )
}

/// The name of an account on a charge's path: of its own chain, or of what the further accounts add.
fn level_name(charge: &Held, account: Uid) -> Option<String> {
    let place = charge.path.accounts().iter().position(|known| *known == account)?;
    let mut names: Vec<String> = Vec::new();
    for text in charge.names() {
        let name: AccountName = text.parse().ok()?;
        for part in name.chain() {
            if !names.iter().any(|known| known == part) {
                names.push(part.to_owned());
            }
        }
    }
    names.into_iter().nth(place)
}

/// The script denied what the rule grants: one of the two is wrong, and nobody may act on either.
fn disagreement(counter: &str) -> crate::engine::ports::StoreError {
    tracing::error!(counter, "the script denied what the rule grants; this is a fault of quotad");
    damaged("a denial that no limit explains")
}
