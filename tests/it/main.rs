//! All integration tests in one binary: one link, one place. Each module tests one thing against the real program.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "in a test a panic is the answer, and what it prints is read by a person"
)]

mod api;
mod cli;
mod cli_definition;
mod cli_import;
mod cli_pool;
mod cli_quota;
mod crash;
mod debug;
mod deploy;
mod doctor;
mod errors;
mod faults;
mod features;
mod model;
mod probe;
mod pushed;
mod races;
mod redis;
mod stories;
mod support;
mod tidy;
mod tools;
mod traces;
mod verify;
mod verify_live;
