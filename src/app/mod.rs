//! The composition root: the only folder that names every layer.
//!
//! A [`Node`] is everything behind the sockets; [`serve()`] puts it behind them, and ends both in order.

mod node;
mod serve;

pub use node::{DurabilitySetting, Node, NodeOptions};
pub use serve::{ServeOptions, serve};
