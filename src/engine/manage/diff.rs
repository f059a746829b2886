//! What must be written so that a scope contains what a document wants, and what that changes in words. Pure.

use super::emit::Yaml;
use super::export;
use super::validate::ScopeContent;
use crate::domain::account::{Account, Plan};
use crate::domain::meter::Meter;
use crate::domain::pool::Pool;
use crate::domain::quota::{Quota, Subject};
use crate::domain::rate_card::RateCard;
use crate::domain::time::Timestamp;
use crate::engine::ports::CatalogWrite;
use std::collections::{BTreeMap, BTreeSet};

/// What a change does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChangeKind {
    /// Makes it.
    Create,
    /// Makes it otherwise.
    Update,
    /// Removes it.
    Delete,
}

/// One change, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// What is done.
    pub kind: ChangeKind,
    /// To what: `quota tenants/acme/users/- training.runs`, `meter training.runs of tenants/acme`.
    pub subject: String,
    /// Before, as a line of YAML; empty for a creation.
    pub before: String,
    /// After, as a line of YAML; empty for a deletion.
    pub after: String,
}

/// The writes of one scope, and what they change.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Diff {
    /// What to write, in order.
    pub writes: Vec<CatalogWrite>,
    /// What that changes, in the same order.
    pub changes: Vec<Change>,
}

/// From what a scope contains to what it is to contain. What is not wanted stays, unless `prune`.
pub fn diff(wanted: &ScopeContent, current: &ScopeContent, prune: bool, now: Timestamp) -> Diff {
    let mut diff = Diff::default();
    diff.put(&wanted.meters, &current.meters, now);
    diff.put(&wanted.plans, &current.plans, now);
    diff.put(&wanted.accounts, &current.accounts, now);
    diff.put(&wanted.pools, &current.pools, now);
    diff.put(&wanted.quotas, &current.quotas, now);
    diff.put(&wanted.rate_cards, &current.rate_cards, now);
    if prune {
        // The other way round: what refers goes before what is referred to.
        diff.remove(&wanted.rate_cards, &current.rate_cards);
        diff.remove(&wanted.quotas, &current.quotas);
        diff.remove(&wanted.pools, &current.pools);
        diff.remove(&wanted.accounts, &current.accounts);
        diff.remove(&wanted.plans, &current.plans);
        diff.remove(&wanted.meters, &current.meters);
    }
    diff
}

impl Diff {
    fn put<T: Item>(&mut self, wanted: &[T], current: &[T], now: Timestamp) {
        let known: BTreeMap<String, &T> = current.iter().map(|item| (item.subject(), item)).collect();
        for item in wanted {
            let subject = item.subject();
            let before = known.get(&subject).copied();
            let after = item.dated(before, now);
            if before == Some(&after) {
                continue;
            }
            self.changes.push(Change {
                kind: if before.is_some() { ChangeKind::Update } else { ChangeKind::Create },
                subject,
                before: before.map(|before| before.yaml().line()).unwrap_or_default(),
                after: item.yaml().line(),
            });
            self.writes.push(after.put());
        }
    }

    fn remove<T: Item>(&mut self, wanted: &[T], current: &[T]) {
        let wanted: BTreeSet<String> = wanted.iter().map(Item::subject).collect();
        for item in current.iter().filter(|item| !wanted.contains(&item.subject())) {
            self.changes.push(Change {
                kind: ChangeKind::Delete,
                subject: item.subject(),
                before: item.yaml().line(),
                after: String::new(),
            });
            self.writes.push(item.clone().remove());
        }
    }
}

/// What the catalog consists of.
trait Item: Clone + PartialEq {
    /// Its kind and name in words, one for each item of a scope.
    fn subject(&self) -> String;
    /// It with the times and the version that it would have: those of the current one if nothing else differs.
    fn dated(&self, before: Option<&Self>, now: Timestamp) -> Self;
    fn yaml(&self) -> Yaml;
    fn put(self) -> CatalogWrite;
    fn remove(self) -> CatalogWrite;
}

