//! Over gRPC: a load generator in this process, the servers and the bare echo in processes of their own.

use super::calls;
use super::child::{Scratch, Server};
use super::echo;
use super::histogram::Histogram;
use super::meter::{Meter, Sample, Tally, Watched, measure};
use super::options::{Options, cores};
use super::workload::Workload;
use crate::client::Client;
use crate::proto::v1::quota_service_client::QuotaServiceClient;
use crate::proto::v1::{self, enforce_request::Operation};
use anyhow::{Context, Result, bail};
use prost::Message;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

/// Items of a batch.
const BATCH: u64 = 64;

/// What is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Call {
    /// The echo, with a Reserve's sizes.
    Echo,
    /// Consume.
    Consume,
    /// Reserve, then Commit.
    Pair,
    /// BatchReserve, then BatchCommit, of 64 each.
    Batch,
    /// Consume on a stream.
    Stream,
}

/// Where servers keep what, and how many share it.
#[derive(Clone, Debug)]
pub(super) struct Replicas {
    /// How many.
    pub(super) count: usize,
    /// Further arguments of each.
    pub(super) args: Vec<String>,
    /// The counter store's process.
    pub(super) store: Option<u32>,
}

impl Replicas {
    /// One server that has everything in itself.
    pub(super) fn embedded() -> Replicas {
        Replicas { count: 1, args: Vec::new(), store: None }
    }
}

/// The servers, the echo, and what the echo must carry.
pub(super) struct Wire {
    servers: Vec<Server>,
    store: Option<u32>,
    echo: Server,
    addrs: Vec<String>,
    /// Bytes of a Reserve's request and response.
    sizes: (usize, usize),
    workload: Workload,
    next: u64,
    _scratch: Scratch,
}

impl Wire {
    /// Starts the servers, or only the echo beside a server that runs already, and applies the benchmark's catalog.
    ///
    /// # Errors
    /// Servers that can't be started or reached.
    pub(super) fn start(options: &Options, replicas: &Replicas) -> Result<Wire> {
        let scratch = Scratch::new(&options.data_dir)?;
        let any = "127.0.0.1:0";
        let started = if options.addr.is_some() { 0 } else { replicas.count };
        let mut servers = Vec::new();
        for number in 0..started {
            let data = scratch.path().join(format!("server-{number}"));
            let data = data.to_str().context("the temporary folder's name is not Unicode")?;
            let mut args = vec!["serve", "--data-dir", data, "--grpc-addr", any, "--http-addr", any];
            args.extend(replicas.args.iter().map(String::as_str));
            servers.push(Server::start(&options.program, &args)?);
        }
        let echo = Server::start(&options.program, &["bench", "--echo", any])?;
        let addrs: Vec<String> =
            options.addr.iter().cloned().chain(servers.iter().map(|server| server.addr().to_owned())).collect();
        let addr = addrs.first().context("no server to measure")?.clone();
        let workload = options.workload();
        let sizes = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let client = Client::connect(&addr)?;
            let yaml = workload.catalog();
            client.apply(v1::ApplyRequest { yaml: yaml.into(), ..Default::default() }).await?;
            let request = workload.reserve(workload.place(0), 0);
            let size = request.encoded_len();
            anyhow::Ok((size, client.reserve(request).await?.encoded_len()))
        })?;
        let store = replicas.store;
        Ok(Wire { servers, store, echo, addrs, sizes, workload, next: 1, _scratch: scratch })
    }

    /// Measures one round of a call on the first `replicas` servers, to which the connections are dealt.
    ///
    /// # Errors
    /// A call that fails or is denied.
    pub(super) fn round(&mut self, options: &Options, call: Call, replicas: usize) -> Result<Sample> {
        let (addrs, watched) = match call {
            Call::Echo => {
                let watched = Watched { servers: vec![self.echo.id()], store: None };
                (vec![self.echo.addr().to_owned()], watched)
            }
            _ => {
                let servers = self.servers.iter().map(Server::id).collect();
                (self.addrs.iter().take(replicas).cloned().collect(), Watched { servers, store: self.store })
            }
        };
        let first = self.next;
        // More than a round can use: numbers are not used twice.
        self.next += 1 << 32;
        let (sizes, workload, connections) = (self.sizes, self.workload, options.connections);
        let each = match call {
            // A batch is many decisions: with as many batches as calls, the server would only queue them.
            Call::Batch => options.in_flight.div_ceil(8),
            _ => options.in_flight,
        }
        .div_ceil(connections);
        measure(options.time, first, &watched, |meter| {
            calls::on_every_core(cores(), |core| {
                let (addrs, meter) = (addrs.clone(), meter.clone());
                async move {
                    let mut workers = Vec::new();
                    for connection in (core..connections).step_by(cores()) {
                        let addr = &addrs[connection / cores() % addrs.len()];
                        let channel = Endpoint::from_shared(format!("http://{addr}"))?.tcp_nodelay(true);
                        let channel = channel.connect().await.with_context(|| format!("can't connect to {addr}"))?;
                        let load = Load { channel, workload, meter: meter.clone(), call, each, sizes };
                        // A stream has all its calls under way on one task.
                        let tasks = if call == Call::Stream { 1 } else { each };
                        workers.extend((0..tasks).map(|_| load.clone().run()));
                    }
                    calls::all(workers).await
                }
            })
        })
    }
}

