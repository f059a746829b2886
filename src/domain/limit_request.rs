//! Requests for more: a user asks for a higher limit, an administrator grants it, or not (S0.43).

use super::name::{AccountName, MeterName};
use super::quota::Limit;
use super::time::Timestamp;
use super::window::WindowKind;

/// What somebody asks for, and what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LimitRequest {
    /// The tenant.
    pub tenant: String,
    /// Its name in the tenant.
    pub id: String,
    /// For which account.
    pub account: AccountName,
    /// On which meter.
    pub meter: MeterName,
    /// The limits that are wanted.
    pub wanted: Vec<Limit>,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub requester: String,
    /// When.
    pub create_time: Timestamp,
    /// What was in use then, window by window.
    pub seen: Vec<Seen>,
    /// How far it is.
    pub state: RequestState,
    /// What became of it; none while it is pending.
    pub resolution: Option<Resolution>,
}

/// How far a request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestState {
    /// Nobody has decided.
    Pending,
    /// The account's quota was changed with it.
    Approved,
    /// It was turned down.
    Rejected,
}

impl RequestState {
    /// Every state.
    pub const ALL: [RequestState; 3] = [RequestState::Pending, RequestState::Approved, RequestState::Rejected];

    /// As it is stored and told.
    pub const fn as_str(self) -> &'static str {
        match self {
            RequestState::Pending => "pending",
            RequestState::Approved => "approved",
            RequestState::Rejected => "rejected",
        }
    }
}

/// One window as it stood when more was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The window.
    pub kind: WindowKind,
    /// Its limit; `None`: unlimited.
    pub limit: Option<u64>,
    /// What was used.
    pub used: u64,
    /// What was held.
    pub held: u64,
}

/// What an administrator decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolution {
    /// Who.
    pub resolver: String,
    /// What was said about it.
    pub comment: String,
    /// When.
    pub time: Timestamp,
    /// The limits that were given; empty where it was turned down.
    pub granted: Vec<Limit>,
}
