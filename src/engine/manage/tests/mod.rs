//! Tests of documents, their judgement, and their way back.

mod alike;
mod changes;
mod faults;
mod helpers;
mod pools;
mod prices;
mod round_trip;
mod rules;
