//! Managing the catalog: a document in, changes out, and back.
//!
//! `document` reads YAML into a draft with places; `validate` judges it against the catalog; `diff` finds what must be
//! written; `apply` does it in one transaction and runs a lost race again; `export` and `emit` write YAML. `quotas` sets them
//! one by one, `records` accounts and pools, `definitions` meters, plans and rate cards, by the same judgement (`members` is its part
//! about accounts and pools); `in_use` tells who still names what is to go, `alike`
//! which meter can't stand for another; `parent` asks what is left above; `requests` does so where
//! somebody asked for more; `moves` gives accounts other names.

mod alike;
mod apply;
mod definitions;
mod diff;
pub mod document;
mod emit;
mod export;
mod in_use;
mod members;
mod moves;
mod parent;
mod quotas;
mod raise;
pub mod records;
mod rename;
mod requests;
mod validate;

#[cfg(test)]
mod tests;

pub use apply::{Applied, Apply, ApplyError, Catalogs, Exported, etag_of};
pub use definitions::{Definition, DefinitionChange, DefinitionError, DefinitionName};
pub use diff::{Change, ChangeKind, Diff, diff};
pub use emit::Yaml;
pub use export::{content_of, export_installation, export_tenant};
pub use moves::{Begun, MoveError, MoveRequest};
pub use parent::LiveUse;
pub use quotas::{Changed, Context as QuotaContext, IfCurrent, QuotaChange, QuotaError};
pub use records::{RecordChange, RecordError};
pub use requests::{Decision, RequestError};
pub use validate::{Current, ScopeContent, validate};
