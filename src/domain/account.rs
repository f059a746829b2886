//! Records of accounts and plans. An account needs no record to be counted; a record carries what a name can't.

use super::name::AccountName;
use super::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What the catalog knows of one account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Its name.
    pub name: AccountName,
    /// A name for people.
    pub display_name: String,
    /// The plan whose quotas it has (S0.39).
    pub plan: Option<String>,
    /// The zone of windows that name none, for it and for what is below it (S4.23).
    pub time_zone: Option<String>,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// When the record was made.
    pub create_time: Timestamp,
}

/// A named set of quotas that accounts carry (VIP, regular, trial).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Its name, `vip`.
    pub name: String,
    /// The tenant it belongs to; `None` for the installation.
    pub tenant: Option<String>,
    /// A name for people.
    pub display_name: String,
    /// What a tenant that carries it may do beside: words that a default's `locked_without` asks for (S4.05).
    pub features: BTreeSet<String>,
}
