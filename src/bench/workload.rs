//! What is asked: who is charged, under which catalog, by which requests.

use crate::app::Node;
use crate::domain::name::{AccountName, MeterName};
use crate::domain::price::Quantities;
use crate::engine::call::{ChargeRequest, ReserveCall, SettleCall};
use crate::engine::manage::Apply;
use crate::proto::v1;
use anyhow::Context;
use std::fmt::Write;

/// The meter.
const METER: &str = "bench.units";
/// Tenants: several, so that every partition has some.
const TENANTS: usize = 16;
/// Accounts that are charged, all tenants together.
pub(super) const ACCOUNTS: usize = 10_000;
/// A limit that is never reached.
const LIMIT: u64 = 1 << 50;

/// Accounts at the end of a chain of some levels, all of them limited by the day and by the month.
#[derive(Clone, Copy, Debug)]
pub(super) struct Workload {
    levels: usize,
}

impl Workload {
    /// With so many accounts on each path, at least the tenant.
    pub(super) fn new(levels: usize) -> Workload {
        Workload { levels: levels.clamp(1, 8) }
    }

    /// The tenants.
    pub(super) fn tenants() -> impl Iterator<Item = String> {
        (0..TENANTS).map(tenant_name)
    }

    /// The catalog. It stays within its own tenants, so that a server that has others may be measured too.
    pub(super) fn catalog(self) -> String {
        let mut yaml = String::from("tenants:\n");
        for name in Workload::tenants() {
            // Writing into a string can't fail.
            let _ = write!(yaml, "  - name: {name}\n    meters:\n      - {{name: {METER}, unit: unit}}\n    quotas:\n");
            let mut subject = name;
            for level in 1..=self.levels {
                let limits = format!("{{day: {LIMIT}, month: {LIMIT}}}");
                let _ = writeln!(yaml, "      - {{subject: {subject}, meter: {METER}, limits: {limits}}}");
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

    /// The tenant of the charge number `number`.
    pub(super) fn tenant(self, number: u64) -> String {
        tenant_name(account(number) % TENANTS)
    }

    /// The charged account.
    fn account(self, number: u64) -> String {
        // Within its tenant.
        let account = account(number) / TENANTS;
        let mut name = self.tenant(number);
        for level in 1..self.levels {
            // The last level has every account, those above have ever fewer.
            let id = account >> (2 * (self.levels - 1 - level));
            let _ = write!(name, "/{}/{id}", collection(level));
        }
        name
    }

    fn charge(self, number: u64) -> v1::Charge {
        v1::Charge { account: self.account(number), meter: METER.into(), amount: Some(1), ..Default::default() }
    }

    /// A Reserve over gRPC.
    pub(super) fn reserve(self, number: u64) -> v1::ReserveRequest {
        v1::ReserveRequest {
            tenant: self.tenant(number),
            reservation_id: id(number),
            charges: vec![self.charge(number)],
            ..Default::default()
        }
    }

    /// Its Commit.
    pub(super) fn commit(self, number: u64) -> v1::CommitRequest {
        v1::CommitRequest { tenant: self.tenant(number), reservation_id: id(number), ..Default::default() }
    }

    /// A Consume over gRPC.
    pub(super) fn consume(self, number: u64) -> v1::ConsumeRequest {
        v1::ConsumeRequest {
            tenant: self.tenant(number),
            reservation_id: id(number),
            charges: vec![self.charge(number)],
            ..Default::default()
        }
    }

    /// A Reserve or Consume of the engine; `None` if a name is none, which a test excludes.
    pub(super) fn call(self, number: u64) -> Option<ReserveCall> {
        let charge = ChargeRequest {
            account: self.account(number).parse::<AccountName>().ok()?,
            meter: METER.parse::<MeterName>().ok()?,
            amount: Some(1),
            quantities: Quantities::default(),
            item: String::new(),
            service: String::new(),
            also: Vec::new(),
        };
        Some(ReserveCall {
            tenant: AccountName::tenant_from(&self.tenant(number)).ok()?,
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

/// Which account a charge is for: neighbours in number go to distinct accounts.
fn account(number: u64) -> usize {
    usize::try_from(number.wrapping_mul(7919) % ACCOUNTS as u64).unwrap_or(0)
}

fn tenant_name(tenant: usize) -> String {
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
    fn charges_go_to_distinct_accounts() {
        let workload = Workload::new(3);
        let accounts: HashSet<String> = (0..ACCOUNTS as u64).map(|number| workload.account(number)).collect();
        assert_eq!(accounts.len(), ACCOUNTS);
        let catalog = workload.catalog();
        assert!(catalog.contains("subject: tenants/bench-07/teams/-/users/-,"), "{catalog}");
    }
}
