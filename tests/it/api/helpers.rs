//! A server with the tests' own catalog, the calls on it, and its errors taken apart.

use crate::support::{Options, Server};
use quotad::domain::time::Timestamp;
use quotad::proto::v1::{
    admin_service_client::AdminServiceClient, catalog_service_client::CatalogServiceClient,
    quota_service_client::QuotaServiceClient, usage_service_client::UsageServiceClient, *,
};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

/// The tenant of nearly every test.
pub(crate) const TENANT: &str = "tenants/acme";
/// When the hand-wound clock of [`Api::start`] stands: 2100-06-15T12:00:00Z, a Tuesday.
pub(crate) const NOON: Timestamp = Timestamp::from_millis(4_116_744_000_000);

/// The tests' own catalog.
pub(crate) fn catalog() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/api/catalog.yaml")
}

/// An account of the tenant.
pub(crate) fn user(id: &str) -> String {
    format!("{TENANT}/users/{id}")
}

/// One charge.
pub(crate) fn charge(account: &str, meter: &str, amount: i64) -> Charge {
    Charge { account: account.to_owned(), meter: meter.to_owned(), amount: Some(amount), ..Default::default() }
}

/// So many `job.runs` of a user, whose limit is 10 (`u1`: 3).
pub(crate) fn runs(id: &str, amount: i64) -> Vec<Charge> {
    vec![charge(&user(id), "job.runs", amount)]
}

/// A time to live.
pub(crate) fn seconds(seconds: i64) -> Option<pbjson_types::Duration> {
    Some(pbjson_types::Duration { seconds, nanos: 0 })
}

/// A Reserve with an id.
pub(crate) fn reserve(id: &str, charges: Vec<Charge>) -> ReserveRequest {
    ReserveRequest { tenant: TENANT.into(), reservation_id: id.into(), charges, ..Default::default() }
}

/// A Commit; no charges: as held.
pub(crate) fn commit(id: &str, charges: Vec<Charge>) -> CommitRequest {
    CommitRequest { tenant: TENANT.into(), reservation_id: id.into(), charges, ..Default::default() }
}

/// A Release of all.
pub(crate) fn release(id: &str) -> ReleaseRequest {
    ReleaseRequest { tenant: TENANT.into(), reservation_id: id.into(), ..Default::default() }
}

/// A Consume with an id.
pub(crate) fn consume(id: &str, charges: Vec<Charge>) -> ConsumeRequest {
    ConsumeRequest { tenant: TENANT.into(), reservation_id: id.into(), charges, ..Default::default() }
}

/// An error taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    /// The canonical code.
    pub(crate) code: Code,
    /// The reason of `ErrorInfo`; empty: none.
    pub(crate) reason: String,
    /// The message.
    pub(crate) message: String,
    /// The metadata of `ErrorInfo`.
    pub(crate) metadata: BTreeMap<String, String>,
    /// The fields of `BadRequest`, each with what is wrong.
    pub(crate) fields: Vec<(String, String)>,
    /// Whether it says when to come back.
    pub(crate) retry: bool,
}

impl Fault {
    /// The names of the bad fields.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.fields.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Code and reason.
    pub(crate) fn kind(&self) -> (Code, &str) {
        (self.code, &self.reason)
    }
}

impl From<&Status> for Fault {
    fn from(status: &Status) -> Fault {
        let info = status.get_details_error_info();
        if let Some(info) = &info {
            assert_eq!(info.domain, "quotad.v1", "{status:?}");
        }
        let (reason, metadata) = info.map(|info| (info.reason, info.metadata)).unwrap_or_default();
        let fields = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
        Fault {
            code: status.code(),
            reason,
            message: status.message().to_owned(),
            metadata: metadata.into_iter().collect(),
            fields: fields.into_iter().map(|violation| (violation.field, violation.description)).collect(),
            retry: status.get_details_retry_info().is_some(),
        }
    }
}

impl From<&quotad::proto::google::rpc::Status> for Fault {
    fn from(status: &quotad::proto::google::rpc::Status) -> Fault {
        let details = prost::Message::encode_to_vec(status).into();
        Fault::from(&Status::with_details(Code::from_i32(status.code), status.message.clone(), details))
    }
}

/// A server and a connection to it.
pub(crate) struct Api {
    /// The server.
    pub(crate) server: Server,
    quota: QuotaServiceClient<Channel>,
    catalog: CatalogServiceClient<Channel>,
    usage: UsageServiceClient<Channel>,
    admin: AdminServiceClient<Channel>,
}

