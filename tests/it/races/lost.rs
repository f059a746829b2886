//! Answers that never arrive: the connection is cut, and the client asks another replica again, once or at several at once.
//! It is charged once, and told the same everywhere.

use super::place::Place;
use super::proxy::{Cut, Proxy};
use quotad::proto::v1::{
    Charge, ChargeState, CheckRequest, CommitRequest, ConsumeRequest, FreeRequest, ReleaseRequest, ReserveRequest,
    consume_response, quota_service_client::QuotaServiceClient, reserve_response,
};
use tonic::Status;
use tonic::transport::Channel;

const TENANT: &str = "tenants/race";
const ROUNDS: usize = 6;
const CATALOG: &str = "
meters:
  - {name: runs, unit: run, family: allocation}
tenants:
  - name: tenants/race
    quotas:
      - {subject: tenants/race, meter: runs, limits: {lifetime: 1_000_000}}
      - {subject: tenants/race/users/-, meter: runs, limits: {lifetime: 1000}}
";

/// What is asked for, and what the user has used and holds of 10 afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verb {
    Reserve,
    Consume,
    Commit,
    Release,
    Free,
}

const VERBS: [(Verb, i64, i64); 5] =
    [(Verb::Reserve, 0, 10), (Verb::Consume, 10, 0), (Verb::Commit, 7, 0), (Verb::Release, 0, 0), (Verb::Free, 6, 0)];

/// All that an answer says, but for whether it says it again.
#[derive(Clone, PartialEq, Debug)]
struct Answer {
    state: i32,
    committed: Vec<ChargeState>,
    freed: Vec<Charge>,
    created: Option<pbjson_types::Timestamp>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_repeated_elsewhere_after_a_lost_answer_counts_once() {
    let mut place = Place::replicas(CATALOG);
    let mut users = 0_usize;
    for (verb, used, held) in VERBS {
        for (round, cut) in (0..ROUNDS).flat_map(|round| [(round, Cut::Answer), (round, Cut::Request)]) {
            users += 1;
            let call =
                Call { verb, user: format!("{TENANT}/users/u{users}"), id: format!("r{users}"), named: round % 2 > 0 };
            call.prepare(&mut place.quota(round + 2)).await;
            call.play(&place, round, cut).await;
            let figures = place.figures(TENANT, &call.user).await;
            assert_eq!((figures.used, figures.held), (used, held), "{call:?} {cut:?}");
        }
    }
    let each: i64 = VERBS.iter().map(|(_, used, _)| used).sum();
    let all = place.figures(TENANT, TENANT).await;
    assert_eq!(all.used, each * 2 * ROUNDS as i64);
    let sums = place.end().await.replay(|_, _| None);
    assert_eq!(sums[TENANT], (all.used, all.held), "by the entries");
}

/// A call that may be made again.
#[derive(Debug)]
struct Call {
    verb: Verb,
    user: String,
    /// The reservation, and the request where that is what a repeat is known by.
    id: String,
    /// Whether it brings a request id too.
    named: bool,
}

impl Call {
    /// What must be there before.
    async fn prepare(&self, quota: &mut QuotaServiceClient<Channel>) {
        let before = match self.verb {
            Verb::Reserve | Verb::Consume => return,
            Verb::Commit | Verb::Release => Verb::Reserve,
            Verb::Free => Verb::Consume,
        };
        let call = Call { verb: before, user: self.user.clone(), id: self.id.clone(), named: false };
        assert!(!call.send(quota).await.unwrap().1, "{call:?} is new");
    }

