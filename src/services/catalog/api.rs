//! The service itself: every method runs on the pool, so that no catalog holds up a decision.

use super::quotas::Desk;
use super::{apply, definitions, moves, quotas, read, records};
use crate::engine::authority::Authority;
use crate::engine::ports::Clock;
use crate::engine::publish::Publisher;
use crate::engine::relocate::Mover;
use crate::proto::v1::{self, catalog_service_server};
use crate::services::actor::actor;
use crate::services::pool;
use std::sync::Arc;
use tokio::runtime::Handle;
use tonic::{Request, Response, Status};

/// The service on the catalogs of an installation. Cheap to clone.
#[derive(Clone)]
pub struct CatalogApi {
    catalogs: Arc<Publisher>,
    clock: Arc<dyn Clock>,
    authority: Arc<Authority>,
    mover: Arc<Mover>,
    pool: Handle,
}

impl CatalogApi {
    /// Puts the service on catalogs; `clock` dates the changes, `authority` tells what is live, `mover` moves accounts, `pool` is the
    /// background runtime that does the work.
    pub fn new(
        catalogs: Arc<Publisher>,
        clock: Arc<dyn Clock>,
        authority: Arc<Authority>,
        mover: Arc<Mover>,
        pool: Handle,
    ) -> CatalogApi {
        CatalogApi { catalogs, clock, authority, mover, pool }
    }

    async fn read<Q, A, F>(
        &self,
        request: Request<Q>,
        work: impl FnOnce(Arc<Publisher>, Q) -> F,
    ) -> Result<Response<A>, Status>
    where
        A: Send + 'static,
        F: Future<Output = Result<A, Status>> + Send + 'static,
    {
        pool::read(&self.pool, work(self.catalogs.clone(), request.into_inner())).await.map(Response::new)
    }
}

impl CatalogApi {
    /// A change runs to its end even if the caller hangs up.
    async fn change<Q, A, F>(&self, request: Request<Q>, work: impl FnOnce(Desk, Q) -> F) -> Result<Response<A>, Status>
    where
        A: Send + 'static,
        F: Future<Output = Result<A, Status>> + Send + 'static,
    {
        let actor = actor(request.metadata());
        let (catalogs, clock, authority) = (self.catalogs.clone(), self.clock.clone(), self.authority.clone());
        let desk = Desk { catalogs, clock, authority, actor };
        pool::change(&self.pool, work(desk, request.into_inner())).await.map(Response::new)
    }
}

#[tonic::async_trait]
impl catalog_service_server::CatalogService for CatalogApi {
    async fn apply(&self, request: Request<v1::ApplyRequest>) -> Result<Response<v1::ApplyResponse>, Status> {
        let actor = actor(request.metadata());
        let work = apply::apply(self.catalogs.clone(), self.clock.clone(), actor, request.into_inner());
        pool::change(&self.pool, work).await.map(Response::new)
    }

    async fn export(&self, request: Request<v1::ExportRequest>) -> Result<Response<v1::ExportResponse>, Status> {
        self.read(request, apply::export).await
    }

    async fn get_meter(&self, request: Request<v1::GetMeterRequest>) -> Result<Response<v1::GetMeterResponse>, Status> {
        self.read(request, read::get_meter).await
    }

    async fn list_meters(
        &self,
        request: Request<v1::ListMetersRequest>,
    ) -> Result<Response<v1::ListMetersResponse>, Status> {
        self.read(request, read::list_meters).await
    }

    async fn create_meter(
        &self,
        request: Request<v1::CreateMeterRequest>,
    ) -> Result<Response<v1::CreateMeterResponse>, Status> {
        self.change(request, definitions::create_meter).await
    }

    async fn update_meter(
        &self,
        request: Request<v1::UpdateMeterRequest>,
    ) -> Result<Response<v1::UpdateMeterResponse>, Status> {
        self.change(request, definitions::update_meter).await
    }

    async fn delete_meter(
        &self,
        request: Request<v1::DeleteMeterRequest>,
    ) -> Result<Response<v1::DeleteMeterResponse>, Status> {
        self.change(request, definitions::delete_meter).await
    }

    async fn get_plan(&self, request: Request<v1::GetPlanRequest>) -> Result<Response<v1::GetPlanResponse>, Status> {
        self.read(request, read::get_plan).await
    }

    async fn list_plans(
        &self,
        request: Request<v1::ListPlansRequest>,
    ) -> Result<Response<v1::ListPlansResponse>, Status> {
        self.read(request, read::list_plans).await
    }

    async fn create_plan(
        &self,
        request: Request<v1::CreatePlanRequest>,
    ) -> Result<Response<v1::CreatePlanResponse>, Status> {
        self.change(request, definitions::create_plan).await
    }

    async fn update_plan(
        &self,
        request: Request<v1::UpdatePlanRequest>,
    ) -> Result<Response<v1::UpdatePlanResponse>, Status> {
        self.change(request, definitions::update_plan).await
    }

    async fn delete_plan(
        &self,
        request: Request<v1::DeletePlanRequest>,
    ) -> Result<Response<v1::DeletePlanResponse>, Status> {
        self.change(request, definitions::delete_plan).await
    }

