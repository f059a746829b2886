//! The ports made real. Driver types and driver errors stop in here: what leaves are domain values and
//! [`StoreError`](crate::engine::ports::StoreError).

pub mod clock;
pub mod database;
pub mod embedded;
pub mod redis;
pub mod spool;