impl Item for Meter {
    fn subject(&self) -> String {
        format!("meter {}{}", self.name, of(self.tenant.as_deref()))
    }
    fn dated(&self, _: Option<&Self>, _: Timestamp) -> Self {
        self.clone()
    }
    fn yaml(&self) -> Yaml {
        export::meter(self)
    }
    fn put(self) -> CatalogWrite {
        CatalogWrite::PutMeter(self)
    }
    fn remove(self) -> CatalogWrite {
        CatalogWrite::DeleteMeter(self)
    }
}

impl Item for Plan {
    fn subject(&self) -> String {
        format!("plan {}{}", self.name, of(self.tenant.as_deref()))
    }
    fn dated(&self, _: Option<&Self>, _: Timestamp) -> Self {
        self.clone()
    }
    fn yaml(&self) -> Yaml {
        export::plan(self)
    }
    fn put(self) -> CatalogWrite {
        CatalogWrite::PutPlan(self)
    }
    fn remove(self) -> CatalogWrite {
        CatalogWrite::DeletePlan(self)
    }
}

impl Item for Account {
    fn subject(&self) -> String {
        format!("account {}", self.name)
    }
    fn dated(&self, before: Option<&Self>, now: Timestamp) -> Self {
        Account { create_time: before.map_or(now, |before| before.create_time), ..self.clone() }
    }
    fn yaml(&self) -> Yaml {
        export::account(self)
    }
    fn put(self) -> CatalogWrite {
        CatalogWrite::PutAccount(self)
    }
    fn remove(self) -> CatalogWrite {
        CatalogWrite::DeleteAccount(self)
    }
}

impl Item for Pool {
    fn subject(&self) -> String {
        format!("pool {}", self.account)
    }
    fn dated(&self, _: Option<&Self>, _: Timestamp) -> Self {
        self.clone()
    }
    fn yaml(&self) -> Yaml {
        export::pool(self)
    }
    fn put(self) -> CatalogWrite {
        CatalogWrite::PutPool(self)
    }
    fn remove(self) -> CatalogWrite {
        CatalogWrite::DeletePool(self)
    }
}

impl Item for Quota {
    fn subject(&self) -> String {
        // The name of an account or a pattern says whose it is; that of a plan does not.
        let whose = if let Subject::Plan(_) = self.subject { of(self.tenant.as_deref()) } else { String::new() };
        format!("quota {} {}{whose}", self.subject, self.meter)
    }
    fn dated(&self, before: Option<&Self>, now: Timestamp) -> Self {
        let same = |before: &Quota| Quota {
            version: before.version,
            create_time: before.create_time,
            update_time: before.update_time,
            ..self.clone()
        };
        match before {
            Some(before) if same(before) == *before => before.clone(),
            // Every change makes a new version; the store numbers it.
            _ => Quota { version: 0, create_time: now, update_time: now, ..self.clone() },
        }
    }
    fn yaml(&self) -> Yaml {
        export::quota(self)
    }
    fn put(self) -> CatalogWrite {
        CatalogWrite::PutQuota(self)
    }
    fn remove(self) -> CatalogWrite {
        CatalogWrite::DeleteQuota(self)
    }
}

impl Item for RateCard {
    fn subject(&self) -> String {
        format!("rate card {}{}", self.name(), of(self.tenant.as_deref()))
    }
    fn dated(&self, _: Option<&Self>, _: Timestamp) -> Self {
        self.clone()
    }
    fn yaml(&self) -> Yaml {
        export::rate_card(self)
    }
    fn put(self) -> CatalogWrite {
        CatalogWrite::PutRateCard(self)
    }
    fn remove(self) -> CatalogWrite {
        CatalogWrite::DeleteRateCard(self)
    }
}

fn of(tenant: Option<&str>) -> String {
    tenant.map(|tenant| format!(" of {tenant}")).unwrap_or_default()
}
