//! Reservations: a hold on every limit of the path of each of its charges, and what became of it.

use super::amount;
use super::levels::{Levels, OnLevel};
use super::meter::Rules;
use super::name::{IdKey, MeterId, Uid};
use super::price::{LinePrice, Priced, Quantities};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use std::sync::Arc;

/// State of a reservation. The table state x operation stands in `src/ARCHITECTURE.md` (rule 7).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum State {
    /// The whole amount is held.
    Held = 1,
    /// A part was committed, the rest is held.
    PartiallyCommitted = 2,
    /// Ended by a final commit.
    Committed = 3,
    /// Ended by a release.
    Released = 4,
    /// Ended by its deadline: given back, or charged by the meter's rule.
    Expired = 5,
    /// Its deadline passed and the meter's rule is to park: the hold stays until somebody resolves it.
    Parked = 6,
}

impl State {
    /// Whether it still holds something, or may.
    pub fn is_open(self) -> bool {
        matches!(self, State::Held | State::PartiallyCommitted | State::Parked)
    }

    /// From its number in a database row.
    pub fn from_code(code: i64) -> Option<State> {
        [State::Held, State::PartiallyCommitted, State::Committed, State::Released, State::Expired, State::Parked]
            .into_iter()
            .find(|state| *state as i64 == code)
    }
}

/// What else happened to a reservation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Flags {
    /// More was committed than had been held.
    pub overrun: bool,
    /// A commit came after the deadline.
    pub late: bool,
    /// Recorded from the commit's own charges, the reservation being unknown.
    pub recovered: bool,
    /// Granted while the counter store could not be reached.
    pub unenforced: bool,
    /// A counter went beyond 2^53-1 and stays there.
    pub saturated: bool,
}

/// A reservation, whole: what the store keeps while it is open, and the ledger afterwards.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reservation {
    /// The tenant.
    pub tenant: Uid,
    /// Its name, `tenants/acme`.
    pub tenant_name: Arc<str>,
    /// The id, the caller's or ours.
    pub id: Box<str>,
    /// The id as the store knows it.
    pub key: IdKey,
    /// Fingerprint of the Reserve or Consume (or recovered Commit) that made it.
    pub fingerprint: u64,
    /// Its state.
    pub state: State,
    /// What else happened to it.
    pub flags: Flags,
    /// When it was reserved, in the store's time: what decides in which periods it counts (rule 8).
    pub create_time: Timestamp,
    /// Its deadline.
    pub expire_time: Timestamp,
    /// What it charges, in the request's order.
    pub charges: Vec<Held>,
    /// The caller's labels.
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// The request ids of the calls that made and changed it.
    pub requests: Vec<IdKey>,
}

impl Reservation {
    /// Whether anything is still held.
    pub fn holds(&self) -> bool {
        self.charges.iter().any(|charge| charge.held > 0)
    }

    /// Whether anything that can be freed is still in use.
    pub fn occupies(&self) -> bool {
        self.charges.iter().any(|charge| charge.is_allocation() && charge.committed > charge.freed)
    }
}

/// What a charge is about, which never changes: its record, its lines in the journal and the answers share it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct About {
    /// The charged account's name.
    pub account: Arc<str>,
    /// The meter's name.
    pub meter: Arc<str>,
    /// The number behind it.
    pub meter_id: MeterId,
    /// What it is for.
    pub item: Box<str>,
    /// Further accounts on the path.
    pub also: Vec<Box<str>>,
}

impl About {
    /// An account on a meter, and nothing else.
    pub fn of(account: impl Into<Arc<str>>, meter: impl Into<Arc<str>>, meter_id: MeterId) -> About {
        About { account: account.into(), meter: meter.into(), meter_id, item: Box::default(), also: Vec::new() }
    }

    /// The accounts that it names: the charged one, then the further ones.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.account).chain(self.also.iter().map(|name| &**name))
    }
}

/// One charge of a reservation. Amounts are in the meter's smallest unit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Held {
    /// What it is about.
    pub about: Arc<About>,
    /// What was asked for; `None`: nothing was said (POSITIVE).
    pub asked: Option<u64>,
    /// What is held now.
    pub held: u64,
    /// What is recorded as used.
    pub committed: u64,
    /// The part of `committed` that the deadline charged and no commit has confirmed yet.
    pub unconfirmed: u64,
    /// What the deadline gave back: what a late commit as held stands for.
    pub lapsed: u64,
    /// What was given back by Free.
    pub freed: u64,
    /// What the final commit recorded, so that a repeat with other amounts can be told.
    pub final_amount: Option<u64>,
    /// The meter's rules, frozen.
    pub rules: Rules,
    /// The accounts that it counts on, the charged one's chain first; frozen.
    pub path: Levels<Level>,
    /// The prices that it froze, with what was priced by them so far; `None`: no rate card prices it.
    pub price: Option<Box<Priced>>,
    /// The quantities of which `asked` is the price: what a commit as held stands for.
    pub estimate: Option<Box<Quantities>>,
}

impl Deref for Held {
    type Target = About;

    fn deref(&self) -> &About {
        &self.about
    }
}

impl Held {
    /// What it stands for when nobody says an amount: what is held, what the deadline charged, what it gave back.
    pub fn as_held(&self) -> u64 {
        (self.held + self.unconfirmed + self.lapsed).min(amount::MAX)
    }

    /// How many levels of the path are the charged account's own chain; the last of them is the account itself.
    pub fn chain_len(&self) -> usize {
        // Two parts to a level, and a slash between two parts.
        self.account.bytes().filter(|byte| *byte == b'/').count().div_ceil(2)
    }

    /// The price state with nothing but the estimate in it: what is priced once the estimate has become true.
    pub fn estimated(&self) -> Option<Priced> {
        Some(self.price.as_ref()?.holding(Quantities::clone(self.estimate.as_ref()?)))
    }

    /// The quantities that were priced so far.
    pub fn priced(&self) -> Quantities {
        self.price.as_ref().map(|price| price.quantities.clone()).unwrap_or_default()
    }

    /// What the ledger's line of a change says about money: `before` has what was priced before it, if it priced a part.
    pub fn line_price(&self, used: i64, before: Option<&Quantities>) -> Option<Box<LinePrice>> {
        let price = self.price.as_ref()?;
        (used != 0 || before.is_some()).then(|| Box::new(price.line(used, before)))
    }

    /// Whether what it committed can be freed.
    pub fn is_allocation(&self) -> bool {
        self.rules.family == super::meter::Family::Allocation
    }
}

/// One account on the path of a charge, and what of the charge stands in its top-up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Level {
    /// The account.
    pub account: Uid,
    /// Whether the account had a top-up when it was reserved.
    pub has_top_up: bool,
    /// The part of `held` that stands in the top-up.
    pub held_top_up: u64,
    /// The part of `committed` that was taken from the top-up.
    pub used_top_up: u64,
}

/// What of a charge stands in the top-up of an account on its path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TopUp {
    /// Whether the account had one when it was reserved.
    pub has: bool,
    /// The part of `held`.
    pub held: u64,
    /// The part of `committed`.
    pub used: u64,
}

impl OnLevel for Level {
    type Part = TopUp;

    fn new(account: Uid, part: TopUp) -> Level {
        Level { account, has_top_up: part.has, held_top_up: part.held, used_top_up: part.used }
    }

    fn split(self) -> (Uid, TopUp) {
        (self.account, TopUp { has: self.has_top_up, held: self.held_top_up, used: self.used_top_up })
    }
}
