//! Use cases: verbs, step by step. Knows ports, not products.

pub mod call;
pub mod ports;
