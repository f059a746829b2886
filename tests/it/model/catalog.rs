//! The model's own catalog: meters, quotas, plans, which of them bind an account, and the document that says the same to
//! the real one.

use super::windows::Shape;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The tenant of every history.
pub(crate) const TENANT: &str = "tenants/t";

/// A meter with its rules, as the words that a catalog document has for them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Meter {
    pub(crate) name: &'static str,
    pub(crate) allocation: bool,
    pub(crate) positive: bool,
    pub(crate) overage: Overage,
    pub(crate) expiry: Expiry,
    pub(crate) on_reserve: bool,
    pub(crate) deny_by_default: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Overage {
    Record,
    Cap,
    Refuse,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expiry {
    GiveBack,
    Charge,
    Park,
}

/// One window's amount; `None` lifts it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Limit {
    pub(crate) shape: Shape,
    pub(crate) amount: Option<u64>,
}

/// The limits of a subject (`tenants/t/users/u1`, `tenants/t/users/-`, `plans/vip`) on a meter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Quota {
    pub(crate) subject: String,
    pub(crate) meter: &'static str,
    pub(crate) limits: Vec<Limit>,
    pub(crate) top_up: Option<u64>,
    pub(crate) hold_share: Option<u8>,
    pub(crate) shadow: bool,
}

/// Everything configured.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) meters: Vec<Meter>,
    pub(crate) quotas: Vec<Quota>,
    /// Which plan an account carries.
    pub(crate) plans: BTreeMap<String, String>,
}

/// One window of one account on one meter, with what limits it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Binding {
    pub(crate) shape: Shape,
    pub(crate) limit: Option<u64>,
    pub(crate) enforced: bool,
    pub(crate) hold_cap: Option<u64>,
}

impl Catalog {
    pub(crate) fn meter(&self, name: &str) -> Option<&Meter> {
        self.meters.iter().find(|meter| meter.name == name)
    }

    /// The quotas of an account on a meter, strongest first: its own, its plan's, the tenant's patterns, those of the
    /// installation; of two patterns the one that is literal where they first differ (rule 1).
    fn candidates(&self, account: &str, meter: &str) -> Vec<&Quota> {
        let rank = |quota: &Quota| {
            if quota.subject == account {
                return Some((0, Vec::new()));
            }
            if let Some(plan) = quota.subject.strip_prefix("plans/") {
                return self.plans.get(account).filter(|carried| *carried == plan).map(|_| (1, Vec::new()));
            }
            let wild: Vec<bool> = quota.subject.split('/').map(|part| part == "-").collect();
            let same_length = wild.len() == account.split('/').count();
            let matches =
                quota.subject.split('/').zip(account.split('/')).all(|(own, theirs)| own == "-" || own == theirs);
            let by = if quota.subject.starts_with("tenants/-") { 3 } else { 2 };
            // `false` sorts first: literal before wild, from the left.
            (same_length && matches && wild.contains(&true)).then_some((by, wild))
        };
        let mut ranked: Vec<_> = self
            .quotas
            .iter()
            .filter(|quota| quota.meter == meter)
            .filter_map(|quota| Some((rank(quota)?, quota)))
            .collect();
        ranked.sort_by(|a, b| a.0.cmp(&b.0));
        ranked.into_iter().map(|(_, quota)| quota).collect()
    }

    /// What limits an account on a meter, kind by kind of window, and the windows that are counted without a limit.
    pub(crate) fn bindings(&self, account: &str, meter: &str) -> Vec<Binding> {
        let mut bindings: Vec<Binding> = Vec::new();
        for quota in self.candidates(account, meter) {
            for limit in &quota.limits {
                if bindings.iter().any(|binding| binding.shape.kind() == limit.shape.kind()) {
                    continue;
                }
                let share = |amount: u64| {
                    u128::from(amount.min(super::MAX)) * u128::from(quota.hold_share.unwrap_or(100)) / 100
                };
                bindings.push(Binding {
                    shape: limit.shape,
                    limit: limit.amount,
                    enforced: limit.amount.is_some() && !quota.shadow,
                    hold_cap: quota.hold_share.and(limit.amount).map(|amount| share(amount) as u64),
                });
            }
        }
        let allocation = self.meter(meter).is_some_and(|meter| meter.allocation);
        let lifetime = bindings.iter().any(|binding| binding.shape == Shape::Lifetime);
        if bindings.is_empty() || (allocation && !lifetime) {
            bindings.push(Binding { shape: Shape::Lifetime, limit: None, enforced: false, hold_cap: None });
        }
        bindings.sort_by_key(|binding| binding.shape);
        bindings
    }

    /// Whether anything at all is set for an account on a meter.
    pub(crate) fn has_quota(&self, account: &str, meter: &str) -> bool {
        self.candidates(account, meter).iter().any(|quota| !quota.limits.is_empty())
    }

