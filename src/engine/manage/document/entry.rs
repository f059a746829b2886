//! Reads one entry alone, as it stands in a list of a document: a meter, a plan, a rate card.

use super::account::read_plan;
use super::draft::{Found, read_root};
use super::errors::{Place, Problems};
use super::meter::read_meter;
use super::rate_card::read_rate_card;
use super::yaml::{Node, Value};
use crate::domain::account::Plan;
use crate::domain::meter::Meter;
use crate::domain::rate_card::RateCard;

/// One entry of `meters`.
///
/// # Errors
/// Every fault with its line; so for all here.
pub fn meter_entry(yaml: &[u8]) -> Result<Meter, Problems> {
    alone(yaml, |node, at, problems| read_meter(node, at, None, problems).map(|found| found.value))
}

/// One entry of `plans`, without quotas: they are quotas of their own.
#[allow(clippy::missing_errors_doc)]
pub fn plan_entry(yaml: &[u8]) -> Result<Plan, Problems> {
    alone(yaml, |node, at, problems| {
        let (Found { value, .. }, fields) = read_plan(node, at, None, problems)?;
        if fields.get("quotas").is_some() {
            let why = format!("are set apart, by a document or one by one, with plans/{} as their subject", value.name);
            problems.add(&fields.place("quotas"), why);
        }
        Some(value)
    })
}

/// One entry of `rate_cards`.
#[allow(clippy::missing_errors_doc)]
pub fn rate_card_entry(yaml: &[u8]) -> Result<RateCard, Problems> {
    alone(yaml, |node, at, problems| read_rate_card(node, at, None, problems).map(|found| found.value))
}

/// What a text says that holds one entry; with the dash of its list, or without.
fn alone<T>(yaml: &[u8], read: impl FnOnce(&Node<'_>, &Place, &mut Problems) -> Option<T>) -> Result<T, Problems> {
    let mut problems = Problems::default();
    let mut found = None;
    if let Some(root) = read_root(yaml, &mut problems) {
        let at = Place::root();
        match &root.value {
            Value::List(items) if items.len() == 1 => found = read(&items[0], &at, &mut problems),
            Value::List(items) => problems.add(&at, format!("must be one entry; it is a list of {}", items.len())),
            Value::Map(_) | Value::Scalar { .. } => found = read(&root, &at, &mut problems),
        }
    }
    problems.clone().into_result()?;
    // Whoever reads nothing has said why.
    found.ok_or(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults<T>(read: Result<T, Problems>) -> String {
        read.map(drop).expect_err("it is faulty").to_string()
    }

    #[test]
    fn an_entry_reads_as_in_its_list() {
        let meter = meter_entry(b"name: job.runs\nunit: run\ndecimals: 2\nmax_limit: \"9.50\"\n").unwrap();
        assert_eq!((meter.unit.as_str(), meter.max_limit), ("run", Some(950)));
        assert_eq!(meter_entry(b"- {name: job.runs, unit: run, decimals: 2, max_limit: 950}"), Ok(meter));
        assert_eq!(plan_entry(b"{name: gold, features: [own]}").unwrap().features.len(), 1);
        let card = b"meter: m\nfrom: 2040-03-01T08:00:00Z\nprices: [{item: b, components: {in: 2}}, {item: a, components: {in: 1}}]";
        assert_eq!(rate_card_entry(card).unwrap().prices[0].item, "a");
    }

    #[test]
    fn every_fault_has_its_line() {
        let text = faults(meter_entry(b"name: job.runs\ndecimals: 11\ncolour: red\n"));
        assert!(text.contains("line 2: decimals: ") && text.contains("line 3: colour: unknown key"), "{text}");
        for (yaml, part) in
            [(&b""[..], "name is needed"), (b"[]", "a list of 0"), (b"meter", "a map"), (b"\xff", "UTF-8")]
        {
            let text = faults(meter_entry(yaml));
            assert!(text.contains(part), "{yaml:?}: {text}");
        }
        let text = faults(plan_entry(b"name: gold\nquotas: [{meter: m, limits: {day: 1}}]\n"));
        assert!(text.contains("line 2: quotas: ") && text.contains("plans/gold"), "{text}");
        assert!(faults(rate_card_entry(b"{meter: m}")).contains("from is needed"));
    }
}
