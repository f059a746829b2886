//! Sockets: the gRPC server on one runtime per core, the layers every call passes, health, reflection, and the HTTP port. Knows
//! tonic, axum and tower, not quotas.
//!
//! A connection is accepted in `acceptor.rs`, dealt to a core of [`server`], and each of its calls passes the stack that
//! [`layers`] puts together: observe, web, shed, deadline, size; then, mostly past the router, it is at its service ([`direct`]).

mod acceptor;
mod deadline;
pub mod direct;
pub mod health;
pub mod http;
pub mod layers;
pub mod methods;
mod observe;
pub mod reflection;
mod refusal;
pub mod server;
pub mod shed;
mod size;
#[cfg(test)]
mod tests;
mod timer;
mod web;
