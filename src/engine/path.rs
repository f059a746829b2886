//! The path of one charge: the accounts that it must satisfy, those among them that its pools add, and what bars it whatever
//! the counters have. Pure.

use super::call::ChargeRequest;
use super::pools::{Choice, Standing};
use super::snapshot::{Chain, Level, Snapshot};
use crate::domain::decision::Cause;
use crate::domain::levels::Levels;
use crate::domain::meter::Meter;
use crate::domain::name::AccountName;
use crate::domain::pool::{Join, Pool, membership};
use crate::domain::reservation;
use crate::domain::time::{Period, Timestamp};
use std::sync::Arc;

/// The path of one charge.
pub struct Path {
    /// The chain of the charged account.
    pub chain: Arc<Chain>,
    /// What the further accounts and the pools add to it.
    more: Vec<Arc<Level>>,
    /// The pools that join by themselves, whose chains are on the path.
    pub joined: Vec<AccountName>,
    /// Why it is denied, and the account that this is about: the first thing that stands in the way.
    pub bar: Option<(Cause, Arc<str>)>,
    /// When all of this is so.
    pub valid: Period,
    /// The chosen pool that has an overflow list, and how many pools it turns to when it has no room.
    pub list: Option<(Arc<str>, usize)>,
    /// The one of them that stands in its place.
    pub turned: Option<Arc<str>>,
}

/// A charge with the chains of what it names.
struct Named<'a> {
    charge: &'a ChargeRequest,
    chain: Arc<Chain>,
    also: Vec<Arc<Chain>>,
}

impl Path {
    /// The accounts that a charge names, and theirs.
    pub fn named(snapshot: &Snapshot, charge: &ChargeRequest, meter: &Meter, now: Timestamp) -> Path {
        Path::of(&Named::of(snapshot, charge, meter, now))
    }

    /// The chain of the charged account, then what the further accounts and the pools add.
    pub fn levels(&self) -> impl Iterator<Item = &Arc<Level>> {
        self.chain.levels.iter().chain(&self.more)
    }

    /// The levels as a charge freezes them; those of a chain are shared by all that count on nothing else.
    pub fn frozen(&self) -> Levels<reservation::Level> {
        if self.more.is_empty() { self.chain.path.clone() } else { self.levels().map(|level| level.frozen()).collect() }
    }

    /// Whether it is the chain of the charged account and nothing else, for as long as that is as it is.
    pub fn is_plain(&self) -> bool {
        self.more.is_empty() && self.joined.is_empty() && self.bar.is_none() && self.valid == Period::ALWAYS
    }

    /// The same with the pools of the charged account, as a charge is asked for at `now`; in a `turn` above 0 with that pool of the
    /// chosen one's overflow list, from 1, in its place.
    pub fn asked(snapshot: &Snapshot, charge: &ChargeRequest, meter: &Meter, now: Timestamp, turn: usize) -> Path {
        let named = Named::of(snapshot, charge, meter, now);
        let mut path = Path::of(&named);
        for inactive in named.chains().filter_map(|chain| chain.inactive.as_ref()) {
            path.deny(Cause::NotPermitted, inactive.clone());
        }
        path.enter_named(&named, now);
        path.join(snapshot, meter, &named, (now, turn));
        path
    }

    fn of(named: &Named<'_>) -> Path {
        let chain = named.chain.clone();
        let (more, joined) = (Vec::new(), Vec::new());
        let mut path = Path { chain, more, joined, bar: None, valid: Period::ALWAYS, list: None, turned: None };
        named.also.iter().for_each(|chain| path.add(chain));
        path
    }

    /// The pools that the charge names: its own account's, then those of the further accounts.
    fn enter_named(&mut self, named: &Named<'_>, now: Timestamp) {
        for pool in &named.chain.standing.within {
            self.judge(pool, true, named);
        }
        for pool in named.also.iter().flat_map(|chain| &chain.standing.within) {
            let is_member = self.is_member(&named.chain.standing, pool, now);
            self.judge(pool, is_member, named);
        }
    }

