//! `quotad.v1.TestClockService`: the hand-wound clock of a server started with `--test-clock`.

use super::convert::time::{from_timestamp, timestamp};
use super::status::{Reason, bad_fields};
use crate::domain::time::Timestamp;
use crate::engine::ports::Clock;
use crate::proto::v1::{self, test_clock_service_server};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// A clock that can be set; answers what it shows afterwards.
pub trait Settable: Clock {
    /// Sets it; it never goes back.
    fn set(&self, time: Timestamp) -> Timestamp;
}

/// The service on a clock. Cheap to clone.
#[derive(Clone)]
pub struct TestClockApi {
    clock: Arc<dyn Settable>,
}

impl TestClockApi {
    /// Puts the service on a clock.
    pub fn new(clock: Arc<dyn Settable>) -> TestClockApi {
        TestClockApi { clock }
    }
}

#[tonic::async_trait]
impl test_clock_service_server::TestClockService for TestClockApi {
    async fn set(&self, request: Request<v1::SetRequest>) -> Result<Response<v1::SetResponse>, Status> {
        let time = request.into_inner().time.as_ref().and_then(from_timestamp).ok_or_else(|| {
            bad_fields(Reason::InvalidField, vec![("time".into(), "is required and must be a time".into())])
        })?;
        Ok(Response::new(v1::SetResponse { time: timestamp(self.clock.set(time)) }))
    }

    async fn get(&self, _: Request<v1::GetRequest>) -> Result<Response<v1::GetResponse>, Status> {
        Ok(Response::new(v1::GetResponse { time: timestamp(self.clock.now()) }))
    }
}
