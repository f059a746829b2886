//! Replicas on one Redis and one PostgreSQL, and a hand that changes what stands in Redis.

use crate::support::redis::RedisServer;
use crate::support::{Options, Output, Server, Shared, TempDir, cli};
use quotad::domain::name::{MeterName, Uid};
use serde_json::Value;
use std::fs;

const CATALOG: &str = "
meters:
  - {name: runs, unit: run}
  - {name: mails, unit: mail, expiry: CHARGE}
  - {name: jobs, unit: job}
  - {name: disk.bytes, unit: byte, family: allocation}
tenants:
  - name: tenants/acme
    quotas:
      - {subject: tenants/acme, meter: runs, limits: {day: 100000000}}
      - {subject: tenants/acme/users/-, meter: runs, limits: {minute: 100000, day: 10}, top_up: 100000000}
      - {subject: tenants/acme/users/-, meter: mails, limits: {sliding: {amount: 1000000, length: 1h}}}
      - {subject: tenants/acme/users/-, meter: jobs, limits: {lifetime: 1000000, day: 500000}}
      - {subject: tenants/acme/users/-, meter: disk.bytes, limits: {lifetime: 1000000}}
";
pub(super) const TENANT: &str = "tenants/acme";
pub(super) const U1: &str = "tenants/acme/users/u1";

/// Replicas of one installation.
pub(super) struct World {
    pub(super) servers: Vec<Server>,
    pub(super) shared: Shared,
    pub(super) options: Options,
    _folder: TempDir,
}

impl World {
    pub(super) fn new(replicas: usize, clock: bool) -> World {
        let folder = TempDir::new("catalog");
        let file = folder.path().join("live.yaml");
        fs::write(&file, CATALOG).unwrap();
        let shared = Shared::with_postgres();
        let options = Options::new().catalog(file);
        let options = shared.installation(if clock { options.test_clock() } else { options });
        let servers = (0..replicas).map(|_| Server::start(options.clone())).collect();
        World { servers, shared, options, _folder: folder }
    }

    pub(super) fn verify(&self, more: &[&str]) -> Output {
        let (url, prefix) = self.options.redis_place().unwrap();
        let database = self.options.database_url().unwrap();
        let place = ["verify", "--redis-url", url, "--redis-prefix", prefix, "--database-url", database];
        cli(place.iter().chain(more))
    }

    /// The exit status and the report.
    #[track_caller]
    pub(super) fn report(&self, more: &[&str]) -> (i32, Value) {
        let more: Vec<&str> = more.iter().chain(&["--json"]).copied().collect();
        let output = self.verify(&more);
        assert_ne!(output.status, Some(2), "{output:?}");
        (output.status.unwrap(), output.json())
    }

    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{{p0}}:{name}", self.options.redis_place().unwrap().1)
    }

    pub(super) fn redis(&self) -> &RedisServer {
        &self.shared.redis
    }

    /// Runs a command of a client, which must be granted.
    #[track_caller]
    pub(super) fn call(&self, command: &str, args: &str) {
        let addr = self.servers[0].grpc_addr();
        let output = cli([command, "--addr", addr].into_iter().chain(args.split_whitespace()));
        assert_eq!(output.status, Some(0), "{command} {args}: {output:?}");
    }

    pub(super) fn take(&self, command: &str, account: &str, meter: &str, amount: u64, id: &str) {
        self.call(command, &format!("--account {account} --meter {meter} --amount {amount} --id {id}"));
    }

    pub(super) fn get(&self, hash: &str, field: &[u8]) -> Option<Vec<u8>> {
        redis::cmd("HGET").arg(self.key(hash)).arg(field).query(&mut self.redis().connection()).unwrap()
    }

    pub(super) fn set(&self, hash: &str, field: &[u8], value: &[u8]) {
        let mut command = redis::cmd("HSET");
        command.arg(self.key(hash)).arg(field).arg(value).exec(&mut self.redis().connection()).unwrap();
    }

    pub(super) fn remove(&self, hash: &str, field: &[u8]) {
        redis::cmd("HDEL").arg(self.key(hash)).arg(field).exec(&mut self.redis().connection()).unwrap();
    }

    /// Changes the bytes of a counter.
    pub(super) fn change(&self, hash: &str, field: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
        let mut value = self.get(hash, field).unwrap();
        change(&mut value);
        self.set(hash, field, &value);
    }

    /// Some of everything, none of it open.
    pub(super) fn worked(&self) {
        self.take("consume", U1, "runs", 15, "a");
        self.take("reserve", U1, "runs", 2, "b");
        self.call("commit", "--tenant tenants/acme --id b --charge tenants/acme/users/u1,runs,1");
        self.take("consume", U1, "mails", 5, "c");
        self.take("consume", U1, "jobs", 1000, "d");
        self.take("consume", U1, "disk.bytes", 1000, "e");
        self.call("free", &format!("--account {U1} --meter disk.bytes --amount 300"));
    }
}

/// The field of a counter.
pub(super) fn counter(account: &str, meter: &str) -> Vec<u8> {
    let meter = meter.parse::<MeterName>().unwrap().id();
    [Uid::of(account).to_bytes().to_vec(), meter.0.to_be_bytes().to_vec()].concat()
}

/// Adds to one of a value's doubles (`src/lua/README.md`).
pub(super) fn add(value: &mut [u8], at: usize, by: f64) {
    let figure = f64::from_le_bytes(value[at..at + 8].try_into().unwrap());
    value[at..at + 8].copy_from_slice(&(figure + by).to_le_bytes());
}

/// Where figures stand: of a value, and of its first window.
pub(super) const TOP_UP_USED: usize = 2;
pub(super) const TOP_UP_HELD: usize = 10;
pub(super) const OWN: usize = 18;
pub(super) const WINDOW: usize = 27;
pub(super) const USED: usize = WINDOW + 9 + 16;
pub(super) const HELD: usize = USED + 8;
/// Of a sliding window: used in its first bucket.
pub(super) const BUCKET_USED: usize = WINDOW + 9 + 8 + 2 + 8;
