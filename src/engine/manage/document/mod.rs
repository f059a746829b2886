//! The catalog document: YAML text in, a draft with places out.
//!
//! `yaml` reads text to a tree, `fields` reads maps, `meter`, `account`, `pool`, `quota` and `rate_card` read one noun each, `draft` puts them
//! together, `errors` collects everything that is wrong. The format is described in `deploy/catalogs/README.md`.

pub mod account;
pub mod amount;
mod draft;
mod errors;
mod fields;
pub mod meter;
pub mod pool;
pub mod quota;
mod rate_card;
mod yaml;

pub use draft::{DraftScope, Found, MAX_DOCUMENT, read_draft};
pub use errors::{Place, Problem, Problems, quoted};
