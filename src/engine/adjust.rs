//! Adjust: an administrator corrects what accounts have used, all lines or none; the journal says who and why (rule 10).

use super::authority::{Authority, stamp, unexpected};
use super::call::{Answer, CallError, ChargeRequest};
use super::fingerprint::of_adjustment;
use super::operation::{Outcome, Verb};
use super::plan::{Amounts, plan_charges};
use crate::domain::adjustment::Move;
use crate::domain::entry::Note;
use crate::domain::meter::Family;
use crate::domain::name::AccountName;
use crate::domain::reservation::Held;
use crate::domain::time::{Span, Timestamp};

/// What is said of a measured size on a consumption meter.
pub const NOT_MEASURABLE: &str = "needs an allocation meter: what adds up over a period can't be measured";
/// What is said of a time that has not come.
pub const IN_THE_FUTURE: &str = "must not lie in the future";

/// How far ahead of this server's clock a caller's may be.
const CLOCK_SKEW: Span = Span::from_secs(60);

/// Asks to correct what was used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdjustCall {
    /// The tenant.
    pub tenant: AccountName,
    /// The caller's name for this call.
    pub request_id: Option<String>,
    /// Who asks, and why.
    pub note: Note,
    /// In the order in which they count.
    pub lines: Vec<AdjustLine>,
    /// Answer once it is in the ledger.
    pub wait_for_durable: bool,
}

/// One correction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdjustLine {
    /// Account, meter, item and the further accounts of the path; without an amount.
    pub charge: ChargeRequest,
    /// What becomes of it.
    pub change: Move,
    /// When it is effective; `None`: now.
    pub effective: Option<Timestamp>,
}

/// What became of one line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Adjusted {
    /// By how much every account of the path was changed.
    pub amount: i64,
    /// What was charged to the account itself until then.
    pub before: u64,
    /// And since.
    pub after: u64,
}

impl Authority {
    /// Corrects what was used: all lines, or none. What is held stays.
    ///
    /// # Errors
    /// [`CallError`] where a figure would go below zero, for a reused id, or a store that can't answer.
    pub async fn adjust(&self, call: AdjustCall) -> Result<Answer<Vec<Adjusted>>, CallError> {
        let tenant = self.open(&call.tenant);
        let print = of_adjustment(&call.lines, &call.note.reason);
        // With an id the journal says what was there before, and a repeat of this very sending is recognised.
        let id = call.request_id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        let asked: Vec<ChargeRequest> = call.lines.iter().map(|line| line.charge.clone()).collect();
        let done = self
            .runner
            .run(&tenant, stamp(&tenant, Some(&id), print), &|snapshot, now| {
                let (charges, plan) = plan_charges(snapshot, &asked, Amounts::Adjusted, now)?;
                judge(&call.lines, &charges, now)?;
                let moves = call.lines.iter().map(|line| (line.change, line.effective)).collect();
                Ok((Verb::Adjust { charges, moves, between: false, note: call.note.clone() }, Some(plan)))
            })
            .await?;
        let durability = self.runner.durability(&done, call.wait_for_durable).await?;
        match done.outcome {
            Outcome::Freed(freed) => {
                let value = call.lines.iter().zip(freed.amounts.chunks_exact(2)).map(adjusted).collect();
                Ok(Answer { value, replayed: done.replayed, durability })
            }
            Outcome::Refused(error) => Err(error.into()),
            _ => Err(unexpected()),
        }
    }
}

fn adjusted((line, figures): (&AdjustLine, &[u64])) -> Adjusted {
    let [before, after] = [figures[0], figures[1]];
    let amount = match line.change {
        Move::By(amount) => amount,
        Move::To { .. } => after.cast_signed() - before.cast_signed(),
    };
    Adjusted { amount, before, after }
}

/// What only the catalog and the clock can say about the lines.
fn judge(lines: &[AdjustLine], charges: &[Held], now: Timestamp) -> Result<(), CallError> {
    let mut faults = Vec::new();
    for (index, (line, charge)) in lines.iter().zip(charges).enumerate() {
        if matches!(line.change, Move::To { .. }) && charge.rules.family != Family::Allocation {
            faults.push((index, NOT_MEASURABLE));
        }
        if line.effective.is_some_and(|at| at > now + CLOCK_SKEW) {
            faults.push((index, IN_THE_FUTURE));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(CallError::BadCharges(faults)) }
}
