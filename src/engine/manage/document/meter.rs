//! Reads the `meters` of a document.

use super::amount::{MAX_LIMIT, read_amount};
use super::draft::Found;
use super::errors::{Place, Problems, quoted};
use super::fields::Fields;
use super::yaml::Node;
use crate::domain::meter::{
    Admission, ChargeMoment, DefaultPolicy, Expiry, FailurePolicy, Family, Meter, Overage, Rules,
};
use crate::domain::name::MeterName;

const KEYS: [&str; 18] = [
    "name",
    "unit",
    "decimals",
    "display_names",
    "unit_names",
    "family",
    "admission",
    "overage",
    "expiry",
    "charge",
    "min_limit",
    "max_limit",
    "may_be_unlimited",
    "ordered_limits",
    "within_parent",
    "warn_percent",
    "default_policy",
    "failure_policy",
];
/// The longest name of a unit, in bytes.
pub const MAX_UNIT: usize = 63;
/// Most decimals.
pub const MAX_DECIMALS: u8 = 10;
const MAX_DISPLAY_NAME: usize = 1_024;

/// Words of the families, the default first; so below.
pub const FAMILIES: [(&str, Family); 2] = [("consumption", Family::Consumption), ("allocation", Family::Allocation)];
/// Words of the admission rules.
pub const ADMISSIONS: [(&str, Admission); 2] = [("fits", Admission::Fits), ("positive", Admission::Positive)];
/// Words of the overage rules.
pub const OVERAGES: [(&str, Overage); 3] =
    [("record", Overage::Record), ("cap", Overage::Cap), ("refuse", Overage::Refuse)];
/// Words of the expiry rules.
pub const EXPIRIES: [(&str, Expiry); 3] =
    [("give_back", Expiry::GiveBack), ("charge", Expiry::Charge), ("park", Expiry::Park)];
/// Words of the moments of charging.
pub const CHARGES: [(&str, ChargeMoment); 2] =
    [("on_commit", ChargeMoment::OnCommit), ("on_reserve", ChargeMoment::OnReserve)];
/// Words of what an account without a limit is told.
pub const DEFAULT_POLICIES: [(&str, DefaultPolicy); 2] =
    [("allow", DefaultPolicy::Allow), ("deny", DefaultPolicy::Deny)];
/// Words of what is answered during an outage.
pub const FAILURE_POLICIES: [(&str, FailurePolicy); 2] =
    [("fail_closed", FailurePolicy::FailClosed), ("fail_open", FailurePolicy::FailOpen)];

/// Reads one meter. A meter whose name is good is given even if something else about it is wrong, so that what names
/// it is not called wrong as well.
pub fn read_meter(node: &Node<'_>, at: &Place, tenant: Option<&str>, problems: &mut Problems) -> Option<Found<Meter>> {
    let fields = Fields::open(node, at, &KEYS, problems)?;
    let name = fields.needed("name", |text| text.parse::<MeterName>(), problems)?;
    let mut meter = Meter::new(name);
    meter.tenant = tenant.map(str::to_owned);
    meter.unit = fields.text("unit", MAX_UNIT, problems).filter(|unit| !unit.is_empty()).unwrap_or(meter.unit);
    meter.decimals = fields.number("decimals", 0..=MAX_DECIMALS, problems).unwrap_or(0);
    meter.display_names = fields.texts("display_names", MAX_DISPLAY_NAME, problems);
    meter.unit_names = fields.texts("unit_names", MAX_DISPLAY_NAME, problems);
    meter.rules = Rules {
        family: fields.choice("family", &FAMILIES, problems),
        admission: fields.choice("admission", &ADMISSIONS, problems),
        overage: fields.choice("overage", &OVERAGES, problems),
        expiry: fields.choice("expiry", &EXPIRIES, problems),
        charge: fields.choice("charge", &CHARGES, problems),
    };
    meter.min_limit = bound(&fields, "min_limit", meter.decimals, problems).unwrap_or(0);
    meter.max_limit = bound(&fields, "max_limit", meter.decimals, problems);
    if meter.max_limit.is_some_and(|most| most < meter.min_limit) {
        problems.add(&fields.place("max_limit"), "must not be below min_limit");
    }
    meter.may_be_unlimited = fields.flag("may_be_unlimited", true, problems);
    meter.ordered_limits = fields.flag("ordered_limits", true, problems);
    meter.within_parent = fields.flag("within_parent", false, problems);
    meter.warn_percent = fields.number("warn_percent", 0..=100, problems).unwrap_or(meter.warn_percent);
    meter.default_policy = fields.choice("default_policy", &DEFAULT_POLICIES, problems);
    meter.failure_policy = fields.choice("failure_policy", &FAILURE_POLICIES, problems);
    Some(Found { at: at.clone(), value: meter })
}

/// The greatest limit that there is bounds nothing.
pub fn upper_bound(amount: u64) -> Option<u64> {
    (amount < MAX_LIMIT).then_some(amount)
}

fn bound(fields: &Fields<'_, '_>, key: &str, decimals: u8, problems: &mut Problems) -> Option<u64> {
    let text = fields.text(key, usize::MAX, problems)?;
    match read_amount(&text, decimals) {
        Ok(amount) if key == "max_limit" => upper_bound(amount),
        Ok(amount) => Some(amount),
        Err(message) => {
            problems.add(&fields.place(key), format!("{message}; it is {}", quoted(&text)));
            None
        }
    }
}