    async fn get_rate_card(
        &self,
        request: Request<v1::GetRateCardRequest>,
    ) -> Result<Response<v1::GetRateCardResponse>, Status> {
        let now = self.clock.now();
        self.read(request, |catalogs, request| read::get_rate_card(catalogs, now, request)).await
    }

    async fn list_rate_cards(
        &self,
        request: Request<v1::ListRateCardsRequest>,
    ) -> Result<Response<v1::ListRateCardsResponse>, Status> {
        self.read(request, read::list_rate_cards).await
    }

    async fn create_rate_card(
        &self,
        request: Request<v1::CreateRateCardRequest>,
    ) -> Result<Response<v1::CreateRateCardResponse>, Status> {
        self.change(request, definitions::create_rate_card).await
    }

    async fn update_rate_card(
        &self,
        request: Request<v1::UpdateRateCardRequest>,
    ) -> Result<Response<v1::UpdateRateCardResponse>, Status> {
        self.change(request, definitions::update_rate_card).await
    }

    async fn delete_rate_card(
        &self,
        request: Request<v1::DeleteRateCardRequest>,
    ) -> Result<Response<v1::DeleteRateCardResponse>, Status> {
        self.change(request, definitions::delete_rate_card).await
    }

    async fn get_quota(&self, request: Request<v1::GetQuotaRequest>) -> Result<Response<v1::GetQuotaResponse>, Status> {
        self.read(request, |catalogs, request| read::get_quota(catalogs, self.clock.now(), request)).await
    }

    async fn list_quotas(
        &self,
        request: Request<v1::ListQuotasRequest>,
    ) -> Result<Response<v1::ListQuotasResponse>, Status> {
        self.read(request, |catalogs, request| read::list_quotas(catalogs, self.clock.now(), request)).await
    }

    async fn create_quotas(
        &self,
        request: Request<v1::CreateQuotasRequest>,
    ) -> Result<Response<v1::CreateQuotasResponse>, Status> {
        self.change(request, quotas::create).await
    }

    async fn update_quota(
        &self,
        request: Request<v1::UpdateQuotaRequest>,
    ) -> Result<Response<v1::UpdateQuotaResponse>, Status> {
        self.change(request, quotas::update).await
    }

    async fn delete_quota(
        &self,
        request: Request<v1::DeleteQuotaRequest>,
    ) -> Result<Response<v1::DeleteQuotaResponse>, Status> {
        self.change(request, quotas::delete).await
    }

    async fn list_quota_versions(
        &self,
        request: Request<v1::ListQuotaVersionsRequest>,
    ) -> Result<Response<v1::ListQuotaVersionsResponse>, Status> {
        self.read(request, |catalogs, request| quotas::versions(catalogs, self.clock.now(), request)).await
    }

    async fn get_account(
        &self,
        request: Request<v1::GetAccountRequest>,
    ) -> Result<Response<v1::GetAccountResponse>, Status> {
        self.read(request, read::get_account).await
    }

    async fn list_accounts(
        &self,
        request: Request<v1::ListAccountsRequest>,
    ) -> Result<Response<v1::ListAccountsResponse>, Status> {
        self.read(request, read::list_accounts).await
    }

    async fn create_account(
        &self,
        request: Request<v1::CreateAccountRequest>,
    ) -> Result<Response<v1::CreateAccountResponse>, Status> {
        self.change(request, records::create_account).await
    }

    async fn update_account(
        &self,
        request: Request<v1::UpdateAccountRequest>,
    ) -> Result<Response<v1::UpdateAccountResponse>, Status> {
        self.change(request, records::update_account).await
    }

    async fn delete_account(
        &self,
        request: Request<v1::DeleteAccountRequest>,
    ) -> Result<Response<v1::DeleteAccountResponse>, Status> {
        self.change(request, records::delete_account).await
    }

    async fn move_account(
        &self,
        request: Request<v1::MoveAccountRequest>,
    ) -> Result<Response<v1::MoveAccountResponse>, Status> {
        let mover = self.mover.clone();
        self.change(request, |desk, request| moves::move_account(desk, mover, request)).await
    }

    async fn create_pool(
        &self,
        request: Request<v1::CreatePoolRequest>,
    ) -> Result<Response<v1::CreatePoolResponse>, Status> {
        self.change(request, records::create_pool).await
    }

    async fn update_pool(
        &self,
        request: Request<v1::UpdatePoolRequest>,
    ) -> Result<Response<v1::UpdatePoolResponse>, Status> {
        self.change(request, records::update_pool).await
    }

    async fn delete_pool(
        &self,
        request: Request<v1::DeletePoolRequest>,
    ) -> Result<Response<v1::DeletePoolResponse>, Status> {
        self.change(request, records::delete_pool).await
    }

    async fn get_pool(&self, request: Request<v1::GetPoolRequest>) -> Result<Response<v1::GetPoolResponse>, Status> {
        self.read(request, read::get_pool).await
    }

    async fn list_pools(
        &self,
        request: Request<v1::ListPoolsRequest>,
    ) -> Result<Response<v1::ListPoolsResponse>, Status> {
        let now = self.clock.now();
        self.read(request, |catalogs, request| read::list_pools(catalogs, now, request)).await
    }

    async fn set_active_pool(
        &self,
        request: Request<v1::SetActivePoolRequest>,
    ) -> Result<Response<v1::SetActivePoolResponse>, Status> {
        self.change(request, records::set_active_pool).await
    }
}
