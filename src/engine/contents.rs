//! What one version of a tenant's catalog contains, as look-ups. The next version shares with it all that did not change, so that
//! one quota more costs the same beside ten others as beside a million.

use super::names::Names;
use super::pools::{Pools, Standing};
use super::ports::{CatalogChanges, CatalogData, ChangedQuota};
use crate::domain::account::Account;
use crate::domain::meter::Meter;
use crate::domain::name::{AccountName, MeterId, MeterName};
use crate::domain::quota::{Candidate, Origin, Quota, Subject, lock, locks_below};
use crate::domain::rate_card::RateCard;
use rpds::HashTrieMapSync;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A map that shares with the one it was made from all that did not change.
pub(super) type Shared<K, V> = HashTrieMapSync<K, V, foldhash::fast::RandomState>;

/// The contents of one version.
#[derive(Clone)]
pub(super) struct Contents {
    meters: Arc<HashMap<MeterName, Arc<Meter>, foldhash::fast::RandomState>>,
    features: Arc<HashMap<String, BTreeSet<String>>>,
    rate_cards: Arc<HashMap<MeterId, Vec<RateCard>>>,
    accounts: Shared<Arc<str>, Arc<Account>>,
    /// The pools.
    pub(super) pools: Pools,
    /// The names that accounts had and have.
    pub(super) names: Names,
    own: Shared<(Arc<str>, MeterId), Arc<Quota>>,
    plans: Shared<(Origin, String, MeterId), Arc<Quota>>,
    patterns: Shared<MeterId, Vec<(Origin, Arc<Quota>)>>,
}

impl Contents {
    /// Of everything that a tenant sees.
    pub(super) fn new(mut data: CatalogData) -> Contents {
        let mut contents = Contents {
            meters: Arc::default(),
            features: Arc::default(),
            rate_cards: Arc::default(),
            accounts: empty(),
            pools: Pools::default(),
            names: Names::default(),
            own: empty(),
            plans: empty(),
            patterns: empty(),
        };
        for account in std::mem::take(&mut data.accounts) {
            contents.accounts.insert_mut(account.name.as_str().into(), Arc::new(account));
        }
        for pool in std::mem::take(&mut data.pools) {
            contents.pools.put(pool);
        }
        for (account, pool) in std::mem::take(&mut data.choices) {
            contents.pools.choose(&account, Some(pool));
        }
        let names = std::mem::take(&mut data.names).into_iter();
        contents.names.change(names.map(|record| (record.name.clone(), Some(record))).collect());
        for quota in std::mem::take(&mut data.quotas) {
            contents.put(Arc::new(quota));
        }
        contents.set_frame(data);
        contents
    }

    /// The next version.
    pub(super) fn changed(&self, changes: CatalogChanges) -> Contents {
        let mut next = self.clone();
        for (name, record) in changes.accounts {
            match record {
                Some(record) => next.accounts.insert_mut(name.as_str().into(), Arc::new(record)),
                None => drop(next.accounts.remove_mut(name.as_str())),
            }
        }
        for (account, pool) in changes.pools {
            next.pools.remove(&account);
            pool.into_iter().for_each(|pool| next.pools.put(pool));
        }
        for (account, pool) in changes.choices {
            next.pools.choose(&account, pool);
        }
        next.names.change(changes.names);
        for change in changes.quotas {
            next.remove(&change);
            if let Some(quota) = change.quota {
                next.put(Arc::new(quota));
            }
        }
        if let Some(frame) = changes.frame {
            next.set_frame(frame);
        }
        next
    }

    /// Everything but accounts, pools, choices, names and quotas.
    fn set_frame(&mut self, frame: CatalogData) {
        let meters = frame.meters.into_iter().map(|meter| (meter.name.clone(), Arc::new(meter)));
        self.meters = Arc::new(meters.collect());
        self.features = Arc::new(frame.plans.into_iter().map(|plan| (plan.name, plan.features)).collect());
        let mut rate_cards: HashMap<MeterId, Vec<RateCard>> = HashMap::new();
        for card in frame.rate_cards {
            rate_cards.entry(card.meter.id()).or_default().push(card);
        }
        self.rate_cards = Arc::new(rate_cards);
    }

