//! What a race runs on: one server with everything in its folder, or three replicas on one Redis, or a cluster, and one
//! PostgreSQL.

use super::history::History;
use crate::support::redis::Cluster;
use crate::support::{Options, Server, Shared, TempDir, cli};
use quotad::proto::v1::{GetUsageRequest, WindowUsage, quota_service_client::QuotaServiceClient};
use std::fs;
use tonic::transport::Channel;

/// Replicas of one installation.
pub(super) struct Place {
    // Before what they stand on: they end first.
    pub(super) servers: Vec<Server>,
    pub(super) options: Options,
    _shared: Option<Shared>,
    _folder: TempDir,
}

impl Place {
    /// One server, everything in its folder.
    pub(super) fn embedded(catalog: &str) -> Place {
        Place::start(catalog, 1, |options| options)
    }

    /// The same with further arguments.
    pub(super) fn embedded_with(catalog: &str, args: &[&str]) -> Place {
        Place::start(catalog, 1, |options| args.iter().fold(options, |options, arg| options.arg(*arg)))
    }

    /// Three replicas.
    pub(super) fn replicas(catalog: &str) -> Place {
        let shared = Shared::with_postgres();
        let place = Place::start(catalog, 3, |options| shared.installation(options));
        Place { _shared: Some(shared), ..place }
    }

    /// Three replicas of another program.
    pub(super) fn replicas_of(program: &std::ffi::OsStr, catalog: &str) -> Place {
        let shared = Shared::with_postgres();
        let place = Place::start(catalog, 3, |options| shared.installation(options).program(program));
        Place { _shared: Some(shared), ..place }
    }

    /// Three replicas on a cluster, which must outlive them.
    pub(super) fn on_cluster(shared: &Shared<Cluster>, catalog: &str) -> Place {
        Place::start(catalog, 3, |options| shared.installation(options))
    }

    fn start(catalog: &str, count: usize, installation: impl FnOnce(Options) -> Options) -> Place {
        let folder = TempDir::new("catalog");
        let file = folder.path().join("race.yaml");
        fs::write(&file, catalog).unwrap();
        let options = installation(Options::new().catalog(file));
        let servers = (0..count).map(|_| Server::start(options.clone())).collect();
        Place { servers, options, _shared: None, _folder: folder }
    }

    /// A new connection to one of the replicas, each in turn.
    pub(super) fn quota(&self, number: usize) -> QuotaServiceClient<Channel> {
        self.servers[number % self.servers.len()].quota()
    }

    /// A new connection to each replica.
    pub(super) fn quotas(&self) -> Vec<QuotaServiceClient<Channel>> {
        self.servers.iter().map(Server::quota).collect()
    }

    /// An account's figures over its lifetime, on which all replicas agree.
    pub(super) async fn figures(&self, tenant: &str, account: &str) -> WindowUsage {
        let mut seen: Option<WindowUsage> = None;
        for server in &self.servers {
            let request = GetUsageRequest { tenant: tenant.into(), account: account.into(), meter: "runs".into() };
            let report = server.usage().get_usage(request).await.unwrap().into_inner();
            let windows = &report.meters[0].windows;
            let window = windows.iter().find(|window| window.window == "lifetime").unwrap();
            if let Some(seen) = &seen {
                assert_eq!((seen.used, seen.held), (window.used, window.held), "{account}: replicas differ");
            }
            seen = Some(window.clone());
        }
        seen.unwrap()
    }

    /// Ends all in good order; their ledger, after `quotad verify` has found nothing wrong with it.
    pub(super) async fn end(&mut self) -> History {
        for server in &mut self.servers {
            assert!(server.terminate().success(), "{}", server.stderr());
        }
        let file = self.servers[0].data_dir().join("ledger.db");
        let url = self.options.database_url().map_or_else(|| format!("sqlite:{}", file.display()), str::to_owned);
        let verdict = cli(["verify", "--database-url", &url]);
        assert_eq!(verdict.status, Some(0), "{verdict:?}");
        History::read(&url).await
    }
}
