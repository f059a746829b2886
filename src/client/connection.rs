//! The connection: an address, a lazily reconnecting channel and the time a call may take.

use super::error::Error;
use super::retry::{self, RetryPolicy};
use super::trace;
use crate::proto::v1::{
    admin_service_client::AdminServiceClient, catalog_service_client::CatalogServiceClient,
    quota_service_client::QuotaServiceClient, usage_service_client::UsageServiceClient,
};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;

/// Time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for one call with all its attempts, unless [`Client::with_timeout`] says otherwise.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer that is read: a whole exported catalog (64 MiB) and its frame.
const MAX_ANSWER: usize = 65 << 20;

/// A client of one quotad server (or of a load balancer before several). Cloning is cheap; clones share the connection.
#[derive(Clone, Debug)]
pub struct Client {
    address: Arc<str>,
    channel: Channel,
    timeout: Duration,
    policy: RetryPolicy,
    actor: Option<AsciiMetadataValue>,
}

impl Client {
    /// A client of the server at `addr`: `127.0.0.1:50051`, `localhost:50051` or `http://host:port`.
    ///
    /// Nothing is sent yet. The connection is opened by the first call and opened again by the next call whenever it
    /// broke.
    ///
    /// # Errors
    /// [`Error::Address`] if `addr` is not an address, or if this is not called within a tokio runtime.
    pub fn connect(addr: impl AsRef<str>) -> Result<Client, Error> {
        let addr = addr.as_ref().trim();
        let bad = |message: String| Error::Address { address: addr.to_owned(), message };
        let uri = uri_of(addr).map_err(bad)?;
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(bad("a client is made within a tokio runtime".to_owned()));
        }
        let endpoint = Endpoint::from_shared(uri).map_err(|error| bad(error.to_string()))?;
        let channel = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(10))
            .connect_lazy();
        Ok(Client { address: addr.into(), channel, timeout: CALL_TIMEOUT, policy: RetryPolicy::default(), actor: None })
    }

    /// The same client with another time limit for a call, all its attempts together (10 s by default).
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Client {
        self.timeout = timeout;
        self
    }

    /// The same client with another rule for retries.
    #[must_use]
    pub fn with_retry(mut self, policy: RetryPolicy) -> Client {
        self.policy = policy;
        self
    }

    /// The same client on behalf of somebody, whose name the audit keeps; `None` if a header can't carry the name.
    #[must_use]
    pub fn with_actor(mut self, name: &str) -> Option<Client> {
        self.actor = Some(name.parse().ok()?);
        Some(self)
    }

    /// A call with the name of whom it is on behalf of, in the trace of this process.
    fn named<Q>(&self, mut request: Request<Q>) -> Request<Q> {
        trace::hand_on(request.metadata_mut());
        if let Some(actor) = &self.actor {
            request.metadata_mut().insert("quotad-actor", actor.clone());
        }
        request
    }

    /// The address that the client was made with.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The time limit of a call.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The generated client of `QuotaService`.
    pub(super) fn quota(&self) -> QuotaServiceClient<Channel> {
        QuotaServiceClient::new(self.channel.clone())
    }

    /// The generated client of `UsageService`.
    pub(super) fn usage_service(&self) -> UsageServiceClient<Channel> {
        UsageServiceClient::new(self.channel.clone())
    }

    /// The generated client of `AdminService`.
    pub(super) fn admin(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_ANSWER)
    }

    /// The generated client of the health protocol.
    pub(super) fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.channel.clone())
    }

    /// The generated client of `CatalogService`.
    pub(super) fn catalog(&self) -> CatalogServiceClient<Channel> {
        CatalogServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_ANSWER)
    }

    /// Sends `request` by `send`, again where that is safe, and names the address in what cannot be reached.
    pub(super) async fn call<Q, A, S, F>(&self, request: Q, send: S) -> Result<A, Error>
    where
        Q: Clone,
        S: Fn(Request<Q>) -> F,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let send = |request| send(self.named(request));
        retry::run(self.policy, self.timeout, request, send).await.map_err(|status| self.error(status))
    }

    /// Sends `request` by `send`, and never again.
    pub(super) async fn call_once<Q, A, S, F>(&self, request: Q, send: S) -> Result<A, Error>
    where
        Q: Clone,
        S: Fn(Request<Q>) -> F,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let once = RetryPolicy { attempts: 1, ..self.policy };
        let send = |request| send(self.named(request));
        retry::run(once, self.timeout, request, send).await.map_err(|status| self.error(status))
    }

    /// A failed call as this client's error.
    pub(super) fn error(&self, status: Status) -> Error {
        Error::from_status(&self.address, status)
    }
}

/// The URI of an address with or without a scheme.
fn uri_of(addr: &str) -> Result<String, String> {
    let rest = addr.strip_prefix("http://").unwrap_or(addr);
    if rest.starts_with("https://") {
        return Err("TLS is not spoken yet; use http:// or host:port".to_owned());
    }
    let port = rest.trim_end_matches('/').rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
    match port {
        Some((host, Ok(_))) if !host.is_empty() => Ok(format!("http://{}", rest.trim_end_matches('/'))),
        _ => Err("write host:port, for example 127.0.0.1:50051".to_owned()),
    }
}