    /// The pools that join by themselves: those that always do, and the chosen one unless the charge names one (M16).
    fn join(&mut self, snapshot: &Snapshot, meter: &Meter, named: &Named<'_>, (now, turn): (Timestamp, usize)) {
        let standing = &named.chain.standing;
        for known in standing.memberships.iter().filter(|known| known.pool.join == Join::Always) {
            if self.is_member(standing, &known.pool, now) && !named.has(&known.pool) {
                let chain = snapshot.chain(&known.pool.account, meter, now);
                self.enter(&chain, &known.pool, named, now);
            }
        }
        match &standing.choice {
            Some(_) if named.has_one_to_be_chosen() => {}
            Some(Choice::Pool(pool, overflow)) => {
                self.list = (!overflow.is_empty()).then(|| (pool.account.as_str().into(), overflow.len()));
                let next = turn.checked_sub(1).and_then(|at| overflow.get(at));
                self.turned = next.map(|pool| pool.account.as_str().into());
                let pool = next.unwrap_or(pool);
                let chain = snapshot.chain(&pool.account, meter, now);
                self.enter(&chain, pool, named, now);
            }
            Some(Choice::Gone(pool)) => self.deny(Cause::PoolNotFound, pool.as_str().into()),
            None => {}
        }
    }

    /// A pool joins, with the pools that it lies in: all of them must let the charge in.
    fn enter(&mut self, chain: &Chain, pool: &Pool, named: &Named<'_>, now: Timestamp) {
        if let Some(inactive) = &chain.inactive {
            self.deny(Cause::NotPermitted, inactive.clone());
        }
        for within in &chain.standing.within {
            let is_member = self.is_member(&named.chain.standing, within, now);
            self.judge(within, is_member, named);
        }
        self.add(chain);
        self.joined.push(pool.account.clone());
    }

    fn judge(&mut self, pool: &Pool, is_member: bool, named: &Named<'_>) {
        if let Some(cause) = pool.bar(is_member, &named.charge.item) {
            self.deny(cause, pool.account.as_str().into());
        }
    }

    fn is_member(&mut self, standing: &Standing, pool: &Arc<Pool>, now: Timestamp) -> bool {
        let (is_member, valid) = membership(standing.stretches(pool), now);
        self.valid = self.valid.intersect(&valid);
        is_member
    }

    fn deny(&mut self, cause: Cause, account: Arc<str>) {
        self.bar.get_or_insert((cause, account));
    }

    fn add(&mut self, chain: &Chain) {
        for level in &chain.levels {
            if !self.levels().any(|known| known.bound.key == level.bound.key) {
                self.more.push(level.clone());
            }
        }
    }
}

