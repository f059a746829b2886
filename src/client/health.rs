//! The health protocol (`grpc.health.v1`): whether the server, or one of its services, takes calls now.

use super::connection::Client;
use super::error::Error;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

/// What a server says of one of its services.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Serving {
    /// It takes calls.
    Yes,
    /// It starts or ends and takes none now.
    No,
    /// It has no service of that name.
    UnknownService,
}

impl Client {
    /// Asks once whether `service` serves: `liveness` (the process answers), `readiness` (it takes calls), a gRPC service's
    /// full name, or the empty name for the server as a whole.
    ///
    /// # Errors
    /// [`Error`] if the server cannot be reached or does not answer in time. It is not asked again.
    pub async fn serving(&self, service: &str) -> Result<Serving, Error> {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = self
            .call_once(request, |request| {
                let mut health = self.health();
                async move { health.check(request).await }
            })
            .await;
        match answer {
            Ok(answer) if answer.status() == ServingStatus::Serving => Ok(Serving::Yes),
            Ok(_) => Ok(Serving::No),
            Err(error) if error.code() == Code::NotFound => Ok(Serving::UnknownService),
            Err(error) => Err(error),
        }
    }
}
