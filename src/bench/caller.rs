//! Connections to servers, and the calls that are made on them.

use super::echo;
use super::histogram::Histogram;
use super::meter::{Meter, Tally};
use super::options::Call;
use super::spread::mixed;
use super::workload::Workload;
use crate::proto::v1::quota_service_client::QuotaServiceClient;
use crate::proto::v1::{self, enforce_request::Operation};
use anyhow::{Context, Result, bail};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

/// Items of a batch.
const BATCH: u64 = 64;

/// Where calls go, and what is asked there.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Servers, to which connections are dealt.
    pub(super) addrs: Vec<String>,
    /// What is asked.
    pub(super) workload: Workload,
    /// Bytes of the echo's request and of its answer.
    pub(super) sizes: (usize, usize),
}

impl Target {
    /// One core's part of so many connections.
    ///
    /// # Errors
    /// A server that can't be reached.
    pub(super) async fn connect(&self, core: usize, cores: usize, connections: usize) -> Result<Vec<Caller>> {
        let mut callers = Vec::new();
        for connection in (core..connections).step_by(cores) {
            let addr = &self.addrs[connection / cores % self.addrs.len()];
            let channel = Endpoint::from_shared(format!("http://{addr}"))?.tcp_nodelay(true);
            let channel = channel.connect().await.with_context(|| format!("can't connect to {addr}"))?;
            callers.push(Caller {
                client: QuotaServiceClient::new(channel.clone()),
                echo: tonic::client::Grpc::new(channel),
                workload: self.workload,
                sizes: self.sizes,
            });
        }
        Ok(callers)
    }
}

/// A connection.
#[derive(Clone)]
pub(super) struct Caller {
    /// The server's methods.
    pub(super) client: QuotaServiceClient<Channel>,
    echo: tonic::client::Grpc<Channel>,
    /// What is asked.
    pub(super) workload: Workload,
    sizes: (usize, usize),
}

impl Caller {
    /// Closed loop: makes calls of a kind one after the other until it is told to stop; on a stream, so many at a time.
    ///
    /// # Errors
    /// A call that fails or is denied.
    pub(super) async fn run(mut self, call: Call, at_a_time: usize, meter: Arc<Meter>) -> Result<Histogram> {
        let tally = Tally::new(meter);
        match call {
            Call::Batch => self.batches(&tally).await?,
            Call::Stream => self.stream(at_a_time, &tally).await?,
            _ => {
                while tally.goes_on() {
                    self.one(call, tally.numbers(1), None, &tally).await?;
                }
            }
        }
        Ok(tally.finish())
    }

    /// Makes the unary call number `number`; a Commit follows the answer to its Reserve. Latency counts from `start`, when the
    /// call was to begin, or else from when it is sent.
    ///
    /// # Errors
    /// A call that fails or is denied.
    pub(super) async fn one(&mut self, call: Call, number: u64, start: Option<Instant>, tally: &Tally) -> Result<()> {
        let begin = || start.unwrap_or_else(Instant::now);
        let place = self.workload.place(number);
        match if call == Call::Mix { of_mix(number) } else { call } {
            Call::Echo => {
                let request = echo::request(self.sizes.0, self.sizes.1);
                let start = begin();
                self.echo.ready().await?;
                let path = http::uri::PathAndQuery::from_static(echo::PATH);
                let codec = ProstCodec::<Vec<u8>, Vec<u8>>::default();
                self.echo.unary(tonic::Request::new(request), path, codec).await?;
                tally.done(start, 1);
            }
            Call::Check => {
                let request = self.workload.check(place);
                let start = begin();
                allowed(self.client.check(request).await?.get_ref())?;
                tally.done(start, 1);
            }
            Call::Pair => {
                let request = self.workload.reserve(place, number);
                let start = begin();
                held(self.client.reserve(request).await?.get_ref())?;
                tally.done(start, 1);
                let request = self.workload.commit(place, number);
                let start = Instant::now();
                self.client.commit(request).await?;
                tally.done(start, 1);
            }
            // Of the mix is left what it is made of; batches and streams are not made one by one.
            Call::Consume | Call::Mix | Call::Batch | Call::Stream => {
                let request = self.workload.consume(place, number);
                let start = begin();
                granted(self.client.consume(request).await?.get_ref())?;
                tally.done(start, 1);
            }
        }
        Ok(())
    }

