//! `quotad.v1.QuotaService`: the hot path.

use super::convert::{denial, request, reservation};
use super::detach::detached;
use super::status::from_call;
use super::violations::Violations;
use super::{batch, convert, enforce};
use crate::domain::name::IdKey;
use crate::domain::reservation::Reservation;
use crate::domain::time::Timestamp;
use crate::engine::authority::Authority;
use crate::engine::call::{Answer, Denial, Durability, FreeWhat, Verdict};
use crate::engine::ports::ReservationFilter;
use crate::proto::v1::{self, quota_service_server};
use crate::telemetry::decisions::{self, DecisionMetrics};
use prost::Message;
use std::sync::{Arc, LazyLock};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

static CHECKS: LazyLock<DecisionMetrics> = LazyLock::new(|| DecisionMetrics::new("Check", &denial::CAUSES));
static RESERVES: LazyLock<DecisionMetrics> = LazyLock::new(|| DecisionMetrics::new("Reserve", &denial::CAUSES));
static CONSUMES: LazyLock<DecisionMetrics> = LazyLock::new(|| DecisionMetrics::new("Consume", &denial::CAUSES));
static EXTENDS: LazyLock<DecisionMetrics> = LazyLock::new(|| DecisionMetrics::new("Extend", &denial::CAUSES));

/// The service on an authority. Cheap to clone.
#[derive(Clone)]
pub struct QuotaApi {
    authority: Arc<Authority>,
    draining: CancellationToken,
    admission: enforce::Admission,
}

impl QuotaApi {
    /// Puts the service on an authority; `draining` ends its streams, `admission` counts in what comes by them.
    pub fn new(authority: Arc<Authority>, draining: CancellationToken, admission: enforce::Admission) -> QuotaApi {
        QuotaApi { authority, draining, admission }
    }

    pub(super) async fn check_one(&self, request: v1::CheckRequest) -> Result<v1::CheckResponse, Status> {
        use v1::check_response::Outcome;
        let verdict = self.authority.check(request::check(&request)?).await.map_err(|error| from_call(error, true))?;
        let outcome = match verdict {
            Verdict::Granted(lines) => {
                CHECKS.granted();
                each_once(lines.iter().map(|line| &*line.meter), true);
                Outcome::Granted(denial::allowance(&lines))
            }
            Verdict::Denied(why) => Outcome::Denied(denied(&CHECKS, &why)),
        };
        Ok(v1::CheckResponse { outcome: Some(outcome) })
    }

    pub(super) async fn reserve_one(&self, request: v1::ReserveRequest) -> Result<v1::ReserveResponse, Status> {
        use v1::reserve_response::Outcome;
        let call = request::reserve(request)?;
        let has_ids = call.reservation_id.is_some() || call.request_id.is_some();
        let answer = self.authority.reserve(call).await.map_err(|error| from_call(error, has_ids))?;
        let Answer { value, replayed, durability } = answer;
        let outcome = match value {
            Verdict::Granted(granted) => {
                RESERVES.granted();
                decided(&granted);
                Outcome::Granted(reservation::reservation(&granted))
            }
            Verdict::Denied(why) => Outcome::Denied(denied(&RESERVES, &why)),
        };
        // A denial is remembered by the counter store alone.
        let durability = match &outcome {
            Outcome::Granted(_) => reservation::durability(durability),
            Outcome::Denied(_) => reservation::durability(Durability::Applied),
        };
        Ok(v1::ReserveResponse { outcome: Some(outcome), replayed, durability })
    }

    pub(super) async fn consume_one(&self, request: v1::ConsumeRequest) -> Result<v1::ConsumeResponse, Status> {
        use v1::consume_response::Outcome;
        let call = request::consume(request)?;
        let has_ids = call.reservation_id.is_some() || call.request_id.is_some();
        let answer = self.authority.consume(call).await.map_err(|error| from_call(error, has_ids))?;
        let Answer { value, replayed, durability } = answer;
        let outcome = match value {
            Verdict::Granted(granted) => {
                CONSUMES.granted();
                decided(&granted);
                Outcome::Granted(reservation::reservation(&granted))
            }
            Verdict::Denied(why) => Outcome::Denied(denied(&CONSUMES, &why)),
        };
        // A denial is remembered by the counter store alone.
        let durability = match &outcome {
            Outcome::Granted(_) => reservation::durability(durability),
            Outcome::Denied(_) => reservation::durability(Durability::Applied),
        };
        Ok(v1::ConsumeResponse { outcome: Some(outcome), replayed, durability })
    }

    pub(super) async fn commit_one(&self, request: v1::CommitRequest) -> Result<v1::CommitResponse, Status> {
        let (call, is_final) = request::commit(request)?;
        let answer = self.authority.commit(call, is_final).await.map_err(|error| from_call(error, true))?;
        observe(&answer);
        Ok(v1::CommitResponse {
            reservation: Some(reservation::reservation(&answer.value)),
            replayed: answer.replayed,
            durability: reservation::durability(answer.durability),
        })
    }

