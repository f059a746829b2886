//! FEATURES: which items are shown, and the tests of those that a story can't tell.

mod admin;
mod claims;
mod moves;
mod numbers;
mod open;
mod opened;
mod pools;
mod pricing;
mod quotas;
mod raises;
mod replicas;
mod requests;
mod workspaces;
