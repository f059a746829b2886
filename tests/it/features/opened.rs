//! The ground under the tests of failing open: servers whose Redis goes away, and calls in a line.

use crate::support::{Options, Server, Shared, TempDir, cli};
use quotad::proto::v1::{
    Charge, CheckRequest, CommitRequest, ConsumeRequest, Durability, GetReservationRequest, GetUsageRequest,
    ReleaseRequest, Reservation, ReserveRequest, check_response, consume_response, reserve_response,
};
use std::fs;
use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tonic::{Code, Status};

pub(super) const OPEN: &str = "open";
pub(super) const SHUT: &str = "shut";
pub(super) const DAY: &str = "daily";
pub(super) const USER: &str = "tenants/a/users/u";

const CATALOG: &str = "
meters:
  - {name: open, failure_policy: fail_open}
  - {name: daily, failure_policy: fail_open}
  - {name: shut}
tenants:
  - name: tenants/a
    quotas:
      - {subject: tenants/a/users/-, meter: open, limits: {lifetime: 10}}
      - {subject: tenants/a/users/-, meter: daily, limits: {lifetime: 5, day: 5}}
      - {subject: tenants/a/users/-, meter: shut, limits: {lifetime: 10}}
";
const PATIENCE: Duration = Duration::from_secs(60);

/// A server on a Redis of its own.
pub(super) struct World {
    pub(super) server: Server,
    pub(super) shared: Shared,
    _folder: TempDir,
}

impl World {
    /// One server, its ledger in a file.
    pub(super) fn start(options: Options) -> World {
        World::on(Shared::with_file(), options).0
    }

    /// Two replicas, the ledger in PostgreSQL.
    pub(super) fn pair(options: Options) -> (World, Server) {
        let (world, options) = World::on(Shared::with_postgres(), options);
        (world, Server::start(options))
    }

    /// One server in a folder that is there already.
    pub(super) fn start_in(dir: TempDir) -> World {
        let (shared, folder) = (Shared::with_file(), TempDir::new("catalog"));
        let options = options(&shared, &folder, Options::new());
        World { server: Server::start_in(dir, options), shared, _folder: folder }
    }

    fn on(shared: Shared, more: Options) -> (World, Options) {
        let folder = TempDir::new("catalog");
        let options = options(&shared, &folder, more);
        (World { server: Server::start(options.clone()), shared, _folder: folder }, options)
    }

    /// Redis is back, and has all that was granted without it.
    pub(super) async fn back(&mut self) {
        self.shared.redis.restart();
        self.emptied().await;
    }

    /// Waits until nothing stands in the spool.
    pub(super) async fn emptied(&self) {
        emptied(&self.server).await;
    }

    /// Ends the server; the ledger is whole and has this use of the user in all.
    #[track_caller]
    pub(super) fn verify(mut self, used: i64) {
        assert!(self.server.terminate().success(), "{}", self.server.stderr());
        let data = self.server.data_dir();
        let output = cli(["verify", "--json", "--data-dir", data.to_str().unwrap()]);
        assert_eq!(output.status, Some(0), "{output:?}");
        self.server.restart();
        let account = ["usage", "--addr", self.server.grpc_addr(), "--account", USER, "--json"];
        let report = cli(account).json().to_string();
        assert!(
            report.contains(&format!("\"used\":\"{used}\"")) || report.contains(&format!("\"used\":{used}")),
            "{report}"
        );
    }
}

fn options(shared: &Shared, folder: &TempDir, more: Options) -> Options {
    let file = folder.path().join("open.yaml");
    fs::write(&file, CATALOG).unwrap();
    shared.installation(more.catalog(file))
}

pub(super) async fn emptied(server: &Server) {
    until("the spool is empty", || async { metric(server, "quotad_spool_entries") == 0 }).await;
}

/// Waits until it is so.
pub(super) async fn until<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let started = Instant::now();
    while !check().await {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A figure of `/metrics`; 0 if it is not told of.
pub(super) fn metric(server: &Server, name: &str) -> u64 {
    let addr = server.http_addr();
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse::<f64>().ok());
    value.map_or(0, |value| value as u64)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verb {
    Reserve,
    Consume,
    Commit,
    Release,
}

/// A call of one user.
#[derive(Clone, Debug)]
pub(super) struct Call {
    verb: Verb,
    id: String,
    charges: Vec<Charge>,
    seconds: i64,
    durable: bool,
    request_id: String,
    part: bool,
}

/// What a call was answered; no reservation: denied.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) reservation: Option<Reservation>,
    pub(super) replayed: bool,
    pub(super) durability: Durability,
}

impl Call {
    fn new(verb: Verb, id: &str, charges: &[(&str, i64)]) -> Call {
        let charges = charges.iter().map(|(meter, amount)| charge(meter, *amount)).collect();
        let (request_id, part) = (String::new(), false);
        Call { verb, id: id.to_owned(), charges, seconds: 600, durable: false, request_id, part }
    }

    pub(super) fn reserve(id: &str, meter: &str, amount: i64) -> Call {
        Call::new(Verb::Reserve, id, &[(meter, amount)])
    }

    pub(super) fn consume(id: &str, meter: &str, amount: i64) -> Call {
        Call::new(Verb::Consume, id, &[(meter, amount)])
    }

    pub(super) fn commit(id: &str, charges: &[(&str, i64)]) -> Call {
        Call::new(Verb::Commit, id, charges)
    }

    pub(super) fn release(id: &str) -> Call {
        Call::new(Verb::Release, id, &[])
    }

