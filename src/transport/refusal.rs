//! The answers that the layers give in place of a service.

use std::time::Duration;

use http::Response;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The domain of every reason.
const DOMAIN: &str = "quotad.v1";

/// How long a shed caller should wait.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// The caller's deadline, or the server's own, passed first.
pub(super) fn deadline_exceeded() -> Response<Body> {
    refuse(Code::DeadlineExceeded, "the deadline passed before the answer was ready", reason("DEADLINE"))
}

/// Too many calls are being worked on.
pub(super) fn overloaded() -> Response<Body> {
    let mut details = reason("OVERLOADED");
    details.set_retry_info(Some(RETRY_AFTER));
    refuse(Code::Unavailable, "too many calls are being worked on; retry", details)
}

/// The counter store takes longer at the moment than the caller would wait.
pub(super) fn too_late() -> Response<Body> {
    let mut details = reason("OVERLOADED");
    details.set_retry_info(Some(RETRY_AFTER));
    refuse(
        Code::Unavailable,
        "an answer takes longer at the moment than the call's deadline; nothing was done",
        details,
    )
}

/// A handler panicked.
pub(super) fn panicked() -> Response<Body> {
    refuse(Code::Internal, "a fault of the server; its log has it", reason("INTERNAL"))
}

/// A message is longer than its method allows.
pub(super) fn message_too_long(length: usize, limit: usize) -> Status {
    Status::out_of_range(format!("message of {length} bytes is above the limit of {limit}"))
}

fn reason(reason: &str) -> ErrorDetails {
    ErrorDetails::with_error_info(reason, DOMAIN, [])
}

fn refuse(code: Code, message: &str, details: ErrorDetails) -> Response<Body> {
    Status::with_error_details(code, message, details).into_http()
}
