//! Quotas that an administrator sends, as drafts: what needs the catalog to be judged is left for it.

use crate::domain::name::MeterName;
use crate::domain::quota::{Enforcement, Subject};
use crate::domain::time::Span;
use crate::domain::window::{WindowKind, WindowSpec};
use crate::engine::manage::document::account::feature;
use crate::engine::manage::document::quota::{
    DraftAmount, DraftLimit, DraftQuota, DraftRaise, DraftValue, GivenRaise, MAX_NOTE, check_window,
};
use crate::engine::manage::document::{Place, Problems};
use crate::proto::v1;
use crate::services::convert::time::from_timestamp;
use std::fmt::Display;

/// A quota that stands at `at`. What is faulty is reported and left out.
pub fn quota(quota: v1::Quota, at: &Place, problems: &mut Problems) -> Option<DraftQuota> {
    let field = |name: &str| at.key(name, 0);
    let subject = named(Subject::parse(&quota.subject), &field("subject"), problems);
    let meter = named(quota.meter.parse::<MeterName>(), &field("meter"), problems);
    if quota.top_up.is_some() && quota.limits.is_empty() {
        problems.add(&field("top_up"), "stands beside limits: name at least one");
    }
    if quota.note.len() > MAX_NOTE || quota.note.contains('\0') {
        problems.add(&field("note"), format!("must be at most {MAX_NOTE} bytes, without a zero character"));
    }
    Some(DraftQuota {
        limits: limits(quota.limits, &field("limits"), problems),
        raise: raise(quota.raise, &field("raise"), problems),
        top_up: quota.top_up.map(|units| DraftAmount { at: field("top_up"), value: DraftValue::Units(units) }),
        hold_share_percent: share(quota.hold_share_percent, &field("hold_share_percent"), problems),
        locked_without: locked_without(&quota.locked_without, &field("locked_without"), problems),
        enforcement: enforcement(quota.enforcement, &field("enforcement"), problems),
        at: at.clone(),
        subject: subject?,
        subject_at: field("subject"),
        meter: meter?,
        meter_at: field("meter"),
        note: quota.note,
    })
}

fn named<T, E: Display>(name: Result<T, E>, at: &Place, problems: &mut Problems) -> Option<T> {
    name.map_err(|error| problems.add(at, error.to_string())).ok()
}

fn share(percent: Option<i32>, at: &Place, problems: &mut Problems) -> Option<u8> {
    let share = u8::try_from(percent?).ok().filter(|percent| (1..=100).contains(percent));
    if share.is_none() {
        problems.add(at, "must be 1 to 100");
    }
    share
}

fn locked_without(text: &str, at: &Place, problems: &mut Problems) -> Option<String> {
    if text.is_empty() { None } else { named(feature(text), at, problems) }
}

fn enforcement(number: i32, at: &Place, problems: &mut Problems) -> Enforcement {
    match v1::Enforcement::try_from(number) {
        Ok(v1::Enforcement::Unspecified | v1::Enforcement::Enforce) => Enforcement::Enforce,
        Ok(v1::Enforcement::Shadow) => Enforcement::Shadow,
        Err(_) => {
            problems.add(at, "must be ENFORCE or SHADOW");
            Enforcement::Enforce
        }
    }
}

/// Its windows may be of a kind alone; whether they are those of the quota's own limits is judged with these.
fn raise(raise: Option<v1::Raise>, at: &Place, problems: &mut Problems) -> DraftRaise {
    let Some(raise) = raise else { return DraftRaise::Unsaid };
    let until = raise.until.as_ref().and_then(from_timestamp);
    if until.is_none() {
        problems.add(&at.key("until", 0), "is required: the time at which the quota's own limits bind again");
    }
    let limits = read_limits(raise.limits, &at.key("limits", 0), false, problems);
    until.map_or(DraftRaise::Unsaid, |until| DraftRaise::Given(GivenRaise { at: at.clone(), limits, until }))
}

