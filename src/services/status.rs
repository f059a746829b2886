//! The table: error to code, reason and details. Nothing else makes a status.

use crate::domain::error::RuleError;
use crate::domain::reservation::Reservation;
use crate::engine::call::CallError;
use crate::engine::ports::StoreError;
use crate::proto::google::rpc;
use prost::Message;
use std::collections::HashMap;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// The domain of every reason.
pub const DOMAIN: &str = "quotad.v1";
/// How long a caller should wait before it tries an unavailable store again.
const RETRY_AFTER: Duration = Duration::from_millis(200);

macro_rules! reasons {
    ($($variant:ident $text:literal $code:ident,)*) => {
        /// The closed list of reasons, as in `error_reason.proto`.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(dead_code, reason = "the list is closed and whole; the layers below the services answer DEADLINE")]
        pub enum Reason {
            $(#[doc = $text] $variant,)*
        }

        impl Reason {
            /// The reason as it stands in `ErrorInfo`.
            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$variant => $text,)* }
            }

            /// The code that goes with it.
            pub fn code(self) -> Code {
                match self { $(Reason::$variant => Code::$code,)* }
            }
        }
    };
}

reasons! {
    InvalidField "INVALID_FIELD" InvalidArgument,
    NoRateCard "NO_RATE_CARD" InvalidArgument,
    MeterNotFound "METER_NOT_FOUND" NotFound,
    ReservationNotFound "RESERVATION_NOT_FOUND" NotFound,
    QuotaNotFound "QUOTA_NOT_FOUND" NotFound,
    AccountNotFound "ACCOUNT_NOT_FOUND" NotFound,
    RequestIdReused "REQUEST_ID_REUSED" AlreadyExists,
    ReservationCommitted "RESERVATION_COMMITTED" FailedPrecondition,
    ReservationReleased "RESERVATION_RELEASED" FailedPrecondition,
    ReservationExpired "RESERVATION_EXPIRED" FailedPrecondition,
    ReservationParked "RESERVATION_PARKED" FailedPrecondition,
    ReservationOpen "RESERVATION_OPEN" FailedPrecondition,
    ChargeNotHeld "CHARGE_NOT_HELD" InvalidArgument,
    OverageRefused "OVERAGE_REFUSED" FailedPrecondition,
    NotFreeable "NOT_FREEABLE" FailedPrecondition,
    CatalogInvalid "CATALOG_INVALID" InvalidArgument,
    EtagMismatch "ETAG_MISMATCH" Aborted,
    TooManyLimits "TOO_MANY_LIMITS" FailedPrecondition,
    CapReached "CAP_REACHED" ResourceExhausted,
    Overloaded "OVERLOADED" Unavailable,
    StoreUnavailable "STORE_UNAVAILABLE" Unavailable,
    LedgerUnavailable "LEDGER_UNAVAILABLE" Unavailable,
    OutcomeUnknown "OUTCOME_UNKNOWN" Unavailable,
    Deadline "DEADLINE" DeadlineExceeded,
    Internal "INTERNAL" Internal,
    ShuttingDown "SHUTTING_DOWN" Unavailable,
    QuotaExists "QUOTA_EXISTS" AlreadyExists,
    QuotaNotCurrent "QUOTA_NOT_CURRENT" FailedPrecondition,
    FeatureMissing "FEATURE_MISSING" FailedPrecondition,
    LimitAboveParent "LIMIT_ABOVE_PARENT" FailedPrecondition,
    AccountExists "ACCOUNT_EXISTS" AlreadyExists,
    PoolExists "POOL_EXISTS" AlreadyExists,
    PoolNotFound "POOL_NOT_FOUND" NotFound,
    PoolDisabled "POOL_DISABLED" FailedPrecondition,
    NotAMember "NOT_A_MEMBER" PermissionDenied,
    AdjustmentBelowZero "ADJUSTMENT_BELOW_ZERO" FailedPrecondition,
    UseChanged "USE_CHANGED" FailedPrecondition,
    LimitRequestNotFound "LIMIT_REQUEST_NOT_FOUND" NotFound,
    LimitRequestResolved "LIMIT_REQUEST_RESOLVED" FailedPrecondition,
    AccountMoving "ACCOUNT_MOVING" Unavailable,
    AllocationHeld "ALLOCATION_HELD" FailedPrecondition,
    MeterExists "METER_EXISTS" AlreadyExists,
    MeterInUse "METER_IN_USE" FailedPrecondition,
    PlanExists "PLAN_EXISTS" AlreadyExists,
    PlanNotFound "PLAN_NOT_FOUND" NotFound,
    PlanInUse "PLAN_IN_USE" FailedPrecondition,
    RateCardExists "RATE_CARD_EXISTS" AlreadyExists,
    RateCardNotFound "RATE_CARD_NOT_FOUND" NotFound,
}