    pub(super) async fn release_one(&self, request: v1::ReleaseRequest) -> Result<v1::ReleaseResponse, Status> {
        let call = request::release(request)?;
        let answer = self.authority.release(call).await.map_err(|error| from_call(error, true))?;
        Ok(v1::ReleaseResponse {
            reservation: Some(reservation::reservation(&answer.value)),
            replayed: answer.replayed,
            durability: reservation::durability(answer.durability),
        })
    }

    pub(super) async fn extend_one(&self, request: v1::ExtendRequest) -> Result<v1::ExtendResponse, Status> {
        let (call, ttl) = request::extend(request)?;
        let answer = self.authority.extend(call, ttl).await.map_err(|error| from_call(error, true))?;
        match &answer.value.denied {
            None => EXTENDS.granted(),
            Some(why) => EXTENDS.denied(denial::index(why)),
        }
        Ok(v1::ExtendResponse {
            reservation: Some(reservation::reservation(&answer.value.reservation)),
            denied: answer.value.denied.as_ref().map(denial::denial),
            replayed: answer.replayed,
            durability: reservation::durability(answer.durability),
        })
    }

    pub(super) async fn free_one(&self, request: v1::FreeRequest) -> Result<v1::FreeResponse, Status> {
        let call = request::free(request)?;
        let has_ids = call.request_id.is_some() || matches!(call.what, FreeWhat::Reservation(_));
        let asked = match &call.what {
            FreeWhat::Charges(charges) => charges.clone(),
            FreeWhat::Reservation(_) => Vec::new(),
        };
        let answer = self.authority.free(call).await.map_err(|error| from_call(error, has_ids))?;
        let named = answer.value.reservation.as_ref().map(reservation::reservation);
        let mut freed = named.as_ref().map_or_else(Vec::new, |reservation| reservation.charges.clone());
        freed.extend(asked.into_iter().map(|charge| v1::Charge {
            account: charge.account.to_string(),
            meter: charge.meter.to_string(),
            amount: None,
            quantities: std::collections::HashMap::new(),
            item: charge.item,
            service: charge.service,
            also: charge.also.iter().map(ToString::to_string).collect(),
        }));
        for (charge, amount) in freed.iter_mut().zip(&answer.value.amounts) {
            charge.amount = Some(reservation::signed(*amount));
        }
        Ok(v1::FreeResponse {
            reservation: named,
            freed,
            replayed: answer.replayed,
            durability: reservation::durability(answer.durability),
        })
    }

    async fn list(&self, request: v1::ListReservationsRequest) -> Result<v1::ListReservationsResponse, Status> {
        let mut bad = Violations::default();
        let tenant = convert::charge::tenant(&request.tenant, &mut bad);
        let account = (!request.account.is_empty())
            .then(|| convert::charge::account(&request.account, "account", tenant.as_ref(), &mut bad));
        let scope = super::page::scope(&[&request.tenant, &request.account, &format!("{:?}", request.states)]);
        let size = super::page::size(request.page_size, &mut bad);
        let after = super::page::decode(&request.page_token, &scope, &mut bad);
        let after = after.and_then(|text| cursor(&text));
        let mut states = Vec::new();
        for (index, number) in request.states.iter().enumerate() {
            // A number that nobody knows is left out by the generated reader, and an empty filter lists everything.
            match v1::ReservationState::try_from(*number).ok().and_then(reservation::from_state) {
                Some(state) => states.push(state),
                None => bad.add(format!("states[{index}]"), "must be the state of a reservation"),
            }
        }
        bad.finish()?;
        let Some(tenant) = tenant else { return Err(super::status::internal("a list without tenant passed")) };
        let account = account.flatten().map(|account| account.to_string());
        let filter = ReservationFilter { account, states, after, limit: size + 1 };
        let listed = self.authority.list_reservations(&tenant, &filter).await;
        let mut found = listed.map_err(|error| from_call(error, true))?;
        let read = found.len();
        found.truncate(size as usize);
        let mut reservations: Vec<v1::Reservation> = found.iter().map(reservation::reservation).collect();
        reservations.truncate(super::page::fitting(reservations.iter().map(Message::encoded_len)));
        found.truncate(reservations.len());
        let more = read > found.len();
        let last = found.last().filter(|_| more);
        let next_page_token = last.map_or_else(String::new, |last| {
            super::page::encode(&format!("{}:{}", last.create_time.millis(), last.key), &scope)
        });
        Ok(v1::ListReservationsResponse { reservations, next_page_token })
    }
}

fn cursor(text: &str) -> Option<(Timestamp, IdKey)> {
    let (time, key) = text.split_once(':')?;
    Some((Timestamp::from_millis(time.parse().ok()?), IdKey(u128::from_str_radix(key, 16).ok()?)))
}

