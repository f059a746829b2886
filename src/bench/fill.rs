//! Fills a server: with accounts that were charged once, and with holds that stay open.
//!
//! An account costs little to touch where one Consume charges sixteen of a tenant's, on streams; so what the server remembers of
//! calls for a while is little beside what it keeps of the accounts.

use super::caller::{Caller, Target, granted, held};
use super::calls;
use super::histogram::Histogram;
use super::options::cores;
use super::workload::{Place, Workload};
use crate::proto::v1::{self, batch_reserve_result::Result as Item, enforce_request::Operation};
use anyhow::{Context, Result, bail};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Code;

/// Charges of one Consume: as many as there may be.
pub(super) const CHARGES: u64 = 16;
/// Accounts that the Consumes of all tenants charge, one Consume of each.
pub(super) const BLOCK: u64 = CHARGES * Workload::TENANTS;
/// Consumes under way on one stream.
const AT_A_TIME: usize = 32;
/// Reserves of a batch.
pub(super) const BATCH: u64 = 64;
/// How long the ledger may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// Longer than a measurement, in seconds.
const TTL: i64 = 4 * 3600;

/// Charges each of these accounts at least once, and again from the first one on until there were `least` Consumes; `first` is a
/// number from which on none is used.
///
/// # Errors
/// A call that fails or is denied.
pub(super) fn touch(target: &Target, accounts: Range<u64>, least: u64, first: u64, connections: usize) -> Result<()> {
    let start = accounts.start / BLOCK * Workload::TENANTS;
    let all = accounts.end.div_ceil(BLOCK) * Workload::TENANTS - start;
    let count = all.max(least);
    let next = Arc::new(AtomicU64::new(0));
    everywhere(target, connections, move |caller| {
        let next = next.clone();
        let consume = move || {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let places = charged(start + number % all, accounts.end);
            (number < count).then_some((number, places))
        };
        stream(caller, first, consume)
    })
}

/// Whom a Consume charges: sixteen neighbours of one tenant, as far as there are so many.
fn charged(consume: u64, accounts: u64) -> Vec<Place> {
    let (block, tenant) = (consume / Workload::TENANTS, consume % Workload::TENANTS);
    let all = (0..CHARGES).map(|one| block * BLOCK + one * Workload::TENANTS + tenant);
    all.filter(|account| *account < accounts).map(Place::of).collect()
}

async fn stream(mut caller: Caller, first: u64, next: impl Fn() -> Option<(u64, Vec<Place>)>) -> Result<Histogram> {
    let (asked, requests) = tokio::sync::mpsc::unbounded_channel();
    let workload = caller.workload;
    let ask = || {
        // Where the last block is not full, some tenants have nobody in it.
        let mut whom = std::iter::from_fn(&next);
        let Some((number, places)) = whom.find(|(_, places)| !places.is_empty()) else { return anyhow::Ok(false) };
        let operation = workload.consume_all(&places, first + number).map(Operation::Consume);
        asked.send(v1::EnforceRequest { tag: number, operation }).ok().context("the stream ended")?;
        Ok(true)
    };
    let mut under_way = 0;
    while under_way < AT_A_TIME && ask()? {
        under_way += 1;
    }
    if under_way == 0 {
        return Ok(Histogram::default());
    }
    let mut answers = caller.client.enforce(UnboundedReceiverStream::new(requests)).await?.into_inner();
    while under_way > 0 {
        match answers.next().await.context("the stream ended")??.result {
            Some(v1::enforce_response::Result::Consume(response)) => granted(&response)?,
            other => bail!("an operation of a stream failed: {other:?}"),
        }
        if !ask()? {
            under_way -= 1;
        }
    }
    Ok(Histogram::default())
}

/// Waits until the ledger has what the server answered before, of every tenant; `first` as above.
///
/// # Errors
/// A call that fails or is denied, a ledger that does not get there in ten minutes.
pub(super) fn carried(target: &Target, first: u64) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut caller = target.connect(0, 1, 1).await?.pop().context("no connection")?;
        for tenant in 0..Workload::TENANTS {
            let consume = caller.workload.consume(Place::of(tenant), first + tenant);
            let consume = v1::ConsumeRequest { wait_for_durable: true, ..consume };
            let begin = Instant::now();
            let answer = loop {
                match caller.client.consume(consume.clone()).await {
                    // The server does not wait for ever; a repeat waits on.
                    Err(status) if status.code() == Code::Unavailable && begin.elapsed() < PATIENCE => {}
                    answer => break answer?,
                }
            };
            granted(answer.get_ref())?;
        }
        Ok(())
    })
}

/// Makes one Consume and waits for its answer.
///
/// # Errors
/// A server that can't be reached, a call that fails or is denied.
pub(super) fn ask(target: &Target, number: u64) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut caller = target.connect(0, 1, 1).await?.pop().context("no connection")?;
        let consume = caller.workload.consume(caller.workload.place(number), number);
        granted(caller.client.consume(consume).await?.get_ref())
    })
}

/// Opens so many batches of 64 holds and leaves them open.
///
/// # Errors
/// A call that fails or is denied.
pub(super) fn hold(target: &Target, batches: u64, first: u64, connections: usize) -> Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    everywhere(target, connections, move |caller| batches_of_holds(caller, first, batches, next.clone()))
}

async fn batches_of_holds(mut caller: Caller, first: u64, batches: u64, next: Arc<AtomicU64>) -> Result<Histogram> {
    let workload = caller.workload;
    let ttl = Some(pbjson_types::Duration { seconds: TTL, nanos: 0 });
    loop {
        let batch = next.fetch_add(1, Ordering::Relaxed);
        if batch >= batches {
            return Ok(Histogram::default());
        }
        let first = first + batch * BATCH;
        let place = workload.place(first / BATCH);
        let one = |number| v1::ReserveRequest { ttl, ..workload.reserve(workload.within(place, number * 16), number) };
        let requests = (first..first + BATCH).map(one).collect();
        let request = v1::BatchReserveRequest { tenant: place.tenant(), requests };
        for result in caller.client.batch_reserve(request).await?.into_inner().results {
            match result.result {
                Some(Item::Response(response)) => held(&response)?,
                other => bail!("an item of a batch failed: {other:?}"),
            }
        }
    }
}

/// Does something on every connection and waits for the end of all.
fn everywhere<F>(target: &Target, connections: usize, work: impl Fn(Caller) -> F + Clone + Send + 'static) -> Result<()>
where
    F: Future<Output = Result<Histogram>> + 'static,
{
    let wait = calls::on_every_core(cores(), |core| {
        let (target, work) = (target.clone(), work.clone());
        move || async move {
            let callers = target.connect(core, cores(), connections).await?;
            calls::all(callers.into_iter().map(work).collect()).await
        }
    })?;
    wait().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_account_is_in_one_consume_of_its_tenant() {
        for accounts in [1_000, 1_024, 12_345] {
            let mut seen = HashSet::new();
            for consume in 0..u64::div_ceil(accounts, BLOCK) * Workload::TENANTS {
                let places = charged(consume, accounts);
                assert!(places.iter().all(|place| place.tenant() == places[0].tenant()));
                for place in places {
                    assert!(seen.insert(place), "{place:?} twice");
                }
            }
            assert_eq!(seen, (0..accounts).map(Place::of).collect());
        }
    }
}
