//! A job is one reservation's life as a client lives it: calls in a fixed order with fixed ids, and what was answered.

use quotad::proto::v1::{
    Charge, CommitRequest, ConsumeRequest, Durability, GetReservationRequest, ReleaseRequest, Reservation,
    ReserveRequest, consume_response, quota_service_client::QuotaServiceClient, reserve_response,
};
use rand::{RngExt, rngs::StdRng};
use std::time::Duration;
use tonic::{Code, Status, transport::Channel};

/// The tenant of these tests.
pub(super) const TENANT: &str = "tenants/faults";
/// The meter whose limits are never reached.
pub(super) const WIDE: &str = "runs";
/// The meter whose limit is: [`LIMIT`] for each round's account.
pub(super) const TIGHT: &str = "seats";
/// What each round may consume of [`TIGHT`].
pub(super) const LIMIT: i64 = 60;
/// The limits.
pub(super) const CATALOG: &str = "
meters:
  - {name: runs, unit: run}
  - {name: seats, unit: seat}
tenants:
  - name: tenants/faults
    quotas:
      - {subject: tenants/faults, meter: runs, limits: {lifetime: 1_000_000_000_000, day: 1_000_000_000_000}}
      - {subject: tenants/faults/teams/-, meter: runs, limits: {lifetime: 1_000_000_000_000}}
      - {subject: tenants/faults/teams/-/users/-, meter: runs, limits: {lifetime: 1_000_000_000_000}}
      - {subject: tenants/faults/rounds/-, meter: seats, limits: {lifetime: 60}}
";

/// How long a call may take before the test says that it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of the hot path.
pub(super) type Quota = QuotaServiceClient<Channel>;

/// One call of a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    Reserve,
    Consume,
    /// Commit a part and keep the rest.
    Part(i64),
    Commit(i64),
    Release,
}

/// What was answered to a call.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// What it added to what is used.
    pub(super) used: i64,
    /// The limit was in the way.
    pub(super) denied: bool,
    /// It was said to be in the ledger.
    pub(super) durable: bool,
    /// It was said to be the answer to an earlier call.
    pub(super) replayed: bool,
    /// The reservation.
    view: Option<Reservation>,
}

/// One reservation's life.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) account: String,
    pub(super) meter: &'static str,
    amount: i64,
    ttl_ms: i64,
    acts: Vec<Act>,
    /// Each call waits for the ledger.
    waits: bool,
    /// Of the first calls, as many as were answered.
    pub(super) answers: Vec<Answer>,
    /// Whether the call after those was sent: it may have had its effect.
    sent: bool,
}

impl Job {
    /// A random one; `id` must be new. With `simple`, it can be made again from its first call whatever was forgotten.
    pub(super) fn random(id: String, round: usize, simple: bool, rng: &mut StdRng) -> Job {
        let amount = rng.random_range(2..20);
        let commit = Act::Commit(rng.random_range(1..30));
        let acts = match rng.random_range(if simple { 3..10 } else { 0..10 }) {
            0 => vec![Act::Reserve, Act::Part(1), commit],
            1 => vec![Act::Reserve, Act::Part(amount + 3), Act::Release],
            2 => vec![Act::Reserve, Act::Part(1), Act::Part(1)],
            3 | 4 => vec![Act::Reserve, commit],
            5 => vec![Act::Reserve, Act::Release],
            6 => vec![Act::Reserve],
            7 => vec![Act::Consume],
            _ => {
                // Of the meter whose limit counts.
                let account = format!("{TENANT}/rounds/r{round}");
                let (amount, acts) = (rng.random_range(1..4), vec![Act::Consume]);
                return Job::new(id, account, TIGHT, amount, acts, rng);
            }
        };
        let account = format!("{TENANT}/teams/t{}/users/u{}", rng.random_range(0..3), rng.random_range(0..4));
        Job::new(id, account, WIDE, amount, acts, rng)
    }

