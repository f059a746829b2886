//! What a history asks for, and what the model keeps of a reservation.

use super::catalog::Meter;
use super::digest::{ChargeView, View};

/// Time to live of a hold for which the caller names none, in milliseconds.
pub(crate) const DEFAULT_TTL: i64 = 60_000;

/// One charge as it is asked for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Ask {
    pub(crate) account: &'static str,
    pub(crate) meter: &'static str,
    pub(crate) item: &'static str,
    pub(crate) amount: Option<u64>,
    pub(crate) also: Vec<&'static str>,
}

/// What an adjustment does to one line: adds, or makes it what was measured (if the other figure is what was charged).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    By(i64, Option<i64>),
    To(u64, Option<u64>),
}

/// One call. `res` and `req` are the caller's ids.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    Check { asks: Vec<Ask> },
    Reserve { res: Option<String>, req: Option<String>, asks: Vec<Ask>, ttl: Option<i64> },
    Consume { res: Option<String>, req: Option<String>, asks: Vec<Ask> },
    Commit { res: String, req: Option<String>, asks: Vec<Ask>, is_final: bool },
    Release { res: String, req: Option<String>, asks: Vec<Ask> },
    Extend { res: String, req: Option<String>, asks: Vec<Ask>, ttl: Option<i64> },
    Free { res: String, req: Option<String> },
    FreeAmounts { req: Option<String>, asks: Vec<Ask> },
    Adjust { req: Option<String>, asks: Vec<Ask>, changes: Vec<Change> },
    Get { res: String },
    Usage { account: &'static str, meter: &'static str },
}

impl Op {
    /// What makes two calls the same call: all but the request id, the order of charges and of further accounts.
    pub(crate) fn contents(&self) -> Op {
        let mut same = self.clone();
        if let Op::Reserve { ttl, .. } | Op::Extend { ttl, .. } = &mut same {
            *ttl = Some(ttl.unwrap_or(DEFAULT_TTL));
        }
        let (req, asks) = match &mut same {
            Op::Reserve { req, asks, .. }
            | Op::Consume { req, asks, .. }
            | Op::Commit { req, asks, .. }
            | Op::Release { req, asks, .. }
            | Op::Extend { req, asks, .. }
            | Op::FreeAmounts { req, asks }
            | Op::Adjust { req, asks, .. } => (Some(req), Some(asks)),
            Op::Free { req, .. } => (Some(req), None),
            Op::Check { .. } | Op::Get { .. } | Op::Usage { .. } => (None, None),
        };
        req.map(Option::take);
        for ask in asks.into_iter().flatten() {
            ask.also.sort_unstable();
        }
        if let Op::Reserve { asks, .. }
        | Op::Consume { asks, .. }
        | Op::Commit { asks, .. }
        | Op::Release { asks, .. }
        | Op::Extend { asks, .. }
        | Op::FreeAmounts { asks, .. } = &mut same
        {
            asks.sort();
        }
        same
    }

    /// The request id.
    pub(crate) fn request(&self) -> Option<&String> {
        match self {
            Op::Reserve { req, .. }
            | Op::Consume { req, .. }
            | Op::Commit { req, .. }
            | Op::Release { req, .. }
            | Op::Extend { req, .. }
            | Op::Free { req, .. }
            | Op::FreeAmounts { req, .. }
            | Op::Adjust { req, .. } => req.as_ref(),
            Op::Check { .. } | Op::Get { .. } | Op::Usage { .. } => None,
        }
    }
}

/// A reservation.
#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    pub(crate) id: String,
    /// The call that made it.
    pub(crate) contents: Op,
    pub(crate) state: &'static str,
    pub(crate) overrun: bool,
    pub(crate) late: bool,
    pub(crate) recovered: bool,
    pub(crate) create: i64,
    pub(crate) expire: i64,
    pub(crate) charges: Vec<Charge>,
}

/// One of its charges.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) ask: Ask,
    pub(crate) rules: Meter,
    pub(crate) held: i128,
    pub(crate) committed: i128,
    /// What of `committed` the deadline charged, or the Reserve itself, and no commit has confirmed.
    pub(crate) unconfirmed: i128,
    /// What the deadline gave back.
    pub(crate) lapsed: i128,
    pub(crate) freed: i128,
    /// What the final commit asked for.
    pub(crate) last: Option<i128>,
    pub(crate) path: Vec<Level>,
}

/// One account of its path, with what of it stands in that account's top-up.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub(crate) account: &'static str,
    /// Whether it had one at the Reserve: only then use beyond the hold goes there.
    pub(crate) has_top: bool,
    pub(crate) held_top: i128,
    pub(crate) used_top: i128,
}

impl Charge {
    /// What it stands for when nobody says an amount.
    pub(crate) fn as_held(&self) -> i128 {
        (self.held + self.unconfirmed + self.lapsed).min(super::MAX.into())
    }
}

impl Reservation {
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, "HELD" | "PARTIALLY_COMMITTED" | "PARKED")
    }

    /// As the digest shows it.
    pub(crate) fn view(&self) -> View {
        let flags = [(self.overrun, "overrun"), (self.late, "late"), (self.recovered, "recovered")];
        View {
            id: self.id.clone(),
            state: self.state,
            flags: flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect(),
            create: self.create,
            expire: self.expire,
            charges: self
                .charges
                .iter()
                .map(|charge| ChargeView {
                    account: charge.ask.account.to_owned(),
                    meter: charge.ask.meter.to_owned(),
                    item: charge.ask.item.to_owned(),
                    asked: charge.ask.amount,
                    held: charge.held,
                    committed: charge.committed,
                    freed: charge.freed,
                })
                .collect(),
        }
    }
}

/// The accounts that a charge must satisfy: its account's chain, the tenant first, then what the further ones add.
pub(crate) fn path(ask: &Ask) -> Vec<&'static str> {
    let mut path = Vec::new();
    for account in [ask.account].iter().chain(&ask.also) {
        let slashes: Vec<usize> = account.match_indices('/').map(|(at, _)| at).collect();
        let ends = slashes.iter().skip(1).step_by(2).copied().chain([account.len()]);
        for name in ends.map(|end| &account[..end]) {
            if !path.contains(&name) {
                path.push(name);
            }
        }
    }
    path
}

#[test]
fn a_path_is_the_chain_and_what_others_add() {
    let also = vec!["tenants/t/pools/p", "tenants/t/users/u1"];
    let ask = Ask { account: "tenants/t/users/u1", meter: "m", item: "", amount: None, also };
    assert_eq!(path(&ask), ["tenants/t", "tenants/t/users/u1", "tenants/t/pools/p"]);
}
