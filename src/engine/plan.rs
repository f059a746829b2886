//! From a request and a snapshot to the counters it touches: pure, no I/O.

use super::call::{CallError, ChargeRequest};
use super::operation::{Barred, CounterPlan, Plan};
use super::path::Path;
use super::ports::CounterKey;
use super::pricing::{Quote, quote};
use super::snapshot::{Level, Snapshot};
use crate::domain::counter::WindowPlan;
use crate::domain::decision::Cause;
use crate::domain::meter::{Admission, DefaultPolicy, Meter};
use crate::domain::name::AccountName;
use crate::domain::price::Priced;
use crate::domain::reservation::{About, Held, Reservation};
use crate::domain::time::{Period, Timestamp};
use smallvec::SmallVec;
use std::sync::Arc;

/// Most limits that one decision may touch (rule 17).
pub const MAX_LIMITS: usize = 128;

/// One for each charge, of which most calls have one.
type Each<T> = SmallVec<[T; 1]>;

/// What a charge must say about its amount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Amounts {
    /// Check and Reserve: above zero; on a meter with POSITIVE admission also zero, or nothing.
    Asked,
    /// Consume: above zero; on a meter with POSITIVE admission also zero.
    Consumed,
    /// A commit that nobody held for: any.
    Recorded,
    /// What was granted without the counter store: any, and on the path that it was granted on.
    Granted,
    /// Free: above zero.
    Freed,
    /// Adjust: none, it is said beside the charge.
    Adjusted,
}

impl Amounts {
    /// What is wrong with a charge's amount on a meter. What is priced may cost nothing.
    fn fault(self, charge: &ChargeRequest, meter: &Meter, quote: &Quote) -> Option<&'static str> {
        let positive = meter.rules.admission == Admission::Positive || quote.is_free();
        match (self, charge.amount) {
            (Amounts::Adjusted, _) => None,
            _ if !charge.quantities.is_empty() => None,
            (Amounts::Asked, None) if positive => None,
            (_, None) => Some("is required"),
            (Amounts::Asked | Amounts::Consumed, Some(0)) if positive => None,
            (Amounts::Recorded | Amounts::Granted, Some(0)) => None,
            (_, Some(0)) => Some("must be above 0"),
            (_, Some(_)) => None,
        }
    }

    /// Whether it is asked for, so that it may be refused.
    fn asks(self) -> bool {
        matches!(self, Amounts::Asked | Amounts::Consumed)
    }

    /// Whether the pools of an account join its path by themselves. What is freed or corrected was charged before, on pools that the
    /// call must name.
    fn joins(self) -> bool {
        !matches!(self, Amounts::Granted | Amounts::Adjusted | Amounts::Freed)
    }
}

impl Plan {
    /// The same with limits that count and never deny.
    pub fn lifted(mut self) -> Plan {
        for counter in &mut self.counters {
            let windows = counter.windows.iter().map(|window| WindowPlan { enforced: false, ..window.clone() });
            counter.windows = windows.collect();
        }
        self
    }

    /// The same without the share of a limit that one hold may take.
    pub fn without_shares(mut self) -> Plan {
        for counter in &mut self.counters {
            let windows = counter.windows.iter().map(|window| WindowPlan { hold_cap: None, ..window.clone() });
            counter.windows = windows.collect();
        }
        self
    }

    /// The planned counter of that key.
    pub fn counter(&self, key: CounterKey) -> Option<&CounterPlan> {
        self.counters.iter().find(|plan| plan.bound.key == key)
    }
}

/// Plans charges: what they would hold, and every counter on their paths with what limits it at `now`.
///
/// # Errors
/// [`CallError`] for unknown meters or accounts, charges without a price, bad amounts (every one is named), or too many limits.
pub fn plan_charges(
    snapshot: &Snapshot,
    charges: &[ChargeRequest],
    amounts: Amounts,
    now: Timestamp,
) -> Result<(Vec<Held>, Arc<Plan>), CallError> {
    plan_turn(snapshot, charges, amounts, now, &[]).map(|turn| (turn.held, turn.plan))
}

