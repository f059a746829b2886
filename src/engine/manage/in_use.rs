//! Who still uses what is about to be deleted, meters and plans that quotas, pools, rate cards and accounts name; and how that is said.

use super::apply::Catalogs;
use super::export::content_of;
use super::validate::ScopeContent;
use crate::domain::meter::Meter;
use crate::domain::name::MeterName;
use crate::domain::quota::Subject;
use crate::engine::ports::{CatalogWrite, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How many users a message tells.
const TOLD: usize = 3;

/// What keeps a change from being made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Hindrance {
    /// What is to go is still named: by whom, in words.
    Named(String),
    /// A meter of the installation's would read what was counted on a tenant's own, and counts otherwise.
    CountsOtherwise {
        /// The meter.
        meter: MeterName,
        /// The tenant.
        tenant: String,
    },
    /// The same, but rate cards price in the unit of the tenant's, and it has another one.
    PricedOtherwise {
        /// The meter.
        meter: MeterName,
        /// The tenant.
        tenant: String,
    },
    /// Rate cards price in the unit of a meter, for which there would be another one.
    Priced {
        /// The meter.
        meter: MeterName,
        /// Whose cards: a tenant, or the installation.
        whose: String,
    },
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (meter, tenant, what) = match self {
            Hindrance::Named(by_whom) => return f.write_str(by_whom),
            Hindrance::Priced { meter, whose } => {
                return write!(f, "the unit of the meter {meter} {}", priced_in(whose));
            }
            Hindrance::CountsOtherwise { meter, tenant } => (meter, tenant, "another family or other decimals"),
            Hindrance::PricedOtherwise { meter, tenant } => (meter, tenant, "another unit than rate cards price in"),
        };
        write!(f, "the meter {meter} of the installation would take the place of that of {tenant}, and has {what}")
    }
}

/// What is said of a unit that stays because of rate cards.
pub(super) fn priced_in(whose: &str) -> String {
    format!("is what the rate cards of {whose} price in: delete these first")
}

/// What one scope will not have any more.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Gone {
    /// Meters.
    pub(super) meters: BTreeSet<MeterName>,
    /// Plans.
    pub(super) plans: BTreeSet<String>,
    /// Units, by the meters that have another one from then on.
    pub(super) units: BTreeSet<MeterName>,
}

impl Gone {
    /// What the changes of a scope take away, where `standing` are the meters that it sees before.
    pub(super) fn of<'a>(changes: impl Iterator<Item = &'a CatalogWrite>, standing: &[Meter]) -> Gone {
        let mut gone = Gone::default();
        let is_another = |meter: &Meter| standing.iter().any(|old| old.name == meter.name && old.unit != meter.unit);
        for change in changes {
            match change {
                CatalogWrite::PutMeter(meter) if is_another(meter) => drop(gone.units.insert(meter.name.clone())),
                CatalogWrite::DeleteMeter(meter) => drop(gone.meters.insert(meter.name.clone())),
                CatalogWrite::DeletePlan(plan) => drop(gone.plans.insert(plan.name.clone())),
                _ => {}
            }
        }
        gone
    }

    /// Whether nothing goes.
    pub(super) fn is_empty(&self) -> bool {
        self.meters.is_empty() && self.plans.is_empty() && self.units.is_empty()
    }

    /// What is left of a scope of its own once it is deleted there; the quotas of a plan go with it.
    pub(super) fn taken_from(&self, mut content: ScopeContent) -> ScopeContent {
        content.meters.retain(|meter| !self.meters.contains(&meter.name));
        content.plans.retain(|plan| !self.plans.contains(&plan.name));
        content.quotas.retain(|quota| !matches!(&quota.subject, Subject::Plan(plan) if self.plans.contains(plan)));
        content
    }

    /// Who in a scope uses the first of it that is used; `None`: nobody. A scope's own of the same name stands in its place.
    pub(super) fn used_in(&self, content: &ScopeContent) -> Option<Hindrance> {
        let own: BTreeSet<&MeterName> = content.meters.iter().map(|meter| &meter.name).collect();
        let whose = content.tenant.as_deref().unwrap_or("the installation");
        let mut cards = content.rate_cards.iter().filter(|card| !own.contains(&card.meter));
        if let Some(card) = cards.find(|card| self.units.contains(&card.meter)) {
            return Some(Hindrance::Priced { meter: card.meter.clone(), whose: whose.to_owned() });
        }
        for meter in self.meters.iter().filter(|meter| !own.contains(meter)) {
            let quotas = content.quotas.iter().filter(|quota| quota.meter == *meter);
            let pools = content.pools.iter().filter(|pool| pool.meters.contains(meter));
            let card = content.rate_cards.iter().find(|card| card.meter == *meter);
            let users = some_of(quotas.map(|quota| quota.subject.to_string())).map(|who| format!("the quota of {who}"));
            let users = users
                .or_else(|| some_of(pools.map(|pool| pool.account.to_string())).map(|who| format!("the pool {who}")));
            let users = users.or_else(|| card.map(|_| format!("a rate card of {whose}")));
            if let Some(users) = users {
                return Some(Hindrance::Named(format!("the meter {meter} is in use by {users}")));
            }
        }
        let own: BTreeSet<&str> = content.plans.iter().map(|plan| plan.name.as_str()).collect();
        for plan in self.plans.iter().filter(|plan| !own.contains(plan.as_str())) {
            let accounts = content.accounts.iter().filter(|account| account.plan.as_ref() == Some(plan));
            let of_plan = |subject: &Subject| matches!(subject, Subject::Plan(name) if name == plan);
            let quota = content.quotas.iter().find(|quota| of_plan(&quota.subject));
            let users = some_of(accounts.map(|account| account.name.to_string()));
            let users = users.or_else(|| quota.map(|quota| format!("a quota of {whose} on {}", quota.meter)));
            if let Some(users) = users {
                return Some(Hindrance::Named(format!("the plan {plan} is in use by {users}")));
            }
        }
        None
    }
}

/// The first few, in words; `None`: there is none.
fn some_of(mut names: impl Iterator<Item = String>) -> Option<String> {
    let told: Vec<String> = names.by_ref().take(TOLD).collect();
    let more = if names.next().is_some() { " and others" } else { "" };
    (!told.is_empty()).then(|| told.join(", ") + more)
}

/// Tenants that were found not to use what goes, each with the version of its catalog at which it was so: what one look found holds
/// for the next, but for what was written since.
pub(super) type Unused = BTreeMap<String, u64>;

impl Catalogs {
    /// Which tenant, of those that are not described, uses what goes from the installation. Asks for those that are not known
    /// to be `unused` as they are.
    pub(super) async fn used_by_tenants(
        &self,
        gone: &Gone,
        described: &BTreeSet<&str>,
        unused: &mut Unused,
    ) -> Result<Option<Hindrance>, StoreError> {
        if gone.is_empty() {
            return Ok(None);
        }
        for (tenant, version) in self.store.versions().await? {
            let Some(tenant) = tenant else { continue };
            if described.contains(tenant.as_str()) || unused.get(&tenant) == Some(&version) {
                continue;
            }
            let data = self.store.load(Some(&tenant)).await?;
            let used = gone.used_in(&content_of(Some(&tenant), &data));
            if used.is_some() {
                return Ok(used);
            }
            unused.insert(tenant, version);
        }
        Ok(None)
    }
}
