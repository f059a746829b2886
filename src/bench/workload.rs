//! What is asked: who is charged, under which catalog, by which requests.

use super::spread::{Spread, in_turn, skewed};
use crate::app::Node;
use crate::domain::name::{AccountName, MeterName};
use crate::domain::price::Quantities;
use crate::domain::window::WindowKind;
use crate::engine::call::{ChargeRequest, ReserveCall, SettleCall};
use crate::engine::manage::Apply;
use crate::proto::v1;
use anyhow::Context;
use std::fmt::Write;

/// The meter.
const METER: &str = "bench.units";
/// Tenants: several, so that every partition has some.
const TENANTS: u64 = Workload::TENANTS;
/// Accounts that are charged where nothing else is said, all tenants together.
pub(super) const ACCOUNTS: u64 = 10_000;
/// A limit that is never reached.
const LIMIT: u64 = 1 << 50;
/// The windows of each limit, the first so many of these.
pub(super) const WINDOWS: [WindowKind; 6] =
    [WindowKind::Day, WindowKind::Month, WindowKind::Hour, WindowKind::Week, WindowKind::Year, WindowKind::Lifetime];

/// Accounts at the end of a chain of some levels, all of them limited in some windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Workload {
    /// Accounts on each path, at least the tenant.
    pub(super) levels: usize,
    /// Windows of each account's limit.
    pub(super) windows: usize,
    /// Accounts that are charged, at least one for each tenant. With one level these are the tenants themselves.
    pub(super) accounts: u64,
    /// How charges are spread over them.
    pub(super) spread: Spread,
    /// The limit of each window is higher by that: so the catalog can change without a change to any decision.
    pub(super) higher: u64,
}

/// Whom a charge is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Place {
    tenant: u64,
    /// Within its tenant.
    account: u64,
}

impl Place {
    /// The account with this number, of all accounts of all tenants.
    pub(super) fn of(account: u64) -> Place {
        Place { tenant: account % TENANTS, account: account / TENANTS }
    }

    /// The tenant's name.
    pub(super) fn tenant(self) -> String {
        tenant_name(self.tenant)
    }
}

impl Workload {
    /// How many tenants there are.
    pub(super) const TENANTS: u64 = 16;

    /// What is asked where nothing else is said, with so many accounts on each path.
    pub(super) fn new(levels: usize) -> Workload {
        Workload { levels: levels.clamp(1, 8), windows: 2, accounts: ACCOUNTS, spread: Spread::Uniform, higher: 0 }
    }

    /// The tenants.
    pub(super) fn tenants() -> impl Iterator<Item = String> {
        (0..TENANTS).map(tenant_name)
    }

    /// The catalog: patterns, so that any number of accounts needs no more of it. It stays within its own tenants, so that a
    /// server that has others may be measured too.
    pub(super) fn catalog(self) -> String {
        let limit = LIMIT + self.higher;
        let limits: Vec<String> =
            WINDOWS.iter().take(self.windows).map(|window| format!("{}: {limit}", window.as_str())).collect();
        let limits = limits.join(", ");
        let mut yaml = String::from("tenants:\n");
        for name in Workload::tenants() {
            // Writing into a string can't fail.
            let _ = write!(yaml, "  - name: {name}\n    meters:\n      - {{name: {METER}, unit: unit}}\n    quotas:\n");
            let mut subject = name;
            for level in 1..=self.levels {
                let _ = writeln!(yaml, "      - {{subject: {subject}, meter: {METER}, limits: {{{limits}}}}}");
                let _ = write!(subject, "/{}/-", collection(level));
            }
        }
        yaml
    }

    /// Applies the catalog to a node.
    ///
    /// # Errors
    /// A store that can't keep it.
    pub(super) async fn apply(self, node: &Node) -> anyhow::Result<()> {
        let yaml = self.catalog();
        let catalog = Apply {
            tenant: None,
            yaml: yaml.as_bytes(),
            dry_run: false,
            prune: false,
            etag: None,
            actor: "bench",
            now: node.clock.now(),
        };
        node.catalogs.apply(catalog).await.context("the benchmark's catalog")?;
        Ok(())
    }

