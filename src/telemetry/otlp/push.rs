//! Pushes metrics: what `/metrics` shows goes to the collector at an interval, and once more at the end.

use super::collector::{self, BadEndpoint};
use super::families::{self, Span};
use super::outlet::Outlet;
use crate::telemetry::metrics::{self, since};
use metrics_exporter_prometheus::PrometheusHandle;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// How long a push may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the last one may take.
const LAST: Duration = Duration::from_secs(3);

/// Where metrics go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushOptions {
    /// The collector's gRPC endpoint, for example `http://collector:4317`.
    pub endpoint: String,
    /// The time from one push to the next.
    pub interval: Duration,
}

/// What pushes, until it is finished or dropped.
#[derive(Debug)]
pub struct Push {
    finish: CancellationToken,
    task: JoinHandle<()>,
}

impl Push {
    /// Pushes to `options`' endpoint from a task of the current runtime; `before` is called before each push, to set gauges that nobody
    /// keeps up to date. A collector that does not answer costs points of a series and nothing else: counters go on.
    ///
    /// # Errors
    /// [`BadEndpoint`].
    pub fn start(options: &PushOptions, before: Arc<dyn Fn() + Send + Sync>) -> Result<Push, BadEndpoint> {
        let client = MetricsServiceClient::new(collector::channel(&options.endpoint)?);
        let attributes = ResourceAttributesWithSchema::from(&collector::resource()).attributes.0;
        let pusher = Pusher {
            client,
            headers: collector::headers(),
            resource: Resource { attributes, ..Resource::default() },
            page: metrics::install(),
            before,
            outlet: Outlet::new("metrics"),
        };
        let finish = CancellationToken::new();
        let task = tokio::spawn(pusher.run(options.interval, finish.clone()));
        Ok(Push { finish, task })
    }

    /// Pushes a last time, within three seconds, and ends.
    pub async fn finish(mut self) {
        self.finish.cancel();
        // Its panic, if it had one, has been logged by the panic hook.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the task has.
struct Pusher {
    client: MetricsServiceClient<Channel>,
    headers: MetadataMap,
    resource: Resource,
    page: PrometheusHandle,
    before: Arc<dyn Fn() + Send + Sync>,
    outlet: Outlet,
}

impl Pusher {
    async fn run(self, every: Duration, finish: CancellationToken) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is at once, when there is nothing to tell yet.
        ticks.tick().await;
        let pushing = async {
            loop {
                ticks.tick().await;
                self.push(PATIENCE).await;
            }
        };
        finish.run_until_cancelled(pushing).await;
        self.push(LAST).await;
    }

    async fn push(&self, patience: Duration) {
        (self.before)();
        let now = SystemTime::now();
        let families = families::metrics(&self.page.render(), Span { since: nanos(since()), now: nanos(now) });
        let points = families::points(&families);
        let scope = InstrumentationScope {
            name: "quotad".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics: families, ..ScopeMetrics::default() }];
        let resource_metrics = vec![ResourceMetrics {
            resource: Some(self.resource.clone()),
            scope_metrics,
            ..ResourceMetrics::default()
        }];
        match timeout(patience, self.send(ExportMetricsServiceRequest { resource_metrics })).await {
            Ok(Ok(rejected)) => {
                self.outlet.dropped(rejected);
                self.outlet.arrived();
            }
            Ok(Err(status)) => self.outlet.failed(points, status),
            Err(_) => self.outlet.failed(points, format!("no answer within {patience:?}")),
        }
    }

    /// Answers how many points the collector rejected of those that it took.
    async fn send(&self, metrics: ExportMetricsServiceRequest) -> Result<usize, Status> {
        let mut request = Request::new(metrics);
        *request.metadata_mut() = self.headers.clone();
        let answer = self.client.clone().export(request).await?.into_inner();
        let rejected = answer.partial_success.map_or(0, |partial| partial.rejected_data_points);
        Ok(usize::try_from(rejected).unwrap_or(0))
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
