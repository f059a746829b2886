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
    /// Whether it may be charged.
    pub state: AccountState,
    /// The currency in which people reckon with it, three letters; for their information.
    pub currency: Option<String>,
    /// Of a tenant's own record: which accounts it may charge.
    pub account_policy: AccountPolicy,
    /// When the record was made.
    pub create_time: Timestamp,
}

impl Account {
    /// A record that says nothing but that the account is known.
    pub fn plain(name: AccountName) -> Account {
        Account {
            name,
            display_name: String::new(),
            plan: None,
            time_zone: None,
            labels: BTreeMap::new(),
            state: AccountState::Active,
            currency: None,
            account_policy: AccountPolicy::Open,
            create_time: Timestamp::MIN,
        }
    }
}

/// Whether an account, and all that is below it, may be charged. Settling what is held goes on in every state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AccountState {
    /// It may.
    #[default]
    Active,
    /// Not for now.
    Suspended,
    /// Not any more.
    Closed,
}

/// Which accounts of a tenant may be charged and given quotas.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AccountPolicy {
    /// All.
    #[default]
    Open,
    /// Those with a record (S0.07).
    Registered,
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