    fn put(&mut self, quota: Arc<Quota>) {
        let (origin, meter) = (origin(quota.tenant.is_none()), quota.meter.id());
        match &quota.subject {
            Subject::Account(name) => self.own.insert_mut((name.as_str().into(), meter), quota),
            Subject::Plan(plan) => self.plans.insert_mut((origin, plan.clone(), meter), quota),
            Subject::Pattern(_) => {
                let mut patterns = self.patterns.get(&meter).cloned().unwrap_or_default();
                patterns.push((origin, quota));
                self.patterns.insert_mut(meter, patterns);
            }
        }
    }

    fn remove(&mut self, change: &ChangedQuota) {
        let (origin, meter) = (origin(change.of_installation), change.meter.id());
        match &change.subject {
            Subject::Account(name) => drop(self.own.remove_mut(&(Arc::from(name.as_str()), meter))),
            Subject::Plan(plan) => drop(self.plans.remove_mut(&(origin, plan.clone(), meter))),
            Subject::Pattern(_) => {
                let mut patterns = self.patterns.get(&meter).cloned().unwrap_or_default();
                patterns.retain(|(of, quota)| *of != origin || quota.subject != change.subject);
                self.patterns.insert_mut(meter, patterns);
            }
        }
    }

    /// A meter by name.
    pub(super) fn meter(&self, name: &MeterName) -> Option<&Arc<Meter>> {
        self.meters.get(name)
    }

    /// All meters, in no order.
    pub(super) fn meters(&self) -> impl Iterator<Item = &Arc<Meter>> {
        self.meters.values()
    }

    /// The rate cards of a meter, in no order.
    pub(super) fn rate_cards(&self, meter: MeterId) -> &[RateCard] {
        self.rate_cards.get(&meter).map_or(&[], Vec::as_slice)
    }

    /// An account's record.
    pub(super) fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.get(name).map(|account| &**account)
    }

    /// How an account stands to the pools on a meter; `None`: on any.
    pub(super) fn standing(&self, account: &AccountName, meter: Option<&MeterName>) -> Standing {
        self.pools.standing(account, meter, |name| self.account(name))
    }

    /// The quotas that an account may have its limits on a meter from.
    pub(super) fn candidates(
        &self,
        account: &AccountName,
        record: Option<&Account>,
        meter: MeterId,
    ) -> Vec<Candidate<'_>> {
        let name = account.as_str();
        let lacks = |feature: &str| !self.has_feature(name, feature);
        let mut found = Vec::new();
        if let Some(quota) = self.own.get(&(account.shared(), meter)) {
            found.push(Candidate { origin: Origin::Own, quota });
        }
        if let Some(plan) = record.and_then(|record| record.plan.as_deref()) {
            // A tenant's plan wins over the installation's of the same name.
            let of = |origin| self.plans.get(&(origin, plan.to_owned(), meter));
            let quota = of(Origin::Tenant).or_else(|| of(Origin::Installation));
            found.extend(quota.map(|quota| Candidate { origin: Origin::Plan, quota }));
        }
        for (origin, quota) in self.patterns.get(&meter).into_iter().flatten() {
            if matches!(&quota.subject, Subject::Pattern(pattern) if pattern.matches(name)) {
                found.push(Candidate { origin: *origin, quota });
            }
        }
        let locks = self.patterns.get(&meter).into_iter().flatten().map(|(_, quota)| &**quota);
        lock(found, locks.filter(|quota| locks_below(quota, name)), lacks)
    }

    /// Whether the plan of an account's tenant has a feature.
    fn has_feature(&self, name: &str, feature: &str) -> bool {
        let tenant = name.match_indices('/').nth(1).map_or(name, |(end, _)| &name[..end]);
        let plan = self.account(tenant).and_then(|record| record.plan.as_ref());
        plan.and_then(|plan| self.features.get(plan)).is_some_and(|features| features.contains(feature))
    }
}

fn origin(of_installation: bool) -> Origin {
    if of_installation { Origin::Installation } else { Origin::Tenant }
}

/// A map without anything.
pub(super) fn empty<K: Eq + std::hash::Hash, V>() -> Shared<K, V> {
    Shared::new_with_hasher_and_ptr_kind(foldhash::fast::RandomState::default())
}
