//! Between the protocol and the domain, one file for each resource.

pub mod account;
pub mod change;
pub mod charge;
pub mod denial;
pub mod draft;
pub mod meter;
pub mod plan;
pub mod pool;
pub mod quota;
pub mod rate_card;
pub mod request;
pub mod reservation;
pub mod time;
pub mod window;