/// A status with its reason.
pub fn status(reason: Reason, message: impl Into<String>, metadata: HashMap<String, String>) -> Status {
    with(reason, message, metadata, ErrorDetails::new())
}

fn with(
    reason: Reason,
    message: impl Into<String>,
    metadata: HashMap<String, String>,
    mut details: ErrorDetails,
) -> Status {
    details.set_error_info(reason.as_str(), DOMAIN, metadata);
    if reason.code() == Code::Unavailable {
        details.set_retry_info(Some(RETRY_AFTER));
    }
    Status::with_error_details(reason.code(), message, details)
}

/// A fault of the server. The text goes to the log, not to the caller.
pub fn internal(why: &str) -> Status {
    tracing::error!(why, "internal fault");
    status(Reason::Internal, "a fault of the server; its log has it", HashMap::new())
}

/// A status that names bad fields.
pub fn bad_fields(reason: Reason, fields: Vec<(String, String)>) -> Status {
    let message: Vec<String> = fields.iter().map(|(field, why)| format!("{field}: {why}")).collect();
    let mut details = ErrorDetails::new();
    details.set_bad_request(fields.into_iter().map(|(field, why)| FieldViolation::new(field, why)).collect::<Vec<_>>());
    with(reason, message.join("; "), HashMap::new(), details)
}

/// The status of a call that has no answer. `has_ids`: the caller can repeat it safely.
pub fn from_call(error: CallError, has_ids: bool) -> Status {
    match error {
        CallError::OutOfReach(error) => from_call(CallError::Store(error), has_ids),
        CallError::Rule(error) => from_rule(&error),
        CallError::MeterNotFound(meters) => {
            let fields = meters.iter().map(|(at, name)| (format!("charges[{at}].meter"), format!("no meter {name}")));
            bad_fields(Reason::MeterNotFound, fields.collect())
        }
        CallError::AccountNotFound(accounts) => {
            let fields = accounts.into_iter().map(|(charge, also, name)| {
                let field = also.map_or_else(|| String::from("account"), |at| format!("also[{at}]"));
                (format!("charges[{charge}].{field}"), format!("no record of {name}"))
            });
            bad_fields(Reason::AccountNotFound, fields.collect())
        }
        CallError::BadCharges(charges) => {
            let fields = charges.iter().map(|(at, why)| (format!("charges[{at}].amount"), (*why).to_owned()));
            bad_fields(Reason::InvalidField, fields.collect())
        }
        CallError::NoRateCard(charges) => {
            let fields = charges.into_iter().map(|(at, field, why)| (format!("charges[{at}].{field}"), why));
            bad_fields(Reason::NoRateCard, fields.collect())
        }
        CallError::TooManyLimits(_) => status(Reason::TooManyLimits, error.to_string(), HashMap::new()),
        CallError::NotDurable => {
            status(Reason::LedgerUnavailable, error.to_string(), [("applied".into(), "true".into())].into())
        }
        CallError::Moving(_) => status(Reason::AccountMoving, error.to_string(), HashMap::new()),
        CallError::Overloaded => status(Reason::Overloaded, error.to_string(), HashMap::new()),
        CallError::Store(StoreError::Unavailable(why) | StoreError::Busy(why)) if has_ids => {
            status(Reason::StoreUnavailable, why, HashMap::new())
        }
        CallError::Store(StoreError::Unavailable(why) | StoreError::Busy(why)) => {
            let why = format!("{why}; without ids nobody knows whether it had its effect");
            status(Reason::OutcomeUnknown, why, HashMap::new())
        }
        CallError::Store(StoreError::OutcomeUnknown(why)) => status(Reason::OutcomeUnknown, why, HashMap::new()),
        CallError::Store(StoreError::Corrupt(why)) => internal(&why),
    }
}

