//! Usage: every window of every meter of one account, live (S0.05, S0.12, S0.14).

use crate::domain::amount;
use crate::domain::counter::{Gauge, Usage};
use crate::domain::meter::Meter;
use crate::domain::name::{AccountName, MeterName};
use crate::domain::quota::{Effective, Enforcement};
use crate::domain::time::{Period, Timestamp};
use crate::domain::window::{Window, WindowKind};
use crate::engine::authority::{Authority, stamp, unexpected};
use crate::engine::call::{CallError, MeterUsage, UsageState, WindowUsage};
use crate::engine::manage::LiveUse;
use crate::engine::operation::{Outcome, Verb};
use crate::engine::plan::plan_usage;
use crate::engine::ports::Boxed;
use crate::engine::snapshot::Level;
use std::sync::{Arc, Mutex, PoisonError};

/// Meters read in one step.
const AT_ONCE: usize = 64;

impl Authority {
    /// Reads one account's windows on one meter, or on all that the tenant sees, as of the store's time.
    ///
    /// # Errors
    /// [`CallError`] for an unknown meter or a store that can't answer.
    pub async fn usage(
        &self,
        tenant: &AccountName,
        account: &AccountName,
        meter: Option<&MeterName>,
    ) -> Result<(Timestamp, Vec<MeterUsage>), CallError> {
        let meters = self.meters(tenant, meter).await?;
        let mut report = Vec::with_capacity(meters.len());
        let mut as_of = self.runner.clock.now();
        for some in meters.chunks(AT_ONCE) {
            let (now, usages) = self.read(tenant, account, some).await?;
            as_of = now;
            report.extend(usages);
        }
        Ok((as_of, report))
    }

    /// One meter, or all that the database has now.
    async fn meters(&self, tenant: &AccountName, wanted: Option<&MeterName>) -> Result<Vec<Arc<Meter>>, CallError> {
        let snapshots = &self.runner.snapshots;
        let kept = snapshots.get(tenant.as_str(), 0).await?;
        if let Some(meter) = wanted.and_then(|name| kept.meter(name)) {
            return Ok(vec![meter.clone()]);
        }
        let snapshot = snapshots.newer(tenant.as_str(), kept.version()).await.unwrap_or(kept);
        match wanted {
            None => Ok(snapshot.meters().into_iter().cloned().collect()),
            Some(name) => match snapshot.meter(name) {
                Some(meter) => Ok(vec![meter.clone()]),
                None => Err(CallError::MeterNotFound(vec![(0, name.to_string())])),
            },
        }
    }

    async fn read(
        &self,
        tenant: &AccountName,
        account: &AccountName,
        meters: &[Arc<Meter>],
    ) -> Result<(Timestamp, Vec<MeterUsage>), CallError> {
        let tenant = self.open(tenant);
        // The levels of the plan that was finally decided: planning again replaces them.
        let planned: Mutex<Vec<(Arc<Meter>, Arc<Level>)>> = Mutex::default();
        let done = self
            .runner
            .run(&tenant, stamp(&tenant, None, 0), &|snapshot, now| {
                let meters: Vec<Arc<Meter>> =
                    meters.iter().filter_map(|meter| snapshot.meter(&meter.name).cloned()).collect();
                let (plan, levels) = plan_usage(snapshot, account, &meters, now);
                *planned.lock().unwrap_or_else(PoisonError::into_inner) = meters.into_iter().zip(levels).collect();
                Ok((Verb::Usage, Some(Arc::new(plan))))
            })
            .await?;
        let Outcome::Usage(gauges) = done.outcome else { return Err(unexpected()) };
        let planned = planned.into_inner().unwrap_or_else(PoisonError::into_inner);
        let usages = planned
            .iter()
            .zip(gauges)
            .map(|((meter, level), (gauges, top_up))| meter_usage(meter, level, &gauges, top_up, done.now))
            .collect();
        Ok((done.now, usages))
    }
}

impl LiveUse for Authority {
    fn windows<'a>(
        &'a self,
        account: &'a AccountName,
        meter: &'a MeterName,
    ) -> Boxed<'a, Result<Option<MeterUsage>, CallError>> {
        Box::pin(async move {
            let tenant = AccountName::tenant_from(account.tenant()).map_err(|_| unexpected())?;
            Ok(self.usage(&tenant, account, Some(meter)).await?.1.pop())
        })
    }
}

fn meter_usage(meter: &Meter, level: &Level, gauges: &[Gauge], top_up: Usage, now: Timestamp) -> MeterUsage {
    let quota = &level.bound.quota;
    let windows = level
        .compiled()
        .zip(gauges)
        .map(|(window, gauge)| {
            let limit = quota.limits.iter().find(|limit| limit.window.id() == window.id());
            window_usage(meter, window, limit, gauge, now)
        })
        .collect();
    MeterUsage {
        meter: meter.name.clone(),
        unit: meter.unit.clone(),
        decimals: meter.decimals,
        windows,
        top_up_remaining: quota.top_up.map(|limit| limit.min(amount::MAX).saturating_sub(top_up.used + top_up.held)),
    }
}

fn window_usage(
    meter: &Meter,
    window: &Window,
    limit: Option<&Effective>,
    gauge: &Gauge,
    now: Timestamp,
) -> WindowUsage {
    let usage = gauge.usage(now);
    let finite = limit.and_then(|limit| limit.limit);
    let period = window.period_at(now);
    let calendar = !matches!(window.kind(), WindowKind::Lifetime | WindowKind::Sliding | WindowKind::Rate);
    WindowUsage {
        kind: window.kind(),
        limit: finite,
        own: limit.and_then(|limit| limit.own),
        raised_until: limit.and_then(|limit| limit.raised_until),
        origin: limit.map(|limit| (limit.origin, limit.subject.clone())),
        used: usage.used,
        held: usage.held,
        state: finite.map_or(UsageState::Normal, |limit| state(meter, gauge, usage, limit, now)),
        period: if calendar { period } else { Period::ALWAYS },
        reset: gauge.renewal(now),
        time_zone: if calendar { window.zone_name().to_owned() } else { String::new() },
        enforcement: limit.map_or(Enforcement::Enforce, |limit| limit.enforcement),
    }
}

/// EXHAUSTED: nothing remains, holds counted (S0.12, S0.13); LOW: used above the threshold, strictly; else NORMAL.
fn state(meter: &Meter, gauge: &Gauge, usage: Usage, limit: u64, now: Timestamp) -> UsageState {
    let used = u128::from(usage.used) + u128::from(usage.held);
    if gauge.remaining(limit, now) <= 0 {
        UsageState::Exhausted
    } else if used * 100 > u128::from(limit) * u128::from(meter.warn_percent) {
        UsageState::Low
    } else {
        UsageState::Normal
    }
}
