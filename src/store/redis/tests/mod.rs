//! Tests of the wire without a server: what is sent can be read as the contract says, what comes back is decoded exactly.

mod replies;
mod requests;
pub(super) mod support;
