//! The server that the stories of one file share, and its clock.

use super::operation::millis;
use crate::support::redis::Cluster;
use crate::support::{Options, Server, Shared};
use quotad::domain::time::{Span, Timestamp};
use quotad::proto::v1::{
    catalog_service_client::CatalogServiceClient, quota_service_client::QuotaServiceClient,
    usage_service_client::UsageServiceClient,
};
use std::sync::Arc;
use tonic::transport::Channel;

/// What the clock shows before a story sets it: behind that of any machine, because no server's clock goes back.
const DAWN: &str = "2040-01-02T09:00:00Z";

/// What the servers under the stories stand on: gives options with a new, empty installation. Another counter store is another
/// value here; the stories stay as they are.
pub(super) struct Place(Box<dyn Fn(Options) -> Options + Send>);

impl Place {
    /// Everything in the server's own folder.
    pub(super) fn embedded() -> Place {
        Place(Box::new(|options| options))
    }

    /// Counters in Redis, the ledger in a file.
    pub(super) fn redis_and_file() -> Place {
        let shared = Shared::with_file();
        Place(Box::new(move |options| shared.installation(options)))
    }

    /// Counters in Redis, the ledger in PostgreSQL.
    pub(super) fn redis_and_postgres() -> Place {
        let shared = Shared::with_postgres();
        Place(Box::new(move |options| shared.installation(options)))
    }

    /// Counters in a cluster, the ledger in PostgreSQL, both shared with others.
    pub(super) fn cluster(shared: Arc<Shared<Cluster>>) -> Place {
        Place(Box::new(move |options| shared.installation(options)))
    }

    /// How to start a server on nothing yet.
    fn empty(&self) -> Options {
        self.0(Options::new().test_clock())
    }
}

/// A server with its connections and its time.
pub(super) struct World {
    // Before what it stands on: it ends first.
    server: Server,
    place: Place,
    /// What the server's clock shows.
    pub(super) now: Timestamp,
    /// The hot path.
    pub(super) quota: QuotaServiceClient<Channel>,
    /// The catalog.
    pub(super) catalog: CatalogServiceClient<Channel>,
    /// Usage.
    pub(super) usage: UsageServiceClient<Channel>,
}

impl World {
    /// Starts a server at dawn.
    pub(super) async fn new(place: Place) -> World {
        let server = Server::start(place.empty());
        let now = read_time(DAWN).unwrap_or_else(|e| panic!("{e}"));
        let (quota, catalog, usage) = (server.quota(), server.catalog(), server.usage());
        server.set_clock(now).await;
        World { server, place, now, quota, catalog, usage }
    }

    /// Starts a new server if the clock is past that time: for a story that begins earlier than the one before it.
    pub(super) async fn fresh_if_after(&mut self, text: &str) -> Result<(), String> {
        if read_time(text)? < self.now {
            self.server = Server::start(self.place.empty());
            self.now = read_time(DAWN)?;
            self.connect().await;
        }
        Ok(())
    }

    /// Sets the clock to a time, or by a length (`+90s`); never back.
    pub(super) async fn set_clock(&mut self, text: &str) -> Result<(), String> {
        let to = match text.strip_prefix('+') {
            Some(length) => self.now + Span::from_millis(millis(length)?),
            None => read_time(text)?,
        };
        if to < self.now {
            return Err(format!("the clock shows {} and can't go back to {to}", self.now));
        }
        self.server.set_clock(to).await;
        self.now = to;
        Ok(())
    }

    /// Whether everything that the stories left is right: ledger, and what is live in Redis.
    pub(super) fn verify(&self) -> Result<(), String> {
        let found = self.server.verify();
        if found.status == Some(0) { Ok(()) } else { Err(format!("quotad verify, afterwards: {found:?}")) }
    }

    /// A connection of its own.
    pub(super) fn connection(&self) -> QuotaServiceClient<Channel> {
        self.server.quota()
    }

    /// Ends the server, asked or killed, and starts it again on its data at the same time.
    pub(super) async fn restart(&mut self, kill: bool) -> Result<(), String> {
        if kill {
            self.server.kill_hard();
        } else {
            let status = self.server.terminate();
            if !status.success() {
                return Err(format!("it ended with {status}"));
            }
        }
        self.server.restart();
        self.connect().await;
        Ok(())
    }

    /// Connects to the server, which has just started, and sets its clock.
    async fn connect(&mut self) {
        self.server.set_clock(self.now).await;
        (self.quota, self.catalog, self.usage) = (self.server.quota(), self.server.catalog(), self.server.usage());
    }
}

fn read_time(text: &str) -> Result<Timestamp, String> {
    let time: jiff::Timestamp = text.parse().map_err(|e| format!("{text:?}: {e}"))?;
    Ok(Timestamp::from_millis(time.as_millisecond()))
}