/// Charges as they are planned in one turn of their pools.
pub struct Turn {
    /// What they would hold.
    pub held: Vec<Held>,
    /// The counters.
    pub plan: Arc<Plan>,
    /// Of each charge the chosen pool that has an overflow list, and its length; empty where none has one.
    pub lists: Vec<Option<(Arc<str>, usize)>>,
    /// The pools that stand in the place of chosen ones.
    pub pools: Vec<Arc<str>>,
}

/// The same in a turn, which says of each charge whether it counts on the pool that its account chose, 0, or on the n-th of that
/// pool's overflow list; without a word on the chosen one.
///
/// # Errors
/// As [`plan_charges`].
pub fn plan_turn(
    snapshot: &Snapshot,
    charges: &[ChargeRequest],
    amounts: Amounts,
    now: Timestamp,
    turn: &[usize],
) -> Result<Turn, CallError> {
    let charges = &*snapshot.charges(charges);
    let meters = find_meters(snapshot, charges)?;
    if amounts.asks() {
        find_accounts(snapshot, charges)?;
    }
    let asked = charges.iter().zip(&meters).zip(turn.iter().copied().chain(std::iter::repeat(0)));
    let paths: Each<Path> = asked
        .map(|((charge, meter), turn)| match amounts.joins() {
            true => Path::asked(snapshot, charge, meter, now, turn),
            false => Path::named(snapshot, charge, meter, now),
        })
        .collect();
    find_moving(snapshot, &paths)?;
    let quotes = find_quotes(snapshot, charges, (&meters, &paths), amounts, now)?;
    let asked = charges.iter().zip(meters.iter().zip(&quotes));
    let faults: Vec<(usize, &'static str)> = asked
        .enumerate()
        .filter_map(|(index, (charge, (meter, quote)))| Some((index, amounts.fault(charge, meter, quote)?)))
        .collect();
    if !faults.is_empty() {
        return Err(CallError::BadCharges(faults));
    }

    let plan = plan_paths(charges, (&meters, &quotes, &paths), now);
    let limits = plan.counters.iter().map(|counter| counter.windows.len()).sum();
    if limits > MAX_LIMITS {
        return Err(CallError::TooManyLimits(limits));
    }
    let planned = charges.iter().zip(&meters).zip(quotes).zip(&paths);
    // Collected, it would have room for four: they stay for as long as the hold.
    let mut held = Vec::with_capacity(charges.len());
    held.extend(planned.map(|(((charge, meter), quote), path)| template(charge, meter, quote, path)));
    let has_lists = paths.iter().any(|path| path.list.is_some());
    let lists = paths.iter().filter(|_| has_lists).map(|path| path.list.clone()).collect();
    Ok(Turn { held, plan, lists, pools: paths.into_iter().filter_map(|path| path.turned).collect() })
}

/// Plans the counters of all paths. That of one charge on nothing but its own account's chain stands ready.
fn plan_paths(
    charges: &[ChargeRequest],
    (meters, quotes, paths): (&[&Arc<Meter>], &[Quote], &[Path]),
    now: Timestamp,
) -> Arc<Plan> {
    if let ([charge], [meter], [quote], [path]) = (charges, meters, quotes, paths)
        && path.is_plain()
        && quote.valid == Period::ALWAYS
        && barred(0, charge, meter, path).is_none()
    {
        return path.chain.plan(now);
    }
    let mut plan = Plan { valid: Some(Period::ALWAYS), ..Plan::default() };
    let planned = charges.iter().zip(meters).zip(quotes).zip(paths);
    for (index, (((charge, meter), quote), path)) in planned.enumerate() {
        plan.valid = plan.valid.map(|valid| valid.intersect(&path.valid).intersect(&quote.valid));
        plan.barred.extend(barred(index, charge, meter, path));
        let indices = path.levels().map(|level| add(&mut plan, level, now)).collect();
        plan.paths.push(indices);
    }
    Arc::new(plan)
}

/// Plans the counters of a reservation's frozen paths in the periods of its create time and with the limits in force at `now`, for
/// what goes beyond its hold. A meter that the catalog no longer has limits nothing.
pub fn plan_reservation(snapshot: &Snapshot, reservation: &Reservation, now: Timestamp) -> Plan {
    let mut valid = Period::ALWAYS;
    let mut plan = Plan::default();
    for charge in &reservation.charges {
        let accounts =
            charge.names().filter_map(|name| name.parse::<AccountName>().ok()).flat_map(|name| reached(snapshot, name));
        let meter = charge.meter.parse().ok().and_then(|name| snapshot.meter(&name).cloned());
        let levels: Vec<Arc<Level>> = meter.map_or_else(Vec::new, |meter| {
            accounts.flat_map(|account| snapshot.chain(&account, &meter, now).levels.clone()).collect()
        });
        for frozen in charge.path.accounts().iter() {
            if let Some(level) = levels.iter().find(|level| level.bound.key.account == *frozen)
                && plan.counter(level.bound.key).is_none()
            {
                plan.counters.push(level.counter_plan(&level.planned_at(reservation.create_time)));
                valid = valid.intersect(&level.bound.quota.valid);
            }
        }
    }
    Plan { valid: Some(valid), ..plan }
}

/// The accounts whose chains a frozen path may run through: the account itself, and, where any was moved, those above its old name.
fn reached(snapshot: &Snapshot, name: AccountName) -> Vec<AccountName> {
    let above = name.parent().filter(|_| snapshot.has_moves());
    std::iter::successors(above, AccountName::parent).chain([name]).collect()
}

/// Plans one account's own counters on some meters, for a report.
pub fn plan_usage(
    snapshot: &Snapshot,
    account: &AccountName,
    meters: &[Arc<Meter>],
    now: Timestamp,
) -> (Plan, Vec<Arc<Level>>) {
    let mut plan = Plan { valid: Some(Period::ALWAYS), ..Plan::default() };
    let mut levels = Vec::with_capacity(meters.len());
    for meter in meters {
        if let Some(level) = snapshot.chain(account, meter, now).levels.last() {
            add(&mut plan, level, now);
            levels.push(level.clone());
        }
    }
    (plan, levels)
}

fn find_meters<'a>(snapshot: &'a Snapshot, charges: &[ChargeRequest]) -> Result<Each<&'a Arc<Meter>>, CallError> {
    let found = charges.iter().map(|charge| snapshot.meter(&charge.meter)).collect::<Option<_>>();
    found.ok_or_else(|| {
        let unknown = charges.iter().enumerate().filter(|(_, charge)| snapshot.meter(&charge.meter).is_none());
        CallError::MeterNotFound(unknown.map(|(index, charge)| (index, charge.meter.to_string())).collect())
    })
}

