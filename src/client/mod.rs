//! The Rust client of quotad: ids, safe retries, and a guard that keeps a hold alive and gives it back.
//!
//! Every write carries ids (made here where the caller gave none), so that a repeat has its effect once. Calls that
//! failed because the server could not be reached are therefore sent again by themselves, within the call's deadline.
//! A denial is an answer, not an error.
//!
//! ```no_run
//! use quotad::client::{Client, Outcome};
//! use quotad::proto::v1::{Charge, ReserveRequest};
//!
//! # async fn run() -> Result<(), quotad::client::Error> {
//! let client = Client::connect("127.0.0.1:50051")?;
//! let training = Charge {
//!     account: "tenants/acme/users/u1".into(),
//!     meter: "training.runs".into(),
//!     amount: Some(1),
//!     ..Default::default()
//! };
//! let request = ReserveRequest { tenant: "tenants/acme".into(), charges: vec![training], ..Default::default() };
//! match client.hold(request).await? {
//!     Outcome::Granted(guard) => {
//!         // The hold is extended while this work runs, however long it takes.
//!         guard.commit_as_held().await?;
//!     }
//!     Outcome::Denied(denial) => println!("no: {}", denial.message),
//! }
//! # Ok(())
//! # }
//! ```

mod calls;
mod connection;
mod error;
mod guard;
mod health;
mod ids;
mod retry;
#[cfg(test)]
mod tests;
mod trace;

pub use connection::Client;
pub use error::{Error, FieldViolation, StatusError};
pub use guard::{Outcome, ReservationGuard};
pub use health::Serving;
pub use retry::RetryPolicy;