/// One worker on a connection.
#[derive(Clone)]
struct Load {
    channel: Channel,
    workload: Workload,
    meter: Arc<Meter>,
    call: Call,
    each: usize,
    sizes: (usize, usize),
}

impl Load {
    async fn run(self) -> Result<Histogram> {
        let tally = Tally::new(self.meter.clone());
        match self.call {
            Call::Echo => self.echo(tally).await,
            Call::Consume => self.consume(tally).await,
            Call::Pair => self.pair(tally).await,
            Call::Batch => self.batch(tally).await,
            Call::Stream => self.stream(tally).await,
        }
    }

    async fn echo(self, mut tally: Tally) -> Result<Histogram> {
        let mut grpc = tonic::client::Grpc::new(self.channel);
        let request = echo::request(self.sizes.0, self.sizes.1);
        let path = http::uri::PathAndQuery::from_static(echo::PATH);
        while tally.goes_on() {
            let start = Instant::now();
            grpc.ready().await?;
            let codec = ProstCodec::<Vec<u8>, Vec<u8>>::default();
            grpc.unary(tonic::Request::new(request.clone()), path.clone(), codec).await?;
            tally.done(start, 1);
        }
        Ok(tally.finish())
    }

    async fn consume(self, mut tally: Tally) -> Result<Histogram> {
        let mut client = QuotaServiceClient::new(self.channel);
        while tally.goes_on() {
            let number = tally.numbers(1);
            let request = self.workload.consume(self.workload.place(number), number);
            let start = Instant::now();
            granted(client.consume(request).await?.get_ref())?;
            tally.done(start, 1);
        }
        Ok(tally.finish())
    }

    async fn pair(self, mut tally: Tally) -> Result<Histogram> {
        let mut client = QuotaServiceClient::new(self.channel);
        while tally.goes_on() {
            let number = tally.numbers(1);
            let place = self.workload.place(number);
            let request = self.workload.reserve(place, number);
            let start = Instant::now();
            held(client.reserve(request).await?.get_ref())?;
            tally.done(start, 1);
            let request = self.workload.commit(place, number);
            let start = Instant::now();
            client.commit(request).await?;
            tally.done(start, 1);
        }
        Ok(tally.finish())
    }

    async fn batch(self, mut tally: Tally) -> Result<Histogram> {
        use v1::batch_reserve_result::Result as One;
        let mut client = QuotaServiceClient::new(self.channel);
        while tally.goes_on() {
            // A batch is one tenant's.
            let first = tally.numbers(BATCH * 16);
            let place = self.workload.place(first);
            let numbers = || (0..BATCH).map(|item| first + item * 16);
            let items = || numbers().map(|number| (self.workload.within(place, number), number));
            let tenant = place.tenant();
            let requests = items().map(|(place, number)| self.workload.reserve(place, number)).collect();
            let start = Instant::now();
            let answer = client.batch_reserve(v1::BatchReserveRequest { tenant: tenant.clone(), requests }).await?;
            for result in answer.into_inner().results {
                match result.result {
                    Some(One::Response(response)) => held(&response)?,
                    other => bail!("an item of a batch failed: {other:?}"),
                }
            }
            tally.done(start, BATCH);
            let requests = items().map(|(place, number)| self.workload.commit(place, number)).collect();
            let start = Instant::now();
            client.batch_commit(v1::BatchCommitRequest { tenant, requests }).await?;
            tally.done(start, BATCH);
        }
        Ok(tally.finish())
    }

    async fn stream(self, mut tally: Tally) -> Result<Histogram> {
        let mut client = QuotaServiceClient::new(self.channel);
        // At most `each` are under way, so that the channel is bounded by them.
        let (asked, requests) = tokio::sync::mpsc::unbounded_channel();
        let mut starts: HashMap<u64, Instant> = HashMap::new();
        let workload = self.workload;
        let ask = |tag: u64, starts: &mut HashMap<u64, Instant>| {
            starts.insert(tag, Instant::now());
            let operation = Some(Operation::Consume(workload.consume(workload.place(tag), tag)));
            asked.send(v1::EnforceRequest { tag, operation }).ok().context("the stream ended")
        };
        for _ in 0..self.each {
            ask(tally.numbers(1), &mut starts)?;
        }
        let mut answers = client.enforce(UnboundedReceiverStream::new(requests)).await?.into_inner();
        while tally.goes_on() {
            let answer = answers.next().await.context("the stream ended")??;
            match answer.result {
                Some(v1::enforce_response::Result::Consume(response)) => granted(&response)?,
                other => bail!("an operation of a stream failed: {other:?}"),
            }
            let start = starts.remove(&answer.tag).context("an answer to nothing")?;
            tally.done(start, 1);
            ask(tally.numbers(1), &mut starts)?;
        }
        Ok(tally.finish())
    }
}

fn held(response: &v1::ReserveResponse) -> Result<()> {
    match &response.outcome {
        Some(v1::reserve_response::Outcome::Granted(_)) => Ok(()),
        other => bail!("a charge of the benchmark was denied: {other:?}"),
    }
}

fn granted(response: &v1::ConsumeResponse) -> Result<()> {
    match &response.outcome {
        Some(v1::consume_response::Outcome::Granted(_)) => Ok(()),
        other => bail!("a charge of the benchmark was denied: {other:?}"),
    }
}
