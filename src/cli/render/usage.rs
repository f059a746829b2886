//! The usage report: one line for each window of each meter.

use super::table::{Column, View, dash, instant, instant_or_dash, limit, number_or_dash, words};
use crate::proto::v1::{Enforcement, GetUsageResponse, LimitOrigin, MeterUsage, WindowUsage};

/// Limits and use of one account.
pub fn usage(view: &View, response: &GetUsageResponse) -> String {
    let as_of = response.as_of.as_ref().map_or_else(String::new, |time| format!(" at {}", instant(time)));
    let mut text = format!("usage of {}{as_of}", response.account);
    let rows: Vec<_> =
        response.meters.iter().flat_map(|meter| meter.windows.iter().map(|window| row(meter, window))).collect();
    if rows.is_empty() {
        text.push_str("\nno meters");
        return text;
    }
    use Column::{Number, Text};
    let columns = [
        Text("meter"),
        Text("window"),
        Number("limit"),
        Text("origin"),
        Number("used"),
        Number("held"),
        Number("remaining"),
        Number("available"),
        Number("%"),
        Text("state"),
        Text("resets"),
    ];
    text.push('\n');
    text.push_str(&view.table(&columns, rows));
    for meter in &response.meters {
        if let Some(left) = meter.top_up_remaining {
            text.push_str(&format!("\n{}: {left} left of the top-up", meter.meter));
        }
    }
    text
}

fn row(meter: &MeterUsage, window: &WindowUsage) -> Vec<String> {
    let raised = window.raised_until.as_ref().map_or_else(String::new, |until| format!(" (until {})", instant(until)));
    let shadow = if window.enforcement() == Enforcement::Shadow { " (shadow)" } else { "" };
    vec![
        meter.meter.clone(),
        window.window.clone(),
        format!("{}{raised}{shadow}", limit(window.limit)),
        origin(window),
        window.used.to_string(),
        window.held.to_string(),
        number_or_dash(window.remaining),
        number_or_dash(window.available),
        window.percent.map_or_else(dash, percent),
        words(window.state().as_str_name(), "USAGE_STATE_"),
        instant_or_dash(window.reset_time.as_ref()),
    ]
}

/// Whose quota it is: the account's own, or the plan or pattern by its name.
fn origin(window: &WindowUsage) -> String {
    match window.origin() {
        LimitOrigin::Unspecified => dash(),
        LimitOrigin::Own => "own".to_owned(),
        LimitOrigin::Installation => format!("installation {}", window.origin_subject).trim_end().to_owned(),
        LimitOrigin::Plan | LimitOrigin::Tenant => window.origin_subject.clone(),
    }
}

/// One decimal, unless it is zero.
fn percent(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
