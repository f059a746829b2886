//! Changes of the catalog.

use crate::engine::manage::{Change, ChangeKind};
use crate::proto::v1;

/// A change as the protocol shows it.
pub fn change(change: Change) -> v1::CatalogChange {
    v1::CatalogChange {
        kind: kind(change.kind).into(),
        subject: change.subject,
        before: change.before,
        after: change.after,
    }
}

fn kind(kind: ChangeKind) -> v1::ChangeKind {
    match kind {
        ChangeKind::Create => v1::ChangeKind::Create,
        ChangeKind::Update => v1::ChangeKind::Update,
        ChangeKind::Delete => v1::ChangeKind::Delete,
    }
}
