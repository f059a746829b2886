//! One line of the file: first as it is written, then as the use that it tells of.

use crate::cli::args::value;
use crate::domain::name::{AccountName, MeterName, NameError, is_caller_id};
use crate::domain::window::WindowKind;
use crate::proto::v1::Charge;
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

/// The greatest amount (rule 16).
const MAX_AMOUNT: i64 = (1 << 53) - 1;
/// Most further accounts of one charge.
const MAX_ALSO: usize = 7;

/// A line as it is written. What is empty was not given.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Row {
    pub(super) tenant: String,
    pub(super) account: String,
    pub(super) meter: String,
    #[serde(deserialize_with = "digits")]
    pub(super) amount: String,
    pub(super) item: String,
    pub(super) also: Vec<String>,
    pub(super) time: String,
    pub(super) period: String,
    pub(super) request_id: String,
}

/// An amount in JSON: a number, or its digits as text, as `int64` is written.
fn digits<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    match serde_json::Value::deserialize(from)? {
        serde_json::Value::String(text) => Ok(text),
        serde_json::Value::Number(number) => Ok(number.to_string()),
        _ => Err(serde::de::Error::custom("the amount must be a number")),
    }
}

/// From when on the use of a line happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Since {
    /// Not said: it counts from now on.
    Now,
    /// Milliseconds since 1970.
    Time(i64),
    /// Since the present period of this window began.
    Period(WindowKind),
}

/// Use to record: a line that was found right.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Use {
    /// Its line in the file.
    pub(super) line: usize,
    pub(super) tenant: String,
    pub(super) charge: Charge,
    /// Every account that the charge counts on.
    pub(super) path: Vec<String>,
    pub(super) since: Since,
    /// The id of the reservation and of the request that record it: the same line gives the same id again.
    pub(super) id: String,
}

impl Use {
    /// The amount, at most 2^53-1.
    pub(super) fn amount(&self) -> u64 {
        u64::try_from(self.charge.amount()).unwrap_or(0)
    }
}

impl Row {
    /// What identifies the line: its own id if it has one, else all that it says.
    pub(super) fn identity(&self) -> Vec<&str> {
        if !self.request_id.is_empty() {
            return vec!["request", &self.tenant, &self.request_id];
        }
        let mut parts = vec!["line", &self.tenant, &self.account, &self.meter, &self.amount, &self.item];
        parts.extend([self.time.as_str(), self.period.as_str()]);
        parts.extend(self.also.iter().map(String::as_str));
        parts
    }

    /// Judges a line; `import` and `repeat` (how many equal lines stand before it) are part of its id.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(super) fn judge(&self, line: usize, import: &str, repeat: usize) -> Result<Use, Vec<String>> {
        let mut bad = Vec::new();
        let account = self.account.parse::<AccountName>();
        let tenant = match (self.tenant.is_empty(), &account) {
            (true, Ok(account)) => account.tenant().to_owned(),
            _ => self.tenant.clone(),
        };
        if !self.tenant.is_empty()
            && let Err(error) = AccountName::tenant_from(&self.tenant)
        {
            bad.push(format!("tenant {error}"));
        }
        let mut path = Vec::new();
        for (field, name) in [("account", account)].into_iter().chain(self.also.iter().map(|n| ("also", n.parse()))) {
            let name =
                name.and_then(|n: AccountName| if n.tenant() == tenant { Ok(n) } else { Err(NameError::OtherTenant) });
            match name {
                Ok(name) => path.extend(name.chain().map(str::to_owned)),
                Err(error) => bad.push(format!("{field} {error}")),
            }
        }
        path.sort();
        path.dedup();
        if let Err(error) = self.meter.parse::<MeterName>() {
            bad.push(format!("meter {error}"));
        }
        let amount = value::amount(&self.amount).and_then(|amount| match amount {
            0..=MAX_AMOUNT => Ok(amount),
            _ => Err(format!("is beyond the greatest amount, {MAX_AMOUNT}")),
        });
        let amount = amount.map_err(|what| bad.push(format!("amount {:?}: {what}", self.amount))).unwrap_or(0);
        for (field, text) in [("item", &self.item), ("request_id", &self.request_id)] {
            if !text.is_empty() && !is_caller_id(text) {
                bad.push(format!("{field} must be at most 128 visible ASCII characters"));
            }
        }
        if self.also.len() > MAX_ALSO {
            bad.push(format!("also must name at most {MAX_ALSO} accounts"));
        }
        let since = self.since().map_err(|what| bad.push(what)).unwrap_or(Since::Now);
        if !bad.is_empty() {
            return Err(bad);
        }
        let charge = Charge {
            account: self.account.clone(),
            meter: self.meter.clone(),
            amount: Some(amount),
            item: self.item.clone(),
            also: self.also.clone(),
            ..Default::default()
        };
        Ok(Use { line, tenant, charge, path, since, id: id(import, &self.identity(), repeat) })
    }

    fn since(&self) -> Result<Since, String> {
        match (self.time.as_str(), self.period.as_str()) {
            ("", "") => Ok(Since::Now),
            (time, "") => match time.parse::<jiff::Timestamp>() {
                Ok(time) => Ok(Since::Time(time.as_millisecond())),
                Err(_) => Err(format!("time {time:?} is not like 2026-11-01T09:00:00Z")),
            },
            ("", period) => match period.parse::<WindowKind>() {
                Ok(kind) if kind.uses_length() => {
                    Err(format!("period {period:?} has no beginning: leave it out to count from now on"))
                }
                Ok(kind) => Ok(Since::Period(kind)),
                Err(_) => {
                    Err(format!("period {period:?} is no kind of window: lifetime, year, month ... minute, cron"))
                }
            },
            _ => Err("time and period exclude each other".to_owned()),
        }
    }
}

/// An id of what a line says: parts can't run into each other, and no other import gives the same.
fn id(import: &str, identity: &[&str], repeat: usize) -> String {
    let mut hash = Sha256::new();
    for part in [import].iter().chain(identity) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.update((repeat as u64).to_be_bytes());
    let half: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("import-{half}")
}
