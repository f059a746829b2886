//! The limits of accounts. Those that have them from the same quotas, in the same zone, share them, with the windows in their present
//! periods: a pattern may be that of millions of accounts.

use super::contents::Contents;
use crate::domain::account::Account;
use crate::domain::amount;
use crate::domain::counter::{STEPS, WindowPlan};
use crate::domain::meter::{Family, Meter};
use crate::domain::name::{AccountName, MeterId};
use crate::domain::quota::{Candidate, Effective, EffectiveQuota, Enforcement, Origin, resolve};
use crate::domain::time::{Period, Timestamp};
use crate::domain::window::{Window, WindowKind, WindowSpec, Windows};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The zone of windows for which nobody names one.
pub(super) const DEFAULT_ZONE: &str = "UTC";
/// Limits kept for sharing; beyond that it begins anew, so that a flood of zones costs time and not memory.
const KEPT: usize = 4096;

/// What binds an account on a meter, with its windows as they stood when they were last asked for.
pub struct Limits {
    /// The limits, and where each comes from.
    pub quota: Arc<EffectiveQuota>,
    windows: Vec<(Arc<Window>, WindowPlan)>,
    planned: ArcSwap<Planned>,
}

/// Windows in their periods, and the stretch of time in which these are the current ones.
pub struct Planned {
    /// When these periods are the current ones.
    pub valid: Period,
    /// The windows.
    pub windows: Arc<[WindowPlan]>,
}

impl Limits {
    fn new(quota: EffectiveQuota, meter: &Meter, lifetime: Option<&Arc<Window>>) -> Limits {
        let mut windows: Vec<_> = quota.limits.iter().map(|limit| (limit.window.clone(), window_plan(limit))).collect();
        let counted = windows.iter().any(|(window, _)| window.kind() == WindowKind::Lifetime);
        let wanted = windows.is_empty() || meter.rules.family == Family::Allocation;
        if let Some(lifetime) = lifetime.filter(|_| wanted && !counted) {
            windows.insert(0, (lifetime.clone(), WindowPlan::unlimited_lifetime(lifetime.id())));
        }
        let nothing = Planned { valid: Period { start: Timestamp::MAX, end: Timestamp::MAX }, windows: Arc::default() };
        Limits { quota: Arc::new(quota), windows, planned: ArcSwap::from_pointee(nothing) }
    }

    /// The windows in the periods that contain `now`, which lies in the time of the limits in force.
    pub fn planned(&self, now: Timestamp) -> Arc<Planned> {
        let kept = self.planned.load();
        if kept.valid.contains(now) {
            return kept.clone();
        }
        let planned = Arc::new(self.planned_at(now));
        self.planned.store(planned.clone());
        planned
    }

    /// The same without keeping it: for a time that is not the present.
    pub fn planned_at(&self, at: Timestamp) -> Planned {
        let mut valid = self.quota.valid;
        let mut windows = Vec::with_capacity(self.windows.len());
        for (window, plan) in &self.windows {
            let period = window.period_at(at);
            valid = valid.intersect(&period);
            windows.push(WindowPlan { period, ..plan.clone() });
        }
        Planned { valid, windows: windows.into() }
    }

    /// The windows as they were compiled, in the order of the planned ones.
    pub fn compiled(&self) -> impl Iterator<Item = &Arc<Window>> {
        self.windows.iter().map(|(window, _)| window)
    }
}

/// The window of a limit, in no period yet.
fn window_plan(limit: &Effective) -> WindowPlan {
    let capped = limit.limit.map(|limit| limit.min(amount::MAX));
    WindowPlan {
        window: limit.window.id(),
        kind: limit.window.kind(),
        period: Period::ALWAYS,
        step: step(&limit.window),
        limit: limit.limit,
        enforced: limit.limit.is_some() && limit.enforcement == Enforcement::Enforce,
        hold_cap: limit
            .hold_share_percent
            .and_then(|share| Some(capped? / 100 * u64::from(share) + capped? % 100 * u64::from(share) / 100)),
    }
}

fn step(window: &Window) -> i64 {
    let length = window.length().map_or(0, |length| length.millis());
    match window.kind() {
        WindowKind::Sliding => length / STEPS,
        WindowKind::Rate => length,
        _ => 0,
    }
}

/// The limits of one version of a tenant's catalog that accounts share.
pub(super) struct SharedLimits {
    windows: Arc<Windows>,
    lifetime: Option<Arc<Window>>,
    kept: Mutex<Kept>,
}