fn from_rule(error: &RuleError) -> Status {
    let message = error.to_string();
    match error {
        RuleError::IdReused => status(Reason::RequestIdReused, message, HashMap::new()),
        RuleError::NotFound => status(Reason::ReservationNotFound, message, HashMap::new()),
        RuleError::Committed(reservation) => {
            let recorded = recorded(reservation);
            let text = recorded.iter().map(|(charge, amount)| format!("{charge} = {amount}")).collect::<Vec<_>>();
            status(
                Reason::ReservationCommitted,
                format!("{message}: {}", text.join(", ")),
                recorded.into_iter().collect(),
            )
        }
        RuleError::Released => status(Reason::ReservationReleased, message, HashMap::new()),
        RuleError::Expired => status(Reason::ReservationExpired, message, HashMap::new()),
        RuleError::Parked => status(Reason::ReservationParked, message, HashMap::new()),
        RuleError::Open => status(Reason::ReservationOpen, message, HashMap::new()),
        RuleError::ChargeNotHeld(at) => {
            let field = (format!("charges[{at}]"), String::from("was never held by this reservation"));
            bad_fields(Reason::ChargeNotHeld, vec![field])
        }
        RuleError::OverageRefused(_) => status(Reason::OverageRefused, message, HashMap::new()),
        RuleError::NotFreeable(_) => status(Reason::NotFreeable, message, HashMap::new()),
        // The adjustment itself says where; see `services/admin`.
        RuleError::BelowZero(_) => status(Reason::AdjustmentBelowZero, message, HashMap::new()),
        RuleError::Unexpected(_) => status(Reason::UseChanged, message, HashMap::new()),
        RuleError::PeriodEnded(_) => status(Reason::InvalidField, message, HashMap::new()),
        RuleError::CapReached(_) => status(Reason::CapReached, message, HashMap::new()),
    }
}

/// What was recorded, by charge: `ACCOUNT METER[ ITEM]` to the amount.
fn recorded(reservation: &Reservation) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for charge in &reservation.charges {
        let item = if charge.item.is_empty() { String::new() } else { format!(" {}", charge.item) };
        all.push((format!("{} {}{item}", charge.account, charge.meter), charge.committed.to_string()));
    }
    all
}

/// A status as a message, for an item of a batch or a stream.
pub fn to_message(status: &Status) -> rpc::Status {
    rpc::Status::decode(status.details()).ok().filter(|message| message.code != 0).unwrap_or_else(|| rpc::Status {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_outcome_is_said_with_and_without_ids() {
        for has_ids in [true, false] {
            let error = CallError::Store(StoreError::OutcomeUnknown("no answer came".into()));
            let answer = from_call(error, has_ids);
            let details = answer.get_error_details();
            let reason = details.error_info().map(|info| info.reason.clone());
            assert_eq!((answer.code(), reason.as_deref()), (Code::Unavailable, Some("OUTCOME_UNKNOWN")));
            assert!(details.retry_info().is_some());
        }
        let error = CallError::Store(StoreError::Unavailable("the disk is full".into()));
        let details = from_call(error, true).get_error_details();
        assert_eq!(details.error_info().map(|info| info.reason.as_str()), Some("STORE_UNAVAILABLE"));
    }
}