    async fn batches(&mut self, tally: &Tally) -> Result<()> {
        use v1::batch_reserve_result::Result as One;
        while tally.goes_on() {
            // A batch is one tenant's.
            let first = tally.numbers(BATCH * 16);
            let place = self.workload.place(first);
            let numbers = || (0..BATCH).map(|item| first + item * 16);
            let items = || numbers().map(|number| (self.workload.within(place, number), number));
            let tenant = place.tenant();
            let requests = items().map(|(place, number)| self.workload.reserve(place, number)).collect();
            let start = Instant::now();
            let answer =
                self.client.batch_reserve(v1::BatchReserveRequest { tenant: tenant.clone(), requests }).await?;
            for result in answer.into_inner().results {
                match result.result {
                    Some(One::Response(response)) => held(&response)?,
                    other => bail!("an item of a batch failed: {other:?}"),
                }
            }
            tally.done(start, BATCH);
            let requests = items().map(|(place, number)| self.workload.commit(place, number)).collect();
            let start = Instant::now();
            self.client.batch_commit(v1::BatchCommitRequest { tenant, requests }).await?;
            tally.done(start, BATCH);
        }
        Ok(())
    }

    async fn stream(&mut self, at_a_time: usize, tally: &Tally) -> Result<()> {
        // At most so many are under way, so that the channel is bounded by them.
        let (asked, requests) = tokio::sync::mpsc::unbounded_channel();
        let mut starts: HashMap<u64, Instant> = HashMap::new();
        let workload = self.workload;
        let ask = |tag: u64, starts: &mut HashMap<u64, Instant>| {
            starts.insert(tag, Instant::now());
            let operation = Some(Operation::Consume(workload.consume(workload.place(tag), tag)));
            asked.send(v1::EnforceRequest { tag, operation }).ok().context("the stream ended")
        };
        for _ in 0..at_a_time {
            ask(tally.numbers(1), &mut starts)?;
        }
        let mut answers = self.client.enforce(UnboundedReceiverStream::new(requests)).await?.into_inner();
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
        Ok(())
    }
}

/// What number `number` of the mix is: of eight, three are a Check, three a Consume and two a Reserve with its Commit, which makes
/// of ten calls three, three, two and two.
fn of_mix(number: u64) -> Call {
    match mixed(number) % 8 {
        0..3 => Call::Check,
        3..6 => Call::Consume,
        _ => Call::Pair,
    }
}

fn allowed(response: &v1::CheckResponse) -> Result<()> {
    match &response.outcome {
        Some(v1::check_response::Outcome::Granted(_)) => Ok(()),
        other => bail!("a charge of the benchmark was denied: {other:?}"),
    }
}

/// Whether a Reserve was granted.
///
/// # Errors
/// A denial.
pub(super) fn held(response: &v1::ReserveResponse) -> Result<()> {
    match &response.outcome {
        Some(v1::reserve_response::Outcome::Granted(_)) => Ok(()),
        other => bail!("a charge of the benchmark was denied: {other:?}"),
    }
}

/// Whether a Consume was granted.
///
/// # Errors
/// A denial.
pub(super) fn granted(response: &v1::ConsumeResponse) -> Result<()> {
    match &response.outcome {
        Some(v1::consume_response::Outcome::Granted(_)) => Ok(()),
        other => bail!("a charge of the benchmark was denied: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_has_its_parts_for_every_tenant() {
        for tenant in 0..16 {
            let calls: Vec<Call> = (0..8_000).map(|number| of_mix(number * 16 + tenant)).collect();
            let count = |wanted| calls.iter().filter(|call| **call == wanted).count();
            for (call, expected) in [(Call::Check, 3_000), (Call::Consume, 3_000), (Call::Pair, 2_000)] {
                assert!(count(call).abs_diff(expected) < 200, "tenant {tenant}: {call:?} {}", count(call));
            }
        }
    }
}
