//! Whose catalog a command is about, its etag, and entries that stand in files.

use crate::cli::args::{ConnectionArgs, TENANT_VARIABLE};
use crate::cli::catalog;
use crate::cli::output::Fault;
use crate::engine::manage::document::{Problem, Problems};
use clap::Args;

/// Most entries that the server puts on one page.
pub(super) const PAGE: i32 = 1000;

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
    pub(super) fn or(self, read: String) -> String {
        self.etag.unwrap_or(read)
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
