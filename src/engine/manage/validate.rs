//! Judges a draft against the catalog: names that must exist, bounds, amounts in a meter's decimals, the order of daily,
//! monthly and yearly limits. Pure; gives what every scope is to contain.

use super::document::amount::read_amount;
use super::document::quota::{DraftAmount, DraftLimit, DraftQuota, DraftRaise, DraftValue};
use super::document::{DraftScope, Found, Place, Problems, quoted};
use super::members::{Registry, check_pools};
use super::moves::check_names;
use super::raise::check_raise;
use crate::domain::account::{Account, Plan};
use crate::domain::amount::MAX;
use crate::domain::meter::{Family, Meter};
use crate::domain::name::{MeterId, MeterName};
use crate::domain::pool::Pool;
use crate::domain::quota::{Limit, LimitValue, Quota, Subject};
use crate::domain::rate_card::RateCard;
use crate::domain::time::Timestamp;
use crate::domain::window::{WindowKind, WindowSpec};
use crate::engine::ports::CatalogData;
use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a document wants one scope to contain. Versions and times are not set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScopeContent {
    /// The tenant; `None`: the installation.
    pub tenant: Option<String>,
    /// Its meters.
    pub meters: Vec<Meter>,
    /// Its plans.
    pub plans: Vec<Plan>,
    /// Its accounts' records.
    pub accounts: Vec<Account>,
    /// Its pools.
    pub pools: Vec<Pool>,
    /// Its quotas.
    pub quotas: Vec<Quota>,
    /// Its rate cards.
    pub rate_cards: Vec<RateCard>,
}

/// The catalog as it is: what the store gives for the installation and for each tenant of the document.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Current {
    /// The installation's own.
    pub installation: CatalogData,
    /// What each tenant sees.
    pub tenants: BTreeMap<String, CatalogData>,
}

impl Current {
    /// What one scope sees.
    pub fn of(&self, tenant: Option<&str>) -> Option<&CatalogData> {
        match tenant {
            None => Some(&self.installation),
            Some(tenant) => self.tenants.get(tenant),
        }
    }
}

/// Judges every scope of a draft. With `prune` only what the document names will be there afterwards, so nothing else
/// may be referred to.
pub fn validate(draft: &[DraftScope], current: &Current, prune: bool, problems: &mut Problems) -> Vec<ScopeContent> {
    let mut installation = Seen::default();
    let whole = draft.iter().any(|scope| scope.tenant.is_none());
    if !(prune && whole) {
        installation.add_current(&current.installation, |_| true);
    }
    let mut contents = Vec::with_capacity(draft.len());
    for scope in draft {
        let mut seen = installation.clone();
        if let Some(data) = current.of(scope.tenant.as_deref())
            && !prune
        {
            seen.add_current(data, |tenant| tenant.is_some());
        }
        check_meters(scope, current, &mut seen, problems);
        seen.plans.extend(scope.plans.iter().map(|plan| plan.value.name.clone()));
        check_doubles(&scope.plans, |plan| plan.name.clone(), problems);
        check_doubles(&scope.accounts, |account| account.name.to_string(), problems);
        check_plans_of_accounts(scope, &seen, problems);
        let data = current.of(scope.tenant.as_deref());
        let pools = data.filter(|_| !prune).map_or(&[][..], |data| &data.pools);
        let pools = check_pools(scope, &seen.meters, pools, problems);
        let registry = Registry::of(scope, data, prune);
        if let Some(data) = data {
            check_names(scope, data, problems);
        }
        let standing = data.filter(|_| !prune).map_or(&[][..], |data| &data.quotas);
        registry.check_standing(scope, standing, problems);
        let in_force = data.map_or(&[][..], |data| &data.quotas);
        let quotas = check_quotas(scope, in_force, &seen, &registry, problems);
        check_rate_cards(scope, &seen, problems);
        if scope.tenant.is_none() {
            installation = seen;
        }
        contents.push(ScopeContent {
            tenant: scope.tenant.clone(),
            meters: scope.meters.iter().map(|found| found.value.clone()).collect(),
            plans: scope.plans.iter().map(|found| found.value.clone()).collect(),
            accounts: scope.accounts.iter().map(|found| found.value.clone()).collect(),
            pools,
            quotas,
            rate_cards: scope.rate_cards.iter().map(|found| found.value.clone()).collect(),
        });
    }
    contents
}

