//! Quotas in force, and the versions that one had.

use super::table::{Column, View, dash, instant, instant_or_dash, words};
use crate::proto::v1::limit::Value;
use crate::proto::v1::{Enforcement, Limit, Quota, Raise, Window};
use Column::{Number, Text};

/// A line for each quota.
pub fn quotas(view: &View, quotas: &[Quota]) -> String {
    if quotas.is_empty() {
        return "no quotas".to_owned();
    }
    let columns = [Text("subject"), Text("meter"), Text("limits"), Number("version"), Text("changed"), Text("note")];
    let row = |quota: &Quota| {
        vec![
            quota.subject.clone(),
            quota.meter.clone(),
            content(quota),
            quota.version.to_string(),
            instant_or_dash(quota.update_time.as_ref()),
            first_line(&quota.note),
        ]
    };
    view.table(&columns, quotas.iter().map(row).collect())
}

/// A line for each version, with the time in which it was in force.
pub fn quota_versions(view: &View, versions: &[Quota]) -> String {
    if versions.is_empty() {
        return "there never was such a quota".to_owned();
    }
    let columns = [Number("version"), Text("state"), Text("limits"), Text("from"), Text("to"), Text("note")];
    let row = |quota: &Quota| {
        vec![
            quota.version.to_string(),
            words(quota.state().as_str_name(), "QUOTA_STATE_"),
            content(quota),
            instant_or_dash(quota.create_time.as_ref()),
            instant_or_dash(quota.close_time.as_ref()),
            first_line(&quota.note),
        ]
    };
    view.table(&columns, versions.iter().map(row).collect())
}

/// `day 5, month 100 (zone Europe/Berlin), raised to day 9 until 2026-11-21T10:00:00Z, top-up 5, shadow`.
fn content(quota: &Quota) -> String {
    let mut parts: Vec<String> = quota.limits.iter().map(limit).collect();
    parts.extend(quota.raise.as_ref().map(raise));
    parts.extend(quota.top_up.map(|amount| format!("top-up {amount}")));
    parts.extend(quota.hold_share_percent.map(|percent| format!("at most {percent} % a hold")));
    if quota.enforcement() == Enforcement::Shadow {
        parts.push("shadow".to_owned());
    }
    if !quota.locked_without.is_empty() {
        parts.push(format!("locked without {}", quota.locked_without));
    }
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

/// `day 5`.
pub(super) fn limit(limit: &Limit) -> String {
    let amount = amount(limit);
    let Some(window) = &limit.window else { return amount };
    let kind = words(window.kind().as_str_name(), "WINDOW_KIND_");
    format!("{kind} {amount}{}", shape(window))
}

/// `raised to day 9 and month unlimited until TIME`, or how it was until then.
fn raise(raise: &Raise) -> String {
    let one = |limit: &Limit| {
        let kind = limit.window.as_ref().map_or_else(dash, |window| words(window.kind().as_str_name(), "WINDOW_KIND_"));
        format!("{kind} {}", amount(limit))
    };
    let limits: Vec<String> = raise.limits.iter().map(one).collect();
    let until = raise.until.as_ref().map_or_else(dash, instant);
    let (verb, over) = if raise.is_over { ("was raised", " (over)") } else { ("raised", "") };
    format!("{verb} to {} until {until}{over}", limits.join(" and "))
}

fn amount(limit: &Limit) -> String {
    match limit.value {
        Some(Value::Amount(amount)) => amount.to_string(),
        Some(Value::Unlimited(_)) | None => "unlimited".to_owned(),
    }
}

fn shape(window: &Window) -> String {
    let length = window.length.as_ref().map(seconds).unwrap_or_default();
    let parts = [("zone", &window.time_zone), ("anchor", &window.anchor), ("length", &length), ("cron", &window.cron)];
    let said: Vec<String> =
        parts.iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| format!("{name} {text}")).collect();
    if said.is_empty() { String::new() } else { format!(" ({})", said.join(", ")) }
}

/// `90s`, `1.5s`.
fn seconds(length: &pbjson_types::Duration) -> String {
    let millis = length.nanos / 1_000_000;
    if millis == 0 { format!("{}s", length.seconds) } else { format!("{}.{millis:03}s", length.seconds) }
}

fn first_line(note: &str) -> String {
    let mut lines = note.lines();
    let first = lines.next().unwrap_or_default();
    if lines.next().is_some() { format!("{first} ...") } else { first.to_owned() }
}
