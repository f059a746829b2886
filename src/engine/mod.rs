//! Use cases: verbs, step by step. Knows ports, not products.

pub mod ports;
