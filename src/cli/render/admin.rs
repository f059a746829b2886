//! Adjustments, requests for more, and the audit.

use super::quota::limit;
use super::reservation::Aside;
use super::table::{Column, View, instant_or_dash, limit as limit_or_unlimited, words};
use crate::proto::v1::recalculate_result::Result as Outcome;
use crate::proto::v1::{Adjustment, AuditEntry, Limit, LimitRequest, MeasuredSize, RecalculateResponse};
use Column::{Number, Text};

/// A line for each correction.
pub fn adjustments(view: &View, adjustments: &[Adjustment], aside: &Aside) -> String {
    let columns = [Text("account"), Text("meter"), Number("change"), Number("charged before"), Number("and since")];
    let table = view.table(&columns, adjustments.iter().map(|one| adjusted(one).to_vec()).collect());
    let notes = aside.words().into_iter().map(|word| format!(", {word}")).collect::<String>();
    format!("adjusted{notes}\n{table}")
}

fn adjusted(one: &Adjustment) -> [String; 5] {
    let change = format!("{:+}", one.amount);
    let (before, after) = (one.charged_before.to_string(), one.charged_after.to_string());
    [one.account.clone(), one.meter.clone(), change, before, after]
}

/// A line for each size, with what became of it.
pub fn recalculated(view: &View, sizes: &[MeasuredSize], response: &RecalculateResponse) -> String {
    let columns = [
        Text("account"),
        Text("meter"),
        Number("change"),
        Number("charged before"),
        Number("and since"),
        Text("refused"),
    ];
    let row = |(size, result): (&MeasuredSize, &_)| match result {
        Some(Outcome::Adjustment(one)) => [adjusted(one).as_slice(), &[String::new()]].concat(),
        Some(Outcome::Error(error)) => {
            let none = String::new;
            vec![size.account.clone(), size.meter.clone(), none(), none(), none(), error.message.clone()]
        }
        None => vec![size.account.clone(), size.meter.clone()],
    };
    let results = response.results.iter().map(|result| &result.result);
    view.table(&columns, sizes.iter().zip(results).map(row).collect())
}

/// One request in sentences, and the use that was seen in a table.
pub fn limit_request(view: &View, request: &LimitRequest) -> String {
    let state = words(request.state().as_str_name(), "LIMIT_REQUEST_STATE_");
    let mut text = format!(
        "request {} is {state}: {} wants {} on {}\nasked by {} at {}: {}\n",
        request.limit_request_id,
        request.account,
        limits(&request.wanted),
        request.meter,
        request.requester,
        instant_or_dash(request.create_time.as_ref()),
        request.reason,
    );
    if let Some(time) = &request.resolve_time {
        let comment = if request.comment.is_empty() { String::new() } else { format!(": {}", request.comment) };
        let granted =
            if request.granted.is_empty() { String::new() } else { format!(", given {}", limits(&request.granted)) };
        let time = instant_or_dash(Some(time));
        text.push_str(&format!("decided by {} at {time}{granted}{comment}\n", request.resolver));
    }
    let columns = [Text("window"), Number("limit then"), Number("used then"), Number("held then")];
    let row = |seen: &crate::proto::v1::UsageSeen| {
        vec![seen.window.clone(), limit_or_unlimited(seen.limit), seen.used.to_string(), seen.held.to_string()]
    };
    text.push_str(&view.table(&columns, request.usage.iter().map(row).collect()));
    text
}

/// A line for each request.
pub fn limit_requests(view: &View, requests: &[LimitRequest]) -> String {
    if requests.is_empty() {
        return "no requests".to_owned();
    }
    let columns =
        [Text("id"), Text("state"), Text("account"), Text("meter"), Text("wanted"), Text("asked by"), Text("at")];
    let row = |request: &LimitRequest| {
        vec![
            request.limit_request_id.clone(),
            words(request.state().as_str_name(), "LIMIT_REQUEST_STATE_"),
            request.account.clone(),
            request.meter.clone(),
            limits(&request.wanted),
            request.requester.clone(),
            instant_or_dash(request.create_time.as_ref()),
        ]
    };
    view.table(&columns, requests.iter().map(row).collect())
}

fn limits(limits: &[Limit]) -> String {
    limits.iter().map(limit).collect::<Vec<_>>().join(", ")
}

/// A line for each change.
pub fn audit(view: &View, entries: &[AuditEntry]) -> String {
    if entries.is_empty() {
        return "nothing was changed".to_owned();
    }
    let columns = [Text("at"), Text("actor"), Text("action"), Text("subject"), Text("before"), Text("after")];
    let row = |entry: &AuditEntry| {
        vec![
            instant_or_dash(entry.time.as_ref()),
            entry.actor.clone(),
            entry.action.clone(),
            entry.subject.clone(),
            entry.before.clone(),
            entry.after.clone(),
        ]
    };
    view.table(&columns, entries.iter().map(row).collect())
}
