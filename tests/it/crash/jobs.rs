//! A job is one reservation's life as a client lives it: calls in a fixed order with fixed ids, and what was answered.

use quotad::proto::v1::{
    BatchConsumeRequest, Charge, CommitRequest, ConsumeRequest, GetReservationRequest, ReleaseRequest, Reservation,
    ReservationState, ReserveRequest, batch_consume_result, consume_response, quota_service_client::QuotaServiceClient,
    reserve_response,
};
use rand::{RngExt, rngs::StdRng};
use std::time::Duration;
use tonic::{Code, Status, transport::Channel};

/// The tenant of these tests.
pub(super) const TENANT: &str = "tenants/crash";
/// The meter: a commit above its hold is recorded in full, an unanswered hold is given back.
pub(super) const METER: &str = "runs";
/// A limit on every level that is never reached, so that counters are what is tested.
pub(super) const CATALOG: &str = "
meters:
  - {name: runs, unit: run}
tenants:
  - name: tenants/crash
    quotas:
      - {subject: tenants/crash, meter: runs, limits: {lifetime: 1_000_000_000_000, day: 1_000_000_000_000}}
      - {subject: tenants/crash/teams/-, meter: runs, limits: {lifetime: 1_000_000_000_000}}
      - {subject: tenants/crash/teams/-/users/-, meter: runs, limits: {lifetime: 1_000_000_000_000}}
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
    /// Consume, as the only item of a batch.
    ConsumeInBatch,
    /// Commit a part and keep the rest.
    Part(i64),
    Commit(i64),
    Release,
}

impl Act {
    /// What the call adds to what is used.
    fn used(self, amount: i64) -> i64 {
        match self {
            Act::Reserve | Act::Release => 0,
            Act::Consume | Act::ConsumeInBatch => amount,
            Act::Part(part) | Act::Commit(part) => part,
        }
    }
}

/// One reservation's life.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) account: String,
    pub(super) amount: i64,
    pub(super) ttl_ms: i64,
    pub(super) acts: Vec<Act>,
    /// How many of the calls were answered.
    pub(super) answered: usize,
    /// Whether the call after those was sent: it may have had its effect.
    pub(super) sent: bool,
    /// The reservation as the last answer showed it.
    pub(super) view: Option<Reservation>,
}

impl Job {
    /// A random one; `id` must be new.
    pub(super) fn random(id: String, rng: &mut StdRng) -> Job {
        let amount = rng.random_range(2..20);
        let commit = Act::Commit(rng.random_range(1..30));
        let acts = match rng.random_range(0..10) {
            0..3 => vec![Act::Reserve, commit],
            3 => vec![Act::Reserve, Act::Part(1), commit],
            4 => vec![Act::Reserve, Act::Part(amount + 3), Act::Release],
            5 => vec![Act::Reserve, Act::Release],
            6 => vec![Act::Reserve],
            7 => vec![Act::Reserve, Act::Part(1), Act::Part(1)],
            8 => vec![Act::ConsumeInBatch],
            _ => vec![Act::Consume],
        };
        let account = format!("{TENANT}/teams/t{}/users/u{}", rng.random_range(0..3), rng.random_range(0..4));
        let ttl_ms = rng.random_range(50..1500);
        Job { id, account, amount, ttl_ms, acts, answered: 0, sent: false, view: None }
    }

    /// Makes the calls that are not answered yet, until one gets no answer.
    pub(super) async fn run(&mut self, quota: &mut Quota) -> Result<(), Status> {
        while let Some(act) = self.acts.get(self.answered) {
            self.sent = true;
            // The server's own limit for a call is 10 s; a lost answer must not hang the test.
            let call = tokio::time::timeout(PATIENCE, self.call(*act, quota));
            self.view = Some(call.await.unwrap_or_else(|_| panic!("{act:?} gets no answer: {self:?}"))?);
            self.sent = false;
            self.answered += 1;
        }
        Ok(())
    }

    /// What the answered calls have added to what is used.
    pub(super) fn used(&self) -> i64 {
        self.acts[..self.answered].iter().map(|act| act.used(self.amount)).sum()
    }

    /// What was held and when that ends, by the last answer; nothing for what has ended.
    pub(super) fn held(&self) -> Option<(i64, i64)> {
        let view = self.view.as_ref()?;
        let end = view.expire_time.as_ref()?;
        Some((
            view.committed.iter().map(|charge| charge.held).sum(),
            end.seconds * 1000 + i64::from(end.nanos) / 1_000_000,
        ))
    }

