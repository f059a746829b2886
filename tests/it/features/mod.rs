//! FEATURES: which items are shown, and the tests of those that a story can't tell.

mod admin;
mod cards;
mod claims;
mod engine;
mod meters;
mod moves;
mod numbers;
mod open;
mod opened;
mod plans;
mod pools;
mod pricing;
mod quotas;
mod raises;
mod replicas;
mod requests;
mod workspaces;
