//! Meters, plans and rate cards, one by one, as an administrator sets them: judged as in a document.

use super::alike::Sight;
use super::apply::{ApplyError, Catalogs, etag_of};
use super::document::{DraftScope, Found, Problems};
use super::export::content_of;
use super::in_use::{Gone, Hindrance, Unused, priced_in};
use super::quotas::{ATTEMPTS, Context, QuotaError, check_unlocked};
use super::records::judged;
use crate::domain::account::Plan;
use crate::domain::meter::Meter;
use crate::domain::name::MeterName;
use crate::domain::quota::Subject;
use crate::domain::rate_card::RateCard;
use crate::domain::time::Timestamp;
use crate::engine::ports::{Cards, CatalogData, CatalogWrite, QuotaKey, ScopeWrite, StoreError, WriteContext, Written};
use std::collections::BTreeSet;
use std::fmt;
use thiserror::Error;

/// What charges, quotas and accounts name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Definition {
    /// A meter.
    Meter(Meter),
    /// A plan, without its quotas.
    Plan(Plan),
    /// A rate card.
    RateCard(RateCard),
}

/// Which one of its scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DefinitionName {
    /// The meter of that name.
    Meter(MeterName),
    /// The plan of that name.
    Plan(String),
    /// The rate card of a meter that begins then.
    RateCard(MeterName, Timestamp),
}

/// `meter job.runs`, `plan gold`, `rate card llm.cost 2040-03-01T08:00:00Z`.
impl fmt::Display for DefinitionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DefinitionName::Meter(name) => write!(f, "meter {name}"),
            DefinitionName::Plan(name) => write!(f, "plan {name}"),
            DefinitionName::RateCard(meter, from) => write!(f, "rate card {meter} {from}"),
        }
    }
}

impl DefinitionName {
    /// It alone, as what goes.
    fn gone(&self) -> Gone {
        let mut gone = Gone::default();
        match self {
            DefinitionName::Meter(name) => drop(gone.meters.insert(name.clone())),
            DefinitionName::Plan(name) => drop(gone.plans.insert(name.clone())),
            DefinitionName::RateCard(..) => {}
        }
        gone
    }
}

