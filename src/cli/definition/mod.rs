//! `quotad meter`, `quotad plan`, `quotad card`: what charges, quotas and accounts name, one by one.
//!
//! `meter`, `plan` and `card` have the commands of each; `content` what the command line says of a meter; `scope` whose catalog, and
//! what they read from files.

mod card;
mod content;
mod meter;
mod plan;
mod scope;

pub use card::{CardArgs, CardCommand};
pub use meter::{MeterArgs, MeterCommand};
pub use plan::{PlanArgs, PlanCommand};
