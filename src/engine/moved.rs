//! What was reserved before an account was moved, and is settled since: what is still in use of an allocation counts where the account
//! is today, so that what goes back, or comes on top, must reach the accounts that are above it today.

use super::call::CallError;
use super::operation::{Charges, Done, Operation, Outcome, Verb};
use super::plan::plan_reservation;
use super::ports::Clock;
use super::snapshot::Snapshot;
use crate::domain::error::RuleError;
use crate::domain::name::{AccountName, Uid};
use crate::domain::reservation::{Held, Level, Reservation};
use std::collections::HashMap;
use std::sync::Arc;

/// Puts what the ledger knows of an operation's reservation, which has ended, on the paths of today, and plans a commit, so that their
/// counters are loaded: nobody can tell that they were when it was reserved. From then on the operation is of the
/// snapshot's version: a move that it does not know of makes it stale.
///
/// # Errors
/// [`CallError::Moving`] while it is not decided where an account is.
pub(super) fn follow(snapshot: &Snapshot, operation: &mut Operation, clock: &dyn Clock) -> Result<(), CallError> {
    let Some(Some(record)) = &operation.known.reservation else { return Ok(()) };
    let settles = matches!(operation.verb, Verb::Commit { .. } | Verb::FreeReservation { .. });
    if !settles || !record.charges.iter().any(Held::is_allocation) {
        return Ok(());
    }
    operation.catalog_version = snapshot.version();
    if !snapshot.has_moves() {
        return Ok(());
    }
    let today = moved(snapshot, record)?;
    if let (Verb::Commit { recover: None, forced, .. }, None) = (&operation.verb, &operation.plan) {
        let plan = plan_reservation(snapshot, &today, clock.now());
        operation.plan = Some(Arc::new(if *forced { plan.lifted() } else { plan }));
    }
    operation.known.reservation = Some(Some(Arc::new(today)));
    Ok(())
}

/// A reservation whose charges on allocation meters count on the accounts of today.
fn moved(snapshot: &Snapshot, record: &Reservation) -> Result<Reservation, CallError> {
    let mut today = record.clone();
    for charge in today.charges.iter_mut().filter(|charge| charge.is_allocation()) {
        move_charge(snapshot, charge)?;
    }
    Ok(today)
}

fn move_charge(snapshot: &Snapshot, charge: &mut Held) -> Result<(), CallError> {
    let today = |name: &str| Some(snapshot.today(&name.parse().ok()?).into_owned());
    let Some(account) = today(&charge.account) else { return Ok(()) };
    let also: Vec<AccountName> = charge.also.iter().filter_map(|name| today(name)).collect();
    let mut path: Vec<Uid> = Vec::new();
    for uid in std::iter::once(&account).chain(&also).flat_map(|name| snapshot.uids(name)) {
        if !path.contains(&uid) {
            path.push(uid);
        }
    }
    let frozen = charge.path.accounts();
    if frozen.iter().chain(&path).any(|uid| snapshot.is_moving(*uid)) {
        return Err(CallError::Moving(account.to_string()));
    }
    if frozen[..] == path || !frozen.iter().any(|uid| Some(*uid) == own(snapshot, &account)) {
        return Ok(());
    }
    let fresh = |account| Level { account, has_top_up: false, held_top_up: 0, used_top_up: 0 };
    let level = |uid| charge.path.iter().find(|level| level.account == uid).unwrap_or_else(|| fresh(uid));
    charge.path = path.into_iter().map(level).collect();
    let about = Arc::make_mut(&mut charge.about);
    about.account = account.shared();
    about.also = also.iter().map(|name| name.as_str().into()).collect();
    Ok(())
}

fn own(snapshot: &Snapshot, account: &AccountName) -> Option<Uid> {
    snapshot.uids(account).last().copied()
}

/// The names under which what a settlement lists is looked for in its reservation: it may have been made under another than the one that
/// the caller says, before a move or after it.
#[derive(Default)]
pub(super) struct OtherNames {
    left: HashMap<usize, Vec<AccountName>>,
}

impl OtherNames {
    /// Whether the operation, refused for a charge that its reservation does not have, is to be sent again with another name of that
    /// charge's account.
    pub(super) fn has_another(&mut self, snapshot: &Snapshot, operation: &mut Operation, done: &Done) -> bool {
        let Outcome::Refused(RuleError::ChargeNotHeld(index)) = &done.outcome else { return false };
        let Some(charge) = listed(&mut operation.verb).and_then(|listed| listed.0.get_mut(*index)) else {
            return false;
        };
        if !snapshot.has_moves() {
            return false;
        }
        let left = self.left.entry(*index).or_insert_with(|| {
            let Ok(said) = charge.account.parse::<AccountName>() else { return Vec::new() };
            let today = snapshot.today(&said).into_owned();
            let mut names = snapshot.former(&today);
            names.push(today);
            names.retain(|name| *name != said);
            names
        });
        let Some(next) = left.pop() else { return false };
        charge.account = next.as_str().into();
        true
    }
}

fn listed(verb: &mut Verb) -> Option<&mut Charges> {
    match verb {
        Verb::Commit { listed, .. } | Verb::Release { listed, .. } | Verb::Extend { listed, .. } => Some(listed),
        _ => None,
    }
}
