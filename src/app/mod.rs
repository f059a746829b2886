//! The composition root: the only folder that names every layer.
//!
//! A [`Node`] is everything behind the sockets; [`serve()`] puts it behind them, and ends both in order.

mod embedded;
mod folder;
mod node;
mod observe;
mod options;
mod redis;
mod serve;
mod settings;
mod spool;
mod stores;
mod waiting;

pub use node::Node;
pub use options::{DurabilitySetting, NodeOptions, RedisStorage, SpoolOptions, Storage};
pub use serve::{ServeOptions, serve};
pub use settings::installed;