    /// Sends it through the proxy, and again through the others: one after the other, or, in every third round, while the
    /// first is under way.
    async fn play(&self, place: &Place, round: usize, cut: Cut) {
        let proxy = Proxy::start(place.servers[round % 3].grpc_addr(), cut).await;
        let mut first = QuotaServiceClient::new(proxy.channel());
        // The connection is there before it is cut.
        self.look(&mut first).await;
        proxy.arm();
        let (mut second, mut third) = (place.quota(round + 1), place.quota(round + 2));
        let (lost, again, once_more) = if round % 3 == 2 {
            tokio::join!(self.send(&mut first), self.send(&mut second), self.send(&mut third))
        } else {
            let lost = self.send(&mut first).await;
            let again = self.send(&mut second).await;
            (lost, again, self.send(&mut third).await)
        };
        assert!(lost.is_err(), "{self:?} {cut:?}: the answer was not lost: {lost:?}");
        let ((answer, replayed), (same, replayed_too)) = (again.unwrap(), once_more.unwrap());
        assert_eq!(answer, same, "{self:?} {cut:?}");
        let firsts = usize::from(!replayed) + usize::from(!replayed_too);
        if round % 3 == 2 {
            assert!(firsts <= 1, "{self:?} {cut:?}: done anew by both");
        } else {
            assert!(replayed_too && (replayed || cut == Cut::Request), "{self:?} {cut:?}: done anew");
        }
        // Where it was lost too.
        assert_eq!(self.send(&mut place.quota(round)).await.unwrap(), (answer, true), "{self:?} {cut:?}");
    }

    /// A call without effect.
    async fn look(&self, quota: &mut QuotaServiceClient<Channel>) {
        let charge = Charge { account: self.user.clone(), meter: "runs".into(), amount: Some(1), ..Charge::default() };
        quota.check(CheckRequest { tenant: TENANT.into(), charges: vec![charge] }).await.unwrap();
    }

    /// Sends it; the answer, and whether that is a repeat's.
    async fn send(&self, quota: &mut QuotaServiceClient<Channel>) -> Result<(Answer, bool), Status> {
        let (tenant, reservation_id) = (TENANT.to_owned(), self.id.clone());
        // An amount is freed by no reservation: its request id is all that a repeat is known by.
        let named = self.named || self.verb == Verb::Free;
        let request_id = if named { format!("{:?}-{}", self.verb, self.id) } else { String::new() };
        let charge = |amount| {
            let (account, meter) = (self.user.clone(), "runs".to_owned());
            vec![Charge { account, meter, amount: Some(amount), ..Charge::default() }]
        };
        let mut freed = Vec::new();
        let (reservation, replayed) = match self.verb {
            Verb::Reserve => {
                let ttl = Some(pbjson_types::Duration { seconds: 600, nanos: 0 });
                let charges = charge(10);
                let request =
                    ReserveRequest { tenant, reservation_id, request_id, charges, ttl, ..ReserveRequest::default() };
                let response = quota.reserve(request).await?.into_inner();
                match response.outcome {
                    Some(reserve_response::Outcome::Granted(reservation)) => (reservation, response.replayed),
                    other => panic!("{self:?}: {other:?}"),
                }
            }
            Verb::Consume => {
                let charges = charge(10);
                let request =
                    ConsumeRequest { tenant, reservation_id, request_id, charges, ..ConsumeRequest::default() };
                let response = quota.consume(request).await?.into_inner();
                match response.outcome {
                    Some(consume_response::Outcome::Granted(reservation)) => (reservation, response.replayed),
                    other => panic!("{self:?}: {other:?}"),
                }
            }
            Verb::Commit => {
                let charges = charge(7);
                let request = CommitRequest { tenant, reservation_id, request_id, charges, ..CommitRequest::default() };
                let response = quota.commit(request).await?.into_inner();
                (response.reservation.unwrap_or_default(), response.replayed)
            }
            Verb::Release => {
                let request = ReleaseRequest { tenant, reservation_id, request_id, ..ReleaseRequest::default() };
                let response = quota.release(request).await?.into_inner();
                (response.reservation.unwrap_or_default(), response.replayed)
            }
            Verb::Free => {
                let charges = charge(4);
                let request = FreeRequest { tenant, request_id, charges, ..FreeRequest::default() };
                let response = quota.free(request).await?.into_inner();
                freed = response.freed;
                (response.reservation.unwrap_or_default(), response.replayed)
            }
        };
        let (state, committed, created) = (reservation.state, reservation.committed, reservation.create_time);
        Ok((Answer { state, committed, freed, created }, replayed))
    }
}
