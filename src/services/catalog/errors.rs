//! What a document that was not applied, or a catalog that can't be read, is answered with.

use crate::engine::manage::document::{Problem, Problems};
use crate::engine::manage::records::Noun;
use crate::engine::manage::{ApplyError, DefinitionError, DefinitionName, QuotaError, RecordError};
use crate::engine::ports::StoreError;
use crate::services::status::{self, Reason, bad_fields, internal, status};
use crate::services::violations::Violations;
use std::collections::HashMap;
use tonic::Status;
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// Problems that the message itself lists.
const IN_MESSAGE: usize = 10;
/// Longest problem in the message, in bytes; the details have it whole.
const LONGEST_LINE: usize = 150;
/// Most bytes of fields and descriptions in the details. A status travels in the headers, of which clients take 16 KiB
/// and no more; encoded, message and details stay below that.
const MOST_DETAILS: usize = 5 << 10;
/// As many problems as a judgement keeps.
const KEPT: usize = 500;

/// The status of a document that was not applied, or not written.
pub fn from_apply(error: ApplyError) -> Status {
    let message = error.to_string();
    match error {
        ApplyError::Tenant(_) => {
            let why = message.trim_start_matches("tenant: ").to_owned();
            bad_fields(Reason::InvalidField, vec![("tenant".to_owned(), why)])
        }
        ApplyError::Document(problems) => invalid(&problems),
        ApplyError::EtagMismatch(etag) => status(Reason::EtagMismatch, message, [("etag".to_owned(), etag)].into()),
        ApplyError::InUse(why) => bad_fields(Reason::CatalogInvalid, vec![("prune".to_owned(), why)]),
        ApplyError::Contention => status(Reason::EtagMismatch, message, HashMap::new()),
        ApplyError::Store(error) => from_store(error),
    }
}

/// The status of a quota that was not changed.
pub fn from_quota(error: QuotaError) -> Status {
    let message = error.to_string();
    match error {
        QuotaError::Invalid(problems) => judged(&problems),
        QuotaError::AccountNotFound(subjects) => {
            let field = |(at, subject)| (format!("quotas[{at}].subject"), format!("no record of {subject}"));
            bad_fields(Reason::AccountNotFound, subjects.into_iter().map(field).collect())
        }
        QuotaError::Exists(quotas) => {
            let field = |(at, subject, meter)| (format!("quotas[{at}]"), format!("{subject} has a quota on {meter}"));
            bad_fields(Reason::QuotaExists, quotas.into_iter().map(field).collect())
        }
        QuotaError::NotFound(..) => bad_fields(Reason::QuotaNotFound, vec![("subject".to_owned(), message)]),
        QuotaError::NotCurrent(current) => {
            status(Reason::QuotaNotCurrent, message, [("current".to_owned(), current.to_string())].into())
        }
        QuotaError::Locked { plan, feature, .. } => {
            let metadata = [("plan".to_owned(), plan.unwrap_or_default()), ("feature".to_owned(), feature)];
            status(Reason::FeatureMissing, message, metadata.into())
        }
        QuotaError::Use(error) => status::from_call(error, true),
        QuotaError::AboveParent(quotas) => bad_fields(Reason::LimitAboveParent, quotas),
        QuotaError::Apply(error) => from_apply(error),
    }
}

/// The status of a record, a pool or a choice that was not changed.
pub fn from_record(error: RecordError) -> Status {
    let message = error.to_string();
    match error {
        RecordError::Invalid(problems) => judged(&problems),
        RecordError::Exists(Noun::Account, _) => bad_field(Reason::AccountExists, "account", message),
        RecordError::Exists(Noun::Pool, _) => bad_field(Reason::PoolExists, "pool", message),
        RecordError::NotFound(Noun::Account, _) => bad_field(Reason::AccountNotFound, "account", message),
        RecordError::NotFound(Noun::Pool, _) => bad_field(Reason::PoolNotFound, "pool", message),
        RecordError::StillPool(_) => bad_field(Reason::PoolExists, "account", message),
        RecordError::Quota(error) => from_quota(error),
        RecordError::Moved(..) => bad_field(Reason::InvalidField, "account", message),
        RecordError::NotToBeChosen(_) => bad_field(Reason::InvalidField, "pool", message),
        RecordError::Disabled(_) => bad_field(Reason::PoolDisabled, "pool", message),
        RecordError::NotAMember(..) => bad_field(Reason::NotAMember, "pool", message),
        RecordError::Apply(error) => from_apply(error),
    }
}