    /// Whom the charge number `number` is for.
    pub(super) fn place(self, number: u64) -> Place {
        match self.spread {
            Spread::Uniform => self.within(Place { tenant: number % TENANTS, account: 0 }, number),
            Spread::Skewed => Place::of(skewed(number, self.accounts)),
            Spread::Hot => Place::of(0),
        }
    }

    /// The same of a charge that must be within this place's tenant, as all of a batch are.
    pub(super) fn within(self, place: Place, number: u64) -> Place {
        // Every sixteenth account is one of the tenant's.
        let count = self.accounts.saturating_sub(place.tenant).div_ceil(TENANTS).max(1);
        let account = match self.spread {
            Spread::Uniform => in_turn(number / TENANTS, count),
            Spread::Skewed => skewed(number, count),
            Spread::Hot => place.account,
        };
        Place { account, ..place }
    }

    /// Counters once every account was charged: its own and those of the accounts above it.
    pub(super) fn counters(self) -> u64 {
        let of_tenant = |tenant: u64| {
            let charged = self.accounts.saturating_sub(tenant).div_ceil(TENANTS);
            let levels = (1..self.levels).map(|level| charged.div_ceil(1 << (2 * (self.levels - 1 - level))));
            levels.sum::<u64>() + 1
        };
        (0..TENANTS).map(of_tenant).sum()
    }

    /// The charged account.
    fn account(self, place: Place) -> String {
        let mut name = place.tenant();
        for level in 1..self.levels {
            // The last level has every account, those above have ever fewer.
            let id = place.account >> (2 * (self.levels - 1 - level));
            let _ = write!(name, "/{}/{id}", collection(level));
        }
        name
    }

    /// A Check over gRPC.
    pub(super) fn check(self, place: Place) -> v1::CheckRequest {
        v1::CheckRequest { tenant: place.tenant(), charges: vec![self.charge(place)] }
    }

    /// A charge of 1.
    fn charge(self, place: Place) -> v1::Charge {
        v1::Charge { account: self.account(place), meter: METER.into(), amount: Some(1), ..Default::default() }
    }

    /// The Reserve number `number` over gRPC.
    pub(super) fn reserve(self, place: Place, number: u64) -> v1::ReserveRequest {
        v1::ReserveRequest {
            tenant: place.tenant(),
            reservation_id: id(number),
            charges: vec![self.charge(place)],
            ..Default::default()
        }
    }

    /// Its Commit.
    pub(super) fn commit(self, place: Place, number: u64) -> v1::CommitRequest {
        v1::CommitRequest { tenant: place.tenant(), reservation_id: id(number), ..Default::default() }
    }

    /// The Consume number `number` over gRPC.
    pub(super) fn consume(self, place: Place, number: u64) -> v1::ConsumeRequest {
        v1::ConsumeRequest {
            tenant: place.tenant(),
            reservation_id: id(number),
            charges: vec![self.charge(place)],
            ..Default::default()
        }
    }

    /// A Consume that charges all of these, which are one tenant's.
    pub(super) fn consume_all(self, places: &[Place], number: u64) -> Option<v1::ConsumeRequest> {
        let charges = places.iter().map(|place| self.charge(*place)).collect();
        Some(v1::ConsumeRequest { charges, ..self.consume(*places.first()?, number) })
    }