macro_rules! calls {
    ($($name:ident $client:ident $request:ty => $response:ty;)*) => {
        $(
            pub(crate) async fn $name(&self, request: $request) -> Result<$response, Fault> {
                let answer = self.$client.clone().$name(request).await;
                answer.map(Response::into_inner).map_err(|status| Fault::from(&status))
            }
        )*
    };
}

impl Api {
    /// With the tests' catalog, on a hand-wound clock that stands at [`NOON`].
    pub(crate) async fn start() -> Api {
        let api = Api::with(Options::new().catalog(catalog()).test_clock()).await;
        api.server.set_clock(NOON).await;
        api
    }

    /// With other options.
    pub(crate) async fn with(options: Options) -> Api {
        Api::of(Server::start(options))
    }

    /// Connects to a server.
    pub(crate) fn of(server: Server) -> Api {
        let (quota, catalog, usage) = (server.quota(), server.catalog(), server.usage());
        let admin = AdminServiceClient::new(server.channel());
        Api { server, quota, catalog, usage, admin }
    }

    /// Connects anew, after the server was started again.
    pub(crate) fn reconnect(&mut self) {
        (self.quota, self.catalog, self.usage) = (self.server.quota(), self.server.catalog(), self.server.usage());
        self.admin = AdminServiceClient::new(self.server.channel());
    }

    /// Moves the clock to so many seconds after [`NOON`].
    pub(crate) async fn clock(&self, seconds: i64) {
        self.server.set_clock(Timestamp::from_millis(NOON.millis() + seconds * 1000)).await;
    }

    calls! {
        check quota CheckRequest => CheckResponse;
        reserve quota ReserveRequest => ReserveResponse;
        commit quota CommitRequest => CommitResponse;
        release quota ReleaseRequest => ReleaseResponse;
        extend quota ExtendRequest => ExtendResponse;
        consume quota ConsumeRequest => ConsumeResponse;
        free quota FreeRequest => FreeResponse;
        get_reservation quota GetReservationRequest => GetReservationResponse;
        list_reservations quota ListReservationsRequest => ListReservationsResponse;
        batch_reserve quota BatchReserveRequest => BatchReserveResponse;
        batch_commit quota BatchCommitRequest => BatchCommitResponse;
        batch_consume quota BatchConsumeRequest => BatchConsumeResponse;
        apply catalog ApplyRequest => ApplyResponse;
        export catalog ExportRequest => ExportResponse;
        get_meter catalog GetMeterRequest => GetMeterResponse;
        list_meters catalog ListMetersRequest => ListMetersResponse;
        get_plan catalog GetPlanRequest => GetPlanResponse;
        list_plans catalog ListPlansRequest => ListPlansResponse;
        get_rate_card catalog GetRateCardRequest => GetRateCardResponse;
        list_rate_cards catalog ListRateCardsRequest => ListRateCardsResponse;
        create_meter catalog CreateMeterRequest => CreateMeterResponse;
        update_meter catalog UpdateMeterRequest => UpdateMeterResponse;
        delete_meter catalog DeleteMeterRequest => DeleteMeterResponse;
        create_plan catalog CreatePlanRequest => CreatePlanResponse;
        update_plan catalog UpdatePlanRequest => UpdatePlanResponse;
        delete_plan catalog DeletePlanRequest => DeletePlanResponse;
        create_rate_card catalog CreateRateCardRequest => CreateRateCardResponse;
        update_rate_card catalog UpdateRateCardRequest => UpdateRateCardResponse;
        delete_rate_card catalog DeleteRateCardRequest => DeleteRateCardResponse;
        get_quota catalog GetQuotaRequest => GetQuotaResponse;
        list_quotas catalog ListQuotasRequest => ListQuotasResponse;
        create_quotas catalog CreateQuotasRequest => CreateQuotasResponse;
        update_quota catalog UpdateQuotaRequest => UpdateQuotaResponse;
        delete_quota catalog DeleteQuotaRequest => DeleteQuotaResponse;
        list_quota_versions catalog ListQuotaVersionsRequest => ListQuotaVersionsResponse;
        create_account catalog CreateAccountRequest => CreateAccountResponse;
        update_account catalog UpdateAccountRequest => UpdateAccountResponse;
        delete_account catalog DeleteAccountRequest => DeleteAccountResponse;
        move_account catalog MoveAccountRequest => MoveAccountResponse;
        create_pool catalog CreatePoolRequest => CreatePoolResponse;
        update_pool catalog UpdatePoolRequest => UpdatePoolResponse;
        delete_pool catalog DeletePoolRequest => DeletePoolResponse;
        get_pool catalog GetPoolRequest => GetPoolResponse;
        list_pools catalog ListPoolsRequest => ListPoolsResponse;
        set_active_pool catalog SetActivePoolRequest => SetActivePoolResponse;
        get_account catalog GetAccountRequest => GetAccountResponse;
        list_accounts catalog ListAccountsRequest => ListAccountsResponse;
        get_usage usage GetUsageRequest => GetUsageResponse;
        adjust admin AdjustRequest => AdjustResponse;
        recalculate admin RecalculateRequest => RecalculateResponse;
        create_limit_request admin CreateLimitRequestRequest => CreateLimitRequestResponse;
        get_limit_request admin GetLimitRequestRequest => GetLimitRequestResponse;
        list_limit_requests admin ListLimitRequestsRequest => ListLimitRequestsResponse;
        resolve_limit_request admin ResolveLimitRequestRequest => ResolveLimitRequestResponse;
        list_audit_entries admin ListAuditEntriesRequest => ListAuditEntriesResponse;
    }

