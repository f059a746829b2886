//! What can go wrong, in words that a person can act on.

use crate::proto::google::rpc;
use prost::Message;
use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt;
use std::time::Duration;
use thiserror::Error;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Why a call has no answer. A denial is an answer and never one of these.
#[derive(Clone, Debug, Error)]
pub enum Error {
    /// The text is not an address of a server.
    #[error("{address:?} is not an address of a server: {message}")]
    Address {
        /// The text.
        address: String,
        /// What is wrong with it.
        message: String,
    },
    /// No connection to the server, after all attempts.
    #[error("cannot reach the server at {address}: {message}")]
    Connect {
        /// The server's address.
        address: String,
        /// What the operating system said.
        message: String,
    },
    /// The server answered with an error, or the connection broke while it worked.
    #[error("{0}")]
    Status(Box<StatusError>),
}

/// An error status with its details taken apart.
#[derive(Clone, Debug)]
pub struct StatusError {
    /// The canonical code.
    pub code: Code,
    /// The server's message.
    pub message: String,
    /// The reason from the closed list (`INVALID_FIELD`), without its prefix; empty if the server gave none.
    pub reason: String,
    /// Further facts by name, as `ErrorReason` describes them.
    pub metadata: BTreeMap<String, String>,
    /// Every field that is wrong.
    pub violations: Vec<FieldViolation>,
    /// How long the server asks to wait before another attempt.
    pub retry_after: Option<Duration>,
}

/// One field that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldViolation {
    /// Path of the field, for example `charges[0].account`.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

impl Error {
    /// The canonical code; UNAVAILABLE where no connection was made.
    pub fn code(&self) -> Code {
        match self {
            Error::Address { .. } => Code::InvalidArgument,
            Error::Connect { .. } => Code::Unavailable,
            Error::Status(status) => status.code,
        }
    }

    /// The reason from the closed list (`REQUEST_ID_REUSED`), empty if there is none.
    pub fn reason(&self) -> &str {
        match self {
            Error::Status(status) => &status.reason,
            _ => "",
        }
    }

    /// A failed call to `address` as an error.
    pub(super) fn from_status(address: &str, status: Status) -> Error {
        if status.code() == Code::Unavailable && is_local(&status) {
            return Error::Connect { address: address.to_owned(), message: root_cause(&status) };
        }
        Error::Status(Box::new(StatusError::from(&status)))
    }
}

impl From<&Status> for StatusError {
    fn from(status: &Status) -> Self {
        let (reason, metadata) =
            status.get_details_error_info().map(|info| (info.reason, info.metadata)).unwrap_or_default();
        let violations = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
        let message = if is_local(status) { local_message(status) } else { status.message().to_owned() };
        StatusError {
            code: status.code(),
            message,
            reason,
            metadata: metadata.into_iter().collect(),
            violations: violations
                .into_iter()
                .map(|violation| FieldViolation { field: violation.field, description: violation.description })
                .collect(),
            retry_after: status.get_details_retry_info().and_then(|info| info.retry_delay),
        }
    }
}

impl From<&rpc::Status> for StatusError {
    /// The error of one item of a batch or a stream.
    fn from(status: &rpc::Status) -> Self {
        // The encoded message is what a failed call carries as its details.
        let details = status.encode_to_vec().into();
        StatusError::from(&Status::with_details(Code::from_i32(status.code), status.message.clone(), details))
    }
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(code_name(self.code))?;
        if !self.reason.is_empty() {
            write!(f, " ({})", self.reason)?;
        }
        match self.violations.as_slice() {
            [] if self.message.is_empty() => f.write_str(": the server gave no message"),
            [] => write!(f, ": {}", self.message),
            violations => violations.iter().enumerate().try_for_each(|(i, violation)| {
                write!(f, "{} {}: {}", if i == 0 { ":" } else { ";" }, violation.field, violation.description)
            }),
        }
    }
}

impl StatusError {
    /// The code's canonical name, for example `INVALID_ARGUMENT`.
    pub fn code_name(&self) -> &'static str {
        code_name(self.code)
    }
}

/// Whether this side made the status up because the connection failed: such a status has a cause, one that was
/// received has none.
pub(super) fn is_local(status: &Status) -> bool {
    status.source().is_some()
}

/// Whether the connection broke under the call.
pub(super) fn is_broken_transport(status: &Status) -> bool {
    is_local(status) && !is_expired_timer(status)
}

/// Whether the channel's own timer ended the call, which it reports as CANCELLED.
pub(super) fn is_expired_timer(status: &Status) -> bool {
    causes(status).any(|cause| cause.is::<tonic::TimeoutExpired>())
}

fn causes(status: &Status) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(status.source(), |cause: &&(dyn std::error::Error + 'static)| (*cause).source())
}

/// The innermost cause, which is what the operating system said.
fn root_cause(status: &Status) -> String {
    causes(status).last().map_or_else(|| status.message().to_owned(), ToString::to_string)
}

fn local_message(status: &Status) -> String {
    format!("the connection broke ({})", root_cause(status))
}

/// The code's canonical name.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
