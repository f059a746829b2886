//! Judges what a draft says of accounts and pools: that a tenant which registers its accounts knows those with quotas, and that
//! pools stand on meters that there are. Pure.

use super::document::{DraftScope, Place, Problems, quoted};
use crate::domain::account::{Account, AccountPolicy};
use crate::domain::meter::{Family, Meter};
use crate::domain::name::{AccountName, MeterName};
use crate::domain::pool::{Join, Pool};
use crate::domain::quota::{Quota, Subject};
use crate::engine::ports::CatalogData;
use std::collections::{BTreeMap, BTreeSet};

/// How many names a message tells.
const TOLD: usize = 3;

/// Each pool once, on meters that exist and count consumption, with an overflow list of other pools that are to be chosen: those of
/// the draft, and those that stand.
pub(super) fn check_pools(
    scope: &DraftScope,
    meters: &BTreeMap<MeterName, Meter>,
    standing: &[Pool],
    problems: &mut Problems,
) -> Vec<Pool> {
    let drafted = scope.pools.iter().map(|draft| &draft.pool);
    let others: BTreeMap<&AccountName, &Pool> =
        standing.iter().chain(drafted).map(|pool| (&pool.account, pool)).collect();
    let mut places: BTreeMap<&AccountName, &Place> = BTreeMap::new();
    for draft in &scope.pools {
        let pool = &draft.pool;
        if let Some(first) = places.insert(&pool.account, &draft.at) {
            problems.add(&draft.at, format!("{} is a pool {} already", pool.account, first.words()));
        }
        for (number, (meter, at)) in pool.meters.iter().zip(&draft.meters_at).enumerate() {
            match meters.get(meter) {
                None => problems.add(at, format!("there is no meter {}", quoted(meter.as_str()))),
                // What is freed by amount would have to know who was a member when it was charged.
                Some(known) if known.rules.family == Family::Allocation => {
                    problems.add(at, "is an allocation meter: name the account in `also` of each charge instead");
                }
                Some(_) if number > 0 && pool.meters[number - 1] == *meter => problems.add(at, "stands here twice"),
                Some(_) => {}
            }
        }
        for (number, (next, at)) in pool.overflow.iter().zip(&draft.overflow_at).enumerate() {
            match others.get(next) {
                _ if *next == pool.account => problems.add(at, "is the pool itself"),
                None => problems.add(at, format!("{next} is no pool")),
                Some(other) if other.join == Join::Always => {
                    problems.add(at, format!("{next} counts every charge of its members: it can't be chosen"));
                }
                Some(_) if pool.overflow[..number].contains(next) => problems.add(at, "stands here twice"),
                Some(_) => {}
            }
        }
        if pool.join == Join::Always && !pool.overflow.is_empty() {
            let at = draft.at.key("overflow", draft.at.line);
            problems.add(&at, "is of a pool that is chosen: this one counts every charge of its members");
        }
    }
    scope.pools.iter().map(|draft| draft.pool.clone()).collect()
}

/// The accounts that a tenant has records of once a draft is applied, if it registers them.
pub(super) struct Registry {
    known: Option<BTreeSet<String>>,
}

impl Registry {
    /// By the draft; without `prune` also by what stands.
    pub(super) fn of(scope: &DraftScope, current: Option<&CatalogData>, prune: bool) -> Registry {
        let standing = current.filter(|_| !prune);
        let records = || {
            let drafted = scope.accounts.iter().map(|found| &found.value);
            drafted.chain(standing.into_iter().flat_map(|data| &data.accounts))
        };
        let Some(tenant) = scope.tenant.as_deref() else { return Registry { known: None } };
        let own = |account: &&Account| account.name.as_str() == tenant;
        // The drafted record comes first, and stands in the place of the other.
        if records().find(own).is_none_or(|record| record.account_policy == AccountPolicy::Open) {
            return Registry { known: None };
        }
        let pools = scope.pools.iter().map(|draft| &draft.pool);
        let pools = pools.chain(standing.into_iter().flat_map(|data| &data.pools)).map(|pool| &pool.account);
        let known = records().map(|account| &account.name).chain(pools).map(ToString::to_string).collect();
        Registry { known: Some(known) }
    }

    /// Whether the tenant registers its accounts.
    pub(super) fn registers(&self) -> bool {
        self.known.is_some()
    }

    /// Whether a quota may be set on it.
    pub(super) fn knows(&self, subject: &Subject) -> bool {
        match (subject, &self.known) {
            (Subject::Account(name), Some(known)) => known.contains(name.as_str()),
            _ => true,
        }
    }

    /// Where a tenant begins to register its accounts: whoever has a quota already must have a record.
    pub(super) fn check_standing(&self, scope: &DraftScope, quotas: &[Quota], problems: &mut Problems) {
        let tenant = scope.tenant.as_deref();
        let own = |account: &Account| Some(account.name.as_str()) == tenant;
        let Some(record) = scope.accounts.iter().find(|found| own(&found.value)) else { return };
        let strangers = quotas.iter().filter(|quota| quota.tenant.as_deref() == tenant && !self.knows(&quota.subject));
        let strangers: BTreeSet<String> = strangers.map(|quota| quota.subject.to_string()).collect();
        if !strangers.is_empty() {
            let told: Vec<&str> = strangers.iter().take(TOLD).map(String::as_str).collect();
            let more = if strangers.len() > TOLD { " ..." } else { "" };
            let message = format!("{} with quotas have no record: {}{more}", strangers.len(), told.join(", "));
            problems.add(&record.at.key("account_policy", record.at.line), message);
        }
    }
}
