//! Check: would a Reserve of these charges fit now? Changes nothing.

use super::authority::{Authority, stamp, unexpected};
use super::call::{AllowanceLine, CallError, CheckCall, Denial, Verdict};
use super::operation::{Outcome, Verb};
use super::overflow::Turns;
use super::plan::Amounts;
use super::snapshot::Snapshot;
use super::spool::unenforced::Asked;
use crate::domain::time::Timestamp;

impl Authority {
    /// Says what a Reserve would be told, with the figures of every limit on the path; with none where the counter store can't be
    /// reached and the charges fail open.
    ///
    /// # Errors
    /// [`CallError`] for unknown meters, missing amounts, or a store that can't answer.
    pub async fn check(&self, call: CheckCall) -> Result<Verdict<Vec<AllowanceLine>>, CallError> {
        let tenant = self.open(&call.tenant);
        let mut turns = Turns::default();
        let done = loop {
            let prepare = |snapshot: &Snapshot, now: Timestamp| {
                let (turn, _) = turns.plan(snapshot, &call.charges, Amounts::Asked, now)?;
                Ok((Verb::Check { charges: turn.held }, Some(turn.plan)))
            };
            let done = match self.runner.run(&tenant, stamp(&tenant, None, 0), &prepare).await {
                Err(CallError::OutOfReach(why)) => {
                    let asked = Asked { charges: &call.charges, wait_for_durable: false, why };
                    let denied = Box::pin(self.runner.check_unenforced(&tenant, asked, &prepare)).await?;
                    return Ok(denied.map_or_else(|| Verdict::Granted(Vec::new()), Verdict::Denied));
                }
                done => done?,
            };
            if turns.is_over(&done) {
                break done;
            }
        };
        match done.outcome {
            Outcome::Allowed(lines) => Ok(Verdict::Granted(lines)),
            Outcome::Denied(denial) => Ok(Verdict::Denied(Denial { tried: turns.tried(), ..denial })),
            Outcome::Refused(error) => Err(error.into()),
            _ => Err(unexpected()),
        }
    }
}
