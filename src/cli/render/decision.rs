//! Decisions: what a check allows, why something is denied, what was freed.

use super::reservation::Aside;
use super::table::{Column, View, instant_or_dash, limit, number_or_dash, words};
use crate::proto::v1::{Allowance, Denial, FreeResponse};

/// A passed check with every limit on the way.
pub fn allowance(view: &View, allowance: &Allowance) -> String {
    if allowance.unenforced {
        return "allowed (unenforced: the counters can't be reached)".to_owned();
    }
    use Column::{Number, Text};
    let columns = [
        Text("account"),
        Text("meter"),
        Text("window"),
        Number("limit"),
        Number("used"),
        Number("held"),
        Number("remaining"),
    ];
    let rows = allowance.limits.iter().map(|line| {
        vec![
            line.account.clone(),
            line.meter.clone(),
            line.window.clone(),
            limit(line.limit),
            line.used.to_string(),
            line.held.to_string(),
            number_or_dash(line.remaining),
        ]
    });
    format!("allowed\n{}", view.table(&columns, rows.collect()))
}

/// A denial: its message, every limit in the way, and what can be done.
pub fn denial(view: &View, denial: &Denial) -> String {
    use Column::{Number, Text};
    let message = if denial.message.is_empty() { "it does not fit" } else { &denial.message };
    let mut text = format!("denied: {message}");
    if denial.violations.is_empty() {
        return text;
    }
    let columns = [
        Text("account"),
        Text("meter"),
        Text("window"),
        Number("limit"),
        Number("used"),
        Number("held"),
        Number("remaining"),
        Number("requested"),
        Text("resets"),
        Text("cause"),
    ];
    let rows = denial.violations.iter().map(|violation| {
        vec![
            violation.account.clone(),
            violation.meter.clone(),
            violation.window.clone(),
            number_or_dash(violation.limit),
            violation.used.to_string(),
            violation.held.to_string(),
            violation.remaining.to_string(),
            violation.requested.to_string(),
            instant_or_dash(violation.reset_time.as_ref()),
            words(violation.cause().as_str_name(), "CAUSE_"),
        ]
    });
    text.push('\n');
    text.push_str(&view.table(&columns, rows.collect()));
    if !denial.tried_pools.is_empty() {
        text.push_str(&format!("\nno room either: {}", denial.tried_pools.join(", ")));
    }
    let mut advices: Vec<&str> = Vec::new();
    for violation in &denial.violations {
        // The same advice for several limits is said once.
        if !violation.advice.is_empty() && !advices.contains(&violation.advice.as_str()) {
            advices.push(&violation.advice);
        }
    }
    for advice in advices {
        text.push_str("\nadvice: ");
        text.push_str(advice);
    }
    text
}

/// What was given back.
pub fn freed(view: &View, response: &FreeResponse) -> String {
    let aside = Aside::new(response.durability(), response.replayed);
    let mut notes: Vec<String> = Vec::new();
    if let Some(reservation) = &response.reservation {
        notes.push(format!("reservation {}", reservation.reservation_id));
    }
    notes.extend(aside.words());
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    match response.freed.as_slice() {
        [] => format!("freed nothing{notes}"),
        [charge] => format!("freed {} {} on {}{notes}", charge.amount(), charge.meter, charge.account),
        charges => {
            let columns =
                [Column::Text("account"), Column::Text("meter"), Column::Text("item"), Column::Number("freed")];
            let rows = charges.iter().map(|charge| {
                vec![charge.account.clone(), charge.meter.clone(), charge.item.clone(), charge.amount().to_string()]
            });
            format!("freed {} charges{notes}\n{}", charges.len(), view.table(&columns, rows.collect()))
        }
    }
}
