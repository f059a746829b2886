//! What the parts of an audit share: how to look, what was found, and how places are named.

use super::super::connection::{Connection, sql};
use crate::domain::name::{MeterId, Uid};
use crate::engine::audit::{AuditOptions, AuditReport, Finding, Progress};
use crate::engine::ports::StoreError;
use foldhash::HashMap;
use std::collections::BTreeMap;

/// A counter's place in the order of the tables: account, and the meter's number as columns hold it.
pub(super) type Place = (u128, i64);
/// A quarter's.
pub(super) type Quarter = (u128, i64, i64);

/// An audit under way.
pub(super) struct Audit<'a> {
    pub(super) options: AuditOptions,
    pub(super) report: AuditReport,
    progress: Progress<'a>,
}

/// What entries say and postings do not, by quarter: it belongs to the sums all the same.
#[derive(Default)]
pub(super) struct Unposted {
    pub(super) quarters: BTreeMap<Quarter, Amounts>,
    /// Counters whose part in the top-up no posting tells any more.
    pub(super) top_up_unknown: HashMap<Place, ()>,
}

/// What is used: all of it, of it in the top-up, and of it by charges on that very account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Amounts {
    pub(super) used: i128,
    pub(super) top_up: i128,
    pub(super) own: i128,
}

impl Amounts {
    pub(super) fn add(&mut self, more: Amounts) {
        self.used += more.used;
        self.top_up += more.top_up;
        self.own += more.own;
    }
}

impl<'a> Audit<'a> {
    pub(super) fn new(options: AuditOptions, progress: Progress<'a>) -> Audit<'a> {
        Audit { options, report: AuditReport::default(), progress }
    }

    /// Counts a finding, and lists it while there are few; answers its place in the list.
    pub(super) fn found(&mut self, finding: Finding) -> Option<usize> {
        self.report.found(finding, self.options.listed)
    }

    /// Whether another finding would be listed, so that it is worth while to look its names up.
    pub(super) fn lists(&self) -> bool {
        self.report.findings.len() < self.options.listed
    }

    /// Notes that so many findings were written anew; those that are listed are marked.
    pub(super) fn repaired(&mut self, findings: &[Option<usize>]) {
        self.report.mark_repaired(findings);
    }

    /// Counts rows that were looked at, and tells how far it is.
    pub(super) fn looked(&mut self, table: &'static str, rows: usize) {
        let count = self.report.looked_at.entry(table).or_default();
        *count += rows as u64;
        (self.progress)(table, *count);
    }

    /// Whether the history at a time was pruned.
    pub(super) fn is_pruned(&self, millis: i64) -> bool {
        self.report.pruned_before.is_some_and(|before| millis < before.millis())
    }
}

/// "tenants/acme/users/u1, training.runs", with the bare numbers where the ledger has no names.
pub(super) async fn name_of(connection: &mut Connection, (account, meter): Place) -> Result<String, StoreError> {
    let named = connection.fetch_optional(sql!("verify_meter_name"), |values| {
        values.int(meter);
    });
    let meter = match named.await? {
        Some(row) => row.text(0)?,
        None => format!("meter {:016x}", MeterId(meter.cast_unsigned()).0),
    };
    Ok(format!("{}, {meter}", account_name(connection, Uid(account)).await?))
}

/// An account's name, or its uid where the ledger has none.
pub(super) async fn account_name(connection: &mut Connection, account: Uid) -> Result<String, StoreError> {
    let named = connection.fetch_optional(sql!("verify_account_name"), |values| {
        values.bytes(&account.to_bytes());
    });
    Ok(match named.await? {
        Some(row) => row.text(0)?,
        None => format!("account {account}"),
    })
}
