//! The catalog document: YAML text in, a draft with places out.
//!
//! `yaml` reads text to a tree, `fields` reads maps, `meter`, `account`, `pool`, `quota` and `rate_card` read one noun each, `draft` puts them
//! together, `entry` reads one alone, `errors` collects everything that is wrong. The format is described in `deploy/catalogs/README.md`.

pub mod account;
pub mod amount;
mod draft;
mod entry;
mod errors;
mod fields;
pub mod meter;
pub mod pool;
pub mod quota;
pub mod rate_card;
mod yaml;

pub use draft::{DraftScope, Found, MAX_DOCUMENT, read_draft};
pub use entry::{meter_entry, plan_entry, rate_card_entry};
pub use errors::{Place, Problem, Problems, quoted};