    /// The top-up beside the periods.
    pub(crate) fn top_up(&self, account: &str, meter: &str) -> Option<u64> {
        self.candidates(account, meter).iter().find_map(|quota| quota.top_up)
    }

    /// The installation's document: the meters and the patterns that begin with `tenants/-`.
    pub(crate) fn installation_document(&self) -> String {
        let mut text = String::from("meters:\n");
        for meter in &self.meters {
            let family = if meter.allocation { "allocation" } else { "consumption" };
            let admission = if meter.positive { "positive" } else { "fits" };
            let overage = ["record", "cap", "refuse"][meter.overage as usize];
            let expiry = ["give_back", "charge", "park"][meter.expiry as usize];
            let charge = if meter.on_reserve { "on_reserve" } else { "on_commit" };
            let policy = if meter.deny_by_default { "deny" } else { "allow" };
            let name = meter.name;
            let _ = writeln!(
                text,
                "  - {{name: {name}, unit: unit, family: {family}, admission: {admission}, overage: {overage}, \
                 expiry: {expiry}, charge: {charge}, default_policy: {policy}}}"
            );
        }
        quotas(&mut text, self.quotas.iter().filter(|quota| quota.subject.starts_with("tenants/-")));
        text
    }

    /// The tenant's document: all else.
    pub(crate) fn tenant_document(&self) -> String {
        let mut text = String::from("plans:\n");
        for plan in ["vip", "trial"] {
            let subject = format!("plans/{plan}");
            let _ = writeln!(text, "  - name: {plan}\n    quotas:");
            let quotas: Vec<_> = self.quotas.iter().filter(|quota| quota.subject == subject).collect();
            if quotas.is_empty() {
                text.truncate(text.trim_end().len());
                text.push_str(" []\n");
            }
            for quota in quotas {
                let _ = writeln!(text, "      - {{{}}}", body(quota));
            }
        }
        if !self.plans.is_empty() {
            text.push_str("accounts:\n");
        }
        for (account, plan) in &self.plans {
            let _ = writeln!(text, "  - {{name: {account}, plan: {plan}}}");
        }
        let own = |quota: &&Quota| !quota.subject.starts_with("plans/") && !quota.subject.starts_with("tenants/-");
        quotas(&mut text, self.quotas.iter().filter(own));
        text
    }
}

fn quotas<'a>(text: &mut String, quotas: impl Iterator<Item = &'a Quota>) {
    for (index, quota) in quotas.enumerate() {
        if index == 0 {
            text.push_str("quotas:\n");
        }
        let _ = writeln!(text, "  - {{subject: {}, {}}}", quota.subject, body(quota));
    }
}

fn body(quota: &Quota) -> String {
    let limits: Vec<String> = quota
        .limits
        .iter()
        .map(|limit| {
            let amount = limit.amount.map_or(String::from("unlimited"), |amount| amount.to_string());
            format!("{}: {{amount: {amount}{}}}", limit.shape.kind(), limit.shape.keys())
        })
        .collect();
    let mut text = format!("meter: {}, limits: {{{}}}", quota.meter, limits.join(", "));
    if let Some(top_up) = quota.top_up {
        let _ = write!(text, ", top_up: {top_up}");
    }
    if let Some(share) = quota.hold_share {
        let _ = write!(text, ", hold_share_percent: {share}");
    }
    if quota.shadow {
        text.push_str(", enforcement: shadow");
    }
    text
}

#[test]
fn the_strongest_quota_that_names_a_window_binds() {
    let quota = |subject: &str, shape, amount| Quota {
        subject: subject.into(),
        meter: "m",
        limits: vec![Limit { shape, amount }],
        top_up: None,
        hold_share: None,
        shadow: false,
    };
    let catalog = Catalog {
        quotas: vec![
            quota("tenants/-/users/-", Shape::Month, Some(1)),
            quota("tenants/t/users/-", Shape::Month, Some(2)),
            quota("plans/vip", Shape::Minute, Some(3)),
            quota("tenants/t/users/u1", Shape::Lifetime, None),
        ],
        plans: BTreeMap::from([(String::from("tenants/t/users/u1"), String::from("vip"))]),
        ..Catalog::default()
    };
    let limits = |account: &str| -> Vec<_> {
        catalog.bindings(account, "m").into_iter().map(|binding| (binding.shape.kind(), binding.limit)).collect()
    };
    assert_eq!(limits("tenants/t/users/u1"), [("lifetime", None), ("minute", Some(3)), ("month", Some(2))]);
    assert_eq!(limits("tenants/t/users/u2"), [("month", Some(2))]);
    assert_eq!(limits("tenants/t"), [("lifetime", None)]);
    assert!(!catalog.has_quota("tenants/t", "m"));
}
