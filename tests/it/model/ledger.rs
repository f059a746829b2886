//! What the histories leave in the ledger: its sums are those of its entries, by the program's own audit.

use quotad::engine::audit::{AuditOptions, Auditor};
use quotad::store::database::{Database, DatabaseAuditor, Sync};
use std::path::Path;

/// Fails unless the ledger in a closed folder is clean; pages so small that every seam is crossed.
pub(super) async fn is_clean(folder: &Path) {
    let database = Database::open(&folder.join("ledger.db"), Sync::Normal).await.unwrap();
    let options = AuditOptions { step: 7, ..AuditOptions::default() };
    let report = DatabaseAuditor::new(database.clone()).audit(options, &|_, _| ()).await.unwrap();
    database.close().await;
    assert!(report.is_clean(), "{report:#?}");
}