/// A change of one of them.
#[derive(Clone, Copy, Debug)]
pub enum DefinitionChange<'a> {
    /// Makes it.
    Create(&'a Found<Definition>),
    /// Makes it be so.
    Update(&'a Found<Definition>),
    /// Removes it; a plan with its quotas.
    Delete(&'a DefinitionName),
}

/// Why one was not changed. Nothing has changed then.
#[derive(Clone, Debug, Error)]
pub enum DefinitionError {
    /// Fields that are not fit, by their path in the request.
    #[error("{0}")]
    Invalid(Problems),
    /// It is there already.
    #[error("there is a {0} already")]
    Exists(DefinitionName),
    /// It is not there.
    #[error("there is no {0}")]
    NotFound(DefinitionName),
    /// It can't be deleted, or be so, because of those that name it.
    #[error("{1}")]
    InUse(DefinitionName, String),
    /// The quotas of the plan can't be changed.
    #[error(transparent)]
    Quota(#[from] QuotaError),
    /// As for a document: another etag, a race lost again and again, a store that can't answer.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl DefinitionError {
    /// Whether the catalog is not as the call took it to be: by another's change, or by its own when it was sent before.
    pub fn finds_it_otherwise(&self) -> bool {
        match self {
            DefinitionError::Exists(_) | DefinitionError::NotFound(_) => true,
            DefinitionError::Apply(error) => matches!(error, ApplyError::EtagMismatch(_)),
            DefinitionError::Invalid(_) | DefinitionError::InUse(..) | DefinitionError::Quota(_) => false,
        }
    }
}

impl From<StoreError> for DefinitionError {
    fn from(error: StoreError) -> DefinitionError {
        DefinitionError::Apply(error.into())
    }
}

impl Catalogs {
    /// Changes a meter, a plan or a rate card: judges and writes against one state of the catalog, again while others change it in
    /// between. Answers the catalog's etag afterwards.
    ///
    /// # Errors
    /// [`DefinitionError`].
    pub async fn change_definition(
        &self,
        context: Context<'_>,
        change: DefinitionChange<'_>,
    ) -> Result<String, DefinitionError> {
        // Every tenant is looked at before it is this call's turn, so that nobody waits for that; then only those that wrote meanwhile.
        let mut unused = Unused::default();
        if context.tenant.is_none() {
            let gone = self.gone_by(context, change).await?;
            self.used_by_tenants(&gone, &BTreeSet::new(), &mut unused).await?;
        }
        let _turn = self.writing.lock().await;
        for _ in 0..ATTEMPTS {
            let latest = self.store.version(None).await?;
            let current = self.load_for_definition(context, change).await?;
            // After the load: an etag that still holds now held for everything that was read.
            self.check_etag(context.tenant, context.etag).await?;
            let changes = match change.judge(context, &current) {
                Err(DefinitionError::Invalid(mut problems)) => {
                    problems.append_elsewhere(self.unit_faults(context, change, &current, &mut unused).await?);
                    return Err(DefinitionError::Invalid(problems));
                }
                judged => judged?,
            };
            if changes.is_empty() {
                return Ok(self.etag(context.tenant).await?);
            }
            let gone = Gone::of(changes.iter(), &current.meters);
            if let Some(why) = self.hindrance(context.tenant, (&gone, &changes), &current, &mut unused).await? {
                return Err(DefinitionError::InUse(change.name(), why.to_string()));
            }
            let mut by = WriteContext::new(context.actor, context.now);
            // No tenant must have begun to use what is the installation's meanwhile.
            by.expect_latest = (context.tenant.is_none() && !gone.is_empty()).then_some(latest);
            let tenant = context.tenant.map(str::to_owned);
            let write = ScopeWrite { tenant, expect_version: Some(current.version), changes };
            if let Written::Done(version) = self.store.write(&by, &[write]).await? {
                return Ok(etag_of(version));
            }
        }
        Err(ApplyError::Contention.into())
    }

    /// What the catalog has against a meter, a plan or a rate card of which something could not be read, so that one answer can say all.
    /// Nothing is written.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn faults_of_definition(
        &self,
        context: Context<'_>,
        change: DefinitionChange<'_>,
    ) -> Result<Problems, StoreError> {
        // What is left of a card that was read in part may lack what was not read.
        let (DefinitionChange::Create(found) | DefinitionChange::Update(found)) = change else {
            return Ok(Problems::default());
        };
        if !matches!(found.value, Definition::Meter(_)) {
            return Ok(Problems::default());
        }
        let current = self.load_for_definition(context, change).await?;
        let mut problems = match change.judge(context, &current) {
            Err(DefinitionError::Invalid(problems)) => problems,
            _ => Problems::default(),
        };
        problems.append_elsewhere(self.unit_faults(context, change, &current, &mut Unused::default()).await?);
        Ok(problems)
    }

    /// What keeps a meter from having the unit that it is to have, said of that field.
    async fn unit_faults(
        &self,
        context: Context<'_>,
        change: DefinitionChange<'_>,
        current: &CatalogData,
        unused: &mut Unused,
    ) -> Result<Problems, StoreError> {
        let mut problems = Problems::default();
        if let DefinitionChange::Create(found) | DefinitionChange::Update(found) = change {
            let changes = [found.value.clone().put()];
            let gone = Gone::of(changes.iter(), &current.meters);
            let hindrance = self.hindrance(context.tenant, (&gone, &changes), current, unused).await?;
            if let Some(Hindrance::Priced { whose, .. }) = hindrance {
                problems.add(&found.at.key("unit", found.at.line), priced_in(&whose));
            }
        }
        Ok(problems)
    }

    /// What a change will probably take away from the installation.
    async fn gone_by(&self, context: Context<'_>, change: DefinitionChange<'_>) -> Result<Gone, StoreError> {
        match change {
            DefinitionChange::Create(_) => Ok(Gone::default()),
            DefinitionChange::Update(found) => {
                let data = self.load_for_definition(context, change).await?;
                Ok(Gone::of([found.value.clone().put()].iter(), &data.meters))
            }
            DefinitionChange::Delete(name) => Ok(name.gone()),
        }
    }

    /// What it takes to judge a change: little, but where something may go that others name. Of rate cards only the one that it is about.
    async fn load_for_definition(
        &self,
        context: Context<'_>,
        change: DefinitionChange<'_>,
    ) -> Result<CatalogData, StoreError> {
        match (change, &change.name()) {
            (_, DefinitionName::RateCard(meter, from)) => {
                self.store.load_definitions(context.tenant, Cards::From(meter, *from)).await
            }
            (DefinitionChange::Delete(_), _) => self.store.load(context.tenant).await,
            _ => self.store.load_definitions(context.tenant, Cards::None).await,
        }
    }

    /// What keeps a scope from taking something away. Where the installation has one of the same name, that takes the place of a
    /// tenant's.
    async fn hindrance(
        &self,
        tenant: Option<&str>,
        (gone, changes): (&Gone, &[CatalogWrite]),
        current: &CatalogData,
        unused: &mut Unused,
    ) -> Result<Option<Hindrance>, StoreError> {
        if gone.is_empty() {
            return Ok(None);
        }
        let below = match tenant {
            Some(_) => self.store.load_definitions(None, Cards::None).await?,
            None => CatalogData::default(),
        };
        let with_cards = match gone.units.first() {
            Some(meter) => Some(self.store.load_definitions(tenant, Cards::Of(meter)).await?),
            None => None,
        };
        let before = Sight::of(with_cards.as_ref().unwrap_or(current));
        let after = before.clone().written(changes).over(&Sight::of(&below));
        if let Some(hindrance) = before.hindrances(&after, tenant).pop() {
            return Ok(Some(hindrance));
        }
        let mut missed = gone.clone();
        missed.meters.retain(|name| below.meters.iter().all(|meter| meter.name != *name));
        missed.plans.retain(|name| below.plans.iter().all(|plan| plan.name != *name));
        let used = missed.used_in(&gone.taken_from(content_of(tenant, current)));
        match tenant {
            None if used.is_none() => self.used_by_tenants(&missed, &BTreeSet::new(), unused).await,
            _ => Ok(used),
        }
    }
}

impl DefinitionChange<'_> {
    /// What it is about.
    fn name(self) -> DefinitionName {
        match self {
            DefinitionChange::Create(found) | DefinitionChange::Update(found) => found.value.name(),
            DefinitionChange::Delete(name) => name.clone(),
        }
    }

    /// What it writes, if it fits the catalog; nothing where all is so already.
    fn judge(self, context: Context<'_>, data: &CatalogData) -> Result<Vec<CatalogWrite>, DefinitionError> {
        match self {
            DefinitionChange::Create(found) => {
                let name = found.value.name();
                if own(context.tenant, data, &name).is_some() {
                    return Err(DefinitionError::Exists(name));
                }
                judged(context, alone(found), data).map_err(DefinitionError::Invalid)?;
                Ok(vec![found.value.clone().put()])
            }
            DefinitionChange::Update(found) => {
                let name = found.value.name();
                let standing = own(context.tenant, data, &name).ok_or(DefinitionError::NotFound(name))?;
                judged(context, alone(found), data).map_err(DefinitionError::Invalid)?;
                Ok(if standing == found.value { Vec::new() } else { vec![found.value.clone().put()] })
            }
            DefinitionChange::Delete(name) => {
                let standing =
                    own(context.tenant, data, name).ok_or_else(|| DefinitionError::NotFound(name.clone()))?;
                let mut writes = match name {
                    DefinitionName::Plan(plan) => quotas_of(context, data, plan)?,
                    DefinitionName::Meter(_) | DefinitionName::RateCard(..) => Vec::new(),
                };
                writes.push(standing.remove());
                Ok(writes)
            }
        }
    }
}

/// The deletion of a plan's quotas.
fn quotas_of(context: Context<'_>, data: &CatalogData, plan: &str) -> Result<Vec<CatalogWrite>, QuotaError> {
    let subject = Subject::Plan(plan.to_owned());
    let own = data.quotas.iter().filter(|quota| quota.tenant.as_deref() == context.tenant && quota.subject == subject);
    let keys: Vec<QuotaKey> = own.clone().map(|quota| (quota.subject.clone(), quota.meter.clone())).collect();
    check_unlocked(context, &keys, data)?;
    Ok(own.cloned().map(CatalogWrite::DeleteQuota).collect())
}

impl Definition {
    /// Which one it is.
    pub fn name(&self) -> DefinitionName {
        match self {
            Definition::Meter(meter) => DefinitionName::Meter(meter.name.clone()),
            Definition::Plan(plan) => DefinitionName::Plan(plan.name.clone()),
            Definition::RateCard(card) => DefinitionName::RateCard(card.meter.clone(), card.from),
        }
    }

    fn put(self) -> CatalogWrite {
        match self {
            Definition::Meter(meter) => CatalogWrite::PutMeter(meter),
            Definition::Plan(plan) => CatalogWrite::PutPlan(plan),
            Definition::RateCard(card) => CatalogWrite::PutRateCard(card),
        }
    }

    fn remove(self) -> CatalogWrite {
        match self {
            Definition::Meter(meter) => CatalogWrite::DeleteMeter(meter),
            Definition::Plan(plan) => CatalogWrite::DeletePlan(plan),
            Definition::RateCard(card) => CatalogWrite::DeleteRateCard(card),
        }
    }
}

/// The scope's own of that name, not the installation's that a tenant sees too.
fn own(tenant: Option<&str>, data: &CatalogData, name: &DefinitionName) -> Option<Definition> {
    match name {
        DefinitionName::Meter(name) => {
            let mut meters = data.meters.iter().filter(|meter| meter.tenant.as_deref() == tenant);
            meters.find(|meter| meter.name == *name).cloned().map(Definition::Meter)
        }
        DefinitionName::Plan(name) => {
            let mut plans = data.plans.iter().filter(|plan| plan.tenant.as_deref() == tenant);
            plans.find(|plan| plan.name == *name).cloned().map(Definition::Plan)
        }
        DefinitionName::RateCard(meter, from) => {
            let mut cards = data.rate_cards.iter().filter(|card| card.tenant.as_deref() == tenant);
            cards.find(|card| card.meter == *meter && card.from == *from).cloned().map(Definition::RateCard)
        }
    }
}

/// A document with nothing else in it.
fn alone(found: &Found<Definition>) -> DraftScope {
    let mut scope = DraftScope::default();
    let at = found.at.clone();
    match found.value.clone() {
        Definition::Meter(value) => scope.meters.push(Found { at, value }),
        Definition::Plan(value) => scope.plans.push(Found { at, value }),
        Definition::RateCard(value) => scope.rate_cards.push(Found { at, value }),
    }
    scope
}
