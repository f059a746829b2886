//! The stack that every call passes, and why in this order.
//!
//! 1. **observe** is outermost: it must count what the others refuse, and catch what panics below it.
//! 2. **web** turns gRPC-web into gRPC, so that all below sees one protocol; CORS answers preflights before anything else.
//! 3. **shed** refuses before any work is done, timers included.
//! 4. **deadline** refuses what can't be answered in its time, and bounds the rest, reading the request included: a body that
//!    drips in is cut.
//! 5. **size** is innermost: it wraps the body that the service reads.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use tonic::body::Body;
use tower::Service;
use tower_http::cors::CorsLayer;

use super::deadline::Deadline;
use super::direct::Answers;
use super::methods::Methods;
use super::observe::Observe;
use super::shed::{InFlight, Shed};
use super::size::SizeCap;
use super::web::{self, Web};
use crate::telemetry::pace::Pace;

/// What the stack of one core is made of.
#[derive(Clone)]
pub struct Layers {
    methods: Arc<Methods>,
    in_flight: Arc<InFlight>,
    pace: Arc<Pace>,
    cors: Arc<CorsLayer>,
}

impl Layers {
    /// A stack for `methods`, with `in_flight` and `pace` shared by all cores, for browsers on pages of `web_origins` (`*` for
    /// all; none: pages of this machine).
    pub fn new(methods: &Methods, in_flight: Arc<InFlight>, pace: Arc<Pace>, web_origins: &[String]) -> Self {
        Layers { methods: Arc::new(methods.for_core()), in_flight, pace, cors: Arc::new(web::cors(web_origins)) }
    }

    /// Puts the stack around the services.
    pub(super) fn around(
        self,
        service: impl Answers,
    ) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static
    {
        let Layers { methods, in_flight, pace, cors } = self;
        let sized = SizeCap { methods: Arc::clone(&methods), inner: service };
        let bounded = Deadline { methods: Arc::clone(&methods), pace, inner: sized };
        let shed = Shed { methods: Arc::clone(&methods), in_flight, inner: bounded };
        let web = Web { cors, inner: shed };
        Observe { methods, inner: web }
    }
}