/// The meters and plans that a scope can refer to.
#[derive(Clone, Default)]
struct Seen {
    meters: BTreeMap<MeterName, Meter>,
    ids: HashMap<MeterId, MeterName>,
    plans: BTreeSet<String>,
}

impl Seen {
    fn add_current(&mut self, data: &CatalogData, whose: impl Fn(Option<&str>) -> bool) {
        for meter in data.meters.iter().filter(|meter| whose(meter.tenant.as_deref())) {
            self.add_meter(meter.clone());
        }
        let plans = data.plans.iter().filter(|plan| whose(plan.tenant.as_deref()));
        self.plans.extend(plans.map(|plan| plan.name.clone()));
    }

    fn add_meter(&mut self, meter: Meter) {
        self.ids.insert(meter.name.id(), meter.name.clone());
        self.meters.insert(meter.name.clone(), meter);
    }
}

fn check_meters(scope: &DraftScope, current: &Current, seen: &mut Seen, problems: &mut Problems) {
    check_doubles(&scope.meters, |meter| meter.name.to_string(), problems);
    let before: BTreeMap<&MeterName, &Meter> = current
        .of(scope.tenant.as_deref())
        .into_iter()
        // Of one that was removed the counts are still there; one that is there wins.
        .flat_map(|data| data.removed.iter().chain(&data.meters))
        .map(|meter| (&meter.name, meter))
        .collect();
    for Found { at, value: meter } in &scope.meters {
        if let Some(before) = before.get(&meter.name) {
            // Counters and ledger keep bare numbers: another family or another place of the point makes them lies.
            if before.rules.family != meter.rules.family {
                problems.add(&at.key("family", at.line), "can't be changed once the meter exists; make another meter");
            }
            if before.decimals != meter.decimals {
                problems
                    .add(&at.key("decimals", at.line), "can't be changed once the meter exists; make another meter");
            }
        }
        if seen.ids.get(&meter.name.id()).is_some_and(|other| *other != meter.name) {
            problems.add(&at.key("name", at.line), "has the same number as another meter; choose another name");
        }
        seen.add_meter(meter.clone());
    }
}

fn check_doubles<T>(list: &[Found<T>], name: impl Fn(&T) -> String, problems: &mut Problems) {
    let mut lines = BTreeMap::new();
    for found in list {
        let name = name(&found.value);
        match lines.get(&name) {
            Some(line) => problems.add(&found.at, format!("{name} stands on line {line} already")),
            None => {
                lines.insert(name, found.at.line);
            }
        }
    }
}

fn check_plans_of_accounts(scope: &DraftScope, seen: &Seen, problems: &mut Problems) {
    for Found { at, value: account } in &scope.accounts {
        if let Some(plan) = &account.plan
            && !seen.plans.contains(plan)
        {
            problems.add(&at.key("plan", at.line), format!("there is no plan {}", quoted(plan)));
        }
    }
}

fn check_quotas(
    scope: &DraftScope,
    standing: &[Quota],
    seen: &Seen,
    registry: &Registry,
    problems: &mut Problems,
) -> Vec<Quota> {
    let own = standing.iter().filter(|quota| quota.tenant == scope.tenant);
    let standing = LazyCell::new(|| own.map(|quota| ((&quota.subject, &quota.meter), quota)).collect());
    let mut quotas = Vec::with_capacity(scope.quotas.len());
    let mut places: HashMap<(&Subject, &MeterName), &Place> = HashMap::new();
    for draft in &scope.quotas {
        check_subject(draft, scope.tenant.as_deref(), seen, problems);
        if !registry.knows(&draft.subject) {
            problems.add(&draft.subject_at, format!("there is no record of {}", draft.subject));
        }
        if let Some(first) = places.insert((&draft.subject, &draft.meter), &draft.at) {
            let message = format!("{} has a quota on {} {} already", draft.subject, draft.meter, first.words());
            problems.add(&draft.at, message);
        }
        let Some(meter) = seen.meters.get(&draft.meter) else {
            problems.add(&draft.meter_at, format!("there is no meter {}", quoted(draft.meter.as_str())));
            continue;
        };
        let mut found = Problems::default();
        let quota = check_quota(draft, scope.tenant.clone(), meter, &mut found);
        // What stands may stand, whatever bounds its meter was given since: so an export can always be applied.
        if !found.is_empty() && !stands(draft, &quota, &standing) {
            problems.append(found);
        }
        quotas.push(quota);
    }
    quotas
}