fn denied(metrics: &DecisionMetrics, why: &Denial) -> v1::Denial {
    metrics.denied(denial::index(why));
    each_once(why.violations.iter().map(|violation| &*violation.meter), false);
    denial::denial(why)
}

/// Counts a grant on each of its meters.
fn decided(granted: &Reservation) {
    each_once(granted.charges.iter().map(|charge| &*charge.meter), true);
}

/// Counts a decision on each of some meters.
fn each_once<'a>(meters: impl Iterator<Item = &'a str> + Clone, granted: bool) {
    for (place, meter) in meters.clone().enumerate() {
        if meters.clone().take(place).all(|before| before != meter) {
            decisions::decided(meter, granted);
        }
    }
}

/// Counts what an operator wants to know of commits.
fn observe(answer: &Answer<Arc<crate::domain::reservation::Reservation>>) {
    use crate::telemetry::metrics;
    if answer.replayed {
        return;
    }
    let flags = answer.value.flags;
    let engine = metrics::engine();
    if flags.late {
        engine.late.increment(1);
    }
    if flags.overrun {
        engine.overrun.increment(1);
    }
    if flags.recovered {
        engine.recovered.increment(1);
    }
}

#[tonic::async_trait]
impl quota_service_server::QuotaService for QuotaApi {
    async fn check(&self, request: Request<v1::CheckRequest>) -> Result<Response<v1::CheckResponse>, Status> {
        self.check_one(request.into_inner()).await.map(Response::new)
    }

    async fn reserve(&self, request: Request<v1::ReserveRequest>) -> Result<Response<v1::ReserveResponse>, Status> {
        let api = self.clone();
        detached(async move { api.reserve_one(request.into_inner()).await }).await.map(Response::new)
    }

    async fn commit(&self, request: Request<v1::CommitRequest>) -> Result<Response<v1::CommitResponse>, Status> {
        let api = self.clone();
        detached(async move { api.commit_one(request.into_inner()).await }).await.map(Response::new)
    }

    async fn release(&self, request: Request<v1::ReleaseRequest>) -> Result<Response<v1::ReleaseResponse>, Status> {
        let api = self.clone();
        detached(async move { api.release_one(request.into_inner()).await }).await.map(Response::new)
    }

    async fn extend(&self, request: Request<v1::ExtendRequest>) -> Result<Response<v1::ExtendResponse>, Status> {
        let api = self.clone();
        detached(async move { api.extend_one(request.into_inner()).await }).await.map(Response::new)
    }

    async fn consume(&self, request: Request<v1::ConsumeRequest>) -> Result<Response<v1::ConsumeResponse>, Status> {
        let api = self.clone();
        detached(async move { api.consume_one(request.into_inner()).await }).await.map(Response::new)
    }

    async fn free(&self, request: Request<v1::FreeRequest>) -> Result<Response<v1::FreeResponse>, Status> {
        let api = self.clone();
        detached(async move { api.free_one(request.into_inner()).await }).await.map(Response::new)
    }

    async fn get_reservation(
        &self,
        request: Request<v1::GetReservationRequest>,
    ) -> Result<Response<v1::GetReservationResponse>, Status> {
        let (tenant, id) = request::get(request.into_inner())?;
        let found = self.authority.get_reservation(&tenant, &id).await.map_err(|error| from_call(error, true))?;
        Ok(Response::new(v1::GetReservationResponse { reservation: Some(reservation::reservation(&found)) }))
    }

    async fn list_reservations(
        &self,
        request: Request<v1::ListReservationsRequest>,
    ) -> Result<Response<v1::ListReservationsResponse>, Status> {
        self.list(request.into_inner()).await.map(Response::new)
    }

    async fn batch_reserve(
        &self,
        request: Request<v1::BatchReserveRequest>,
    ) -> Result<Response<v1::BatchReserveResponse>, Status> {
        batch::reserve(self, request.into_inner()).await.map(Response::new)
    }

    async fn batch_commit(
        &self,
        request: Request<v1::BatchCommitRequest>,
    ) -> Result<Response<v1::BatchCommitResponse>, Status> {
        batch::commit(self, request.into_inner()).await.map(Response::new)
    }

    async fn batch_consume(
        &self,
        request: Request<v1::BatchConsumeRequest>,
    ) -> Result<Response<v1::BatchConsumeResponse>, Status> {
        batch::consume(self, request.into_inner()).await.map(Response::new)
    }

    type EnforceStream = enforce::Answers;

    async fn enforce(
        &self,
        request: Request<Streaming<v1::EnforceRequest>>,
    ) -> Result<Response<Self::EnforceStream>, Status> {
        Ok(Response::new(enforce::start(
            self.clone(),
            request.into_inner(),
            self.draining.clone(),
            self.admission.clone(),
        )))
    }
}
