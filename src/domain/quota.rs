//! Quotas: the limits of one account, pattern or plan on one meter, and which of them bind an account.

use super::name::{AccountName, MeterName, NameError, Pattern};
use super::time::{Period, Timestamp};
use super::window::{Window, WindowKind, WindowSpec, Windows};
use std::fmt;
use std::sync::Arc;

/// What an administrator sets: the limits of one subject on one meter, made together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quota {
    /// The tenant it belongs to; `None` for the installation.
    pub tenant: Option<String>,
    /// Whose limits these are.
    pub subject: Subject,
    /// On which meter.
    pub meter: MeterName,
    /// At most one of each kind of window.
    pub limits: Vec<Limit>,
    /// Higher limits for some time.
    pub raise: Option<Raise>,
    /// An amount beside the periods, spent after them, kept at a reset (S3.16).
    pub top_up: Option<u64>,
    /// The share of each limit that one hold may take, in percent (rule 17).
    pub hold_share_percent: Option<u8>,
    /// Whether it denies or only records.
    pub enforcement: Enforcement,
    /// Of a default of the installation: it holds for tenants whose plan lacks this feature, whose own quotas on the meter rest
    /// meanwhile; where the plan has it, the default does not apply (S4.04-S4.06).
    pub locked_without: Option<String>,
    /// A note for people (S0.10).
    pub note: String,
    /// Counts up with each change, from 1.
    pub version: i64,
    /// When this version was made.
    pub create_time: Timestamp,
    /// When it was last changed (S2.10).
    pub update_time: Timestamp,
}

impl Quota {
    /// The first version of a tenant's quota that says nothing but its limits, and denies.
    pub fn plain(tenant: &str, subject: Subject, meter: MeterName, limits: Vec<Limit>, now: Timestamp) -> Quota {
        Quota {
            tenant: Some(tenant.into()),
            subject,
            meter,
            limits,
            raise: None,
            top_up: None,
            hold_share_percent: None,
            enforcement: Enforcement::Enforce,
            locked_without: None,
            note: String::new(),
            version: 1,
            create_time: now,
            update_time: now,
        }
    }
}

/// A limit over one window.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limit {
    /// Over what time, as it was written.
    pub window: WindowSpec,
    /// How much.
    pub value: LimitValue,
}

/// Limits that stand in place of a quota's own until a time; then these bind again by themselves, at the store's time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Raise {
    /// At least one; each over a window that the quota limits itself, and higher.
    pub limits: Vec<Limit>,
    /// The first instant at which the quota's own limits bind again.
    pub until: Timestamp,
}

impl Raise {
    /// What it sets in place of the quota's own limit over a window of that kind.
    pub fn of(&self, kind: WindowKind) -> Option<LimitValue> {
        self.limits.iter().find(|limit| limit.window.kind == kind).map(|limit| limit.value)
    }

    /// Whether its time has passed.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until <= now
    }
}

/// Unlimited and finite; absent is the third (rule 2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitValue {
    /// Lifts the limit for this subject.
    Unlimited,
    /// 0 to 2^63-1; 0 denies.
    Finite(u64),
}

impl LimitValue {
    /// The amount, where it is finite.
    pub fn finite(self) -> Option<u64> {
        match self {
            LimitValue::Unlimited => None,
            LimitValue::Finite(amount) => Some(amount),
        }
    }

    /// Whether it lets through more than another.
    pub fn is_above(self, other: LimitValue) -> bool {
        match (self, other) {
            (_, LimitValue::Unlimited) => false,
            (LimitValue::Unlimited, LimitValue::Finite(_)) => true,
            (LimitValue::Finite(this), LimitValue::Finite(other)) => this > other,
        }
    }
}

/// Whether a quota denies (rule 13).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Enforcement {
    /// Denies what does not fit.
    #[default]
    Enforce,
    /// Counts, and records what it would have denied.
    Shadow,
}

/// What became of a version of a quota.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QuotaState {
    /// In force.
    Current,
    /// A newer version took over.
    Closed,
    /// It was removed.
    Deleted,
}

/// Whose limits a quota sets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Subject {
    /// One account.
    Account(AccountName),
    /// Every matching account by itself (S0.15).
    Pattern(Pattern),
    /// Every account that carries the plan.
    Plan(String),
}

impl Subject {
    /// Reads `tenants/acme/users/u1`, `tenants/acme/users/-` or `plans/vip`.
    ///
    /// # Errors
    /// [`NameError`] if it is none of these.
    pub fn parse(text: &str) -> Result<Subject, NameError> {
        if let Some(plan) = text.strip_prefix("plans/")
            && !plan.contains('/')
        {
            Pattern::from_parts("plans", plan)?;
            return Ok(Subject::Plan(plan.to_owned()));
        }
        let pattern: Pattern = text.parse()?;
        if pattern.is_wild() { Ok(Subject::Pattern(pattern)) } else { Ok(Subject::Account(text.parse()?)) }
    }