    fn new(id: String, account: String, meter: &'static str, amount: i64, acts: Vec<Act>, rng: &mut StdRng) -> Job {
        let (ttl_ms, waits) = (rng.random_range(50..1500), rng.random_range(0..8) == 0);
        Job { id, account, meter, amount, ttl_ms, acts, waits, answers: Vec::new(), sent: false }
    }

    /// A job of one unit that is in the ledger when it is answered, and with it all before it.
    pub(super) fn fence(id: String) -> Job {
        let (account, acts) = (format!("{TENANT}/teams/fence/users/f"), vec![Act::Consume]);
        let (answers, waits) = (Vec::new(), true);
        Job { id, account, meter: WIDE, amount: 1, ttl_ms: 1000, acts, waits, answers, sent: false }
    }

    /// Whether all its calls are answered.
    pub(super) fn is_done(&self) -> bool {
        self.answers.len() == self.acts.len()
    }

    /// Makes the next call that is not answered yet.
    pub(super) async fn step(&mut self, quota: &mut Quota) -> Result<(), Status> {
        self.sent = true;
        let number = self.answers.len();
        // The server's own limit for a call is 10 s; a lost answer must not hang the test.
        let call = tokio::time::timeout(PATIENCE, self.call(number, quota)).await;
        let answer = call.unwrap_or_else(|_| panic!("call {number} gets no answer: {self:?}"))?;
        assert!(!self.waits || answer.durable || answer.denied, "waited for the ledger in vain: {answer:?}\n{self:?}");
        self.sent = false;
        self.answers.push(answer);
        Ok(())
    }

    /// Makes an answered call once more: it must be recognised, and answered as it was.
    pub(super) async fn repeat(&self, number: usize, quota: &mut Quota) -> Result<(), Status> {
        let before = &self.answers[number];
        if before.denied || before.view.is_none() {
            return Ok(());
        }
        let again = self.call(number, quota).await?;
        assert!(again.replayed && !again.denied, "call {number} had its effect again: {again:?}\n{self:?}");
        Ok(())
    }

    /// Forgets the last answer, so that its call is made again: it may have been lost. A commit makes up for a lost
    /// reservation, so what was before it is not sent again.
    pub(super) fn start_over(&mut self) {
        self.answers.pop();
    }

    /// Whether the next call can't be made up for once the reservation is lost.
    pub(super) fn may_be_forgotten(&self, status: &Status) -> bool {
        status.code() == Code::NotFound && self.acts.get(self.answers.len()) == Some(&Act::Release)
    }

    /// Ends a job whose reservation is lost, and with it what was held.
    pub(super) fn give_up(&mut self) {
        self.acts.truncate(self.answers.len());
        self.answers.iter_mut().for_each(|answer| answer.view = None);
    }

    /// What the answered calls have added to what is used.
    pub(super) fn used(&self) -> i64 {
        self.answers.iter().map(|answer| answer.used).sum()
    }

    /// Whether an answer says that it left something behind.
    pub(super) fn is_granted(&self) -> bool {
        self.answers.iter().any(|answer| !answer.denied)
    }

    /// Amount and end (ms since 1970) of what was held by the last answer; nothing for what has ended.
    pub(super) fn held(&self) -> Option<(i64, i64)> {
        let view = self.answers.last()?.view.as_ref()?;
        let end = view.expire_time.as_ref()?;
        let held = view.committed.iter().map(|charge| charge.held).sum();
        (self.meter == WIDE).then_some((held, end.seconds * 1000 + i64::from(end.nanos) / 1_000_000))
    }