    /// A Reserve that must be granted.
    pub(crate) async fn hold(&self, id: &str, charges: Vec<Charge>) -> Reservation {
        granted(self.reserve(reserve(id, charges)).await.unwrap())
    }

    /// A Consume that must be granted.
    pub(crate) async fn used(&self, id: &str, charges: Vec<Charge>) -> Reservation {
        match self.consume(consume(id, charges)).await.unwrap().outcome {
            Some(consume_response::Outcome::Granted(reservation)) => reservation,
            other => panic!("not granted: {other:?}"),
        }
    }

    /// A reservation as it stands.
    pub(crate) async fn get(&self, id: &str) -> Reservation {
        let request = GetReservationRequest { tenant: TENANT.into(), reservation_id: id.into() };
        self.get_reservation(request).await.unwrap().reservation.unwrap()
    }

    /// Used and held of an account's lifetime on a meter (or of its only window).
    pub(crate) async fn figures(&self, account: &str, meter: &str) -> (i64, i64) {
        let window = self.windows(account, meter).await.remove(0);
        (window.used, window.held)
    }

    /// Every window of an account on a meter.
    pub(crate) async fn windows(&self, account: &str, meter: &str) -> Vec<WindowUsage> {
        let tenant = account.split('/').take(2).collect::<Vec<_>>().join("/");
        let request = GetUsageRequest { tenant, account: account.into(), meter: meter.into() };
        self.get_usage(request).await.unwrap().meters.remove(0).windows
    }

    /// All that a call could have changed: use of both tenants and of some users on every meter, and every reservation.
    pub(crate) async fn digest(&self) -> String {
        let mut text = String::new();
        for account in ["tenants/acme", "tenants/acme/users/u1", "tenants/acme/users/u2", "tenants/other"] {
            let tenant = account.split('/').take(2).collect::<Vec<_>>().join("/");
            let request = GetUsageRequest { tenant, account: account.into(), ..Default::default() };
            text += &format!("{:?}\n", self.get_usage(request).await.unwrap().meters);
        }
        for tenant in ["tenants/acme", "tenants/other"] {
            let request = ListReservationsRequest { tenant: tenant.into(), page_size: 1000, ..Default::default() };
            text += &format!("{:?}\n", self.list_reservations(request).await.unwrap());
        }
        text + &self.export(ExportRequest::default()).await.unwrap().etag
    }
}

/// The reservation of a granted Reserve.
#[track_caller]
pub(crate) fn granted(response: ReserveResponse) -> Reservation {
    match response.outcome {
        Some(reserve_response::Outcome::Granted(reservation)) => reservation,
        other => panic!("not granted: {other:?}"),
    }
}

/// The denial of a denied Reserve.
#[track_caller]
pub(crate) fn denied(response: ReserveResponse) -> Denial {
    match response.outcome {
        Some(reserve_response::Outcome::Denied(denial)) => denial,
        other => panic!("not denied: {other:?}"),
    }
}

/// Whether an answer survives the process. It may be in the ledger already, if the flusher was quick.
pub(crate) fn safe(durability: i32) -> bool {
    [Durability::Journaled.into(), Durability::Durable.into()].contains(&durability)
}

/// What must have failed.
#[track_caller]
pub(crate) fn refused<T: Debug>(answer: Result<T, Fault>) -> Fault {
    answer.expect_err("was not refused")
}