    /// The same as a text, shared with the quota where it has it.
    pub fn shared(&self) -> Arc<str> {
        match self {
            Subject::Account(name) => name.shared(),
            Subject::Pattern(pattern) => pattern.shared(),
            Subject::Plan(_) => self.to_string().into(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Account(name) => f.write_str(name.as_str()),
            Subject::Pattern(pattern) => f.write_str(pattern.as_str()),
            Subject::Plan(plan) => write!(f, "plans/{plan}"),
        }
    }
}

/// Where a limit comes from, strongest first (rule 1, S0.39).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Origin {
    /// The account's own quota.
    Own,
    /// Its plan's.
    Plan,
    /// A pattern of the tenant.
    Tenant,
    /// A pattern of the installation.
    Installation,
}

/// One limit that binds an account, with where it comes from.
#[derive(Clone, Debug)]
pub struct Effective {
    /// Over what time.
    pub window: Arc<Window>,
    /// The limit; `None` where the window is lifted: counted and shown, never denying.
    pub limit: Option<u64>,
    /// The quota's own limit, where that is raised; else the same.
    pub own: Option<u64>,
    /// Where it comes from.
    pub origin: Origin,
    /// The account, pattern or plan whose quota it is.
    pub subject: Arc<str>,
    /// Whether it denies.
    pub enforcement: Enforcement,
    /// The share that one hold may take, in percent.
    pub hold_share_percent: Option<u8>,
    /// Until when it is raised; `None`: it is the quota's own.
    pub raised_until: Option<Timestamp>,
}

/// Everything that binds one account on one meter.
#[derive(Clone, Debug)]
pub struct EffectiveQuota {
    /// At most one limit of each kind of window.
    pub limits: Vec<Effective>,
    /// The top-up beside the periods.
    pub top_up: Option<u64>,
    /// When these limits are the ones in force: until the first raise ends, since the last one ended.
    pub valid: Period,
}

impl Default for EffectiveQuota {
    fn default() -> EffectiveQuota {
        EffectiveQuota { limits: Vec::new(), top_up: None, valid: Period::ALWAYS }
    }
}

/// A quota that applies to an account, with its rank.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// How strong it is.
    pub origin: Origin,
    /// The quota.
    pub quota: &'a Quota,
}

/// Which limits bind at `now`: window by window the strongest candidate that names the window's kind; an absent one falls
/// through, `unlimited` lifts (rule 1, S0.16). Among patterns of one origin the more specific one is stronger. While a quota is
/// raised, the raise's limit stands in place of its own.
///
/// `default_zone` is the zone of windows that name none; `windows` has those that were compiled before. A window that no longer
/// compiles is left out; the catalog refuses such a window when it is set.
pub fn resolve(candidates: &[Candidate<'_>], windows: &Windows, default_zone: &str, now: Timestamp) -> EffectiveQuota {
    let mut ranked: Vec<&Candidate<'_>> = candidates.iter().collect();
    ranked.sort_by(|a, b| a.origin.cmp(&b.origin).then_with(|| specificity(b.quota).cmp(&specificity(a.quota))));

    let mut result = EffectiveQuota::default();
    let mut seen: Vec<WindowKind> = Vec::new();
    for candidate in ranked {
        let quota = candidate.quota;
        result.top_up = result.top_up.or(quota.top_up);
        for limit in &quota.limits {
            if seen.contains(&limit.window.kind) {
                continue;
            }
            let Ok(window) = windows.get(&limit.window, default_zone) else { continue };
            seen.push(limit.window.kind);
            let raised = raised(quota, limit, now, &mut result.valid);
            result.limits.push(Effective {
                window,
                limit: raised.map_or(limit.value, |(value, _)| value).finite(),
                own: limit.value.finite(),
                raised_until: raised.map(|(_, until)| until),
                origin: candidate.origin,
                subject: quota.subject.shared(),
                enforcement: quota.enforcement,
                hold_share_percent: quota.hold_share_percent,
            });
        }
    }
    result.limits.sort_by_key(|limit| limit.window.kind());
    result
}

/// What a raise sets in place of a limit at `now`, and until when; narrows the time in which that is the answer.
fn raised(quota: &Quota, limit: &Limit, now: Timestamp, valid: &mut Period) -> Option<(LimitValue, Timestamp)> {
    let raise = quota.raise.as_ref()?;
    let value = raise.of(limit.window.kind)?;
    if raise.is_over(now) {
        valid.start = valid.start.max(raise.until);
        return None;
    }
    valid.end = valid.end.min(raise.until);
    Some((value, raise.until))
}

/// Whether a default is locked for some tenants, that of this account perhaps among them: its first pair stands for the tenant.
pub fn locks_below(quota: &Quota, account: &str) -> bool {
    let collection = |text: &str| text.split('/').next().map(str::to_owned);
    quota.locked_without.is_some()
        && matches!(&quota.subject, Subject::Pattern(pattern) if collection(pattern.as_str()) == collection(account))
}

/// What is left of an account's candidates by the plan of its tenant: without the feature that one of the `locks` asks for, the
/// tenant's own quotas rest; with it, the default that is locked without it does not apply (S4.04-S4.06).
pub fn lock<'a>(
    candidates: Vec<Candidate<'a>>,
    locks: impl Iterator<Item = &'a Quota>,
    lacks: impl Fn(&str) -> bool,
) -> Vec<Candidate<'a>> {
    let lacking = |quota: &Quota| quota.locked_without.as_deref().is_some_and(&lacks);
    let locked = locks.into_iter().any(lacking);
    let stays = |candidate: &Candidate<'_>| match &candidate.quota.locked_without {
        Some(feature) => lacks(feature),
        None => !locked || candidate.quota.tenant.is_none(),
    };
    candidates.into_iter().filter(stays).collect()
}

