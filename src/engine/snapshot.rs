//! Snapshots: one version of one tenant's catalog in memory, with what was looked up in it kept for the next call.

use super::call::ChargeRequest;
use super::contents::Contents;
use super::limits::{DEFAULT_ZONE, Limits, Planned, SharedLimits};
use super::operation::{Bound, CounterPlan, Plan};
use super::plan::add;
use super::pools::Standing;
use super::ports::{CatalogChanges, CatalogData, CounterKey};
use crate::domain::account::{Account, AccountPolicy, AccountState};
use crate::domain::levels::Levels;
use crate::domain::meter::Meter;
use crate::domain::moved::Move;
use crate::domain::name::{AccountName, MeterId, MeterName, Uid};
use crate::domain::pool::Pool;
use crate::domain::rate_card::{RateCard, in_force};
use crate::domain::reservation::{self, About};
use crate::domain::time::{Period, Timestamp};
use crate::domain::window::{Window, Windows};
use arc_swap::ArcSwap;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::borrow::Cow;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Chains kept by shard; beyond that a shard starts anew, so that a flood of names costs time and not memory.
const CHAINS_PER_SHARD: usize = 8192;
const SHARDS: usize = 16;

/// One version of one tenant's catalog.
pub struct Snapshot {
    version: u64,
    contents: Contents,
    limits: SharedLimits,
    chains: Vec<Mutex<Chains>>,
    hasher: foldhash::fast::RandomState,
    /// Whether the tenant registers its accounts, once that was asked.
    registers: OnceLock<bool>,
}

type Chains = HashTable<Kept>;

/// A chain that was looked up, by the name that it was asked for.
struct Kept {
    hash: u64,
    account: AccountName,
    meter: MeterId,
    chain: Arc<Chain>,
}

/// An account's chain on one meter: the tenant first, the account itself last.
pub struct Chain {
    /// The levels.
    pub levels: Vec<Arc<Level>>,
    /// What a charge of the account is about that says nothing else.
    pub about: Arc<About>,
    /// The levels as a charge freezes them.
    pub path: Levels<reservation::Level>,
    /// The first of its accounts that is suspended or closed.
    pub inactive: Option<Arc<str>>,
    /// How the account stands to the tenant's pools.
    pub standing: Standing,
    /// The time zone of the account's windows that name none.
    zone: Arc<str>,
    /// When these are the limits in force: a raise ends by itself.
    valid: Period,
    plan: ArcSwap<Plan>,
}

/// One account on one meter.
pub struct Level {
    /// The account, the meter and what binds them.
    pub bound: Arc<Bound>,
    limits: Arc<Limits>,
}

impl Snapshot {
    /// Builds the look-ups of one version.
    pub fn new(data: CatalogData) -> Snapshot {
        Snapshot::of(data.version, Contents::new(data), Arc::default())
    }

    /// The next version: it shares with this one all that did not change.
    pub fn changed(&self, changes: CatalogChanges) -> Snapshot {
        Snapshot::of(changes.version, self.contents.changed(changes), self.limits.windows())
    }

    fn of(version: u64, contents: Contents, windows: Arc<Windows>) -> Snapshot {
        Snapshot {
            version,
            contents,
            limits: SharedLimits::new(windows),
            chains: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: foldhash::fast::RandomState::default(),
            registers: OnceLock::new(),
        }
    }

    /// The version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// A meter by name.
    pub fn meter(&self, name: &MeterName) -> Option<&Arc<Meter>> {
        self.contents.meter(name)
    }

