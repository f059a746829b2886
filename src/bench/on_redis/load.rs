//! Batches as the micro-batcher sends them: operations planned by the engine, packed by the store.

use crate::bench::workload::Workload;
use crate::domain::name::{IdKey, IdSpace, Uid};
use crate::domain::reservation::{Flags, Reservation, State};
use crate::domain::time::{Span, Timestamp};
use crate::engine::call::ReserveCall;
use crate::engine::operation::{Caps, Charges, Known, Operation, Verb};
use crate::engine::plan::{Amounts, plan_charges};
use crate::engine::ports::Clock;
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshots::Snapshots;
use crate::store::clock::SystemClock;
use crate::store::redis::command::Command;
use crate::store::redis::{quick, request};
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// Longer than the benchmark runs: no deadline comes in between.
const TTL: Span = Span::from_secs(3600);
/// Bounds that it does not reach.
const CAPS: Caps = Caps { open_reservations: 1 << 40, counters: 1 << 40, unflushed: 1 << 40 };

/// What is asked in a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Call {
    /// Reserve.
    Reserve,
    /// The Commit of what the same numbers reserved.
    Commit,
}

/// Makes batches.
pub(super) struct Load {
    workload: Workload,
    snapshots: HashMap<String, Arc<Snapshot>>,
    incarnation: u64,
}

/// One batch: its operations, and what is sent.
pub(super) struct Batch {
    /// The operations, in order.
    pub(super) commands: Vec<Command>,
    /// ARGV of the quick script, and of the general one, which follows if that gave up.
    pub(super) requests: [Vec<u8>; 2],
}

impl Load {
    /// For a partition in this incarnation, by the catalog that `snapshots` have.
    ///
    /// # Errors
    /// A catalog that can't be read.
    pub(super) async fn new(workload: Workload, snapshots: &Snapshots, incarnation: u64) -> Result<Load> {
        let mut all = HashMap::new();
        for tenant in Workload::tenants() {
            all.insert(tenant.clone(), snapshots.get(&tenant, 0).await?);
        }
        Ok(Load { workload, snapshots: all, incarnation })
    }

    /// A batch of `size` calls from number `first` on.
    ///
    /// # Errors
    /// Charges that can't be planned, which a test excludes.
    pub(super) fn batch(&self, call: Call, first: u64, size: u64) -> Result<Batch> {
        let now = SystemClock.now();
        let operation = |number| Ok(Command::Run(Box::new(self.operation(call, number, now)?)));
        let commands = (first..first + size).map(operation).collect::<Result<Vec<_>>>()?;
        let quick = quick::encode(self.incarnation, None, &CAPS, &commands).context("a batch without a quick form")?;
        let general = request::encode(self.incarnation, None, &CAPS, &commands);
        Ok(Batch { commands, requests: [quick, general] })
    }

    fn operation(&self, call: Call, number: u64, now: Timestamp) -> Result<Operation> {
        let asked = self.workload.call(number).context("a name that is none")?;
        let tenant = Uid::of(asked.tenant.as_str());
        let id = asked.reservation_id.clone().unwrap_or_default();
        let key = IdKey::of(tenant, IdSpace::Reservation, &id);
        // A fingerprint need only differ where calls differ.
        let blank = |fingerprint, verb| Operation {
            tenant,
            catalog_version: 0,
            request: None,
            fingerprint,
            verb,
            plan: None,
            known: Known::default(),
        };
        if call == Call::Commit {
            return Ok(blank(
                !number,
                Verb::Commit { key, listed: Charges::default(), is_final: true, recover: None, forced: false },
            ));
        }
        let snapshot = self.snapshots.get(asked.tenant.as_str()).context("a tenant without a catalog")?;
        let (charges, plan) = plan_charges(snapshot, &asked.charges, Amounts::Asked, now)?;
        let template = Arc::new(Reservation { charges, ..template(&asked, tenant, key, number) });
        let verb = Verb::Reserve { template, ttl: TTL, consume: false, fresh: false, tentative: false, granted: None };
        Ok(Operation { catalog_version: snapshot.version(), plan: Some(plan), ..blank(number, verb) })
    }
}

fn template(call: &ReserveCall, tenant: Uid, key: IdKey, fingerprint: u64) -> Reservation {
    Reservation {
        tenant,
        tenant_name: call.tenant.as_str().into(),
        id: call.reservation_id.as_deref().unwrap_or_default().into(),
        key,
        fingerprint,
        state: State::Held,
        flags: Flags::default(),
        create_time: Timestamp::default(),
        expire_time: Timestamp::default(),
        charges: Vec::new(),
        labels: Vec::new(),
        requests: Vec::new(),
    }
}
