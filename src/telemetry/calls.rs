//! Calls and the sockets that they come by, as instruments.

use super::fields;
use super::metrics::{CONNECTIONS, INFLIGHT, REQUEST_SECONDS, REQUESTS_TOTAL, SHED_TOTAL, TOO_LATE_TOTAL, install};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

/// The instruments of one method.
#[derive(Clone)]
pub struct RpcMetrics {
    rpc: String,
    seconds: Histogram,
    /// A counter appears when its code is first seen, so that `/metrics` does not list what never happened.
    codes: [OnceLock<Counter>; CODES.len()],
}

/// The label values of the code, by the number of the gRPC status; the last is for answers that carry none.
const CODES: [&str; 18] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
    "HTTP",
];

impl RpcMetrics {
    /// The instruments of `rpc`, which is `package.Service/Method` without a leading slash. Installs the recorder.
    pub fn new(rpc: &str) -> Self {
        install();
        let seconds = histogram!(REQUEST_SECONDS, fields::RPC => rpc.to_owned());
        RpcMetrics { rpc: rpc.to_owned(), seconds, codes: Default::default() }
    }

    /// Counts one answer. `code` is the number of the gRPC status; `None` or an unknown number for an answer below gRPC.
    pub fn answered(&self, code: Option<usize>, took: Duration) {
        let slot = code.unwrap_or(usize::MAX).min(CODES.len() - 1);
        let count = || counter!(REQUESTS_TOTAL, fields::RPC => self.rpc.clone(), fields::CODE => CODES[slot]);
        self.codes[slot].get_or_init(count).increment(1);
        self.seconds.record(took);
    }
}

/// The label values of the rank, from what is refused last.
pub const RANKS: [&str; 4] = ["end", "begin", "look", "report"];

/// The instruments of the sockets, one handle each.
pub struct SocketMetrics {
    /// [`CONNECTIONS`].
    pub connections: Gauge,
    /// [`INFLIGHT`].
    pub inflight: Gauge,
    /// [`SHED_TOTAL`], by the place of the rank in [`RANKS`].
    pub shed: [Counter; RANKS.len()],
    /// [`TOO_LATE_TOTAL`], likewise.
    pub too_late: [Counter; RANKS.len()],
}

/// The sockets' instruments. Installs the recorder.
pub fn sockets() -> &'static SocketMetrics {
    static SOCKETS: LazyLock<SocketMetrics> = LazyLock::new(|| {
        install();
        SocketMetrics {
            connections: gauge!(CONNECTIONS),
            inflight: gauge!(INFLIGHT),
            shed: RANKS.map(|rank| counter!(SHED_TOTAL, fields::RANK => rank)),
            too_late: RANKS.map(|rank| counter!(TOO_LATE_TOTAL, fields::RANK => rank)),
        }
    });
    &SOCKETS
}
