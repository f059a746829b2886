//! What the layers need to know of each method: its message limit, its longest time, when it is shed, and its metrics. The
//! list comes from the protocol's descriptors, so that a new RPC cannot be forgotten here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use prost::Message;

use crate::telemetry::calls::RpcMetrics;

/// The longest message of a unary method where nothing else is said, in bytes.
pub const UNARY_LIMIT: usize = 64 << 10;
/// The longest message on a stream where nothing else is said, in bytes.
pub const STREAM_LIMIT: usize = 1 << 20;

/// A departure from the defaults for one method.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exception {
    /// The path, `/package.Service/Method`.
    pub path: &'static str,
    /// The longest message in bytes, instead of [`UNARY_LIMIT`] or [`STREAM_LIMIT`].
    pub message_limit: Option<usize>,
    /// The longest time a unary call may take, instead of the general one.
    pub deadline: Option<Duration>,
    /// How long it is admitted under load, instead of [`Rank::Report`].
    pub rank: Option<Rank>,
}

/// How long calls are admitted as load grows: the first is refused last, because what has begun is to be finished before
/// anything new begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rank {
    /// Ends what was begun; what it frees makes room for others.
    End,
    /// Begins something.
    Begin,
    /// Only looks.
    Look,
    /// Can wait: reports, lists, what an administrator does.
    Report,
}

/// Why the list could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MethodsError {
    /// A descriptor set can't be decoded.
    #[error("descriptor set: {0}")]
    Descriptors(#[from] prost::DecodeError),
    /// An exception names a method that is not served.
    #[error("no such method: {0}")]
    Unknown(&'static str),
}

/// What holds for one method.
#[derive(Clone)]
pub(crate) struct Method {
    /// `package.Service/Method`.
    pub(crate) rpc: String,
    /// The longest message in bytes.
    pub(crate) message_limit: usize,
    /// The longest time of a call; streams have none.
    pub(crate) deadline: Option<Duration>,
    /// How long it is admitted under load; `None` for health and reflection, which answer an overloaded server's probes.
    pub(crate) rank: Option<Rank>,
    /// Its instruments.
    pub(crate) metrics: RpcMetrics,
}

/// All methods that are served.
pub struct Methods {
    by_path: HashMap<String, Arc<Method>, RandomState>,
    /// Stands for every path that is not served.
    other: Arc<Method>,
}

impl Methods {
    /// The methods of the services named in `served`, found in `descriptors` (encoded `FileDescriptorSet`s).
    ///
    /// `deadline` is the longest time of a unary call without an exception.
    ///
    /// # Errors
    /// A set that can't be decoded, or an exception for a method that is not in the list.
    pub fn new(
        descriptors: &[&[u8]],
        served: &[&str],
        deadline: Duration,
        exceptions: &[Exception],
    ) -> Result<Self, MethodsError> {
        let mut by_path: HashMap<String, Method> = HashMap::new();
        for set in descriptors {
            for file in FileSet::decode(*set)?.file {
                for service in &file.service {
                    let service_name = format!("{}.{}", file.package, service.name);
                    if served.contains(&service_name.as_str()) {
                        for rpc in &service.method {
                            let method = Method::with_defaults(&service_name, rpc, deadline);
                            by_path.insert(format!("/{}", method.rpc), method);
                        }
                    }
                }
            }
        }
        for exception in exceptions {
            let method = by_path.get_mut(exception.path).ok_or(MethodsError::Unknown(exception.path))?;
            method.message_limit = exception.message_limit.unwrap_or(method.message_limit);
            method.deadline = exception.deadline.or(method.deadline);
            method.rank = exception.rank.or(method.rank);
        }
        let other = Method {
            rpc: "other".to_owned(),
            message_limit: UNARY_LIMIT,
            deadline: Some(deadline),
            rank: Some(Rank::Report),
            metrics: RpcMetrics::new("other"),
        };
        let by_path = by_path.into_iter().map(|(path, method)| (path, Arc::new(method))).collect();
        Ok(Methods { by_path, other: Arc::new(other) })
    }

    /// What holds for a path.
    pub(crate) fn of(&self, path: &str) -> &Arc<Method> {
        self.by_path.get(path).unwrap_or(&self.other)
    }

    /// A copy that shares no reference counts with this one: counts shared between cores cost more than the look-up.
    pub(crate) fn for_core(&self) -> Self {
        let copy = |method: &Arc<Method>| Arc::new(Method::clone(method));
        let by_path = self.by_path.iter().map(|(path, method)| (path.clone(), copy(method))).collect();
        Methods { by_path, other: copy(&self.other) }
    }
}

impl Method {
    fn with_defaults(service: &str, rpc: &RpcName, deadline: Duration) -> Self {
        let streaming = rpc.client_streaming || rpc.server_streaming;
        let name = format!("{service}/{}", rpc.name);
        Method {
            message_limit: if rpc.client_streaming { STREAM_LIMIT } else { UNARY_LIMIT },
            deadline: (!streaming).then_some(deadline),
            rank: (!service.starts_with("grpc.")).then_some(Rank::Report),
            metrics: RpcMetrics::new(&name),
            rpc: name,
        }
    }
}

/// The few fields of `google.protobuf.FileDescriptorSet` that are read here; the rest is skipped.
#[derive(Clone, PartialEq, Message)]
struct FileSet {
    #[prost(message, repeated, tag = "1")]
    file: Vec<File>,
}

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(string, tag = "2")]
    package: String,
    #[prost(message, repeated, tag = "6")]
    service: Vec<ServiceName>,
}