fn specificity(quota: &Quota) -> Option<impl Ord + use<>> {
    match &quota.subject {
        Subject::Pattern(pattern) => Some(pattern.specificity()),
        Subject::Account(_) | Subject::Plan(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn quota(subject: &str, limits: &[(WindowKind, u64)], raise: &[(WindowKind, u64)], until: i64) -> Quota {
        let limit = |(kind, amount): &(WindowKind, u64)| Limit {
            window: WindowSpec::of(*kind),
            value: LimitValue::Finite(*amount),
        };
        let raise: Vec<Limit> = raise.iter().map(limit).collect();
        let (subject, meter) = (Subject::parse(subject).unwrap(), "m".parse().unwrap());
        let raise = (!raise.is_empty()).then(|| Raise { limits: raise, until: at(until) });
        Quota { raise, ..Quota::plain("tenants/uni", subject, meter, limits.iter().map(limit).collect(), at(0)) }
    }

    /// Limits and until when each is raised.
    type Limits = Vec<(Option<u64>, Option<i64>)>;

    /// What binds, and when all that is so.
    fn found(quotas: &[&Quota], now: i64) -> (Limits, (i64, i64)) {
        let origins = [Origin::Own, Origin::Tenant];
        let candidates: Vec<_> =
            origins.into_iter().zip(quotas).map(|(origin, quota)| Candidate { origin, quota }).collect();
        let found = resolve(&candidates, &Windows::default(), "UTC", at(now));
        let limits = found.limits.iter().map(|limit| (limit.limit, limit.raised_until.map(Timestamp::millis)));
        (limits.collect(), (found.valid.start.millis(), found.valid.end.millis()))
    }

    #[test]
    fn a_raise_is_in_force_until_its_end() {
        use WindowKind::{Day, Month};
        let own = quota("tenants/a/users/u", &[(Day, 5)], &[(Day, 9)], 100);
        assert_eq!(found(&[&own], 99), (vec![(Some(9), Some(100))], (i64::MIN, 100)));
        assert_eq!(found(&[&own], 100), (vec![(Some(5), None)], (100, i64::MAX)));
        // Of several that bind, each ends by itself; one that binds nothing is not asked.
        let pattern = quota("tenants/a/users/-", &[(Day, 1), (Month, 50)], &[(Day, 2), (Month, 60)], 200);
        let both = [&own, &pattern];
        assert_eq!(found(&both, 0), (vec![(Some(9), Some(100)), (Some(60), Some(200))], (i64::MIN, 100)));
        assert_eq!(found(&both, 150), (vec![(Some(5), None), (Some(60), Some(200))], (100, 200)));
        assert_eq!(found(&both, 200), (vec![(Some(5), None), (Some(50), None)], (200, i64::MAX)));
        let never = quota("tenants/a/users/u", &[(Day, 5)], &[], 0);
        assert_eq!(found(&[&never], 0), (vec![(Some(5), None)], (i64::MIN, i64::MAX)));
        let hidden = quota("tenants/a/users/-", &[(Day, 1)], &[(Day, 2)], 200);
        assert_eq!(found(&[&never, &hidden], 0).1, (i64::MIN, i64::MAX));
    }

    #[test]
    fn unlimited_is_above_every_limit() {
        use LimitValue::{Finite, Unlimited};
        for (this, other, above) in
            [(Finite(2), Finite(1), true), (Finite(1), Finite(1), false), (Unlimited, Finite(u64::MAX), true)]
        {
            assert_eq!(this.is_above(other), above, "{this:?} {other:?}");
        }
        assert!(!Unlimited.is_above(Unlimited) && !Finite(u64::MAX).is_above(Unlimited));
    }
}
