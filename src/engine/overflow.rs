//! Overflow lists: when the pools that accounts chose have no room, the next ones are asked, each in an atomic step of its own.

use super::call::{CallError, ChargeRequest, Denial};
use super::operation::{Done, Outcome};
use super::plan::{Amounts, Turn, plan_turn};
use super::snapshot::Snapshot;
use crate::domain::time::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};

/// The most turns of a call beyond the first.
const MOST: usize = 32;

/// The turns of one call: which is under way, and what the last preparation saw of those after it.
#[derive(Default)]
pub struct Turns {
    /// Empty: the first.
    turn: Vec<usize>,
    /// The first turn once more, as the answer.
    is_last: bool,
    tried: Vec<Arc<str>>,
    ahead: Mutex<Ahead>,
}

/// What the last preparation saw.
#[derive(Default)]
struct Ahead {
    /// The accounts in this turn's plan, and how many charges count on each.
    accounts: Load,
    /// The turns that may follow, in order, each with the same.
    next: Vec<(Vec<usize>, Load)>,
    /// The pools that this turn turns to.
    pools: Vec<Arc<str>>,
}

/// Accounts, and how many charges count on them; an account once for each of its meters.
type Load = Vec<(Arc<str>, usize)>;

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
    ) -> Result<(Turn, bool), CallError> {
        let mut this = plan_turn(snapshot, charges, amounts, now, &self.turn)?;
        let (turns, has_one_list) = turns(&this.lists);
        if turns.is_empty() || self.is_last {
            *self.ahead() = Ahead::default();
            return Ok((this, false));
        }
        let begin = turns.iter().position(|turn| *turn == self.turn).map_or(0, |at| at + 1);
        let beyond = if this.plan.barred.is_empty() { &turns[begin..] } else { &[] };
        let mut next = Vec::new();
        for turn in beyond {
            let Ok(planned) = plan_turn(snapshot, charges, amounts, now, turn) else { continue };
            // Who may use which pool, and until when: the answer must be that of the store's time.
            let valid = this.plan.valid.zip(planned.plan.valid).map(|(one, other)| one.intersect(&other));
            Arc::make_mut(&mut this.plan).valid = valid;
            // Who may not use a pool passes it over.
            if planned.plan.barred.is_empty() {
                next.push((turn.clone(), load(&planned)));
                // What is in the way of the next pool of a list ends the search: those after it are not looked at.
                if has_one_list {
                    break;
                }
            }
        }
        let tentative = !self.turn.is_empty() || !next.is_empty();
        *self.ahead() = Ahead { accounts: load(&this), next, pools: std::mem::take(&mut this.pools) };
        Ok((this, tentative))
    }

    /// Whether what was decided is the answer; else the next turn has begun: the first that has less of what is in the way on each account
    /// that it is in the way on. When no pool had room, the first turn is sent once more, so that its denial is remembered like any.
    pub fn is_over(&mut self, done: &Done) -> bool {
        let Outcome::Denied(denial) = &done.outcome else { return true };
        let ahead = std::mem::take(self.ahead.get_mut().unwrap_or_else(PoisonError::into_inner));
        let Ahead { accounts, next, pools } = ahead;
        if self.is_last || done.replayed || (self.turn.is_empty() && next.is_empty()) {
            return true;
        }
        for pool in pools {
            if !self.tried.contains(&pool) {
                self.tried.push(pool);
            }
        }
        match next.into_iter().find(|(_, then)| !is_in_the_way(denial, &accounts, then)) {
            Some((turn, _)) => self.turn = turn,
            None => (self.turn, self.is_last) = (Vec::new(), true),
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

/// The turns beyond the first, and whether all charges that have a list have the same one. Charges on one chosen pool turn together.
/// First all pools turn at once, to the first of their lists, to the second and so on, where one is shorter to the chosen one again;
/// then come the other combinations.
fn turns(lists: &[Option<(Arc<str>, usize)>]) -> (Vec<Vec<usize>>, bool) {
    let mut chosen: Vec<&(Arc<str>, usize)> = Vec::new();
    for list in lists.iter().flatten() {
        if !chosen.contains(&list) {
            chosen.push(list);
        }
    }
    let longest = chosen.iter().map(|(_, length)| *length).max().unwrap_or(0);
    let at_once = (1..=longest).map(|at| chosen.iter().map(|(_, length)| if at > *length { 0 } else { at }).collect());
    let mut turns: Vec<Vec<usize>> = at_once.collect();
    let mut combination = vec![0; chosen.len()];
    while turns.len() < MOST && advance(&mut combination, &chosen) {
        if !turns.contains(&combination) {
            turns.push(combination.clone());
        }
    }
    let of = |turn: &Vec<usize>, list: &Option<(Arc<str>, usize)>| {
        list.as_ref().and_then(|list| chosen.iter().position(|known| *known == list)).map_or(0, |at| turn[at])
    };
    let turns = turns.iter().map(|turn| lists.iter().map(|list| of(turn, list)).collect()).collect();
    (turns, chosen.len() < 2)
}

/// The next combination; none after the last.
fn advance(combination: &mut [usize], chosen: &[&(Arc<str>, usize)]) -> bool {
    for (at, (_, length)) in combination.iter_mut().zip(chosen) {
        if *at < *length {
            *at += 1;
            return true;
        }
        *at = 0;
    }
    false
}

fn load(turn: &Turn) -> Load {
    let charges =
        |at: usize| turn.plan.paths.iter().filter(|path| path.iter().any(|known| usize::from(*known) == at)).count();
    let counters = turn.plan.counters.iter().enumerate();
    counters.map(|(at, counter)| (counter.bound.account.clone(), charges(at))).collect()
}

/// Whether something would be in the way of the next turn too: where it counts on the account as much as this one does.
fn is_in_the_way(denial: &Denial, this: &Load, next: &Load) -> bool {
    let on = |load: &Load, account: &Arc<str>| -> usize {
        load.iter().filter(|(known, _)| known == account).map(|(_, charges)| charges).sum()
    };
    denial.violations.iter().any(|violation| {
        let then = on(next, &violation.account);
        then > 0 && then >= on(this, &violation.account)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(pool: &str, length: usize) -> Option<(Arc<str>, usize)> {
        Some((pool.into(), length))
    }

    #[test]
    fn charges_on_one_pool_turn_together_and_others_in_every_combination() {
        assert_eq!(turns(&[None, None]), (vec![], true));
        let one = turns(&[list("a", 2), None, list("a", 2)]);
        assert_eq!(one, (vec![vec![1, 0, 1], vec![2, 0, 2]], true));
        let (two, has_one_list) = turns(&[list("a", 2), list("b", 1), list("a", 2)]);
        let all = [[1, 1, 1], [2, 0, 2], [1, 0, 1], [0, 1, 0], [2, 1, 2]].map(Vec::from);
        assert_eq!((two, has_one_list), (all.to_vec(), false));
        let many: Vec<_> = ["a", "b", "c", "d"].map(|pool| list(pool, 8)).into();
        assert_eq!(turns(&many).0.len(), MOST);
    }
}
