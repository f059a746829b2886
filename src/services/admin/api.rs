//! The service itself: adjustments run beside the decisions that they change, the rest on the pool.

use super::requests::{self, Desk};
use super::{adjust, audit};
use crate::engine::authority::Authority;
use crate::engine::ports::Clock;
use crate::engine::publish::Publisher;
use crate::proto::v1::{self, admin_service_server};
use crate::services::actor::actor;
use crate::services::detach::detached;
use crate::services::pool;
use std::sync::Arc;
use tokio::runtime::Handle;
use tonic::{Request, Response, Status};

/// The service on an authority and the catalogs. Cheap to clone.
#[derive(Clone)]
pub struct AdminApi {
    authority: Arc<Authority>,
    catalogs: Arc<Publisher>,
    clock: Arc<dyn Clock>,
    pool: Handle,
}

impl AdminApi {
    /// Puts the service on an authority and the catalogs; `clock` dates what is asked for and decided, `pool` is the background
    /// runtime that does the work beside the decisions.
    pub fn new(authority: Arc<Authority>, catalogs: Arc<Publisher>, clock: Arc<dyn Clock>, pool: Handle) -> AdminApi {
        AdminApi { authority, catalogs, clock, pool }
    }

    fn desk<T>(&self, request: &Request<T>) -> Desk {
        Desk {
            authority: self.authority.clone(),
            catalogs: self.catalogs.clone(),
            actor: actor(request.metadata()),
            now: self.clock.now(),
        }
    }
}

#[tonic::async_trait]
impl admin_service_server::AdminService for AdminApi {
    async fn adjust(&self, request: Request<v1::AdjustRequest>) -> Result<Response<v1::AdjustResponse>, Status> {
        let actor = actor(request.metadata());
        let work = adjust::adjust(self.authority.clone(), actor, request.into_inner());
        detached(work).await.map(Response::new)
    }

    async fn recalculate(
        &self,
        request: Request<v1::RecalculateRequest>,
    ) -> Result<Response<v1::RecalculateResponse>, Status> {
        let actor = actor(request.metadata());
        let work = adjust::recalculate(self.authority.clone(), actor, request.into_inner());
        detached(work).await.map(Response::new)
    }

    async fn create_limit_request(
        &self,
        request: Request<v1::CreateLimitRequestRequest>,
    ) -> Result<Response<v1::CreateLimitRequestResponse>, Status> {
        let work = requests::create(self.desk(&request), request.into_inner());
        pool::change(&self.pool, work).await.map(Response::new)
    }

    async fn get_limit_request(
        &self,
        request: Request<v1::GetLimitRequestRequest>,
    ) -> Result<Response<v1::GetLimitRequestResponse>, Status> {
        let work = requests::get(self.catalogs.clone(), request.into_inner());
        pool::read(&self.pool, work).await.map(Response::new)
    }

    async fn list_limit_requests(
        &self,
        request: Request<v1::ListLimitRequestsRequest>,
    ) -> Result<Response<v1::ListLimitRequestsResponse>, Status> {
        let work = requests::list(self.catalogs.clone(), request.into_inner());
        pool::read(&self.pool, work).await.map(Response::new)
    }

    async fn resolve_limit_request(
        &self,
        request: Request<v1::ResolveLimitRequestRequest>,
    ) -> Result<Response<v1::ResolveLimitRequestResponse>, Status> {
        let work = requests::resolve(self.desk(&request), request.into_inner());
        pool::change(&self.pool, work).await.map(Response::new)
    }

    async fn list_audit_entries(
        &self,
        request: Request<v1::ListAuditEntriesRequest>,
    ) -> Result<Response<v1::ListAuditEntriesResponse>, Status> {
        let work = audit::list(self.catalogs.clone(), request.into_inner());
        pool::read(&self.pool, work).await.map(Response::new)
    }
}
