//! Overflow lists: when the pools that accounts chose have no room, the next ones are asked, each in an atomic step of its own.

use super::call::{ChargeRequest, Denial};
use super::operation::{Done, Outcome};
use super::plan::{Amounts, Turn, plan_turn};
use super::snapshot::Snapshot;
use crate::domain::time::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};

/// The turns of one call: which is under way, and what the last preparation saw of the one after it.
#[derive(Default)]
pub struct Turns {
    turn: usize,
    /// The first turn once more, as the answer.
    is_last: bool,
    tried: Vec<Arc<str>>,
    ahead: Mutex<Ahead>,
}

/// What the last preparation saw.
#[derive(Default)]
struct Ahead {
    /// The accounts in the next turn's plan, and its number.
    next: Option<(usize, Vec<Arc<str>>)>,
    /// The pools that this turn turns to.
    pools: Vec<Arc<str>>,
}

impl Turns {
    /// Plans the turn that is under way. Whether its denial is only tentative: another turn follows.
    ///
    /// # Errors
    /// As [`plan_turn`].
    pub fn plan(
        &self,
        snapshot: &Snapshot,
        charges: &[ChargeRequest],
        amounts: Amounts,
        now: Timestamp,
    ) -> Result<(Turn, bool), super::call::CallError> {
        let mut this = plan_turn(snapshot, charges, amounts, now, self.turn)?;
        if this.more == 0 || self.is_last {
            *self.ahead() = Ahead::default();
            return Ok((this, false));
        }
        let beyond = if this.plan.barred.is_empty() { self.turn + 1..this.more + 1 } else { 0..0 };
        let mut next = None;
        for turn in beyond {
            let Ok(planned) = plan_turn(snapshot, charges, amounts, now, turn) else { continue };
            // Who may use which pool, and until when: the answer must be that of the store's time.
            this.plan.valid = this.plan.valid.zip(planned.plan.valid).map(|(one, other)| one.intersect(&other));
            // Who may not use a pool passes it over.
            if planned.plan.barred.is_empty() {
                next = Some((turn, accounts(&planned)));
                break;
            }
        }
        let tentative = self.turn > 0 || next.is_some();
        *self.ahead() = Ahead { next, pools: std::mem::take(&mut this.pools) };
        Ok((this, tentative))
    }

    /// Whether what was decided is the answer; else the next turn has begun. What is in the way must be the pools alone: what is on the
    /// next path too would be in its way again. When no pool had room, the first turn is sent once more, so that its denial is
    /// remembered like any.
    pub fn is_over(&mut self, done: &Done) -> bool {
        let Outcome::Denied(denial) = &done.outcome else { return true };
        let Ahead { next, pools } = std::mem::take(self.ahead.get_mut().unwrap_or_else(PoisonError::into_inner));
        if self.is_last || done.replayed || (self.turn == 0 && next.is_none()) {
            return true;
        }
        for pool in pools {
            if !self.tried.contains(&pool) {
                self.tried.push(pool);
            }
        }
        match next.filter(|(_, accounts)| !is_in_the_way(denial, accounts)) {
            Some((turn, _)) => self.turn = turn,
            None => (self.turn, self.is_last) = (0, true),
        }
        false
    }

    /// The pools that were asked beside the chosen ones, in order.
    pub fn tried(self) -> Vec<Arc<str>> {
        self.tried
    }

    fn ahead(&self) -> std::sync::MutexGuard<'_, Ahead> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accounts(turn: &Turn) -> Vec<Arc<str>> {
    turn.plan.counters.iter().map(|counter| counter.bound.account.clone()).collect()
}

fn is_in_the_way(denial: &Denial, accounts: &[Arc<str>]) -> bool {
    denial.violations.iter().any(|violation| accounts.contains(&violation.account))
}
