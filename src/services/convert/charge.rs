//! Charges.

use crate::domain::amount;
use crate::domain::name::{AccountName, MeterName, NameError, is_caller_id};
use crate::domain::price::Quantities;
use crate::engine::call::ChargeRequest;
use crate::proto::v1;
use crate::services::violations::Violations;
use std::fmt::{Arguments, Display};

/// Most charges of one request (rule 17).
const MAX_CHARGES: usize = 16;
/// Most further accounts of one charge.
const MAX_ALSO: usize = 7;
/// Most components of one charge.
const MAX_COMPONENTS: usize = 16;

/// What the charges of a request are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// To be asked, held, recorded or freed: at least one.
    Ask,
    /// To be recorded as used: none means all.
    Commit,
    /// To be given back: none means all.
    Release,
    /// To raise a hold: none means only the deadline; each says how much.
    Raise,
}

/// The tenant's name.
pub fn tenant(text: &str, bad: &mut Violations) -> Option<AccountName> {
    match AccountName::tenant_from(text) {
        Ok(name) => Some(name),
        Err(error) => {
            bad.add("tenant", error.to_string());
            None
        }
    }
}

/// The charges, those of one account, meter and item summed into one.
pub fn charges(
    charges: &[v1::Charge],
    tenant: Option<&AccountName>,
    purpose: Purpose,
    bad: &mut Violations,
) -> Vec<ChargeRequest> {
    if charges.is_empty() && purpose == Purpose::Ask {
        bad.add("charges", "must have at least one charge");
    }
    if charges.len() > MAX_CHARGES {
        bad.add("charges", "must have at most 16 charges");
        return Vec::new();
    }
    let mut all: Vec<ChargeRequest> = Vec::with_capacity(charges.len());
    for (index, charge) in charges.iter().enumerate() {
        let path = format_args!("charges[{index}]");
        let Some(charge) = one(charge, path, tenant, purpose, bad) else { continue };
        let same = all
            .iter_mut()
            .find(|known| known.account == charge.account && known.meter == charge.meter && known.item == charge.item);
        match same {
            None => all.push(charge),
            Some(known) => join(known, charge, path, bad),
        }
    }
    all
}

/// Adds a charge to the one of the same account, meter and item.
fn join(known: &mut ChargeRequest, charge: ChargeRequest, path: Arguments<'_>, bad: &mut Violations) {
    let differs = "differs from that of the same account, meter and item before";
    if known.also != charge.also {
        bad.add(format_args!("{path}.also"), differs);
    } else if known.service != charge.service {
        bad.add(format_args!("{path}.service"), differs);
    } else if !known.quantities.is_empty() && !charge.quantities.is_empty() {
        known.quantities = known.quantities.plus(&charge.quantities);
    } else if let (Some(one), Some(other)) = (known.amount, charge.amount) {
        known.amount = Some(one.saturating_add(other));
    } else {
        bad.add(path, "repeats an account, meter and item without an amount");
    }
}

/// One charge that stands at `path`.
pub fn one(
    charge: &v1::Charge,
    path: Arguments<'_>,
    tenant: Option<&AccountName>,
    purpose: Purpose,
    bad: &mut Violations,
) -> Option<ChargeRequest> {
    let account = account(&charge.account, format_args!("{path}.account"), tenant, bad);
    let meter = match charge.meter.parse::<MeterName>() {
        Ok(meter) => Some(meter),
        Err(error) => {
            bad.add(format_args!("{path}.meter"), error.to_string());
            None
        }
    };
    let amount = match charge.amount.map(u64::try_from) {
        Some(Err(_)) => {
            bad.add(format_args!("{path}.amount"), "must not be negative");
            None
        }
        Some(Ok(amount)) => Some(amount),
        None => None,
    };
    if !charge.quantities.is_empty() && charge.amount.is_some() {
        bad.add(format_args!("{path}.quantities"), "amount and quantities exclude each other");
    } else if !charge.quantities.is_empty() && !matches!(purpose, Purpose::Ask | Purpose::Commit) {
        bad.add(
            format_args!("{path}.quantities"),
            "are priced by Check, Reserve, Consume and Commit; say an amount here",
        );
    } else if purpose == Purpose::Raise && charge.amount.unwrap_or(0) == 0 {
        bad.add(format_args!("{path}.amount"), "is required and must be above 0");
    }
    if !charge.item.is_empty() && !is_caller_id(&charge.item) {
        bad.add(format_args!("{path}.item"), "must be at most 128 visible ASCII characters");
    }
    if !charge.service.is_empty() && !is_caller_id(&charge.service) {
        bad.add(format_args!("{path}.service"), "must be at most 128 visible ASCII characters");
    }
    let quantities = quantities(charge, path, bad);
    if charge.also.len() > MAX_ALSO {
        bad.add(format_args!("{path}.also"), "must name at most 7 accounts");
    }
    let also: Vec<AccountName> = charge
        .also
        .iter()
        .take(MAX_ALSO)
        .enumerate()
        .filter_map(|(index, name)| self::account(name, format_args!("{path}.also[{index}]"), tenant, bad))
        .collect();
    let (item, service) = (charge.item.clone(), charge.service.clone());
    Some(ChargeRequest { account: account?, meter: meter?, amount, quantities, item, service, also })
}

/// What a rate card shall price.
fn quantities(charge: &v1::Charge, path: Arguments<'_>, bad: &mut Violations) -> Quantities {
    if charge.quantities.len() > MAX_COMPONENTS {
        bad.add(format_args!("{path}.quantities"), "must have at most 16 components");
        return Quantities::default();
    }
    let mut all = Vec::with_capacity(charge.quantities.len());
    for (component, quantity) in &charge.quantities {
        let field = format_args!("{path}.quantities[{component}]");
        match u64::try_from(*quantity) {
            _ if !is_caller_id(component) => bad.add(field, "must be named by 1 to 128 visible ASCII characters"),
            Ok(quantity) if quantity <= amount::MAX => all.push((component.as_str().into(), quantity)),
            Ok(_) => bad.add(field, "must be at most 2^53-1"),
            Err(_) => bad.add(field, "must not be negative"),
        }
    }
    Quantities::new(all)
}

/// An account of the tenant.
pub fn account(
    text: &str,
    field: impl Display,
    tenant: Option<&AccountName>,
    bad: &mut Violations,
) -> Option<AccountName> {
    match text.parse::<AccountName>() {
        Ok(name) if tenant.is_none_or(|tenant| name.tenant() == tenant.as_str()) => Some(name),
        Ok(_) => {
            bad.elsewhere(field);
            None
        }
        Err(NameError::TooDeep) => {
            bad.too_deep(field);
            None
        }
        Err(error) => {
            bad.add(field, error.to_string());
            None
        }
    }
}
