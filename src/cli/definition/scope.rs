//! Whose catalog a command is about, its etag, and entries that stand in files.

use crate::cli::args::{ConnectionArgs, TENANT_VARIABLE};
use crate::cli::catalog;
use crate::cli::output::Fault;
use crate::client::Error;
use crate::engine::manage::document::{Problem, Problems};
use clap::Args;

/// Most entries that the server puts on one page.
pub(super) const PAGE: i32 = 1000;
/// How often a change is tried that others overtake.
const ATTEMPTS: usize = 10;

/// Which server, and whose catalog.
#[derive(Debug, Args)]
pub struct ScopeArgs {
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    /// Whose catalog, for example tenants/acme, or '' for the installation's own, as where nothing says which
    #[arg(long, env = TENANT_VARIABLE)]
    tenant: Option<String>,
}

impl ScopeArgs {
    /// The tenant; empty: the installation.
    pub(super) fn tenant(&self) -> String {
        self.tenant.clone().unwrap_or_default()
    }
}

/// What the catalog must be.
#[derive(Debug, Args)]
pub struct EtagArgs {
    /// Refuse unless the catalog still has this etag
    #[arg(long)]
    etag: Option<String>,
}

impl EtagArgs {
    /// The etag that was named; empty: none.
    pub(super) fn named(self) -> String {
        self.etag.unwrap_or_default()
    }

    /// The etag that was named, else the one that was read.
    pub(super) fn or(&self, read: String) -> String {
        self.etag.clone().unwrap_or(read)
    }

    /// Whether one was named.
    pub(super) fn is_named(&self) -> bool {
        self.etag.is_some()
    }
}

/// Reads, changes and writes; again where others wrote to the catalog meanwhile, whose etag is that of all of it, unless the etag was
/// `named`: then it is what was asked for.
pub(super) async fn overtaken_again<T, F>(named: bool, once: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut left = if named { 0 } else { ATTEMPTS - 1 };
    loop {
        match once().await {
            Err(error) if left > 0 && error.reason() == "ETAG_MISMATCH" => left -= 1,
            outcome => return outcome,
        }
    }
}

/// What a file, or standard input, says as one entry of a document.
pub(super) fn entry<T>(path: &str, read: fn(&[u8]) -> Result<T, Problems>) -> Result<T, Fault> {
    let text = catalog::read(path)?;
    read(&text).map_err(|problems| {
        let line = |problem: &Problem| {
            let field = if problem.at.path.is_empty() { String::new() } else { format!("{}: ", problem.at.path) };
            (problem.at.line, field + &problem.message)
        };
        let lines: Vec<(usize, String)> = problems.list().iter().map(line).collect();
        let faults = if lines.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", lines.len()) };
        Fault::Lines { what: format!("{} has {faults}", catalog::name_of(path)), lines }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::StatusError;
    use std::cell::Cell;

    /// How often it was tried, and what came of it, where the first `refusals` are refused for this reason.
    async fn tried(named: bool, reason: &str, refusals: usize) -> (usize, bool) {
        let tries = Cell::new(0);
        let once = async || {
            tries.set(tries.get() + 1);
            let status = StatusError { reason: reason.to_owned(), ..StatusError::from(&tonic::Status::aborted("no")) };
            if tries.get() > refusals { Ok(()) } else { Err(Error::Status(Box::new(status))) }
        };
        let outcome = overtaken_again(named, once).await;
        (tries.get(), outcome.is_ok())
    }

    #[tokio::test]
    async fn what_others_overtake_is_tried_again() {
        assert_eq!(tried(false, "ETAG_MISMATCH", 3).await, (4, true));
        assert_eq!(tried(false, "ETAG_MISMATCH", 100).await, (ATTEMPTS, false));
        assert_eq!(tried(true, "ETAG_MISMATCH", 3).await, (1, false), "that was what was asked for");
        assert_eq!(tried(false, "METER_IN_USE", 3).await, (1, false));
    }
}