/// The status of a meter, a plan or a rate card that was not changed; `field`: what of the request named it.
pub fn from_definition(error: DefinitionError, field: &str) -> Status {
    use DefinitionName::{Meter, Plan, RateCard};
    let message = error.to_string();
    let reason = match error {
        DefinitionError::Invalid(problems) => return judged(&problems),
        DefinitionError::Quota(error) => return from_quota(error),
        DefinitionError::Apply(error) => return from_apply(error),
        DefinitionError::Exists(Meter(_)) => Reason::MeterExists,
        DefinitionError::Exists(Plan(_)) => Reason::PlanExists,
        DefinitionError::Exists(RateCard(..)) => Reason::RateCardExists,
        DefinitionError::NotFound(Meter(_)) => Reason::MeterNotFound,
        DefinitionError::NotFound(Plan(_)) => Reason::PlanNotFound,
        DefinitionError::NotFound(RateCard(..)) => Reason::RateCardNotFound,
        DefinitionError::InUse(Plan(_), _) => Reason::PlanInUse,
        // Nobody names a rate card.
        DefinitionError::InUse(Meter(_) | RateCard(..), _) => Reason::MeterInUse,
    };
    bad_field(reason, field, message)
}

fn judged(problems: &Problems) -> Status {
    let mut bad = Violations::default();
    bad.add_all(problems);
    bad.finish().err().unwrap_or_else(|| internal("a judgement without a problem"))
}

/// The status of one bad field.
pub fn bad_field(reason: Reason, field: &str, why: String) -> Status {
    bad_fields(reason, vec![(field.to_owned(), why)])
}

/// The status of a catalog that can't be read or written.
pub fn from_store(error: StoreError) -> Status {
    match error {
        StoreError::Unavailable(why) | StoreError::OutcomeUnknown(why) | StoreError::Busy(why) => {
            status(Reason::LedgerUnavailable, why, HashMap::new())
        }
        StoreError::Corrupt(why) => internal(&why),
    }
}

/// Every problem with its line, as far as a status has room; `problems` in the metadata says how many there are.
fn invalid(problems: &Problems) -> Status {
    let list = problems.list();
    let metadata = [("problems".to_owned(), list.len().to_string())];
    let mut details = ErrorDetails::new();
    details.set_error_info(Reason::CatalogInvalid.as_str(), status::DOMAIN, metadata);
    details.set_bad_request(fields(list));
    Status::with_error_details(Reason::CatalogInvalid.code(), sentence(list), details)
}

fn fields(list: &[Problem]) -> Vec<FieldViolation> {
    let mut fields = Vec::new();
    let mut size = 0;
    for problem in list {
        let field = if problem.at.path.is_empty() { "yaml" } else { &problem.at.path };
        let description = format!("line {}: {}", problem.at.line, problem.message);
        size += field.len() + description.len();
        if size > MOST_DETAILS {
            break;
        }
        fields.push(FieldViolation::new(field, description));
    }
    fields
}

/// The first problems, one a line, and how many there are beside.
fn sentence(list: &[Problem]) -> String {
    let mut lines: Vec<String> = list.iter().take(IN_MESSAGE).map(|problem| short(&problem.to_string())).collect();
    let more = list.len().saturating_sub(IN_MESSAGE);
    if more > 0 {
        let least = if list.len() >= KEPT { "at least " } else { "" };
        lines.push(format!("and {least}{more} more"));
    }
    lines.join("\n")
}

fn short(text: &str) -> String {
    if text.len() <= LONGEST_LINE {
        return text.to_owned();
    }
    format!("{}...", &text[..text.floor_char_boundary(LONGEST_LINE)])
}