/// Whether a quota that could be read whole is in force just so.
fn stands(draft: &DraftQuota, quota: &Quota, standing: &HashMap<(&Subject, &MeterName), &Quota>) -> bool {
    let has_raise = match &draft.raise {
        DraftRaise::Unsaid | DraftRaise::Ended => quota.raise.is_none(),
        DraftRaise::Given(given) => quota.raise.as_ref().is_some_and(|raise| raise.limits.len() == given.limits.len()),
        DraftRaise::Kept(_) => true,
    };
    let has_top_up = draft.top_up.is_some() == quota.top_up.is_some();
    let is_whole = draft.limits.len() == quota.limits.len() && has_top_up && has_raise;
    is_whole
        && standing.get(&(&quota.subject, &quota.meter)).is_some_and(|known| {
            let Quota { version, create_time, update_time, .. } = **known;
            Quota { version, create_time, update_time, ..quota.clone() } == **known
        })
}

/// A card prices a consumption meter, and converts every currency that is not the meter's.
fn check_rate_cards(scope: &DraftScope, seen: &Seen, problems: &mut Problems) {
    check_doubles(&scope.rate_cards, RateCard::name, problems);
    for Found { at, value: card } in &scope.rate_cards {
        let field = |key| at.key(key, at.line);
        let Some(meter) = seen.meters.get(&card.meter) else {
            problems.add(&field("meter"), format!("there is no meter {}", quoted(card.meter.as_str())));
            continue;
        };
        if meter.rules.family == Family::Allocation {
            problems.add(&field("meter"), "must be a consumption meter: what is occupied has no price");
        }
        if card.rates.iter().any(|rate| rate.currency == meter.unit) {
            problems.add(&field("rates"), format!("{} is the meter's own unit and needs no rate", meter.unit));
        }
        for price in &card.prices {
            let Some(currency) = price.currency.as_ref().filter(|currency| **currency != meter.unit) else { continue };
            if card.rates.iter().all(|rate| rate.currency != *currency) {
                let item = quoted(&price.item);
                problems.add(&field("rates"), format!("has no rate of {currency}, in which {item} is priced"));
            }
        }
    }
}

