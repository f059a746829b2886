//! `quotad import-usage`: the use that accounts had before quotad counted it, from a file.

mod check;
mod csv;
mod file;
mod record;
mod row;
mod run;
mod summary;
#[cfg(test)]
mod tests;

pub(super) use csv::records;
pub use run::ImportUsageArgs;
