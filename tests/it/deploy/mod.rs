//! What `deploy/` says, held against the program: no container engine, cluster, Prometheus or Grafana is needed.

mod compose;
mod files;
mod manifests;
mod monitoring;
