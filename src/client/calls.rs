//! One method for each RPC: writes get their ids, unary calls are retried where that is safe.

use super::connection::Client;
use super::error::Error;
use super::ids::FillIds;
use crate::proto::v1::*;
use tonic::Streaming;
use tonic::codegen::tokio_stream::Stream;

/// Methods that only read: name, service, request -> answer.
macro_rules! reads {
    ($($(#[$doc:meta])+ $name:ident, $service:ident.$rpc:ident, $request:ty => $answer:ty;)+) => {
        impl Client {
            $($(#[$doc])+
            ///
            /// # Errors
            /// [`Error`] as the server says, or if it cannot be reached.
            pub async fn $name(&self, request: $request) -> Result<$answer, Error> {
                self.call(request, |request| {
                    let mut service = self.$service();
                    async move { service.$rpc(request).await }
                })
                .await
            })+
        }
    };
}

/// Methods that write: like [`reads`], with ids filled in first.
macro_rules! writes {
    ($($(#[$doc:meta])+ $name:ident, $service:ident, $request:ty => $answer:ty;)+) => {
        impl Client {
            $($(#[$doc])+
            ///
            /// An empty `request_id` (and an empty id of what the call makes) gets a fresh UUID.
            ///
            /// # Errors
            /// [`Error`] as the server says, or if it cannot be reached.
            pub async fn $name(&self, mut request: $request) -> Result<$answer, Error> {
                request.fill_ids();
                self.call(request, |request| {
                    let mut service = self.$service();
                    async move { service.$name(request).await }
                })
                .await
            })+
        }
    };
}

writes! {
    /// Holds the amounts on every limit that applies, all or nothing.
    reserve, quota, ReserveRequest => ReserveResponse;
    /// Turns a hold, or a part of it, into recorded use.
    commit, quota, CommitRequest => CommitResponse;
    /// Gives a hold, or a part of it, back.
    release, quota, ReleaseRequest => ReleaseResponse;
    /// Moves the deadline of a hold, and may raise it.
    extend, quota, ExtendRequest => ExtendResponse;
    /// Reserves and commits in one step.
    consume, quota, ConsumeRequest => ConsumeResponse;
    /// Gives committed allocation back.
    free, quota, FreeRequest => FreeResponse;
    /// Up to 64 reserves, each deciding by itself, answered in order.
    batch_reserve, quota, BatchReserveRequest => BatchReserveResponse;
    /// Up to 64 commits, each deciding by itself, answered in order.
    batch_commit, quota, BatchCommitRequest => BatchCommitResponse;
    /// Up to 64 consumes, each deciding by itself, answered in order.
    batch_consume, quota, BatchConsumeRequest => BatchConsumeResponse;
    /// Corrects what accounts have used.
    adjust, admin, AdjustRequest => AdjustResponse;
    /// Asks for a higher limit.
    create_limit_request, admin, CreateLimitRequestRequest => CreateLimitRequestResponse;
}

reads! {
    /// One request for more.
    get_limit_request, admin.get_limit_request, GetLimitRequestRequest => GetLimitRequestResponse;
    /// One page of a tenant's requests for more, newest first.
    list_limit_requests, admin.list_limit_requests, ListLimitRequestsRequest => ListLimitRequestsResponse;
    /// One page of who changed what, newest first.
    list_audit_entries, admin.list_audit_entries, ListAuditEntriesRequest => ListAuditEntriesResponse;
    /// Whether the charges would fit now. Holds nothing.
    check, quota.check, CheckRequest => CheckResponse;
    /// One reservation as it stands now.
    get_reservation, quota.get_reservation, GetReservationRequest => GetReservationResponse;
    /// One page of the tenant's reservations, newest first.
    list_reservations, quota.list_reservations, ListReservationsRequest => ListReservationsResponse;
    /// Every window of every meter of one account.
    usage, usage_service.get_usage, GetUsageRequest => GetUsageResponse;
    /// Makes the catalog be what a YAML document says. A repeat changes nothing further; with an `etag`, the repeat of
    /// an apply that had its effect and lost its answer says `ETAG_MISMATCH`.
    apply, catalog.apply, ApplyRequest => ApplyResponse;
    /// The catalog as a YAML document.
    export, catalog.export, ExportRequest => ExportResponse;
    /// One meter as the tenant sees it.
    get_meter, catalog.get_meter, GetMeterRequest => GetMeterResponse;
    /// One page of the meters that the tenant sees, by name.
    list_meters, catalog.list_meters, ListMetersRequest => ListMetersResponse;
    /// One plan as the tenant sees it.
    get_plan, catalog.get_plan, GetPlanRequest => GetPlanResponse;
    /// One page of the plans that the tenant sees, by name.
    list_plans, catalog.list_plans, ListPlansRequest => ListPlansResponse;
    /// One rate card, or the one in force now.
    get_rate_card, catalog.get_rate_card, GetRateCardRequest => GetRateCardResponse;
    /// One page of the rate cards that the tenant sees, by meter and time.
    list_rate_cards, catalog.list_rate_cards, ListRateCardsRequest => ListRateCardsResponse;
    /// One quota.
    get_quota, catalog.get_quota, GetQuotaRequest => GetQuotaResponse;
    /// One page of the tenant's quotas, by subject and meter.
    list_quotas, catalog.list_quotas, ListQuotasRequest => ListQuotasResponse;
    /// One page of the versions that a quota had, newest first.
    list_quota_versions, catalog.list_quota_versions, ListQuotaVersionsRequest => ListQuotaVersionsResponse;
    /// One account's record.
    get_account, catalog.get_account, GetAccountRequest => GetAccountResponse;
    /// One page of the tenant's account records, by name.
    list_accounts, catalog.list_accounts, ListAccountsRequest => ListAccountsResponse;
    /// One pool.
    get_pool, catalog.get_pool, GetPoolRequest => GetPoolResponse;
    /// One page of the tenant's pools, or of those of one member, by account.
    list_pools, catalog.list_pools, ListPoolsRequest => ListPoolsResponse;
    /// Gives an account another name. A repeat finds it there.
    move_account, catalog.move_account, MoveAccountRequest => MoveAccountResponse;
    /// Chooses the pool that an account's next charges count on. A repeat changes nothing further.
    set_active_pool, catalog.set_active_pool, SetActivePoolRequest => SetActivePoolResponse;
}

/// Methods that change something and go out once: a repeat could do more, so an answer that is lost is looked up.
macro_rules! changes {
    ($($(#[$doc:meta])+ $name:ident, $service:ident, $request:ty => $answer:ty;)+) => {
        impl Client {
            $($(#[$doc])+
            ///
            /// It is sent once; where no answer comes, what it changes can be read to tell whether it had its effect.
            ///
            /// # Errors
            /// [`Error`] as the server says, or if it cannot be reached.
            pub async fn $name(&self, request: $request) -> Result<$answer, Error> {
                self.call_once(request, |request| {
                    let mut service = self.$service();
                    async move { service.$name(request).await }
                })
                .await
            })+
        }
    };
}

changes! {
    /// Makes a meter.
    create_meter, catalog, CreateMeterRequest => CreateMeterResponse;
    /// Makes a meter be so.
    update_meter, catalog, UpdateMeterRequest => UpdateMeterResponse;
    /// Removes a meter that nothing names any more.
    delete_meter, catalog, DeleteMeterRequest => DeleteMeterResponse;
    /// Makes a plan.
    create_plan, catalog, CreatePlanRequest => CreatePlanResponse;
    /// Makes a plan be so.
    update_plan, catalog, UpdatePlanRequest => UpdatePlanResponse;
    /// Removes a plan that no account has any more, with its quotas.
    delete_plan, catalog, DeletePlanRequest => DeletePlanResponse;
    /// Makes a rate card.
    create_rate_card, catalog, CreateRateCardRequest => CreateRateCardResponse;
    /// Makes a rate card be so.
    update_rate_card, catalog, UpdateRateCardRequest => UpdateRateCardResponse;
    /// Removes a rate card.
    delete_rate_card, catalog, DeleteRateCardRequest => DeleteRateCardResponse;
    /// Gives subjects quotas, all or none.
    create_quotas, catalog, CreateQuotasRequest => CreateQuotasResponse;
    /// Changes the current version of a quota in place.
    update_quota, catalog, UpdateQuotaRequest => UpdateQuotaResponse;
    /// Deletes the current version of a quota.
    delete_quota, catalog, DeleteQuotaRequest => DeleteQuotaResponse;
    /// Makes a record of an account.
    create_account, catalog, CreateAccountRequest => CreateAccountResponse;
    /// Makes the record of an account be so.
    update_account, catalog, UpdateAccountRequest => UpdateAccountResponse;
    /// Removes the record of an account, with its own quotas.
    delete_account, catalog, DeleteAccountRequest => DeleteAccountResponse;
    /// Makes an account a pool.
    create_pool, catalog, CreatePoolRequest => CreatePoolResponse;
    /// Makes a pool be so.
    update_pool, catalog, UpdatePoolRequest => UpdatePoolResponse;
    /// Makes an account be no pool any more.
    delete_pool, catalog, DeletePoolRequest => DeletePoolResponse;
    /// Makes what is charged to accounts be what was measured there. A repeat would take back what was charged meanwhile.
    recalculate, admin, RecalculateRequest => RecalculateResponse;
    /// Approves or rejects a request for more.
    resolve_limit_request, admin, ResolveLimitRequestRequest => ResolveLimitRequestResponse;
}

impl Client {
    /// A stream of operations, answered as they finish and told apart by their tags.
    ///
    /// The requests go out as they are and nothing is sent twice: when the stream breaks, the caller opens another and
    /// repeats what was not answered, so it should name its ids. The client's time limit does not apply.
    ///
    /// # Errors
    /// [`Error`] if the stream can't be opened; later errors come out of the stream as `tonic::Status`.
    pub async fn enforce(
        &self,
        requests: impl Stream<Item = EnforceRequest> + Send + 'static,
    ) -> Result<Streaming<EnforceResponse>, Error> {
        let answers = self.quota().enforce(requests).await.map_err(|status| self.error(status))?;
        Ok(answers.into_inner())
    }
}