    /// Compares what the servers know of it with what was answered: every answered call, and perhaps the one after. With
    /// `lossy` only what was said to be in the ledger must be there; answers whether something else is not.
    pub(super) async fn check(&self, lossy: bool, quota: &mut Quota) -> Result<bool, Status> {
        let request = GetReservationRequest { tenant: TENANT.into(), reservation_id: self.id.clone() };
        let found = match quota.get_reservation(request).await {
            Ok(found) => found.into_inner().reservation.unwrap(),
            Err(status) if status.code() == Code::NotFound => {
                let stored = self.answers.iter().any(|answer| answer.durable && !answer.denied);
                assert!(!stored, "a durable answer is lost: {self:?}");
                assert!(lossy || !self.is_granted(), "an answered call is lost: {self:?}");
                return Ok(self.is_granted());
            }
            Err(status) => return Err(status),
        };
        let used: i64 = found.committed.iter().map(|charge| charge.committed).sum();
        let stored = self.answers.iter().rposition(|answer| answer.durable).map_or(0, |last| last + 1);
        let least: i64 = self.answers[..stored].iter().map(|answer| answer.used).sum();
        let unanswered = self.acts.get(self.answers.len()).filter(|_| self.sent);
        let possible = [Some(self.used()), unanswered.map(|act| self.used() + self.adds(*act))];
        let is_right = possible.contains(&Some(used));
        assert!(used >= least, "a durable answer is lost, {used} is committed: {found:?}\n{self:?}");
        assert!(lossy || is_right, "{used} of {possible:?} is committed: {found:?}\n{self:?}");
        Ok(!is_right)
    }

    /// What a call adds to what is used, if it is granted.
    fn adds(&self, act: Act) -> i64 {
        match act {
            Act::Reserve | Act::Release => 0,
            Act::Consume => self.amount,
            Act::Part(part) | Act::Commit(part) => part,
        }
    }

    fn charges(&self, amount: i64) -> Vec<Charge> {
        let (account, meter) = (self.account.clone(), self.meter.to_owned());
        vec![Charge { account, meter, amount: Some(amount), ..Charge::default() }]
    }

    async fn call(&self, number: usize, quota: &mut Quota) -> Result<Answer, Status> {
        let (tenant, reservation_id, request_id) =
            (TENANT.to_owned(), self.id.clone(), format!("{}/{number}", self.id));
        let (act, wait_for_durable) = (self.acts[number], self.waits);
        let (view, replayed, durability) = match act {
            Act::Reserve => {
                let (charges, labels) = (self.charges(self.amount), Default::default());
                let (seconds, nanos) = (self.ttl_ms / 1000, i32::try_from(self.ttl_ms % 1000 * 1_000_000).unwrap());
                let ttl = Some(pbjson_types::Duration { seconds, nanos });
                let request =
                    ReserveRequest { tenant, reservation_id, request_id, charges, ttl, labels, wait_for_durable };
                let answer = quota.reserve(request).await?.into_inner();
                let Some(reserve_response::Outcome::Granted(view)) = answer.outcome else {
                    panic!("not granted: {answer:?}");
                };
                (Some(view), answer.replayed, answer.durability)
            }
            Act::Consume => {
                let (charges, labels) = (self.charges(self.amount), Default::default());
                let request = ConsumeRequest { tenant, reservation_id, request_id, charges, labels, wait_for_durable };
                let answer = quota.consume(request).await?.into_inner();
                match answer.outcome {
                    Some(consume_response::Outcome::Granted(view)) => (Some(view), answer.replayed, answer.durability),
                    Some(consume_response::Outcome::Denied(_)) if self.meter == TIGHT => {
                        (None, answer.replayed, answer.durability)
                    }
                    other => panic!("not granted: {other:?}"),
                }
            }
            Act::Part(amount) | Act::Commit(amount) => {
                let charges = self.charges(amount);
                let r#final = Some(matches!(act, Act::Commit(_)));
                let request = CommitRequest { tenant, reservation_id, request_id, charges, r#final, wait_for_durable };
                let answer = quota.commit(request).await?.into_inner();
                (answer.reservation, answer.replayed, answer.durability)
            }
            Act::Release => {
                let charges = Vec::new();
                let request = ReleaseRequest { tenant, reservation_id, request_id, charges, wait_for_durable };
                let answer = quota.release(request).await?.into_inner();
                (answer.reservation, answer.replayed, answer.durability)
            }
        };
        let (denied, durable) = (view.is_none(), durability == i32::from(Durability::Durable));
        Ok(Answer { used: if denied { 0 } else { self.adds(act) }, denied, durable, replayed, view })
    }
}