/// Limits that stand at `at`.
pub fn limits(limits: Vec<v1::Limit>, at: &Place, problems: &mut Problems) -> Vec<DraftLimit> {
    read_limits(limits, at, true, problems)
}

/// `whole`: their windows say all that they need.
fn read_limits(limits: Vec<v1::Limit>, at: &Place, whole: bool, problems: &mut Problems) -> Vec<DraftLimit> {
    let mut drafts: Vec<DraftLimit> = Vec::new();
    for (index, limit) in limits.into_iter().enumerate() {
        let at = at.item(index, 0);
        let Some(draft) = read_limit(limit, &at, whole, problems) else { continue };
        if drafts.iter().any(|other| other.window.kind == draft.window.kind) {
            problems.add(&at.key("window", 0), format!("is the second {} window", draft.window.kind));
        }
        drafts.push(draft);
    }
    drafts
}

fn read_limit(limit: v1::Limit, at: &Place, whole: bool, problems: &mut Problems) -> Option<DraftLimit> {
    let amount = match limit.value {
        Some(v1::limit::Value::Amount(units)) => {
            Some(DraftAmount { at: at.key("amount", 0), value: DraftValue::Units(units) })
        }
        Some(v1::limit::Value::Unlimited(true)) => None,
        // A forgotten number must not lift the limit.
        Some(v1::limit::Value::Unlimited(false)) | None => {
            problems.add(at, "needs an amount, or unlimited");
            None
        }
    };
    let at_window = at.key("window", 0);
    let Some(window) = limit.window else {
        problems.add(&at_window, "is required");
        return None;
    };
    Some(DraftLimit { at: at.clone(), window: read_window(window, &at_window, whole, problems)?, amount })
}

fn read_window(window: v1::Window, at: &Place, whole: bool, problems: &mut Problems) -> Option<WindowSpec> {
    let Some(kind) = kind(window.kind()) else {
        problems.add(
            &at.key("kind", 0),
            "is required: LIFETIME, MINUTE, HOUR, DAY, WEEK, MONTH, YEAR, CRON, SLIDING or RATE",
        );
        return None;
    };
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    let length = window.length.map(|length| whole_millis(&length));
    if length == Some(None) {
        problems.add(&at.key("length", 0), "must be above zero, in whole milliseconds");
    }
    let has_length = length.is_some();
    let spec = WindowSpec {
        kind,
        zone: text(window.time_zone),
        anchor: text(window.anchor),
        length: length.flatten(),
        cron: text(window.cron),
    };
    let place = |field: &str| at.key(if field == "zone" { "time_zone" } else { field }, 0);
    if whole {
        check_window(&spec, has_length, place, problems);
    }
    Some(spec)
}

fn whole_millis(length: &pbjson_types::Duration) -> Option<Span> {
    if length.nanos % 1_000_000 != 0 {
        return None;
    }
    let millis = length.seconds.checked_mul(1000)?.checked_add(i64::from(length.nanos) / 1_000_000)?;
    (millis > 0).then(|| Span::from_millis(millis))
}

fn kind(kind: v1::WindowKind) -> Option<WindowKind> {
    Some(match kind {
        v1::WindowKind::Unspecified => return None,
        v1::WindowKind::Lifetime => WindowKind::Lifetime,
        v1::WindowKind::Minute => WindowKind::Minute,
        v1::WindowKind::Hour => WindowKind::Hour,
        v1::WindowKind::Day => WindowKind::Day,
        v1::WindowKind::Week => WindowKind::Week,
        v1::WindowKind::Month => WindowKind::Month,
        v1::WindowKind::Year => WindowKind::Year,
        v1::WindowKind::Cron => WindowKind::Cron,
        v1::WindowKind::Sliding => WindowKind::Sliding,
        v1::WindowKind::Rate => WindowKind::Rate,
    })
}