type Kept = HashMap<Source, Arc<Limits>, foldhash::fast::RandomState>;

/// Where limits come from: what is the same here makes the same limits at the same time. Quotas are told apart by their addresses, which are
/// theirs for as long as there is the snapshot whose contents they are in.
#[derive(PartialEq, Eq, Hash)]
struct Source {
    meter: MeterId,
    zone: Arc<str>,
    quotas: Vec<(Origin, usize)>,
}

impl SharedLimits {
    /// None yet; `windows` has those that earlier versions compiled.
    pub(super) fn new(windows: Arc<Windows>) -> SharedLimits {
        let lifetime = windows.get(&WindowSpec::of(WindowKind::Lifetime), DEFAULT_ZONE).ok();
        SharedLimits { windows, lifetime, kept: Mutex::default() }
    }

    /// The windows that were compiled, for the next version.
    pub(super) fn windows(&self) -> Arc<Windows> {
        self.windows.clone()
    }

    /// The limits in force at `now` of an account, of which `record` is there, in its zone. The contents are always those of the
    /// snapshot that this belongs to.
    pub(super) fn find(
        &self,
        contents: &Contents,
        (account, record): (&AccountName, Option<&Account>),
        meter: &Meter,
        zone: &Arc<str>,
        now: Timestamp,
    ) -> Arc<Limits> {
        let candidates = contents.candidates(account, record, meter.name.id());
        let make = || {
            let quota = resolve(&candidates, &self.windows, zone, now);
            Arc::new(Limits::new(quota, meter, self.lifetime.as_ref()))
        };
        // Nobody else has the account's own quota.
        if candidates.iter().any(|candidate| candidate.origin == Origin::Own) {
            return make();
        }
        let source = Source::of(&candidates, meter, zone);
        if let Some(limits) = self.kept().get(&source).filter(|limits| limits.quota.valid.contains(now)) {
            return limits.clone();
        }
        let limits = make();
        let mut kept = self.kept();
        // Freed when nobody waits for the others any more.
        let _gone = (kept.len() >= KEPT && !kept.contains_key(&source)).then(|| std::mem::take(&mut *kept));
        kept.insert(source, limits.clone());
        drop(kept);
        limits
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source {
    fn of(candidates: &[Candidate<'_>], meter: &Meter, zone: &Arc<str>) -> Source {
        let address = |candidate: &Candidate<'_>| (candidate.origin, std::ptr::from_ref(candidate.quota).addr());
        Source { meter: meter.name.id(), zone: zone.clone(), quotas: candidates.iter().map(address).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::quota::{Limit, LimitValue, Quota, Raise, Subject};
    use crate::domain::time::Span;
    use crate::engine::ports::{CatalogChanges, CatalogData};
    use crate::engine::snapshot::Snapshot;

    const DAY: i64 = 86_400_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn name(user: &str) -> AccountName {
        format!("tenants/uni/users/{user}").parse().unwrap()
    }

    fn day(amount: u64) -> Limit {
        Limit { window: WindowSpec::of(WindowKind::Day), value: LimitValue::Finite(amount) }
    }

    fn quota(subject: &str, amount: u64) -> Quota {
        Quota::plain("tenants/uni", Subject::parse(subject).unwrap(), "m".parse().unwrap(), vec![day(amount)], at(0))
    }

    fn account(user: &str, plan: Option<&str>, zone: Option<&str>) -> Account {
        Account { plan: plan.map(Into::into), time_zone: zone.map(Into::into), ..Account::plain(name(user)) }
    }

    /// The user's own limit of a day, in which period, and the quota that it comes from.
    fn seen(snapshot: &Snapshot, user: &str, now: i64) -> (u64, Period, Arc<EffectiveQuota>) {
        let chain = snapshot.chain(&name(user), &Meter::new("m".parse().unwrap()), at(now));
        let level = chain.levels.last().unwrap();
        let window = &level.planned(at(now)).windows[0];
        (window.limit.unwrap(), window.period, level.bound.quota.clone())
    }

    fn catalog() -> CatalogData {
        let raise = Some(Raise { limits: vec![day(9)], until: at(50) });
        CatalogData {
            version: 1,
            meters: vec![Meter::new("m".parse().unwrap())],
            quotas: vec![
                Quota { raise, ..quota("tenants/uni/users/-", 5) },
                quota("tenants/uni/users/own", 3),
                quota("plans/vip", 7),
            ],
            accounts: vec![account("vip", Some("vip"), None), account("there", None, Some("Asia/Tokyo"))],
            ..CatalogData::default()
        }
    }

    #[test]
    fn accounts_share_limits_that_come_from_the_same_quotas_in_the_same_zone() {
        let snapshot = Snapshot::new(catalog());
        let [a, b, own, vip, there] = ["a", "b", "own", "vip", "there"].map(|user| seen(&snapshot, user, DAY));
        assert_eq!([a.0, b.0, own.0, vip.0, there.0], [5, 5, 3, 7, 5]);
        assert!(Arc::ptr_eq(&a.2, &b.2));
        for other in [&own, &vip, &there] {
            assert!(!Arc::ptr_eq(&a.2, &other.2));
        }
        // Across midnight, also back: the clocks of servers differ.
        for (now, user) in [(2 * DAY - 1, "a"), (2 * DAY, "b"), (2 * DAY - 1, "b"), (2 * DAY, "a")] {
            let start = at(now / DAY * DAY);
            assert_eq!(seen(&snapshot, user, now).1, Period { start, end: start + Span::from_millis(DAY) });
        }
        let hours = |hours: i64| at(hours * 3_600_000);
        assert_eq!(a.1, Period { start: hours(24), end: hours(48) });
        assert_eq!(there.1, Period { start: hours(15), end: hours(39) }, "midnight in Tokyo");
    }

    #[test]
    fn a_zone_is_that_of_whoever_is_above() {
        let named = |text: &str| text.parse::<AccountName>().unwrap();
        let group = |zone: &str, name| Account { time_zone: Some(zone.into()), ..Account::plain(named(name)) };
        let accounts = vec![group("Asia/Tokyo", "tenants/uni/groups/t"), group("UTC", "tenants/uni/groups/u")];
        let quotas = vec![quota("tenants/uni/groups/-/users/-", 5)];
        let snapshot = Snapshot::new(CatalogData { accounts, quotas, ..catalog() });
        let start = |text: &str| {
            let chain = snapshot.chain(&named(text), &Meter::new("m".parse().unwrap()), at(DAY));
            chain.levels.last().unwrap().planned(at(DAY)).windows[0].period.start
        };
        let [one, other, third] =
            ["t/users/a", "u/users/a", "t/users/b"].map(|user| start(&format!("tenants/uni/groups/{user}")));
        assert_eq!((one, other, third), (at(DAY * 15 / 24), at(DAY), at(DAY * 15 / 24)));
    }

    #[test]
    fn a_flood_of_zones_is_no_flood_of_limits() {
        let (windows, contents) = (Arc::default(), Contents::new(catalog()));
        let (limits, meter) = (SharedLimits::new(windows), Meter::new("m".parse().unwrap()));
        let find = |zone: &str| limits.find(&contents, (&name("a"), None), &meter, &zone.into(), at(0));
        let first = find("UTC");
        // Zones that there are none of limit nothing, and are kept all the same.
        (1..=KEPT).for_each(|number| drop(find(&format!("Zone/{number}"))));
        assert!(limits.kept().len() <= KEPT && !Arc::ptr_eq(&first, &find("UTC")));
        assert!(Arc::ptr_eq(&find("UTC"), &find("UTC")));
    }

    #[test]
    fn a_raise_ends_for_all_who_share_it_and_a_new_version_shares_nothing_that_changed() {
        let snapshot = Snapshot::new(catalog());
        // Back and forth: the clocks of servers differ. Each time an account that is looked up for the first time, and one that is not.
        for (round, (now, limit)) in [(49, 9), (50, 5), (49, 9), (50, 5)].into_iter().enumerate() {
            let [known, new] = [String::from("a"), format!("new-{round}")].map(|user| seen(&snapshot, &user, now));
            assert_eq!((known.0, new.0), (limit, limit), "at {now}");
        }
        let changed = crate::engine::ports::ChangedQuota {
            of_installation: false,
            subject: Subject::parse("tenants/uni/users/-").unwrap(),
            meter: "m".parse().unwrap(),
            quota: Some(quota("tenants/uni/users/-", 6)),
        };
        let next = snapshot.changed(CatalogChanges { version: 2, quotas: vec![changed], ..CatalogChanges::default() });
        assert_eq!((seen(&next, "a", DAY).0, seen(&next, "vip", DAY).0, seen(&snapshot, "a", DAY).0), (6, 7, 5));
    }
}
