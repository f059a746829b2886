//! Tables and the small words in their cells: numbers, times, names of enum values.

use comfy_table::{Cell, CellAlignment, Table, presets};
use pbjson_types::Timestamp;

/// How to draw, and what time it is.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Draw with box characters (a terminal) instead of plain ASCII (a file or a pipe).
    pub unicode: bool,
    /// Seconds since 1970, for "expires in".
    pub now: i64,
}

/// How a column is set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Words, to the left.
    Text(&'static str),
    /// Numbers, to the right.
    Number(&'static str),
}

impl View {
    /// This machine's clock in seconds since 1970.
    pub fn clock() -> i64 {
        jiff::Timestamp::now().as_second()
    }

    /// A table of `rows` under `columns`.
    pub fn table(&self, columns: &[Column], rows: Vec<Vec<String>>) -> String {
        let style = if self.unicode { presets::UTF8_FULL_CONDENSED } else { presets::ASCII_FULL_CONDENSED };
        let mut table = Table::new();
        table.load_style(style);
        table.set_header(columns.iter().map(|column| cell(*column, column.title())));
        for row in rows {
            table.add_row(columns.iter().zip(row).map(|(column, text)| cell(*column, &text)));
        }
        table.trim_fmt()
    }

    /// "in 42 s at 2026-11-21T23:30:00Z"; without the first part where this machine's clock says nothing sensible.
    pub fn deadline(&self, time: &Timestamp) -> String {
        let left = time.seconds.saturating_sub(self.now);
        if (1..=86_400).contains(&left) {
            format!("in {left} s at {}", instant(time))
        } else {
            format!("at {}", instant(time))
        }
    }
}

impl Column {
    fn title(self) -> &'static str {
        match self {
            Column::Text(title) | Column::Number(title) => title,
        }
    }
}

fn cell(column: Column, text: &str) -> Cell {
    let alignment = if matches!(column, Column::Number(_)) { CellAlignment::Right } else { CellAlignment::Left };
    Cell::new(plain(text)).set_alignment(alignment)
}

/// What somebody wrote, as a terminal may show it: it must not move the cursor or set colours. Lines of a cell stay.
fn plain(text: &str) -> String {
    let moves = |letter: char| letter.is_control() && letter != '\n';
    let shown = |letter: char| if moves(letter) { letter.escape_default().collect() } else { letter.to_string() };
    text.chars().map(shown).collect()
}

/// A point in time to the second, UTC.
pub fn instant(time: &Timestamp) -> String {
    match jiff::Timestamp::from_second(time.seconds) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => "beyond the calendar".to_owned(),
    }
}

/// A point in time, or `-`.
pub fn instant_or_dash(time: Option<&Timestamp>) -> String {
    time.map_or_else(dash, instant)
}

/// A number, or `-`.
pub fn number_or_dash(number: Option<i64>) -> String {
    number.map_or_else(dash, |number| number.to_string())
}

/// A limit; none is unlimited.
pub fn limit(number: Option<i64>) -> String {
    number.map_or_else(|| "unlimited".to_owned(), |number| number.to_string())
}

/// Nothing to say.
pub fn dash() -> String {
    "-".to_owned()
}

/// An enum value without its prefix, in lower case words: `CAUSE_HELD_BY_OTHERS` is `held by others`.
pub fn words(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase().replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_sets_no_colours() {
        let view = View { unicode: false, now: 0 };
        let table = view.table(&[Column::Text("unit")], vec![vec!["\u{1b}[31mred\r\n自动".to_owned()]]);
        assert!(table.contains("\\u{1b}[31mred\\r") && table.contains("自动"), "{table}");
        assert!(!table.contains('\u{1b}') && !table.contains('\r'), "{table}");
    }
}
