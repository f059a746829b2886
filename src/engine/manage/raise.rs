//! Whether a raise fits its quota: higher limits over windows that the quota limits itself, by the rules of any limit.

use super::document::quota::{DraftAmount, DraftLimit, DraftQuota, DraftRaise, DraftValue, GivenRaise};
use super::document::{Place, Problems};
use super::validate::{check_limit, check_order};
use crate::domain::meter::Meter;
use crate::domain::quota::{Limit, LimitValue, Raise};
use crate::domain::window::WindowSpec;

/// The raise that a draft asks for, judged beside the quota's own limits.
pub(super) fn check_raise(draft: &DraftQuota, own: &[Limit], meter: &Meter, problems: &mut Problems) -> Option<Raise> {
    match &draft.raise {
        DraftRaise::Unsaid | DraftRaise::Ended => None,
        DraftRaise::Given(given) => Some(judged(given, draft, own, meter, problems)),
        DraftRaise::Kept(raise) => {
            let given = still_raising(raise, own, &draft.at)?;
            let mut found = Problems::default();
            let kept = judged(&given, draft, own, meter, &mut found);
            // Whoever edits the quota has not said it, and may not know of it: one sentence says what stands in the way.
            if let Some(first) = found.list().first() {
                let until = kept.until;
                let what = "end it, or give another one";
                problems.add(&given.at, format!("the raise that stands until {until} {}: {what}", first.message));
            }
            Some(kept)
        }
    }
}

/// A raise as it is said, judged.
fn judged(given: &GivenRaise, draft: &DraftQuota, own: &[Limit], meter: &Meter, problems: &mut Problems) -> Raise {
    if given.limits.is_empty() {
        problems.add(&given.at.key("limits", given.at.line), "must name at least one window with its higher limit");
    }
    let mut limits = Vec::with_capacity(given.limits.len());
    for limit in &given.limits {
        let Some(window) = own_window(draft, limit, problems) else { continue };
        let Some(raised) = check_limit(limit, window, meter, problems) else { continue };
        let kind = raised.window.kind;
        let below = own.iter().find(|own| own.window.kind == kind && !raised.value.is_above(own.value));
        if let Some(own) = below {
            problems
                .add(&limit.at, format!("must be above the quota's own {kind} limit, which is {}", words(own.value)));
        }
        limits.push(raised);
    }
    if meter.ordered_limits {
        let raised = |kind| limits.iter().find(|raised: &&Limit| raised.window.kind == kind);
        let in_force: Vec<Limit> = own.iter().map(|own| raised(own.window.kind).unwrap_or(own).clone()).collect();
        let place = |kind| given.limits.iter().find(|limit| limit.window.kind == kind).map(|limit| &limit.at);
        check_order(&in_force, place, problems);
    }
    Raise { limits, until: given.until }
}

/// What of a raise that stands is above the quota's own limits as they are to be; `None`: nothing.
fn still_raising(raise: &Raise, own: &[Limit], at: &Place) -> Option<GivenRaise> {
    let at = at.key("raise", at.line);
    let draft = |own: &Limit| {
        let value = raise.of(own.window.kind).filter(|value| value.is_above(own.value))?;
        let amount = value.finite().map(|units| DraftValue::Units(units.cast_signed()));
        let amount = amount.map(|value| DraftAmount { at: at.clone(), value });
        Some(DraftLimit { at: at.clone(), window: own.window.clone(), amount })
    };
    let limits: Vec<DraftLimit> = own.iter().filter_map(draft).collect();
    (!limits.is_empty()).then_some(GivenRaise { at, limits, until: raise.until })
}

/// The window of the quota's own limit that is raised. Of the raise's only the kind must be said.
fn own_window<'a>(draft: &'a DraftQuota, raised: &DraftLimit, problems: &mut Problems) -> Option<&'a WindowSpec> {
    let kind = raised.window.kind;
    let Some(own) = draft.limits.iter().find(|own| own.window.kind == kind) else {
        problems.add(&raised.at, format!("the quota has no {kind} limit of its own that could be raised"));
        return None;
    };
    if raised.window != own.window && raised.window != WindowSpec::of(kind) {
        problems.add(&raised.at, format!("must be over the window of the quota's own {kind} limit"));
    }
    Some(&own.window)
}

/// A limit in words.
pub(super) fn words(value: LimitValue) -> String {
    value.finite().map_or_else(|| String::from("unlimited"), |amount| amount.to_string())
}