#[derive(Clone, PartialEq, Message)]
struct ServiceName {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    method: Vec<RpcName>,
}

#[derive(Clone, PartialEq, Message)]
struct RpcName {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bool, tag = "5")]
    client_streaming: bool,
    #[prost(bool, tag = "6")]
    server_streaming: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVED: &[&str] = &["quotad.v1.QuotaService", "quotad.v1.CatalogService", "grpc.health.v1.Health"];
    const SETS: &[&[u8]] = &[crate::proto::DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET];
    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn defaults_follow_the_protocol() {
        let methods = Methods::new(SETS, SERVED, TEN, &[]).expect("good sets");
        let reserve = methods.of("/quotad.v1.QuotaService/Reserve");
        assert_eq!(
            (reserve.message_limit, reserve.deadline, reserve.rank),
            (UNARY_LIMIT, Some(TEN), Some(Rank::Report))
        );
        let enforce = methods.of("/quotad.v1.QuotaService/Enforce");
        assert_eq!((enforce.message_limit, enforce.deadline, enforce.rank), (STREAM_LIMIT, None, Some(Rank::Report)));
        let watch = methods.of("/grpc.health.v1.Health/Watch");
        assert_eq!((watch.message_limit, watch.deadline, watch.rank), (UNARY_LIMIT, None, None));
        assert_eq!(methods.of("/quotad.v1.TestClockService/Set").rpc, "other");
        assert_eq!(methods.of("quotad.v1.QuotaService/Reserve").rpc, "other");
    }

    #[test]
    fn exceptions_change_one_method_and_must_name_one() {
        let minutes = Duration::from_secs(300);
        let apply = Exception {
            path: "/quotad.v1.CatalogService/Apply",
            message_limit: Some(64 << 20),
            deadline: Some(minutes),
            rank: Some(Rank::Look),
        };
        let methods = Methods::new(SETS, SERVED, TEN, &[apply]).expect("Apply exists").for_core();
        let method = methods.of(apply.path);
        assert_eq!((method.message_limit, method.deadline, method.rank), (64 << 20, Some(minutes), Some(Rank::Look)));
        let unknown = Exception { path: "/quotad.v1.CatalogService/Nothing", ..apply };
        assert!(matches!(Methods::new(SETS, SERVED, TEN, &[unknown]), Err(MethodsError::Unknown(_))));
    }
}
