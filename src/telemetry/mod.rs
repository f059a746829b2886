//! Logs, metrics and traces: what an operator sees, and the one measure that the server itself goes by. A leaf: names no other
//! layer.

pub mod calls;
pub mod decisions;
pub mod fields;
pub mod logs;
pub mod metrics;
pub mod otlp;
pub mod pace;
pub mod traces;
