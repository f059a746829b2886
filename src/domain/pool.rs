//! Pools: accounts that others spend from. A project's pot, that of all students, one person's weekly amount.

use super::decision::Cause;
use super::name::{AccountName, MeterName};
use super::time::{Period, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// What the catalog says of an account that others spend from. On its meters nobody but members is charged to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pool {
    /// The account that the use is charged to; its quotas are the pool's.
    pub account: AccountName,
    /// The meters on which it is a pool; sorted, at least one, of the consumption family.
    pub meters: Vec<MeterName>,
    /// Which charges of its members count on it.
    pub join: Join,
    /// Whether it may be used.
    pub enabled: bool,
    /// Who may use it.
    pub members: Vec<Member>,
    /// Who else may: each account whose record has all of these labels. None: nobody else.
    pub rule: BTreeMap<String, String>,
    /// For what it may be used.
    pub items: Items,
    /// Where a charge of a member who chose it goes when it has no room: the first of these that has.
    pub overflow: Vec<AccountName>,
}

/// Which charges of a member count on a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Join {
    /// Those made while the member has chosen it (S3.20).
    Chosen,
    /// All (a project, a department).
    Always,
}

/// An account that may use a pool, with all that is below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// The account.
    pub account: AccountName,
    /// When.
    pub period: Period,
}

/// The items (models) that a pool may be used for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Items {
    /// Only these; empty: all.
    pub allow: BTreeSet<String>,
    /// Not these, also if they are allowed.
    pub deny: BTreeSet<String>,
}

impl Items {
    /// Whether an item is permitted; a charge without one is for the item "".
    pub fn permit(&self, item: &str) -> bool {
        !self.deny.contains(item) && (self.allow.is_empty() || self.allow.contains(item))
    }
}

impl Pool {
    /// Whether it is a pool on that meter.
    pub fn covers(&self, meter: &MeterName) -> bool {
        self.meters.binary_search(meter).is_ok()
    }

    /// What stands in the way of a charge, the first of: it is disabled, the account is no member, the item is not permitted
    /// (S3.24). `is_member` is not asked of the pool's own account.
    pub fn bar(&self, is_member: bool, item: &str) -> Option<Cause> {
        if !self.enabled {
            Some(Cause::PoolDisabled)
        } else if !is_member {
            Some(Cause::NotAMember)
        } else if !self.items.permit(item) {
            Some(Cause::NotPermitted)
        } else {
            None
        }
    }

    /// Whether a record with these labels makes its account a member.
    pub fn ruled_in(&self, labels: &BTreeMap<String, String>) -> bool {
        !self.rule.is_empty() && self.rule.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

/// Whether a member is one at `now`, by the stretches of its membership, and in what stretch of time that answer is true.
pub fn membership(stretches: &[Period], now: Timestamp) -> (bool, Period) {
    let mut valid = Period::ALWAYS;
    let mut is_member = false;
    for stretch in stretches.iter().filter(|stretch| stretch.start < stretch.end) {
        let around = if stretch.contains(now) {
            is_member = true;
            *stretch
        } else if now < stretch.start {
            Period { start: Timestamp::MIN, end: stretch.start }
        } else {
            Period { start: stretch.end, end: Timestamp::MAX }
        };
        valid = valid.intersect(&around);
    }
    (is_member, valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn stretch(start: i64, end: i64) -> Period {
        Period { start: at(start), end: at(end) }
    }

    fn pool() -> Pool {
        Pool {
            account: "tenants/uni/pools/p".parse().unwrap(),
            meters: vec!["llm.calls".parse().unwrap(), "llm.cost".parse().unwrap()],
            join: Join::Chosen,
            enabled: true,
            members: Vec::new(),
            rule: [("role".to_owned(), "student".to_owned()), ("year".to_owned(), "1".to_owned())].into(),
            items: Items { allow: ["a".to_owned(), "b".to_owned()].into(), deny: ["b".to_owned()].into() },
            overflow: Vec::new(),
        }
    }

    #[test]
    fn the_first_that_fails_is_said() {
        let open = pool();
        let closed = Pool { enabled: false, ..pool() };
        assert_eq!(closed.bar(false, "z"), Some(Cause::PoolDisabled));
        assert_eq!(open.bar(false, "z"), Some(Cause::NotAMember));
        assert_eq!(open.bar(true, "z"), Some(Cause::NotPermitted));
        assert_eq!(open.bar(true, "b"), Some(Cause::NotPermitted), "denied, though allowed");
        assert_eq!(open.bar(true, ""), Some(Cause::NotPermitted), "none is named");
        assert_eq!(open.bar(true, "a"), None);
        let all = Items { allow: BTreeSet::new(), ..open.items.clone() };
        assert!(all.permit("z") && all.permit("") && !all.permit("b"));
        assert!(open.covers(&"llm.cost".parse().unwrap()) && !open.covers(&"llm.other".parse().unwrap()));
    }

    #[test]
    fn a_rule_asks_for_every_label() {
        let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert!(pool().ruled_in(&labels(&[("role", "student"), ("year", "1"), ("more", "")])));
        assert!(!pool().ruled_in(&labels(&[("role", "student")])));
        assert!(!pool().ruled_in(&labels(&[("role", "staff"), ("year", "1")])));
        let nobody = Pool { rule: BTreeMap::new(), ..pool() };
        assert!(!nobody.ruled_in(&labels(&[("role", "student")])), "no rule makes no member");
    }

    #[test]
    fn an_answer_is_true_until_a_membership_begins_or_ends() {
        let stretches = [stretch(10, 20), stretch(30, 40), stretch(35, 60), stretch(7, 3)];
        for (now, is_member, start, end) in
            [(5, false, None, Some(10)), (10, true, Some(10), Some(20)), (20, false, Some(20), Some(30))]
        {
            let valid = Period { start: start.map_or(Timestamp::MIN, at), end: end.map_or(Timestamp::MAX, at) };
            assert_eq!(membership(&stretches, at(now)), (is_member, valid), "at {now}");
        }
        assert_eq!(membership(&stretches, at(36)), (true, stretch(35, 40)));
        assert_eq!(membership(&stretches, at(60)), (false, Period { start: at(60), end: Timestamp::MAX }));
        assert_eq!(membership(&[], at(1)), (false, Period::ALWAYS));
        assert_eq!(membership(&[Period::ALWAYS], at(1)), (true, Period::ALWAYS));
    }
}
