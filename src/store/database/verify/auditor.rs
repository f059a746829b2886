//! [`Auditor`] on the ledger's database.

use super::super::pool::Database;
use super::super::{retention, rows};
use super::context::{Audit, name_of};
use super::entries;
use super::sums::Sums;
use crate::engine::audit::{AuditOptions, AuditReport, Auditor, Progress};
use crate::engine::ports::{Boxed, CounterKey, StoreError};

/// Audits the ledger in a [`Database`].
#[derive(Clone, Debug)]
pub struct DatabaseAuditor {
    database: Database,
}

impl DatabaseAuditor {
    /// An auditor of an open database.
    pub fn new(database: Database) -> DatabaseAuditor {
        DatabaseAuditor { database }
    }

    async fn run(&self, options: AuditOptions, progress: Progress<'_>) -> Result<AuditReport, StoreError> {
        let options = AuditOptions { step: options.step.max(1), ..options };
        let mut audit = Audit::new(options, progress);
        audit.report.pruned_before = retention::pruned_before(&self.database).await?;
        let unposted = entries::check(&mut audit, &self.database).await?;
        // A snapshot of its own: it sees the postings that were written anew.
        Sums { audit: &mut audit, database: &self.database, unposted }.check().await?;
        Ok(audit.report)
    }
}

impl Auditor for DatabaseAuditor {
    fn audit<'a>(
        &'a self,
        options: AuditOptions,
        progress: Progress<'a>,
    ) -> Boxed<'a, Result<AuditReport, StoreError>> {
        Box::pin(self.run(options, progress))
    }

    fn name(&self, counter: CounterKey) -> Boxed<'_, Result<String, StoreError>> {
        Box::pin(async move {
            let mut connection = self.database.read().await?;
            name_of(&mut connection, (counter.account.0, rows::meter(counter.meter))).await
        })
    }
}
