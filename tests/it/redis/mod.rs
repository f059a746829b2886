//! The shared counter store and what replicas do with it at once.

mod fake;
mod flush;
