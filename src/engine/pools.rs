//! The pools of one version of a catalog: which there are, and how an account stands to them. Looked up by hash, and nothing where
//! a tenant has none; the next version shares with it what did not change.

use super::contents::{Shared, empty};
use crate::domain::account::Account;
use crate::domain::name::{AccountName, MeterName};
use crate::domain::pool::{Join, Pool, membership};
use crate::domain::time::{Period, Timestamp};
use std::sync::Arc;

/// A tenant's pools and the choices of its accounts.
#[derive(Clone)]
pub struct Pools {
    by_account: Shared<Arc<str>, Arc<Pool>>,
    /// By member, those that name it, and when.
    by_member: Shared<Arc<str>, Vec<(Arc<Pool>, Period)>>,
    /// Those that have a rule.
    ruled: Arc<Vec<Arc<Pool>>>,
    /// By account, the pool that it chose.
    chosen: Shared<Arc<str>, AccountName>,
}

impl Default for Pools {
    fn default() -> Pools {
        Pools { by_account: empty(), by_member: empty(), ruled: Arc::default(), chosen: empty() }
    }
}

/// How an account stands to the pools that there are on a meter.
#[derive(Default)]
pub struct Standing {
    /// The pools that the account is, or is below.
    pub within: Vec<Arc<Pool>>,
    /// The pools that it is a member of, at some time.
    pub memberships: Vec<Membership>,
    /// The pool that it chose.
    pub choice: Option<Choice>,
}

/// A pool and when an account is a member of it.
pub struct Membership {
    /// The pool.
    pub pool: Arc<Pool>,
    /// When.
    pub stretches: Vec<Period>,
}

/// The pool that an account chose.
pub enum Choice {
    /// It is there, with those of its overflow list that are to be chosen on the meter.
    Pool(Arc<Pool>, Vec<Arc<Pool>>),
    /// It is no more.
    Gone(AccountName),
}

impl Pools {
    /// Puts in a pool that is not there.
    pub fn put(&mut self, pool: Pool) {
        let pool = Arc::new(pool);
        for member in &pool.members {
            let mut pools = self.by_member.get(member.account.as_str()).cloned().unwrap_or_default();
            pools.push((pool.clone(), member.period));
            self.by_member.insert_mut(member.account.as_str().into(), pools);
        }
        if !pool.rule.is_empty() {
            Arc::make_mut(&mut self.ruled).push(pool.clone());
        }
        self.by_account.insert_mut(pool.account.as_str().into(), pool);
    }

    /// Takes a pool out, if it is there.
    pub fn remove(&mut self, account: &AccountName) {
        let Some(pool) = self.by_account.get(account.as_str()).cloned() else { return };
        self.by_account.remove_mut(account.as_str());
        for member in &pool.members {
            let mut pools = self.by_member.get(member.account.as_str()).cloned().unwrap_or_default();
            pools.retain(|(other, _)| !Arc::ptr_eq(other, &pool));
            if pools.is_empty() {
                self.by_member.remove_mut(member.account.as_str());
            } else {
                self.by_member.insert_mut(member.account.as_str().into(), pools);
            }
        }
        if !pool.rule.is_empty() {
            Arc::make_mut(&mut self.ruled).retain(|other| !Arc::ptr_eq(other, &pool));
        }
    }

    /// An account chooses a pool, or none.
    pub fn choose(&mut self, account: &AccountName, pool: Option<AccountName>) {
        match pool {
            Some(pool) => self.chosen.insert_mut(account.as_str().into(), pool),
            None => drop(self.chosen.remove_mut(account.as_str())),
        }
    }

    /// All pools, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Pool>> {
        self.by_account.values()
    }

    /// The pool that an account chose itself, whatever has become of it.
    pub fn choice_of(&self, account: &str) -> Option<&AccountName> {
        self.chosen.get(account)
    }

    /// Whether an account is a pool, on whatever meter.
    pub fn has(&self, account: &str) -> bool {
        self.by_account.contains_key(account)
    }

    /// How an account stands on a meter (`None`: on any), by the records of its chain. A membership, and a choice, hold for all
    /// that is below.
    pub fn standing<'a>(
        &self,
        account: &AccountName,
        meter: Option<&MeterName>,
        record: impl Fn(&str) -> Option<&'a Account>,
    ) -> Standing {
        let mut standing = Standing::default();
        if self.by_account.is_empty() {
            return standing;
        }
        let covers = |pool: &Arc<Pool>| meter.is_none_or(|meter| pool.covers(meter));
        for name in account.chain() {
            standing.within.extend(self.by_account.get(name).filter(|pool| covers(pool)).cloned());
            let named = self.by_member.get(name).into_iter().flatten();
            for (pool, period) in named.filter(|(pool, _)| covers(pool)) {
                standing.member_of(pool).push(*period);
            }
            if let Some(record) = record(name) {
                let by_rule = |pool: &&Arc<Pool>| covers(pool) && pool.ruled_in(&record.labels);
                for pool in self.ruled.iter().filter(by_rule) {
                    standing.member_of(pool).push(Period::ALWAYS);
                }
            }
            if let (Some(chosen), Some(meter)) = (self.chosen.get(name), meter) {
                // One that means nothing on this meter leaves what was chosen above.
                standing.choice = self.choice(chosen, meter).or(standing.choice);
            }
        }
        standing
    }

    /// What a choice means on a meter: nothing where the pool is none on it, joins in any case, or where no pool is to be chosen.
    fn choice(&self, chosen: &AccountName, meter: &MeterName) -> Option<Choice> {
        let to_be_chosen = |pool: &Arc<Pool>| pool.join == Join::Chosen && pool.covers(meter);
        match self.by_account.get(chosen.as_str()) {
            Some(pool) => to_be_chosen(pool).then(|| {
                let next = pool.overflow.iter().filter_map(|next| self.by_account.get(next.as_str()));
                Choice::Pool(pool.clone(), next.filter(|next| to_be_chosen(next)).cloned().collect())
            }),
            // To fall back to the account's own limits would be silent: who is to pay must be chosen anew.
            None => self.all().any(to_be_chosen).then(|| Choice::Gone(chosen.clone())),
        }
    }
}

impl Standing {
    /// When the account is a member of a pool; never, if it is none.
    pub fn stretches(&self, pool: &Arc<Pool>) -> &[Period] {
        let found = self.memberships.iter().find(|membership| Arc::ptr_eq(&membership.pool, pool));
        found.map_or(&[], |membership| &membership.stretches)
    }

    /// The pools that the account is a member of at `now`.
    pub fn pools_at(&self, now: Timestamp) -> Vec<Arc<Pool>> {
        let current = self.memberships.iter().filter(|known| membership(&known.stretches, now).0);
        current.map(|known| known.pool.clone()).collect()
    }

    fn member_of(&mut self, pool: &Arc<Pool>) -> &mut Vec<Period> {
        let known = self.memberships.iter().position(|membership| Arc::ptr_eq(&membership.pool, pool));
        let at = known.unwrap_or_else(|| {
            self.memberships.push(Membership { pool: pool.clone(), stretches: Vec::new() });
            self.memberships.len() - 1
        });
        &mut self.memberships[at].stretches
    }
}
