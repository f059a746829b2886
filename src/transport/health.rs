//! Health: what an orchestrator asks before it sends traffic or restarts the process.
//!
//! `liveness` serves as long as the process can answer, whatever else is broken: a restart does not mend a dependency. The
//! server as a whole (the empty name), `readiness` and every gRPC service follow readiness, which is false only while the
//! server starts or drains.

use std::sync::{Arc, Mutex, PoisonError};

use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use super::methods::UNARY_LIMIT;

/// The name of the health protocol's service.
pub const SERVICE: &str = "grpc.health.v1.Health";

/// Says and changes whether the server is ready. Clones are one and the same.
#[derive(Clone, Debug)]
pub struct Health {
    reporter: HealthReporter,
    services: Arc<[String]>,
    /// Why not ready; `None` when ready.
    obstacle: Arc<Mutex<Option<String>>>,
}

impl Health {
    /// A server that is starting, with the full names of its gRPC services.
    pub async fn new(services: &[&str]) -> Self {
        let followers = ["", "readiness"].iter().chain(services).map(ToString::to_string);
        let health = Health {
            reporter: HealthReporter::new(),
            services: followers.collect(),
            obstacle: Arc::new(Mutex::new(None)),
        };
        health.reporter.set_service_status("liveness", ServingStatus::Serving).await;
        health.set_not_ready("starting").await;
        health
    }

    /// From now on the server takes traffic.
    pub async fn set_ready(&self) {
        self.set(None, ServingStatus::Serving).await;
    }

    /// From now on the server takes no new traffic; `obstacle` says why in a few words, for example `draining`.
    pub async fn set_not_ready(&self, obstacle: &str) {
        self.set(Some(obstacle.to_owned()), ServingStatus::NotServing).await;
    }

    /// Why the server is not ready; `None` when it is.
    pub fn obstacle(&self) -> Option<String> {
        self.obstacle.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds the health service to `routes`.
    pub fn add_to(&self, routes: Routes) -> Routes {
        let service = HealthService::from_health_reporter(self.reporter.clone());
        routes.add_service(HealthServer::new(service).max_decoding_message_size(UNARY_LIMIT))
    }

    async fn set(&self, obstacle: Option<String>, status: ServingStatus) {
        *self.obstacle.lock().unwrap_or_else(PoisonError::into_inner) = obstacle;
        for service in self.services.iter() {
            self.reporter.set_service_status(service, status).await;
        }
    }
}
