//! MoveAccount: names in, where the account is now or what does not fit out.

use super::errors::{bad_field, from_apply, from_quota};
use super::quotas::Desk;
use crate::engine::manage::{MoveError, MoveRequest};
use crate::engine::relocate::{MoveFailure, Moved, Mover};
use crate::proto::v1;
use crate::services::convert::{charge, denial};
use crate::services::status::{Reason, from_call, internal, status};
use crate::services::violations::Violations;
use std::collections::HashMap;
use std::sync::Arc;
use tonic::Status;

/// MoveAccount.
///
/// # Errors
/// INVALID_FIELD with every bad field; ACCOUNT_NOT_FOUND, ACCOUNT_EXISTS, ACCOUNT_MOVING, ALLOCATION_HELD, FEATURE_MISSING,
/// ETAG_MISMATCH, or that a store can't answer.
pub async fn move_account(
    desk: Desk,
    mover: Arc<Mover>,
    request: v1::MoveAccountRequest,
) -> Result<v1::MoveAccountResponse, Status> {
    let mut bad = Violations::default();
    let tenant = charge::tenant(&request.tenant, &mut bad);
    let account = charge::account(&request.account, "account", tenant.as_ref(), &mut bad);
    let to = charge::account(&request.new_name, "new_name", tenant.as_ref(), &mut bad);
    let resets_quotas = match request.quotas() {
        v1::MovedQuotas::Unspecified | v1::MovedQuotas::Keep => false,
        v1::MovedQuotas::Reset => true,
    };
    if v1::MovedQuotas::try_from(request.quotas).is_err() {
        bad.add("quotas", "must be KEEP or RESET");
    }
    bad.finish()?;
    let ((Some(account), Some(to)), Some(_)) = ((&account, &to), &tenant) else {
        return Err(internal("a request without what it needs passed"));
    };
    let context = desk.context(tenant.as_ref(), &request.etag);
    let moved = mover.move_account(context, MoveRequest { account, to, resets_quotas }).await;
    let outcome = match moved.map_err(failed)? {
        Moved::To(name, etag) => {
            tracing::info!(actor = desk.actor, from = %account, to = %name, "account moved");
            v1::move_account_response::Outcome::Moved(v1::AccountMoved { name: name.to_string(), etag })
        }
        Moved::Denied(why) => v1::move_account_response::Outcome::Denied(denial::denial(&why)),
    };
    Ok(v1::MoveAccountResponse { outcome: Some(outcome) })
}

fn failed(failure: MoveFailure) -> Status {
    let message = failure.to_string();
    match failure {
        MoveFailure::Catalog(error) => match error {
            MoveError::Invalid(field, why) => bad_field(Reason::InvalidField, field, why),
            MoveError::NotFound(field, _) => bad_field(Reason::AccountNotFound, field, message),
            MoveError::Taken(..) => bad_field(Reason::AccountExists, "new_name", message),
            MoveError::Moving(_) => status(Reason::AccountMoving, message, HashMap::new()),
            MoveError::Quota(error) => from_quota(error),
            MoveError::Apply(error) => from_apply(error),
        },
        MoveFailure::Held(id) | MoveFailure::Shared(id) => {
            status(Reason::AllocationHeld, message, [("reservation".to_owned(), id)].into())
        }
        MoveFailure::Call(error) => from_call(error, true),
    }
}
