//! Meters: what is counted, and the rules that follow from it.

use super::name::MeterName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is counted (S0.01, S0.02: a kind of quota is data, added at run time).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Meter {
    /// Its name, `training.runs`.
    pub name: MeterName,
    /// The tenant it belongs to, `tenants/acme`; `None` for the installation.
    pub tenant: Option<String>,
    /// Names by language.
    pub display_names: BTreeMap<String, String>,
    /// The unit's names by language.
    pub unit_names: BTreeMap<String, String>,
    /// The smallest unit, `run`, `byte`.
    pub unit: String,
    /// Decimals of the shown unit, 0 to 10: 500000 with 6 decimals reads 0.500000 (S4.29).
    pub decimals: u8,
    /// Least limit that may be set.
    pub min_limit: u64,
    /// Greatest limit that may be set; `None`: no bound but int64 (S0.09).
    pub max_limit: Option<u64>,
    /// Whether an account's limit may be lifted altogether (S2.05: -1 only where the minimum is -1).
    pub may_be_unlimited: bool,
    /// Whether of one quota's limits daily must not be above monthly, nor monthly above yearly (S4.08).
    pub ordered_limits: bool,
    /// Whether an account's limit must not be above what the accounts above it have available when it is set (S1.32).
    pub within_parent: bool,
    /// Above this share of a limit the state is LOW, in percent (S0.12).
    pub warn_percent: u8,
    /// What an account without any limit is told (S0.19).
    pub default_policy: DefaultPolicy,
    /// What is answered while the counter store can't be reached (rule 14).
    pub failure_policy: FailurePolicy,
    /// The rules of its decisions.
    pub rules: Rules,
}

impl Meter {
    /// A consumption meter with every rule at its default.
    pub fn new(name: MeterName) -> Meter {
        Meter {
            name,
            tenant: None,
            display_names: BTreeMap::new(),
            unit_names: BTreeMap::new(),
            unit: String::from("unit"),
            decimals: 0,
            min_limit: 0,
            max_limit: None,
            may_be_unlimited: true,
            ordered_limits: true,
            within_parent: false,
            warn_percent: 80,
            default_policy: DefaultPolicy::Allow,
            failure_policy: FailurePolicy::FailClosed,
            rules: Rules::default(),
        }
    }
}

/// The rules of a meter that a decision and a settlement follow. A reservation freezes them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Rules {
    /// Whether use adds up or is occupied.
    pub family: Family,
    /// When a request is admitted.
    pub admission: Admission,
    /// What becomes of a commit above its hold.
    pub overage: Overage,
    /// What silence until the deadline means.
    pub expiry: Expiry,
    /// When use is charged.
    pub charge: ChargeMoment,
}

/// Whether use adds up within a window, or is what is occupied now.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Family {
    /// Adds up; goes back only by an administrator's adjustment (rule 10).
    #[default]
    Consumption,
    /// Occupied until freed: bytes stored, services running.
    Allocation,
}

/// When a request is admitted (rule 3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Admission {
    /// The amount fits.
    #[default]
    Fits,
    /// The balance is above zero, and an estimate, if given, fits (S3.25).
    Positive,
}

/// What becomes of a commit above its hold (rule 6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Overage {
    /// Recorded in full, flagged overrun.
    #[default]
    Record,
    /// Recorded up to what the limits leave, flagged overrun.
    Cap,
    /// Refused when it does not fit.
    Refuse,
}

/// What silence until the deadline means (rule 9).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Expiry {
    /// The hold is given back.
    #[default]
    GiveBack,
    /// The hold is charged: the thing may exist.
    Charge,
    /// The hold stays until somebody resolves it.
    Park,
}

/// When use is charged (rule 9).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum ChargeMoment {
    /// When the caller commits.
    #[default]
    OnCommit,
    /// At once; nothing is ever given back.
    OnReserve,
}

/// What an account without any limit is told (rule 2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum DefaultPolicy {
    /// Not limited, still counted.
    #[default]
    Allow,
    /// Denied, NO_QUOTA.
    Deny,
}

/// What is answered while the counter store can't be reached (rule 14).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum FailurePolicy {
    /// UNAVAILABLE.
    #[default]
    FailClosed,
    /// Allowed and marked unenforced.
    FailOpen,
}