impl<'a> Named<'a> {
    fn of(snapshot: &Snapshot, charge: &'a ChargeRequest, meter: &Meter, now: Timestamp) -> Named<'a> {
        let also = charge.also.iter().map(|also| snapshot.chain(also, meter, now)).collect();
        Named { charge, chain: snapshot.chain(&charge.account, meter, now), also }
    }

    fn chains(&self) -> impl Iterator<Item = &Arc<Chain>> {
        std::iter::once(&self.chain).chain(&self.also)
    }

    fn has(&self, pool: &Arc<Pool>) -> bool {
        self.chains().flat_map(|chain| &chain.standing.within).any(|named| Arc::ptr_eq(named, pool))
    }

    fn has_one_to_be_chosen(&self) -> bool {
        self.chains().flat_map(|chain| &chain.standing.within).any(|named| named.join == Join::Chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::pool::{Items, Member};
    use crate::domain::quota::{Limit, LimitValue, Quota, Raise, Subject};
    use crate::domain::window::{WindowKind, WindowSpec};
    use crate::engine::call::ReserveCall;
    use crate::engine::operation::Plan;
    use crate::engine::plan::{Amounts, plan_charges, plan_reservation};
    use crate::engine::ports::CatalogData;
    use crate::engine::reserve::template;

    const USER: &str = "tenants/uni/users/u";

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn name(text: &str) -> AccountName {
        text.parse().unwrap()
    }

    fn pool(id: &str, join: Join, start: i64, end: i64) -> Pool {
        Pool {
            account: name(&format!("tenants/uni/pools/{id}")),
            meters: vec!["m".parse().unwrap()],
            join,
            enabled: true,
            members: vec![Member { account: name(USER), period: Period { start: at(start), end: at(end) } }],
            rule: Default::default(),
            items: Items::default(),
            overflow: Vec::new(),
        }
    }

    fn snapshot(pools: Vec<Pool>, chosen: Option<&str>) -> Snapshot {
        let choices = chosen.map(|id| (name(USER), name(&format!("tenants/uni/pools/{id}")))).into_iter().collect();
        let meters = vec![Meter::new("m".parse().unwrap())];
        Snapshot::new(CatalogData { version: 1, meters, pools, choices, ..CatalogData::default() })
    }

    fn charge(also: &[&str]) -> ChargeRequest {
        ChargeRequest {
            amount: Some(1),
            also: also.iter().map(|id| name(&format!("tenants/uni/pools/{id}"))).collect(),
            ..ChargeRequest::of(name(USER), "m".parse().unwrap())
        }
    }

    /// What is frozen beside the account, why it is barred, until when that is so.
    fn planned(snapshot: &Snapshot, also: &[&str], amounts: Amounts, now: i64) -> (Vec<String>, Option<Cause>, i64) {
        let (held, plan) = plan_charges(snapshot, &[charge(also)], amounts, at(now)).unwrap();
        let cause = plan.barred.first().map(|barred| barred.cause);
        let also = held[0].also.iter().map(|name| name.rsplit('/').next().unwrap_or_default().to_owned());
        (also.collect(), cause, plan.valid.unwrap().end.millis())
    }

    #[test]
    fn a_plan_is_good_until_a_membership_begins_or_ends() {
        let always = snapshot(vec![pool("p", Join::Always, 10, 20)], None);
        let chosen = snapshot(vec![pool("p", Join::Chosen, 10, 20)], Some("p"));
        let none = || Vec::<String>::new();
        let p = || vec!["p".to_owned()];
        for (now, end, is_member) in [(5, 10, false), (10, 20, true), (20, i64::MAX, false)] {
            let joined = if is_member { p() } else { none() };
            assert_eq!(planned(&always, &[], Amounts::Asked, now), (joined, None, end), "always, at {now}");
            let cause = (!is_member).then_some(Cause::NotAMember);
            assert_eq!(planned(&chosen, &[], Amounts::Asked, now), (p(), cause, end), "chosen, at {now}");
            assert_eq!(planned(&always, &["p"], Amounts::Asked, now), (p(), cause, end), "named, at {now}");
        }
    }

    #[test]
    fn what_counts_on_nothing_but_its_accounts_chain_shares_what_is_planned_of_it() {
        let snapshot = snapshot(vec![pool("p", Join::Chosen, 0, 100)], None);
        let plan = |charges: &[ChargeRequest]| plan_charges(&snapshot, charges, Amounts::Asked, at(1)).unwrap();
        let plain = charge(&[]);
        let (one, other) = (plan(std::slice::from_ref(&plain)), plan(std::slice::from_ref(&plain)));
        assert!(Arc::ptr_eq(&one.1, &other.1) && Arc::ptr_eq(&one.0[0].about, &other.0[0].about));
        let keys = |plan: &Plan| -> Vec<_> { plan.counters.iter().map(|counter| counter.bound.key).collect() };
        assert_eq!(one.1.paths, [[0, 1]]);
        // An item is its own; a second charge, or a pool, has a plan of its own.
        let of_item = plan(&[ChargeRequest { item: "i".into(), ..plain.clone() }]);
        assert!(Arc::ptr_eq(&one.1, &of_item.1) && &*of_item.0[0].item == "i" && one.0[0].item.is_empty());
        let two = plan(&[plain.clone(), ChargeRequest { item: "i".into(), ..plain }]);
        assert_eq!((keys(&two.1), &two.1.paths, two.1.valid), (keys(&one.1), &vec![vec![0, 1]; 2], one.1.valid));
        let named = plan(&[charge(&["p"])]);
        assert_eq!((named.1.counters.len(), one.1.counters.len()), (3, 2));
    }

    #[test]
    fn a_plan_that_stands_ready_is_good_until_midnight_and_until_a_raise_ends() {
        const DAY: i64 = 86_400_000;
        let raise = Some(Raise { limits: vec![limit(WindowKind::Day, 9)], until: at(2 * DAY + 50) });
        let quotas = vec![Quota { raise, ..quota(USER, limit(WindowKind::Day, 5)) }];
        let meters = vec![Meter::new("m".parse().unwrap())];
        let snapshot = Snapshot::new(CatalogData { version: 1, meters, quotas, ..CatalogData::default() });
        let (first, second) = ((DAY - 1, 9, (0, DAY)), (DAY, 9, (DAY, 2 * DAY)));
        let (raised, after) = ((2 * DAY + 49, 9, (2 * DAY, 2 * DAY + 50)), (2 * DAY + 50, 5, (2 * DAY + 50, 3 * DAY)));
        // Back and forth: the clocks of servers differ.
        for (now, limit, (start, end)) in [first, second, first, second, raised, after, raised, after, first] {
            let plan = || plan_charges(&snapshot, &[charge(&[])], Amounts::Asked, at(now)).unwrap().1;
            let planned = plan();
            let user = planned.counters.last().unwrap();
            let (window, day) = (&user.windows[0], now / DAY * DAY);
            assert_eq!((window.limit, window.period), (Some(limit), period(day, day + DAY)), "at {now}");
            assert_eq!(planned.valid.unwrap(), period(start, end), "at {now}");
            assert!(Arc::ptr_eq(&planned, &plan()), "it is made once");
        }
    }

    fn limit(kind: WindowKind, amount: u64) -> Limit {
        Limit { window: WindowSpec::of(kind), value: LimitValue::Finite(amount) }
    }

    fn quota(subject: &str, limit: Limit) -> Quota {
        Quota::plain("tenants/uni", Subject::parse(subject).unwrap(), "m".parse().unwrap(), vec![limit], at(0))
    }

    #[test]
    fn a_plan_is_good_until_a_raise_ends() {
        let limit = |amount| limit(WindowKind::Lifetime, amount);
        let raise = Some(Raise { limits: vec![limit(9)], until: at(50) });
        let quota = Quota { raise, ..quota("tenants/uni/pools/p", limit(5)) };
        let pools = vec![pool("p", Join::Always, 0, 90)];
        let meters = vec![Meter::new("m".parse().unwrap())];
        let snapshot =
            Snapshot::new(CatalogData { version: 1, meters, pools, quotas: vec![quota], ..CatalogData::default() });
        // Back and forth: the clocks of servers differ.
        for (now, limit, valid) in [(49, 9, (0, 50)), (50, 5, (50, 90)), (49, 9, (0, 50)), (89, 5, (50, 90))] {
            let (held, plan) = plan_charges(&snapshot, &[charge(&[])], Amounts::Asked, at(now)).unwrap();
            let limits = |plan: &Plan| -> Vec<_> {
                let windows = plan.counters.iter().flat_map(|counter| counter.windows.iter());
                windows.filter_map(|window| window.limit).collect()
            };
            assert_eq!((limits(&plan), plan.valid.unwrap()), (vec![limit], period(valid.0, valid.1)), "at {now}");
            let template = template(&call(), held);
            let later = plan_reservation(&snapshot, &template, at(now));
            let valid = later.valid.unwrap();
            assert!(valid.contains(at(now)) && valid.end == at(if now < 50 { 50 } else { i64::MAX }), "{valid:?}");
            assert_eq!(limits(&later), [limit]);
        }
    }

    fn period(start: i64, end: i64) -> Period {
        Period { start: at(start), end: at(end) }
    }

    fn call() -> ReserveCall {
        ReserveCall {
            tenant: AccountName::tenant_from("tenants/uni").unwrap(),
            reservation_id: None,
            request_id: None,
            charges: Vec::new(),
            ttl: None,
            labels: Vec::new(),
            wait_for_durable: false,
        }
    }

    #[test]
    fn a_pool_that_is_named_takes_the_place_of_the_chosen_one() {
        let pools = || ["a", "b"].map(|id| pool(id, Join::Chosen, 0, 100)).to_vec();
        let two = snapshot(pools(), Some("a"));
        assert_eq!(planned(&two, &[], Amounts::Asked, 1).0, ["a"]);
        assert_eq!(planned(&two, &["b"], Amounts::Asked, 1).0, ["b"]);
        assert_eq!(planned(&two, &["other"], Amounts::Asked, 1).0, ["other", "a"]);
        // What was granted stays on its path, and what is freed is no pool's.
        assert_eq!(planned(&two, &[], Amounts::Granted, 1).0, [""; 0]);
        assert_eq!(planned(&two, &[], Amounts::Freed, 1).0, [""; 0]);
        assert_eq!(planned(&two, &[], Amounts::Adjusted, 1).0, [""; 0]);
        assert_eq!(planned(&two, &["b"], Amounts::Adjusted, 1).0, ["b"]);
        let gone = snapshot(pools(), Some("c"));
        assert_eq!(planned(&gone, &[], Amounts::Asked, 1).1, Some(Cause::PoolNotFound));
        let no_pools = snapshot(Vec::new(), Some("c"));
        assert_eq!(planned(&no_pools, &[], Amounts::Asked, 1), (Vec::new(), None, i64::MAX));
    }
}
