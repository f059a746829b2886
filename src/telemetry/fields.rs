//! Every field name of logs and every label of metrics, so that one word means one thing everywhere.

/// The method, `package.Service/Method`; `other` for what is not served.
pub const RPC: &str = "rpc";
/// The gRPC status code in capitals, for example `NOT_FOUND`; `HTTP` for an answer below gRPC.
pub const CODE: &str = "code";
/// `granted` or `denied`.
pub const OUTCOME: &str = "outcome";
/// Why a request was denied; `none` for a grant.
pub const CAUSE: &str = "cause";
/// What became of a hold nobody answered.
pub const RULE: &str = "rule";
/// A meter's name; `other` beyond the first hundred.
pub const METER: &str = "meter";
/// How long calls of a method are admitted under load: `end`, `begin`, `look` or `report`.
pub const RANK: &str = "rank";
/// `redis` or `database`.
pub const BACKEND: &str = "backend";
/// `traces` or `metrics`.
pub const SIGNAL: &str = "signal";
/// The version of the program.
pub const VERSION: &str = "version";
/// A fault in words.
pub const ERROR: &str = "error";
/// How long something took, in microseconds.
pub const MICROS: &str = "micros";
/// The file and line of a panic.
pub const LOCATION: &str = "location";
