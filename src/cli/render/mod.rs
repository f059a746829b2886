//! What people read: a short sentence, then a table where there are several lines to tell.

mod account;
mod admin;
mod changes;
mod decision;
mod definition;
mod quota;
mod reservation;
mod table;
mod usage;

pub(super) use account::{accounts, pool, pools};
pub(super) use admin::{adjustments, audit, limit_request, limit_requests, recalculated};
pub(super) use changes::changes;
pub(super) use decision::{allowance, denial, freed};
pub(super) use definition::{card, cards, meter, meters, plans};
pub(super) use quota::{quota_versions, quotas};
pub(super) use reservation::{Aside, outcome, outcome_of, reservation, reservations};
pub(super) use table::{Column, View, instant, words};
pub(super) use usage::usage;
