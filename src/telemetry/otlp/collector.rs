//! The collector: how it is reached, and who it is told that it hears from.

use http::uri::Scheme;
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use std::error::Error;
use std::sync::LazyLock;
use std::time::Duration;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use uuid::Uuid;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// Headers for the collector, such as a token, as the specification names the variables; the second comes over the first.
const HEADERS: [&str; 2] = ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_METRICS_HEADERS"];

/// This process, among all that ever were.
static INSTANCE_ID: LazyLock<String> = LazyLock::new(|| Uuid::now_v7().to_string());

/// An endpoint that can't be one.
#[derive(Debug, thiserror::Error)]
#[error("OTLP endpoint {endpoint:?}: {source}")]
pub struct BadEndpoint {
    endpoint: String,
    source: Box<dyn Error + Send + Sync>,
}

impl BadEndpoint {
    /// Says what is wrong with it.
    pub(in crate::telemetry) fn new(endpoint: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        BadEndpoint { endpoint: endpoint.to_owned(), source: source.into() }
    }
}

/// A connection that is opened at its first use and again when it broke; `https` is encrypted, and the collector's certificate
/// is judged by the system's authorities (`SSL_CERT_FILE` names others). Must be called within a tokio runtime.
///
/// # Errors
/// [`BadEndpoint`].
pub(in crate::telemetry) fn channel(endpoint: &str) -> Result<Channel, BadEndpoint> {
    let bad = |error| BadEndpoint::new(endpoint, error);
    let mut to = Endpoint::from_shared(endpoint.to_owned()).map_err(bad)?.connect_timeout(CONNECT).timeout(ANSWER);
    if to.uri().scheme() == Some(&Scheme::HTTPS) {
        to = to.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(bad)?;
    }
    Ok(to.connect_lazy())
}

/// Who sends: the service, its version, and this process among its replicas, unless `OTEL_RESOURCE_ATTRIBUTES` names it.
pub(in crate::telemetry) fn resource() -> Resource {
    const INSTANCE: &str = "service.instance.id";
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let named = Resource::builder().with_service_name("quotad").with_attribute(version);
    let resource = named.build();
    if resource.get(&INSTANCE.into()).is_some() {
        return resource;
    }
    let attributes = resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let instance = KeyValue::new(INSTANCE, INSTANCE_ID.clone());
    Resource::builder_empty().with_attributes(attributes.chain([instance])).build()
}

/// The headers that the environment asks for; what can't be a header is left out.
pub(super) fn headers() -> MetadataMap {
    let mut headers = MetadataMap::new();
    for (name, value) in HEADERS.iter().filter_map(|name| std::env::var(name).ok()).flat_map(|list| pairs(&list)) {
        if let (Ok(name), Ok(value)) =
            (name.to_ascii_lowercase().parse::<AsciiMetadataKey>(), AsciiMetadataValue::try_from(value))
        {
            headers.insert(name, value);
        }
    }
    headers
}

/// The pairs of `name=value,name=value`; values are percent-encoded.
fn pairs(list: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.trim().to_owned(), decoded(value.trim())));
    list.split(',').filter_map(pair).collect()
}

/// Text without its percent-encoding; a percent sign that begins none stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let encoded = (first == b'%').then(|| after.split_at_checked(2)).flatten();
        let byte = encoded.and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            Some((u8::from_str_radix(digits, 16).ok()?, after))
        });
        let (byte, after) = byte.unwrap_or((first, after));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_the_specification_writes_them() {
        let expected = [("authorization", "Bearer x=y"), ("x-tenant", "100%"), ("x-plus", "%+1%zz")];
        let read = pairs("authorization=Bearer%20x%3Dy, x-tenant = 100% ,nothing,x-plus=%+1%zz");
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_resource_names_service_version_and_instance() {
        let (first, second) = (resource(), resource());
        let of = |resource: &Resource, key: &'static str| resource.get(&key.into()).map(|value| value.to_string());
        assert_eq!(of(&first, "service.name").as_deref(), Some("quotad"));
        assert_eq!(of(&first, "service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
        let instance = of(&first, "service.instance.id");
        assert!(instance.is_some() && instance == of(&second, "service.instance.id"), "{instance:?}");
    }
}