/// Nobody below an account that is being moved is charged until that is done.
fn find_moving(snapshot: &Snapshot, paths: &[Path]) -> Result<(), CallError> {
    if !snapshot.has_moves() {
        return Ok(());
    }
    let mut levels = paths.iter().flat_map(Path::levels);
    match levels.find(|level| snapshot.is_moving(level.bound.key.account)) {
        Some(level) => Err(CallError::Moving(level.bound.account.to_string())),
        None => Ok(()),
    }
}

/// What the rate cards in force say of each charge. One that is denied whatever it costs needs no price (S3.24).
fn find_quotes(
    snapshot: &Snapshot,
    charges: &[ChargeRequest],
    (meters, paths): (&[&Arc<Meter>], &[Path]),
    amounts: Amounts,
    now: Timestamp,
) -> Result<Each<Quote>, CallError> {
    let (mut quotes, mut unpriced) = (Each::with_capacity(charges.len()), Vec::new());
    for (index, (charge, (meter, path))) in charges.iter().zip(meters.iter().zip(paths)).enumerate() {
        match quote(snapshot, charge, meter, !amounts.asks(), now) {
            Ok(quote) => quotes.push(quote),
            Err(_) if amounts.asks() && path.bar.is_some() => quotes.push(Quote::said(charge.amount)),
            Err((field, why)) => unpriced.push((index, field, why)),
        }
    }
    if unpriced.is_empty() { Ok(quotes) } else { Err(CallError::NoRateCard(unpriced)) }
}