    /// What a server that was killed meanwhile must still know: every answered call, and perhaps the one after.
    pub(super) async fn check(&self, quota: &mut Quota) {
        let request = GetReservationRequest { tenant: TENANT.into(), reservation_id: self.id.clone() };
        let found = match quota.get_reservation(request).await {
            Ok(found) => found.into_inner().reservation.unwrap(),
            Err(status) => {
                assert_eq!(status.code(), Code::NotFound, "{status:?}");
                assert_eq!(self.answered, 0, "an answered call is lost: {self:?}");
                return;
            }
        };
        let used: i64 = found.committed.iter().map(|charge| charge.committed).sum();
        let unanswered = self.acts.get(self.answered).filter(|_| self.sent);
        let possible = [Some(self.used()), unanswered.map(|act| self.used() + act.used(self.amount))];
        assert!(possible.contains(&Some(used)), "{used} of {possible:?} is committed: {found:?}\n{self:?}");
        let last = self.answered.checked_sub(1).map(|last| self.acts[last]);
        match last {
            Some(Act::Commit(_) | Act::Consume | Act::ConsumeInBatch) => {
                assert_eq!(found.state(), ReservationState::Committed, "{found:?}\n{self:?}");
            }
            Some(Act::Release) => {
                let ended = [ReservationState::Released, ReservationState::Expired];
                assert!(ended.contains(&found.state()), "{found:?}\n{self:?}");
            }
            _ => {}
        }
    }

    fn charges(&self, amount: i64) -> Vec<Charge> {
        let (account, meter) = (self.account.clone(), METER.to_owned());
        vec![Charge { account, meter, amount: Some(amount), ..Charge::default() }]
    }

    fn request_id(&self) -> String {
        format!("{}/{}", self.id, self.answered)
    }

    fn consume(&self) -> ConsumeRequest {
        ConsumeRequest {
            tenant: TENANT.into(),
            reservation_id: self.id.clone(),
            request_id: self.request_id(),
            charges: self.charges(self.amount),
            ..ConsumeRequest::default()
        }
    }

    async fn call(&self, act: Act, quota: &mut Quota) -> Result<Reservation, Status> {
        let (tenant, reservation_id, request_id) = (TENANT.to_owned(), self.id.clone(), self.request_id());
        match act {
            Act::Reserve => {
                let charges = self.charges(self.amount);
                let (seconds, nanos) = (self.ttl_ms / 1000, i32::try_from(self.ttl_ms % 1000 * 1_000_000).unwrap());
                let ttl = Some(pbjson_types::Duration { seconds, nanos });
                let request =
                    ReserveRequest { tenant, reservation_id, request_id, charges, ttl, ..ReserveRequest::default() };
                match quota.reserve(request).await?.into_inner().outcome {
                    Some(reserve_response::Outcome::Granted(granted)) => Ok(granted),
                    other => panic!("not granted: {other:?}"),
                }
            }
            Act::Consume => match quota.consume(self.consume()).await?.into_inner().outcome {
                Some(consume_response::Outcome::Granted(granted)) => Ok(granted),
                other => panic!("not granted: {other:?}"),
            },
            Act::ConsumeInBatch => {
                let request = BatchConsumeRequest { tenant, requests: vec![self.consume()] };
                let result = quota.batch_consume(request).await?.into_inner().results.remove(0).result;
                match result {
                    Some(batch_consume_result::Result::Response(response)) => match response.outcome {
                        Some(consume_response::Outcome::Granted(granted)) => Ok(granted),
                        other => panic!("not granted: {other:?}"),
                    },
                    Some(batch_consume_result::Result::Error(error)) => {
                        Err(Status::new(error.code.into(), error.message))
                    }
                    None => panic!("an empty result"),
                }
            }
            Act::Part(amount) | Act::Commit(amount) => {
                let charges = self.charges(amount);
                let r#final = Some(matches!(act, Act::Commit(_)));
                let request =
                    CommitRequest { tenant, reservation_id, request_id, charges, r#final, ..CommitRequest::default() };
                Ok(quota.commit(request).await?.into_inner().reservation.unwrap())
            }
            Act::Release => {
                let request = ReleaseRequest { tenant, reservation_id, request_id, ..ReleaseRequest::default() };
                Ok(quota.release(request).await?.into_inner().reservation.unwrap())
            }
        }
    }
}
