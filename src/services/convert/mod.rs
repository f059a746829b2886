//! Between the protocol and the domain, one file for each resource.

pub mod charge;
pub mod denial;
pub mod request;
pub mod reservation;
pub mod time;
