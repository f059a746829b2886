//! `quotad reservation` and `quotad reservations`: what is held, and what became of it.

use super::args::{ConnectionArgs, TenantArgs, value};
use super::output::{Answer, Fault};
use super::render::{self, View};
use crate::client::Client;
use crate::proto::v1::{GetReservationRequest, ListReservationsRequest, ListReservationsResponse, ReservationState};
use clap::{Args, ValueEnum};

/// Most reservations that the server puts on one page.
const PAGE: usize = 1000;

/// `quotad reservation`.
#[derive(Debug, Args)]
pub struct ReservationArgs {
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// The reservation
    #[arg(long, value_parser = value::id)]
    id: String,
}

/// `quotad reservations`.
#[derive(Debug, Args)]
pub struct ReservationsArgs {
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// Only reservations that charge this account or one below it
    #[arg(long)]
    account: Option<String>,
    /// Only reservations in this state, may be repeated
    #[arg(long = "state", value_name = "STATE", value_enum)]
    states: Vec<StateArg>,
    /// At most this many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// A reservation's state on the command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum StateArg {
    /// The whole amount is held
    Held,
    /// A part was committed, the rest is held
    PartiallyCommitted,
    /// Ended by a commit
    Committed,
    /// Ended by a release
    Released,
    /// Ended by its deadline
    Expired,
    /// Past its deadline, waiting for somebody to resolve it
    Parked,
}

impl From<StateArg> for ReservationState {
    fn from(state: StateArg) -> Self {
        match state {
            StateArg::Held => ReservationState::Held,
            StateArg::PartiallyCommitted => ReservationState::PartiallyCommitted,
            StateArg::Committed => ReservationState::Committed,
            StateArg::Released => ReservationState::Released,
            StateArg::Expired => ReservationState::Expired,
            StateArg::Parked => ReservationState::Parked,
        }
    }
}

impl ReservationArgs {
    pub(super) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let tenant = self.tenant.resolve(None)?;
        let response = client.get_reservation(GetReservationRequest { tenant, reservation_id: self.id }).await?;
        let text = match &response.reservation {
            Some(reservation) => render::reservation(&view, reservation),
            None => return Err(Fault::Usage("the server's answer has no reservation".to_owned())),
        };
        Answer::new(&response, text)
    }
}

impl ReservationsArgs {
    pub(super) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let mut request = ListReservationsRequest {
            tenant: self.tenant.resolve(self.account.as_deref())?,
            account: self.account.unwrap_or_default(),
            states: self.states.into_iter().map(|state| ReservationState::from(state).into()).collect(),
            ..Default::default()
        };
        let limit = self.limit as usize;
        let mut all = ListReservationsResponse::default();
        loop {
            // At most a page, so it fits.
            request.page_size = (limit - all.reservations.len()).min(PAGE) as i32;
            let page = client.list_reservations(request.clone()).await?;
            all.reservations.extend(page.reservations);
            all.next_page_token = page.next_page_token;
            if all.next_page_token.is_empty() || all.reservations.len() >= limit {
                break;
            }
            request.page_token.clone_from(&all.next_page_token);
        }
        let text = render::reservations(&view, &all);
        Answer::new(&all, text)
    }
}