    /// A Reserve or Consume of the engine; `None` if a name is none, which a test excludes.
    pub(super) fn call(self, number: u64) -> Option<ReserveCall> {
        let place = self.place(number);
        let charge = ChargeRequest {
            account: self.account(place).parse::<AccountName>().ok()?,
            meter: METER.parse::<MeterName>().ok()?,
            amount: Some(1),
            quantities: Quantities::default(),
            item: String::new(),
            service: String::new(),
            also: Vec::new(),
        };
        Some(ReserveCall {
            tenant: AccountName::tenant_from(&place.tenant()).ok()?,
            reservation_id: Some(id(number)),
            request_id: None,
            charges: vec![charge],
            ttl: None,
            labels: Vec::new(),
            wait_for_durable: false,
        })
    }

    /// The Commit of a Reserve of the engine.
    pub(super) fn settle(call: &ReserveCall) -> SettleCall {
        SettleCall {
            tenant: call.tenant.clone(),
            reservation_id: call.reservation_id.clone().unwrap_or_default(),
            request_id: None,
            charges: Vec::new(),
            wait_for_durable: false,
        }
    }
}

fn tenant_name(tenant: u64) -> String {
    format!("tenants/bench-{tenant:02}")
}

fn collection(level: usize) -> &'static str {
    ["tenants", "teams", "users", "projects", "jobs", "steps", "parts", "items"][level.min(7)]
}

/// The reservation's id; the process is in it so that a second run against the same server repeats nothing.
fn id(number: u64) -> String {
    format!("bench-{:08x}-{number:012x}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_call_is_well_formed_and_charges_a_chain_of_that_length() {
        for levels in 1..=8 {
            let workload = Workload::new(levels);
            for number in [0, 1, 77, u64::from(u32::MAX)] {
                let call = workload.call(number).unwrap();
                assert_eq!(call.charges[0].account.depth(), levels);
                assert!(call.charges[0].account.is_within(call.tenant.as_str()));
            }
        }
    }

    #[test]
    fn uniform_charges_reach_every_account_once_and_the_others_their_own() {
        for accounts in [1_000, ACCOUNTS, 12_345] {
            let workload = Workload { accounts, ..Workload::new(3) };
            let names: HashSet<String> = (0..accounts).map(|number| workload.account(workload.place(number))).collect();
            assert_eq!(names.len() as u64, accounts);
            let all: HashSet<String> = (0..accounts).map(|account| workload.account(Place::of(account))).collect();
            assert_eq!(names, all);
            let chain = |name: &String| {
                let name: AccountName = name.parse().unwrap();
                name.chain().map(String::from).collect::<Vec<_>>()
            };
            let counters: HashSet<String> = all.iter().flat_map(chain).collect();
            assert_eq!(workload.counters(), counters.len() as u64);
        }
        let hot = Workload { spread: Spread::Hot, ..Workload::new(3) };
        assert!((0..100).all(|number| hot.account(hot.place(number)) == "tenants/bench-00/teams/0/users/0"));
        let skewed = Workload { spread: Spread::Skewed, ..Workload::new(3) };
        let first = (0..1_000).filter(|number| skewed.place(*number) == Place::of(0)).count();
        assert!((50..100).contains(&first), "{first}");
    }

    #[test]
    fn a_batch_stays_within_its_tenant() {
        for spread in [Spread::Uniform, Spread::Skewed, Spread::Hot] {
            let workload = Workload { spread, accounts: 1_000, ..Workload::new(3) };
            let place = workload.place(12_345);
            for number in 0..5_000 {
                let other = workload.within(place, number);
                assert_eq!(other.tenant, place.tenant);
                assert!(other.account * TENANTS + other.tenant < 1_000, "{other:?}");
            }
        }
    }

    #[test]
    fn the_catalog_has_a_pattern_for_each_level_and_so_many_windows() {
        let catalog = Workload { windows: 6, ..Workload::new(3) }.catalog();
        let line =
            "subject: tenants/bench-07/teams/-/users/-, meter: bench.units, limits: {day: 1125899906842624, month:";
        assert!(catalog.contains(line), "{catalog}");
        assert!(catalog.contains("lifetime: 1125899906842624}"), "{catalog}");
        assert!(!Workload::new(3).catalog().contains("hour"));
    }
}
