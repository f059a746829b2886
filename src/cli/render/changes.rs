//! What an apply changed, or would.

use crate::proto::v1::{ApplyResponse, ChangeKind};

/// A line for each change (`+` made, `~` changed, `-` removed), then the sum.
pub fn changes(response: &ApplyResponse, dry_run: bool) -> String {
    let mut text = String::new();
    for change in &response.changes {
        let subject = &change.subject;
        let line = match change.kind() {
            ChangeKind::Create => format!("+ {subject}: {}\n", change.after),
            ChangeKind::Delete => format!("- {subject}: {}\n", change.before),
            ChangeKind::Update => format!("~ {subject}: {} -> {}\n", change.before, change.after),
            ChangeKind::Unspecified => format!("? {subject}\n"),
        };
        text.push_str(&line);
    }
    let sum = match (response.changes.len(), dry_run) {
        (0, _) => "nothing to change".to_owned(),
        (1, false) => "1 change made".to_owned(),
        (count, false) => format!("{count} changes made"),
        (1, true) => "1 change would be made".to_owned(),
        (count, true) => format!("{count} changes would be made"),
    };
    text.push_str(&sum);
    if !response.etag.is_empty() {
        text.push_str(&format!(" (etag {})", response.etag));
    }
    text
}
