//! Meters.

use super::reservation::signed;
use crate::domain::meter::{Admission, ChargeMoment, DefaultPolicy, Expiry, FailurePolicy, Family, Meter, Overage};
use crate::proto::v1;

/// A meter as the protocol shows it.
pub fn meter(meter: &Meter) -> v1::Meter {
    v1::Meter {
        name: meter.name.to_string(),
        tenant: meter.tenant.clone().unwrap_or_default(),
        display_names: meter.display_names.clone().into_iter().collect(),
        unit_names: meter.unit_names.clone().into_iter().collect(),
        unit: meter.unit.clone(),
        decimals: meter.decimals.into(),
        min_limit: Some(signed(meter.min_limit)),
        max_limit: meter.max_limit.map(signed),
        family: family(meter.rules.family).into(),
        admission: admission(meter.rules.admission).into(),
        overage: overage(meter.rules.overage).into(),
        expiry: expiry(meter.rules.expiry).into(),
        charge: charge(meter.rules.charge).into(),
        warn_percent: Some(meter.warn_percent.into()),
        default_policy: default_policy(meter.default_policy).into(),
        failure_policy: failure_policy(meter.failure_policy).into(),
        may_be_unlimited: meter.may_be_unlimited,
        ordered_limits: meter.ordered_limits,
        within_parent: meter.within_parent,
    }
}

fn family(family: Family) -> v1::MeterFamily {
    match family {
        Family::Consumption => v1::MeterFamily::Consumption,
        Family::Allocation => v1::MeterFamily::Allocation,
    }
}

fn admission(rule: Admission) -> v1::AdmissionRule {
    match rule {
        Admission::Fits => v1::AdmissionRule::Fits,
        Admission::Positive => v1::AdmissionRule::Positive,
    }
}

fn overage(rule: Overage) -> v1::OverageRule {
    match rule {
        Overage::Record => v1::OverageRule::Record,
        Overage::Cap => v1::OverageRule::Cap,
        Overage::Refuse => v1::OverageRule::Refuse,
    }
}

fn expiry(rule: Expiry) -> v1::ExpiryRule {
    match rule {
        Expiry::GiveBack => v1::ExpiryRule::GiveBack,
        Expiry::Charge => v1::ExpiryRule::Charge,
        Expiry::Park => v1::ExpiryRule::Park,
    }
}

fn charge(moment: ChargeMoment) -> v1::ChargeRule {
    match moment {
        ChargeMoment::OnCommit => v1::ChargeRule::OnCommit,
        ChargeMoment::OnReserve => v1::ChargeRule::OnReserve,
    }
}

fn default_policy(policy: DefaultPolicy) -> v1::DefaultPolicy {
    match policy {
        DefaultPolicy::Allow => v1::DefaultPolicy::Allow,
        DefaultPolicy::Deny => v1::DefaultPolicy::Deny,
    }
}

fn failure_policy(policy: FailurePolicy) -> v1::FailurePolicy {
    match policy {
        FailurePolicy::FailClosed => v1::FailurePolicy::FailClosed,
        FailurePolicy::FailOpen => v1::FailurePolicy::FailOpen,
    }
}
