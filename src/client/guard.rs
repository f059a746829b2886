//! A hold as a value: it is extended while the value lives and given back when it is dropped.

use super::connection::Client;
use super::error::Error;
use crate::proto::v1::{
    Charge, CommitRequest, CommitResponse, Denial, ExtendRequest, GetReservationRequest, ReleaseRequest,
    ReleaseResponse, Reservation, ReservationState, ReserveRequest, reserve_response,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::Code;

/// The server's hold when the request names no `ttl`.
const DEFAULT_TTL: Duration = Duration::from_secs(60);
/// Shortest pause between two attempts to extend.
const MIN_PAUSE: Duration = Duration::from_millis(10);

/// A decision: yes with what was granted, or no with the reasons.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome<G, D> {
    /// Yes.
    Granted(G),
    /// No; nothing changed.
    Denied(D),
}

/// A hold that is kept alive: extended every half of its `ttl`, given back when the guard is dropped.
///
/// Giving back on drop is best effort, by a task on the runtime that made the guard. Where it does not come through
/// (the process dies, the server is away) the hold ends by itself when its `ttl` has passed.
///
/// After [`commit`](Self::commit) was called the guard gives nothing back any more, also when the call failed or was
/// dropped: the work was done, and the commit may have had its effect. Repeat it with [`Client::commit`] and the same
/// charges; a repeat is recorded once, and one that comes after the deadline is recorded as late.
#[derive(Debug)]
pub struct ReservationGuard {
    client: Client,
    runtime: Handle,
    state: Arc<watch::Sender<Reservation>>,
    keeper: Option<JoinHandle<()>>,
    /// Whether dropping gives the hold back.
    armed: bool,
}

impl Client {
    /// Reserves, and keeps the hold alive for as long as the returned guard lives.
    ///
    /// # Errors
    /// [`Error`] as of [`Client::reserve`].
    pub async fn hold(&self, request: ReserveRequest) -> Result<Outcome<ReservationGuard, Denial>, Error> {
        let ttl = request.ttl.and_then(|ttl| ttl.try_into().ok()).unwrap_or(DEFAULT_TTL);
        match self.reserve(request).await?.outcome {
            Some(reserve_response::Outcome::Granted(reservation)) => {
                Ok(Outcome::Granted(ReservationGuard::new(self.clone(), reservation, ttl)))
            }
            Some(reserve_response::Outcome::Denied(denial)) => Ok(Outcome::Denied(denial)),
            None => Err(self.error(tonic::Status::internal("the server's answer has no outcome"))),
        }
    }
}

impl ReservationGuard {
    fn new(client: Client, reservation: Reservation, ttl: Duration) -> Self {
        // The answer to a repeated reserve may show a reservation that has ended: nothing to keep, nothing to return.
        let open = is_open(&reservation);
        let state = Arc::new(watch::Sender::new(reservation));
        let keeper = open.then(|| tokio::spawn(keep(client.clone(), state.clone(), ttl)));
        ReservationGuard { client, runtime: Handle::current(), state, keeper, armed: open }
    }

    /// The reservation as last heard of: from the reserve, an extension, a partial commit, or the look that the guard
    /// takes when an extension is refused because the hold is gone.
    pub fn reservation(&self) -> Reservation {
        self.state.borrow().clone()
    }

    /// Records what was really used, matched by account, meter and item; what is held beyond it is free at once.
    ///
    /// # Errors
    /// [`Error`] as of [`Client::commit`]; the hold then stays until its deadline, see [`ReservationGuard`].
    pub async fn commit(mut self, charges: Vec<Charge>) -> Result<CommitResponse, Error> {
        self.armed = false;
        self.client.commit(self.commit_request(charges, true)).await
    }

    /// Records exactly what is held.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub async fn commit_as_held(self) -> Result<CommitResponse, Error> {
        self.commit(Vec::new()).await
    }

    /// Records a part and keeps the rest held. Each call records anew.
    ///
    /// # Errors
    /// [`Error`] as of [`Client::commit`]; the guard stays in charge of the hold.
    pub async fn commit_part(&self, charges: Vec<Charge>) -> Result<CommitResponse, Error> {
        let response = self.client.commit(self.commit_request(charges, false)).await?;
        if let Some(reservation) = &response.reservation {
            self.state.send_replace(reservation.clone());
        }
        Ok(response)
    }

    /// Gives the hold back now, and says whether that worked.
    ///
    /// # Errors
    /// [`Error`] as of [`Client::release`]; the hold then ends at its deadline.
    pub async fn release(mut self) -> Result<ReleaseResponse, Error> {
        let request = release_request(&self.state.borrow());
        let response = self.client.release(request).await;
        // Only now: a release that is dropped halfway is left to `drop`.
        self.armed = false;
        response
    }

    fn commit_request(&self, charges: Vec<Charge>, is_final: bool) -> CommitRequest {
        let reservation = self.state.borrow();
        CommitRequest {
            tenant: reservation.tenant.clone(),
            reservation_id: reservation.reservation_id.clone(),
            charges,
            r#final: Some(is_final),
            ..Default::default()
        }
    }
}

impl Drop for ReservationGuard {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.abort();
        }
        if self.armed && is_open(&self.state.borrow()) {
            let client = self.client.clone();
            let request = release_request(&self.state.borrow());
            self.runtime.spawn(async move {
                // Nobody is left to tell: what can't be released ends at its deadline.
                let _ = client.release(request).await;
            });
        }
    }
}

/// Extends the hold every half of `ttl`, sooner after a failure, until the server says that there is nothing to extend.
async fn keep(client: Client, state: Arc<watch::Sender<Reservation>>, ttl: Duration) {
    let half = (ttl / 2).max(MIN_PAUSE);
    let hurry = (ttl / 8).clamp(MIN_PAUSE, Duration::from_secs(5));
    let client = client.clone().with_timeout(client.timeout().min(half));
    let mut pause = half;
    loop {
        tokio::time::sleep(pause).await;
        let request = extend_request(&state.borrow(), ttl);
        pause = match client.extend(request).await {
            Ok(response) => {
                if let Some(reservation) = response.reservation {
                    state.send_replace(reservation);
                }
                half
            }
            Err(error) if is_passing(&error) => hurry,
            Err(_) => break,
        };
    }
    let (tenant, reservation_id) = (state.borrow().tenant.clone(), state.borrow().reservation_id.clone());
    if let Ok(found) = client.get_reservation(GetReservationRequest { tenant, reservation_id }).await
        && let Some(reservation) = found.reservation
    {
        state.send_replace(reservation);
    }
}

/// Whether the same call may well succeed a little later.
fn is_passing(error: &Error) -> bool {
    !matches!(
        error.code(),
        Code::FailedPrecondition
            | Code::NotFound
            | Code::InvalidArgument
            | Code::PermissionDenied
            | Code::Unimplemented
    )
}

fn is_open(reservation: &Reservation) -> bool {
    matches!(reservation.state(), ReservationState::Held | ReservationState::PartiallyCommitted)
}

fn release_request(reservation: &Reservation) -> ReleaseRequest {
    ReleaseRequest {
        tenant: reservation.tenant.clone(),
        reservation_id: reservation.reservation_id.clone(),
        ..Default::default()
    }
}

fn extend_request(reservation: &Reservation, ttl: Duration) -> ExtendRequest {
    ExtendRequest {
        tenant: reservation.tenant.clone(),
        reservation_id: reservation.reservation_id.clone(),
        ttl: Some(ttl.into()),
        ..Default::default()
    }
}
