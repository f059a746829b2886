//! Records of accounts.

use super::time::timestamp;
use crate::domain::account::Account;
use crate::domain::name::Uid;
use crate::proto::v1;

/// A record as the protocol shows it, with the identity behind its name.
pub fn account(account: &Account) -> v1::Account {
    v1::Account {
        name: account.name.to_string(),
        uid: format!("{:032x}", Uid::of(account.name.as_str()).0),
        display_name: account.display_name.clone(),
        plan: account.plan.clone().unwrap_or_default(),
        time_zone: account.time_zone.clone().unwrap_or_default(),
        labels: account.labels.clone().into_iter().collect(),
        create_time: timestamp(account.create_time),
    }
}
