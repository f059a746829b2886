//! The house rules as tests: each failure says the file, the line and what to do. What is not built yet is no failure.

mod docs;
mod layers;
mod migrations;
mod protos;
mod source;
mod style;
mod tree;