/// In a tenant that registers its accounts, the charges must name such (S0.07).
fn find_accounts(snapshot: &Snapshot, charges: &[ChargeRequest]) -> Result<(), CallError> {
    let mut unknown = Vec::new();
    for (index, charge) in charges.iter().enumerate() {
        let also = charge.also.iter().enumerate().map(|(at, account)| (Some(at), account));
        let named = std::iter::once((None, &charge.account)).chain(also);
        let missing = named.filter(|(_, account)| !snapshot.knows(account));
        unknown.extend(missing.map(|(also, account)| (index, also, account.to_string())));
    }
    if unknown.is_empty() { Ok(()) } else { Err(CallError::AccountNotFound(unknown)) }
}

/// Why a charge is denied whatever the counters have: it may not be made, or it has no quota where one must be (S0.19).
fn barred(charge: usize, request: &ChargeRequest, meter: &Meter, path: &Path) -> Option<Barred> {
    let limited = || path.levels().any(|level| !level.bound.quota.limits.is_empty());
    let is_unset = || meter.default_policy == DefaultPolicy::Deny && !limited();
    let no_quota = || is_unset().then(|| (Cause::NoQuota, Arc::from(request.account.as_str())));
    let (cause, account) = path.bar.clone().or_else(no_quota)?;
    Some(Barred { charge, cause, account })
}

/// Adds a counter to the plan unless it is there, and answers its index.
pub(super) fn add(plan: &mut Plan, level: &Level, now: Timestamp) -> u16 {
    let known = plan.counters.iter().position(|counter| counter.bound.key == level.bound.key);
    let index = known.unwrap_or_else(|| {
        let planned = level.planned(now);
        plan.valid = plan.valid.map(|valid| valid.intersect(&planned.valid));
        plan.counters.push(level.counter_plan(&planned));
        plan.counters.len() - 1
    });
    u16::try_from(index).unwrap_or(u16::MAX)
}

/// What a charge is about: what says no more than account and meter shares that with the others of its account.
fn about(charge: &ChargeRequest, meter: &Meter, path: &Path) -> Arc<About> {
    if charge.item.is_empty() && charge.also.is_empty() && path.joined.is_empty() {
        return path.chain.about.clone();
    }
    Arc::new(About {
        account: charge.account.shared(),
        meter: meter.name.shared(),
        meter_id: meter.name.id(),
        item: charge.item.as_str().into(),
        also: charge.also.iter().chain(&path.joined).map(|account| account.as_str().into()).collect(),
    })
}

/// A charge with nothing held yet. The pools that joined are frozen with the accounts that it names.
fn template(charge: &ChargeRequest, meter: &Meter, quote: Quote, path: &Path) -> Held {
    let mut rules = meter.rules;
    if quote.is_free() {
        rules.admission = Admission::Fits;
    }
    let estimate = (!charge.quantities.is_empty()).then(|| Box::new(charge.quantities.clone()));
    Held {
        about: about(charge, meter, path),
        asked: quote.amount,
        held: 0,
        committed: 0,
        unconfirmed: 0,
        lapsed: 0,
        freed: 0,
        final_amount: None,
        rules,
        path: path.frozen(),
        price: quote.tariff.map(|tariff| Box::new(Priced::new(tariff))),
        estimate,
    }
}
