//! Tests of documents, their judgement, and their way back.

mod changes;
mod faults;
mod helpers;
mod prices;
mod round_trip;
mod rules;
