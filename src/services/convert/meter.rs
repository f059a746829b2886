//! Meters, both ways.

use super::account::labels;
use super::reservation::signed;
use crate::domain::meter::{
    Admission, ChargeMoment, DefaultPolicy, Expiry, FailurePolicy, Family, Meter, Overage, Rules,
};
use crate::domain::name::MeterName;
use crate::engine::manage::document::meter::{self as words, MAX_DECIMALS, MAX_UNIT, upper_bound};
use crate::engine::manage::document::{Found, Place, Problems};
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
        may_be_unlimited: Some(meter.may_be_unlimited),
        ordered_limits: Some(meter.ordered_limits),
        within_parent: meter.within_parent,
    }
}

/// A meter that an administrator sends, at `at`. What is faulty is reported; whether it may be so is left to the catalog.
pub fn draft(meter: v1::Meter, tenant: Option<&str>, at: &Place, problems: &mut Problems) -> Option<Found<Meter>> {
    let field = |name: &str| at.key(name, 0);
    let name = meter.name.parse::<MeterName>().map_err(|error| problems.add(&field("name"), error.to_string())).ok();
    if meter.unit.len() > MAX_UNIT {
        problems.add(&field("unit"), format!("must be at most {MAX_UNIT} bytes"));
    }
    let decimals = within(meter.decimals, MAX_DECIMALS, &field("decimals"), problems);
    let warn_percent = meter.warn_percent.map(|percent| within(percent, 100, &field("warn_percent"), problems));
    let rules = Rules {
        family: word(meter.family, &words::FAMILIES, &field("family"), problems),
        admission: word(meter.admission, &words::ADMISSIONS, &field("admission"), problems),
        overage: word(meter.overage, &words::OVERAGES, &field("overage"), problems),
        expiry: word(meter.expiry, &words::EXPIRIES, &field("expiry"), problems),
        charge: word(meter.charge, &words::CHARGES, &field("charge"), problems),
    };
    let default_policy = word(meter.default_policy, &words::DEFAULT_POLICIES, &field("default_policy"), problems);
    let failure_policy = word(meter.failure_policy, &words::FAILURE_POLICIES, &field("failure_policy"), problems);
    let min_limit = meter.min_limit.map_or(0, |least| unsigned(least, &field("min_limit"), problems));
    let max_limit = meter.max_limit.map(|most| unsigned(most, &field("max_limit"), problems)).and_then(upper_bound);
    if max_limit.is_some_and(|most| most < min_limit) {
        problems.add(&field("max_limit"), "must not be below min_limit");
    }
    let display_names = labels(meter.display_names, &field("display_names"), problems);
    let unit_names = labels(meter.unit_names, &field("unit_names"), problems);
    let default = Meter::new(name?);
    let value = Meter {
        tenant: tenant.map(str::to_owned),
        display_names,
        unit_names,
        unit: if meter.unit.is_empty() { default.unit } else { meter.unit },
        decimals,
        min_limit,
        max_limit,
        may_be_unlimited: meter.may_be_unlimited.unwrap_or(default.may_be_unlimited),
        ordered_limits: meter.ordered_limits.unwrap_or(default.ordered_limits),
        within_parent: meter.within_parent,
        warn_percent: warn_percent.unwrap_or(default.warn_percent),
        default_policy,
        failure_policy,
        rules,
        name: default.name,
    };
    Some(Found { at: at.clone(), value })
}

/// 0 to `most`.
fn within(number: i32, most: u8, at: &Place, problems: &mut Problems) -> u8 {
    u8::try_from(number).ok().filter(|number| *number <= most).unwrap_or_else(|| {
        problems.add(at, format!("must be 0 to {most}"));
        0
    })
}

fn unsigned(units: i64, at: &Place, problems: &mut Problems) -> u64 {
    u64::try_from(units).unwrap_or_else(|_| {
        problems.add(at, "must not be negative");
        0
    })
}

/// A value of an enum, whose numbers are those of the document's words in order, from 1; 0 is the first, the default.
fn word<T: Copy>(number: i32, words: &[(&str, T)], at: &Place, problems: &mut Problems) -> T {
    let index = usize::try_from(number).ok().map(|number| number.saturating_sub(1));
    index.and_then(|index| words.get(index)).map_or_else(
        || {
            let names: Vec<String> = words.iter().map(|(name, _)| name.to_ascii_uppercase()).collect();
            problems.add(at, format!("must be {}", names.join(" or ")));
            words[0].1
        },
        |(_, value)| *value,
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    fn back(shown: v1::Meter) -> Result<Meter, Problems> {
        let mut problems = Problems::default();
        let found = draft(shown, Some("tenants/a"), &Place::field("meter"), &mut problems);
        problems.into_result().map(|()| found.unwrap().value)
    }

    /// The numbers of the protocol's enums and the order of the document's words say the same.
    #[test]
    fn a_meter_that_was_shown_reads_as_it_was() {
        let mut meter = Meter { tenant: Some("tenants/a".into()), ..Meter::new("job.runs".parse().unwrap()) };
        assert_eq!(back(v1::Meter { name: "job.runs".into(), ..Default::default() }), Ok(meter.clone()));
        for number in 0..3 {
            meter.rules = Rules {
                family: words::FAMILIES[number % 2].1,
                admission: words::ADMISSIONS[number % 2].1,
                overage: words::OVERAGES[number].1,
                expiry: words::EXPIRIES[number].1,
                charge: words::CHARGES[number % 2].1,
            };
            meter.default_policy = words::DEFAULT_POLICIES[number % 2].1;
            meter.failure_policy = words::FAILURE_POLICIES[number % 2].1;
            meter.may_be_unlimited = number == 0;
            meter.ordered_limits = number == 1;
            meter.within_parent = number == 2;
            meter.max_limit = Some(7).filter(|_| number > 0);
            assert_eq!(back(super::meter(&meter)), Ok(meter.clone()));
        }
        let shown = super::meter(&meter);
        let bare = v1::Meter { max_limit: Some(i64::MAX), ..shown };
        assert_eq!(back(bare).unwrap().max_limit, None, "bounds nothing");
    }
}
