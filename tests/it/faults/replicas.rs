//! Two replicas with one ledger, wherever their counters are.

use super::jobs::{CATALOG, Quota};
use crate::support::{Options, Postgres, Proxy, Server, TempDir};
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

/// The replicas, and the PostgreSQL that they reach through a proxy.
pub(super) struct Replicas {
    /// The servers.
    pub(super) servers: Vec<Server>,
    /// Their stubs, which clients look up at each call: a replica that starts again has another address.
    pub(super) stubs: Stubs,
    /// Ledger and catalog.
    pub(super) postgres: Postgres,
    /// In front of PostgreSQL.
    pub(super) postgres_way: Proxy,
    /// The database, as PostgreSQL knows it.
    database: String,
    _folder: TempDir,
}

impl Replicas {
    /// Starts them on that Redis.
    pub(super) fn start(redis_url: &str) -> Replicas {
        let folder = TempDir::new("faults");
        let catalog = folder.path().join("faults.yaml");
        fs::write(&catalog, CATALOG).unwrap();
        // A process that dies loses nothing that the system was given.
        let postgres = Postgres::start_with(&["fsync=off"]);
        let direct = postgres.fresh_database();
        let (place, database) = direct.rsplit_once('/').unwrap();
        let (login, port) = place.rsplit_once(':').unwrap();
        let postgres_way = Proxy::start(port.parse().unwrap());
        let options = Options::new()
            .catalog(catalog)
            .arg("--redis-url")
            .arg(redis_url)
            .arg("--database-url")
            .arg(format!("{login}:{}/{database}", postgres_way.port()));
        let servers = vec![Server::start(options.clone()), Server::start(options)];
        let stubs = Stubs(Arc::new(Mutex::new(servers.iter().map(Server::quota).collect())));
        let database = database.to_owned();
        Replicas { servers, stubs, postgres, postgres_way, database, _folder: folder }
    }

    /// Kills a replica; nothing is said before.
    pub(super) fn kill(&mut self, replica: usize) {
        self.servers[replica].kill_hard();
    }

    /// Starts a killed replica again.
    pub(super) fn revive(&mut self, replica: usize) {
        self.servers[replica].restart();
        self.stubs.set(replica, self.servers[replica].quota());
    }

    /// Ends both in good order.
    pub(super) fn end(&mut self) {
        for server in &mut self.servers {
            let status = server.terminate();
            assert!(status.success(), "{status}\n{}", server.stderr());
        }
    }

    /// Rows of the ledger, values parted by `|`.
    pub(super) fn sql(&self, query: &str) -> Vec<Vec<String>> {
        let rows = self.postgres.sql(&self.database, query);
        rows.lines().map(|row| row.split('|').map(str::to_owned).collect()).collect()
    }

    /// The ledger's URL, without the proxy.
    pub(super) fn database_url(&self) -> String {
        self.postgres.url(&self.database)
    }

    /// How many lost entries the replicas have told of since they started.
    pub(super) fn lost_entries(&self) -> u64 {
        self.servers.iter().map(|server| server.metric("quotad_lost_entries_total")).sum()
    }
}

/// A stub for each replica.
#[derive(Clone)]
pub(super) struct Stubs(Arc<Mutex<Vec<Quota>>>);

impl Stubs {
    /// The stub of the replica with that number, whatever the number is.
    pub(super) fn get(&self, number: usize) -> Quota {
        let stubs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stubs[number % stubs.len()].clone()
    }

    fn set(&self, replica: usize, stub: Quota) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[replica] = stub;
    }
}
