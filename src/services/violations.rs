//! Collects every bad field of a request, so that one answer names them all.

use super::status::{self, Reason};
use crate::engine::manage::document::Problems;
use std::collections::HashMap;
use std::fmt::Display;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// What is wrong with a request. Fields are named by anything that can be shown, so that one that is right costs no text.
#[derive(Debug, Default)]
pub struct Violations {
    fields: Vec<FieldViolation>,
    too_deep: bool,
    elsewhere: bool,
    malformed: bool,
}

impl Violations {
    /// A field that is missing, malformed or out of range.
    pub fn add(&mut self, field: impl Display, why: impl Into<String>) {
        self.malformed = true;
        self.fields.push(FieldViolation::new(field.to_string(), why));
    }

    /// What a judgement found, each by its path.
    pub fn add_all(&mut self, problems: &Problems) {
        for problem in problems.list() {
            self.add(&problem.at.path, &problem.message);
        }
    }

    /// An account with more levels than one decision may touch.
    pub fn too_deep(&mut self, field: impl Display) {
        self.too_deep = true;
        self.fields.push(FieldViolation::new(field.to_string(), "must have at most 8 levels"));
    }

    /// An account that the tenant does not have.
    pub fn elsewhere(&mut self, field: impl Display) {
        self.elsewhere = true;
        self.fields.push(FieldViolation::new(field.to_string(), "no such account in this tenant"));
    }

    /// Whether nothing was found to be wrong so far.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether nothing is wrong.
    ///
    /// # Errors
    /// One status that names every field.
    pub fn finish(self) -> Result<(), Status> {
        if self.fields.is_empty() {
            return Ok(());
        }
        let (code, reason) = if self.malformed {
            (Code::InvalidArgument, Reason::InvalidField)
        } else if self.too_deep {
            (Code::FailedPrecondition, Reason::TooManyLimits)
        } else {
            (Code::NotFound, Reason::AccountNotFound)
        };
        let sentence: Vec<String> =
            self.fields.iter().map(|field| format!("{}: {}", field.field, field.description)).collect();
        let mut details = ErrorDetails::new();
        details.set_error_info(reason.as_str(), status::DOMAIN, HashMap::new());
        details.set_bad_request(self.fields);
        Err(Status::with_error_details(code, sentence.join("; "), details))
    }
}
