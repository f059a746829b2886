//! Windows: over what time a limit counts, from a lifetime down to a minute, in the wall clock of an IANA zone.
//!
//! A [`WindowSpec`] is what a person writes; [`WindowSpec::compile`] checks it and gives a [`Window`], which answers for
//! any instant in which period it lies. Three rules hold for every kind with a calendar and every zone:
//!
//! - Periods tile time: each end is the next start, and a boundary instant belongs to the new period (S4.23).
//! - A boundary at a local time that a clock change skips falls on the first instant after the gap; two boundaries that
//!   fall on one instant so (a zone that skipped a whole day) leave no empty period between them (S3.15).
//! - A boundary at a local time that happens twice falls on the first of the two (S3.15). An hour or a cron interval
//!   that is repeated so is one long period, not two.
//!
//! The zones are those of the database built into the program, never of the machine, so that every replica and every
//! run agrees.

mod anchor;
mod calendar;
mod compiled;
mod cron;
mod error;
mod kind;
mod shared;
mod spec;
#[cfg(test)]
mod tests;
mod zone;

pub use compiled::{SLIDING_BUCKETS, Window, WindowId};
pub use error::WindowError;
pub use kind::WindowKind;
pub use shared::Windows;
pub use spec::WindowSpec;