fn check_subject(draft: &DraftQuota, tenant: Option<&str>, seen: &Seen, problems: &mut Problems) {
    let within = |name: &str, tenant: &str| {
        name.strip_prefix(tenant).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let message = match (&draft.subject, tenant) {
        (Subject::Plan(plan), _) if !seen.plans.contains(plan) => format!("there is no plan {}", quoted(plan)),
        (Subject::Account(name), Some(tenant)) if !within(name.as_str(), tenant) => {
            format!("must begin with the tenant {tenant}")
        }
        (Subject::Pattern(pattern), Some(tenant)) if !within(pattern.as_str(), tenant) => {
            format!("must begin with the tenant {tenant}")
        }
        (Subject::Account(_), None) => {
            String::from("belongs to a tenant: put it into the tenant's block under tenants")
        }
        (Subject::Pattern(pattern), None) if !pattern.is_installation() => {
            String::from("must begin with a wild pair, like tenants/-, or stand in the tenant's block under tenants")
        }
        _ => return,
    };
    problems.add(&draft.subject_at, message);
}

fn check_quota(draft: &DraftQuota, tenant: Option<String>, meter: &Meter, problems: &mut Problems) -> Quota {
    let mut limits = Vec::with_capacity(draft.limits.len());
    for limit in &draft.limits {
        let kind = limit.window.kind;
        if meter.rules.family == Family::Allocation && kind != WindowKind::Lifetime {
            problems.add(&limit.at, "an allocation meter has only a lifetime limit: what is occupied does not reset");
        }
        limits.extend(check_limit(limit, &limit.window, meter, problems));
    }
    if meter.ordered_limits {
        let place = |kind| draft.limits.iter().find(|limit| limit.window.kind == kind).map(|limit| &limit.at);
        check_order(&limits, place, problems);
    }
    let raise = check_raise(draft, &limits, meter, problems);
    if draft.locked_without.is_some() && (tenant.is_some() || !matches!(draft.subject, Subject::Pattern(_))) {
        let at = draft.at.key("locked_without", draft.at.line);
        problems.add(&at, "is of the installation's patterns only, like tenants/-");
    }
    Quota {
        tenant,
        subject: draft.subject.clone(),
        meter: draft.meter.clone(),
        limits,
        raise,
        top_up: draft.top_up.as_ref().and_then(|amount| amount_of(amount, meter, problems)),
        hold_share_percent: draft.hold_share_percent,
        enforcement: draft.enforcement,
        locked_without: draft.locked_without.clone(),
        note: draft.note.clone(),
        version: 0,
        create_time: Timestamp::MIN,
        update_time: Timestamp::MIN,
    }
}

/// A limit in a meter's bounds, over a window.
pub(super) fn check_limit(
    limit: &DraftLimit,
    window: &WindowSpec,
    meter: &Meter,
    problems: &mut Problems,
) -> Option<Limit> {
    let value = match &limit.amount {
        None => {
            if !meter.may_be_unlimited {
                problems.add(&limit.at, format!("the meter {} does not allow unlimited", meter.name));
            }
            LimitValue::Unlimited
        }
        Some(amount) => {
            let value = amount_of(amount, meter, problems)?;
            check_bounds(value, meter, &amount.at, problems);
            let span = window.length.map_or(0, |length| length.millis().unsigned_abs());
            if window.kind == WindowKind::Rate && value.checked_mul(span).is_none_or(|product| product > MAX) {
                problems.add(&amount.at, "amount times length in milliseconds must be at most 2^53-1");
            }
            LimitValue::Finite(value)
        }
    };
    Some(Limit { window: window.clone(), value })
}

fn amount_of(amount: &DraftAmount, meter: &Meter, problems: &mut Problems) -> Option<u64> {
    let read = match &amount.value {
        DraftValue::Text(text) => {
            read_amount(text, meter.decimals).map_err(|message| format!("{message}; it is {}", quoted(text)))
        }
        DraftValue::Units(units) => u64::try_from(*units).map_err(|_| format!("must not be negative; it is {units}")),
    };
    read.map_err(|message| problems.add(&amount.at, message)).ok()
}

/// Both ends included (S2.05).
fn check_bounds(value: u64, meter: &Meter, at: &Place, problems: &mut Problems) {
    if value < meter.min_limit {
        problems.add(at, format!("must be at least {}, the least limit of {}", meter.min_limit, meter.name));
    }
    if let Some(most) = meter.max_limit
        && value > most
    {
        problems.add(at, format!("must be at most {most}, the greatest limit of {}", meter.name));
    }
}

/// Daily <= monthly <= yearly, each pair only where both are finite (S4.08). Told at the place of the shorter one; a pair whose
/// shorter one has none is not asked about.
pub(super) fn check_order<'a>(
    limits: &[Limit],
    place: impl Fn(WindowKind) -> Option<&'a Place>,
    problems: &mut Problems,
) {
    let finite = |kind| limits.iter().find(|limit| limit.window.kind == kind).and_then(|limit| limit.value.finite());
    let pairs = [
        (WindowKind::Day, WindowKind::Month, "day must not be above month"),
        (WindowKind::Month, WindowKind::Year, "month must not be above year"),
        (WindowKind::Day, WindowKind::Year, "day must not be above year"),
    ];
    for (shorter, longer, message) in pairs {
        if let (Some(less), Some(more)) = (finite(shorter), finite(longer))
            && less > more
            && let Some(at) = place(shorter)
        {
            problems.add(at, format!("{message}: {less} is above {more}"));
        }
    }
}