    /// All meters, by name.
    pub fn meters(&self) -> Vec<&Arc<Meter>> {
        let mut all: Vec<_> = self.contents.meters().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Whether an account may be charged at all: in a tenant that registers its accounts, only one with a record, or a pool.
    pub fn knows(&self, account: &AccountName) -> bool {
        let registers = |record: &Account| record.account_policy == AccountPolicy::Registered;
        if !self.registers.get_or_init(|| self.contents.account(account.tenant()).is_some_and(registers)) {
            return true;
        }
        let account = self.today(account);
        self.contents.account(account.as_str()).is_some() || self.contents.pools.has(account.as_str())
    }

    /// The pools that an account is a member of at `now`; `None`: all pools. By account.
    pub fn pools(&self, member: Option<&AccountName>, now: Timestamp) -> Vec<Arc<Pool>> {
        let mut found = match member {
            Some(member) => self.contents.standing(&self.today(member), None).pools_at(now),
            None => self.contents.pools.all().cloned().collect(),
        };
        found.sort_by(|a, b| a.account.cmp(&b.account));
        found
    }

    /// The pool that an account chose itself.
    pub fn choice(&self, account: &AccountName) -> Option<&AccountName> {
        self.contents.pools.choice_of(self.today(account).as_str())
    }

    /// The name that an account has today, of whichever name it was ever given.
    pub fn today<'a>(&self, name: &'a AccountName) -> Cow<'a, AccountName> {
        self.contents.names.today(name)
    }

    /// Every name that an account was given before the one of today.
    pub fn former(&self, today: &AccountName) -> Vec<AccountName> {
        self.contents.names.former(today)
    }

    /// The move of an account that is under way.
    pub fn moving(&self, name: &AccountName) -> Option<&Move> {
        self.contents.names.moving(name)
    }

    /// Whether any account of the tenant was ever moved, or is being moved.
    pub fn has_moves(&self) -> bool {
        !self.contents.names.is_empty()
    }

    /// Charges by the names of today.
    pub fn charges<'a>(&self, charges: &'a [ChargeRequest]) -> Cow<'a, [ChargeRequest]> {
        self.contents.names.charges(charges)
    }

    /// Whether an account is being moved, or is one that a new name would have been derived from.
    pub fn is_moving(&self, account: Uid) -> bool {
        self.contents.names.is_moving(account)
    }

    /// The account behind a name, and those above it, the tenant first.
    pub fn uids(&self, name: &AccountName) -> Vec<Uid> {
        self.contents.names.uids(&self.today(name))
    }

    /// The rate card of a meter in force at a time, and the time in which it is that one; `None`: none is.
    pub fn rate_card(&self, meter: &Meter, at: Timestamp) -> (Option<&RateCard>, Period) {
        in_force(self.contents.rate_cards(meter.name.id()), at)
    }

    /// The chain of an account on a meter with the limits in force at `now`. Looked up once, then kept until a raise ends.
    pub fn chain(&self, account: &AccountName, meter: &Meter, now: Timestamp) -> Arc<Chain> {
        let id = meter.name.id();
        let hash = self.hasher.hash_one((account, id));
        let is_this = |kept: &Kept| kept.hash == hash && kept.meter == id && kept.account == *account;
        if let Some(kept) = self.shard(hash).find(hash, is_this)
            && kept.chain.valid.contains(now)
        {
            return kept.chain.clone();
        }
        let chain = Arc::new(self.resolve_chain(account, meter, now));
        let mut shard = self.shard(hash);
        // Freed when nobody waits for the shard any more: there are many.
        let _gone = (shard.len() >= CHAINS_PER_SHARD).then(|| std::mem::take(&mut *shard));
        match shard.entry(hash, is_this, |kept| kept.hash) {
            Entry::Occupied(mut kept) => kept.get_mut().chain = chain.clone(),
            Entry::Vacant(place) => {
                place.insert(Kept { hash, account: account.clone(), meter: id, chain: chain.clone() });
            }
        }
        drop(shard);
        chain
    }

    /// The part of the chains that has those of a hash.
    fn shard(&self, hash: u64) -> MutexGuard<'_, Chains> {
        // A table looks at the lowest bits and at the highest ones.
        self.chains[(hash >> 32) as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the chain of the account above has, which is shared with all that are below it, and the account itself.
    fn resolve_chain(&self, account: &AccountName, meter: &Meter, now: Timestamp) -> Chain {
        let account = &*self.today(account);
        let above = account.parent().map(|parent| self.chain(&parent, meter, now));
        let (mut levels, inactive, zone, valid) = match &above {
            Some(above) => (above.levels.clone(), above.inactive.clone(), above.zone.clone(), above.valid),
            None => (Vec::new(), None, Arc::from(DEFAULT_ZONE), Period::ALWAYS),
        };
        let record = self.contents.account(account.as_str());
        let zone = record.and_then(|record| record.time_zone.as_deref()).map_or(zone, Arc::from);
        let is_active = record.is_none_or(|record| record.state == AccountState::Active);
        let inactive = inactive.or_else(|| (!is_active).then(|| Arc::from(account.as_str())));
        let limits = self.limits.find(&self.contents, (account, record), meter, &zone, now);
        let valid = valid.intersect(&limits.quota.valid);
        let above = levels.last().map_or(Uid::ROOT, |level| level.bound.key.account);
        let key = CounterKey { account: self.contents.names.uid_below(above, account), meter: meter.name.id() };
        let about = About::of(account.shared(), meter.name.shared(), meter.name.id());
        let quota = limits.quota.clone();
        let bound = Bound { key, account: account.shared(), meter: meter.name.shared(), quota };
        levels.push(Arc::new(Level { bound: Arc::new(bound), limits }));
        levels.shrink_to_fit();
        let standing = self.contents.standing(account, Some(&meter.name));
        Chain {
            path: levels.iter().map(|level| level.frozen()).collect(),
            levels,
            about: Arc::new(about),
            inactive,
            standing,
            zone,
            valid,
            plan: ArcSwap::from_pointee(Plan::default()),
        }
    }
}

impl Chain {
    /// The plan of a charge that counts on this chain and on nothing else. Made once, then kept until a period ends.
    pub fn plan(&self, now: Timestamp) -> Arc<Plan> {
        let kept = self.plan.load();
        if kept.valid.is_some_and(|valid| valid.contains(now)) {
            return Arc::clone(&kept);
        }
        let mut plan = Plan { valid: Some(Period::ALWAYS), ..Plan::default() };
        let path = self.levels.iter().map(|level| add(&mut plan, level, now)).collect();
        plan.paths.push(path);
        let plan = Arc::new(plan);
        self.plan.store(plan.clone());
        plan
    }
}

impl Level {
    /// The level as a charge freezes it, with nothing in its top-up yet.
    pub fn frozen(&self) -> reservation::Level {
        let (account, has_top_up) = (self.bound.key.account, self.bound.quota.top_up.is_some());
        reservation::Level { account, has_top_up, held_top_up: 0, used_top_up: 0 }
    }

    /// Its windows in the periods that contain `now`, which lies in the time of the limits in force.
    pub fn planned(&self, now: Timestamp) -> Arc<Planned> {
        self.limits.planned(now)
    }

    /// The same for a time that is not the present.
    pub fn planned_at(&self, at: Timestamp) -> Planned {
        self.limits.planned_at(at)
    }

    /// The counter's plan from its planned windows.
    pub fn counter_plan(&self, planned: &Planned) -> CounterPlan {
        CounterPlan { bound: self.bound.clone(), windows: planned.windows.clone() }
    }

    /// The windows as they were compiled, in the order of the planned ones.
    pub fn compiled(&self) -> impl Iterator<Item = &Arc<Window>> {
        self.limits.compiled()
    }
}
