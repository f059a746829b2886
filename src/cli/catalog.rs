//! `quotad apply` and `quotad export`: the catalog as a YAML file.

use super::args::ConnectionArgs;
use super::output::{Answer, Fault};
use super::render;
use crate::client::Client;
use crate::proto::v1::{ApplyRequest, ExportRequest};
use clap::Args;
use std::io::Read;

/// `quotad apply`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad apply -f catalog.yaml --dry-run     show what would change
  quotad apply -f catalog.yaml               change it; what the file does not name stays
  quotad export | quotad apply -f -          changes nothing")]
pub struct ApplyArgs {
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    /// The document, or - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: String,
    /// The tenant that the document describes [default: the whole installation]
    #[arg(long)]
    tenant: Option<String>,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Remove what the document does not name
    #[arg(long)]
    prune: bool,
    /// Refuse unless the catalog still has this etag
    #[arg(long)]
    etag: Option<String>,
}

/// `quotad export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    /// The tenant [default: the whole installation]
    #[arg(long)]
    tenant: Option<String>,
    /// Write the document to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
}

impl ApplyArgs {
    pub(super) async fn run(self, client: Client) -> Result<Answer, Fault> {
        let request = ApplyRequest {
            tenant: self.tenant.unwrap_or_default(),
            yaml: read(&self.file)?,
            dry_run: self.dry_run,
            prune: self.prune,
            etag: self.etag.unwrap_or_default(),
        };
        let response = client.apply(request).await?;
        let text = render::changes(&response, self.dry_run);
        Answer::new(&response, text)
    }
}

impl ExportArgs {
    pub(super) async fn run(self, client: Client) -> Result<Answer, Fault> {
        let response = client.export(ExportRequest { tenant: self.tenant.unwrap_or_default() }).await?;
        let text = match self.output {
            Some(path) => {
                std::fs::write(&path, &response.yaml).map_err(|error| Fault::File { path: path.clone(), error })?;
                format!("wrote {} bytes to {path} (etag {})", response.yaml.len(), response.etag)
            }
            None => String::from_utf8_lossy(&response.yaml).into_owned(),
        };
        Answer::new(&response, text)
    }
}

/// A file, or standard input.
pub(super) fn read(path: &str) -> Result<Vec<u8>, Fault> {
    let mut document = Vec::new();
    let result = match path {
        "-" => std::io::stdin().lock().read_to_end(&mut document).map(|_| document),
        path => std::fs::read(path),
    };
    result.map_err(|error| Fault::File { path: name_of(path).to_owned(), error })
}

/// What a file is called in a message.
pub(super) fn name_of(path: &str) -> &str {
    if path == "-" { "standard input" } else { path }
}
