//! Check: would a Reserve of these charges fit now? Changes nothing.

use super::authority::{Authority, stamp, unexpected};
use super::call::{AllowanceLine, CallError, CheckCall, Verdict};
use super::operation::{Outcome, Verb};
use super::plan::{Amounts, plan_charges};

impl Authority {
    /// Says what a Reserve would be told, with the figures of every limit on the path.
    ///
    /// # Errors
    /// [`CallError`] for unknown meters, missing amounts, or a store that can't answer.
    pub async fn check(&self, call: CheckCall) -> Result<Verdict<Vec<AllowanceLine>>, CallError> {
        let tenant = self.open(&call.tenant);
        let done = self
            .runner
            .run(&tenant, stamp(&tenant, None, 0), &|snapshot, now| {
                let (charges, plan) = plan_charges(snapshot, &call.charges, Amounts::Asked, now)?;
                Ok((Verb::Check { charges }, Some(plan)))
            })
            .await?;
        match done.outcome {
            Outcome::Allowed(lines) => Ok(Verdict::Granted(lines)),
            Outcome::Denied(denial) => Ok(Verdict::Denied(denial)),
            Outcome::Refused(error) => Err(error.into()),
            _ => Err(unexpected()),
        }
    }
}