    /// Gives a part back.
    pub(super) fn release_part(id: &str, meter: &str, amount: i64) -> Call {
        Call::new(Verb::Release, id, &[(meter, amount)])
    }

    /// By a request id.
    pub(super) fn request(self, id: &str) -> Call {
        Call { request_id: id.to_owned(), ..self }
    }

    /// That does not end the reservation.
    pub(super) fn part(self) -> Call {
        Call { part: true, ..self }
    }

    /// With another charge.
    pub(super) fn and(mut self, meter: &str, amount: i64) -> Call {
        self.charges.push(charge(meter, amount));
        self
    }

    /// That waits for the ledger.
    pub(super) fn durable(self) -> Call {
        Call { durable: true, ..self }
    }

    /// For so long.
    pub(super) fn seconds(self, seconds: i64) -> Call {
        Call { seconds, ..self }
    }

    /// The reservation, if it is granted.
    pub(super) async fn granted(&self, server: &Server) -> Option<Reservation> {
        self.send(server).await.unwrap_or_else(|error| panic!("{self:?}: {error:?}")).reservation
    }

    pub(super) async fn send(&self, server: &Server) -> Result<Answered, Status> {
        let (tenant, reservation_id, charges) = ("tenants/a".to_owned(), self.id.clone(), self.charges.clone());
        let (wait_for_durable, request_id) = (self.durable, self.request_id.clone());
        let mut quota = server.quota();
        let (reservation, replayed, durability) = match self.verb {
            Verb::Reserve => {
                let ttl = Some(pbjson_types::Duration { seconds: self.seconds, nanos: 0 });
                let request = ReserveRequest {
                    tenant,
                    reservation_id,
                    request_id,
                    charges,
                    ttl,
                    wait_for_durable,
                    ..Default::default()
                };
                let answer = quota.reserve(request).await?.into_inner();
                let durability = answer.durability();
                let reservation = match answer.outcome.unwrap() {
                    reserve_response::Outcome::Granted(reservation) => Some(reservation),
                    reserve_response::Outcome::Denied(_) => None,
                };
                (reservation, answer.replayed, durability)
            }
            Verb::Consume => {
                let request = ConsumeRequest {
                    tenant,
                    reservation_id,
                    request_id,
                    charges,
                    wait_for_durable,
                    ..Default::default()
                };
                let answer = quota.consume(request).await?.into_inner();
                let durability = answer.durability();
                let reservation = match answer.outcome.unwrap() {
                    consume_response::Outcome::Granted(reservation) => Some(reservation),
                    consume_response::Outcome::Denied(_) => None,
                };
                (reservation, answer.replayed, durability)
            }
            Verb::Commit => {
                let r#final = Some(!self.part);
                let request = CommitRequest { tenant, reservation_id, request_id, charges, r#final, wait_for_durable };
                let answer = quota.commit(request).await?.into_inner();
                (answer.reservation.clone(), answer.replayed, answer.durability())
            }
            Verb::Release => {
                let request = ReleaseRequest { tenant, reservation_id, request_id, charges, wait_for_durable };
                let answer = quota.release(request).await?.into_inner();
                (answer.reservation.clone(), answer.replayed, answer.durability())
            }
        };
        Ok(Answered { reservation, replayed, durability })
    }
}

fn charge(meter: &str, amount: i64) -> Charge {
    Charge { account: USER.into(), meter: meter.into(), amount: Some(amount), ..Charge::default() }
}

/// Sends a call until it has an answer; unavailable is no other than "later".
pub(super) async fn patiently(call: &Call, server: &Server) -> Answered {
    let started = Instant::now();
    loop {
        match call.send(server).await {
            Ok(answered) => return answered,
            Err(error) => assert_eq!(error.code(), Code::Unavailable, "{call:?}: {error:?}"),
        }
        assert!(started.elapsed() < PATIENCE, "does not come back: {call:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How many limits a Check that is allowed tells of, and whether it is unenforced.
pub(super) async fn check(server: &Server, meter: &str, amount: i64) -> Result<(usize, bool), Status> {
    let request = CheckRequest { tenant: "tenants/a".into(), charges: vec![charge(meter, amount)] };
    match server.quota().check(request).await?.into_inner().outcome.unwrap() {
        check_response::Outcome::Granted(allowance) => Ok((allowance.limits.len(), allowance.unenforced)),
        check_response::Outcome::Denied(denial) => panic!("{denial:?}"),
    }
}

pub(super) async fn get(server: &Server, id: &str) -> Result<Reservation, Status> {
    let request = GetReservationRequest { tenant: "tenants/a".into(), reservation_id: id.into() };
    Ok(server.quota().get_reservation(request).await?.into_inner().reservation.unwrap())
}

/// Used and held.
pub(super) async fn figures(server: &Server, meter: &str) -> (i64, i64) {
    let request = GetUsageRequest { tenant: "tenants/a".into(), account: USER.into(), meter: meter.into() };
    let report = server.usage().get_usage(request).await.unwrap().into_inner();
    let window = &report.meters[0].windows[0];
    (window.used, window.held)
}

/// Each window's name and what is used in its present period.
pub(super) async fn windows(server: &Server, meter: &str) -> Vec<(String, i64)> {
    let request = GetUsageRequest { tenant: "tenants/a".into(), account: USER.into(), meter: meter.into() };
    let report = server.usage().get_usage(request).await.unwrap().into_inner();
    report.meters[0].windows.iter().map(|window| (window.window.clone(), window.used)).collect()
}
