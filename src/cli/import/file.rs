//! The file: CSV with a line of headings, or JSON lines; told apart by the first character.

use super::csv;
use super::row::{Row, Use};
use std::collections::HashMap;

/// A line of the file, from 1, and what is wrong with it.
pub(super) type BadLine = (usize, String);

/// Reads all lines.
///
/// # Errors
/// Every line that is wrong, in order.
pub(super) fn uses(text: &str, import: &str) -> Result<Vec<Use>, Vec<BadLine>> {
    let text = text.trim_start_matches('\u{feff}');
    let (rows, mut bad) = if text.trim_start().starts_with('{') { json_lines(text) } else { comma_separated(text) };
    let mut seen: HashMap<Vec<&str>, (usize, usize)> = HashMap::new();
    let mut uses = Vec::with_capacity(rows.len());
    for (line, row) in &rows {
        let (first, count) = seen.entry(row.identity()).or_insert((*line, 0));
        let repeat = *count;
        *count += 1;
        if repeat > 0 && !row.request_id.is_empty() {
            bad.push((*line, format!("has the request_id of line {first}")));
            continue;
        }
        match row.judge(*line, import, repeat) {
            Ok(used) => uses.push(used),
            Err(faults) => bad.extend(faults.into_iter().map(|fault| (*line, fault))),
        }
    }
    bad.sort_by_key(|(line, _)| *line);
    if bad.is_empty() { Ok(uses) } else { Err(bad) }
}

type Rows = (Vec<(usize, Row)>, Vec<BadLine>);

fn json_lines(text: &str) -> Rows {
    let (mut rows, mut bad) = Rows::default();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str(line) {
            Ok(row) => rows.push((index + 1, row)),
            Err(error) => bad.push((index + 1, error.to_string())),
        }
    }
    (rows, bad)
}

fn comma_separated(text: &str) -> Rows {
    let records = match csv::records(text) {
        Ok(records) => records,
        Err(bad) => return (Vec::new(), vec![bad]),
    };
    let mut records = records.into_iter();
    let Some((line, headings)) = records.next() else { return Rows::default() };
    let mut bad: Vec<BadLine> = Vec::new();
    for (index, heading) in headings.iter().enumerate() {
        if Row::default().field(heading).is_none() {
            bad.push((line, format!("{heading:?} is no column; there are {}", Row::COLUMNS.join(", "))));
        } else if headings[..index].contains(heading) {
            bad.push((line, format!("the column {heading} stands twice")));
        }
    }
    for needed in ["account", "meter", "amount"].iter().filter(|needed| !headings.iter().any(|h| h == *needed)) {
        bad.push((line, format!("the first line names the columns, and {needed} is missing")));
    }
    if !bad.is_empty() {
        return (Vec::new(), bad);
    }
    let mut rows = Vec::new();
    for (line, fields) in records {
        if fields.len() != headings.len() {
            bad.push((line, format!("has {} fields, the first line {}", fields.len(), headings.len())));
            continue;
        }
        let mut row = Row::default();
        for (heading, field) in headings.iter().zip(fields) {
            match row.field(heading) {
                Some(Column::One(text)) => *text = field,
                Some(Column::Many(list)) => *list = field.split_whitespace().map(str::to_owned).collect(),
                None => {}
            }
        }
        rows.push((line, row));
    }
    (rows, bad)
}

/// Where a column's text goes.
enum Column<'a> {
    /// As it is.
    One(&'a mut String),
    /// Parted by blanks.
    Many(&'a mut Vec<String>),
}

impl Row {
    const COLUMNS: [&'static str; 9] =
        ["tenant", "account", "meter", "amount", "item", "also", "time", "period", "request_id"];

    fn field(&mut self, name: &str) -> Option<Column<'_>> {
        let text = match name {
            "tenant" => &mut self.tenant,
            "account" => &mut self.account,
            "meter" => &mut self.meter,
            "amount" => &mut self.amount,
            "item" => &mut self.item,
            "also" => return Some(Column::Many(&mut self.also)),
            "time" => &mut self.time,
            "period" => &mut self.period,
            "request_id" => &mut self.request_id,
            _ => return None,
        };
        Some(Column::One(text))
    }
}
