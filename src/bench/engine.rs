//! The engine alone: an embedded node in this process, its verbs called from one runtime per core, no transport.

use super::calls;
use super::child::Scratch;
use super::meter::{Meter, Sample, Tally, Watched, measure};
use super::options::{Options, cores};
use super::workload::Workload;
use crate::app::{Node, NodeOptions};
use crate::engine::authority::Authority;
use crate::engine::call::{ReserveCall, Verdict};
use anyhow::Context;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// What is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Call {
    /// Reserve, then Commit.
    Pair,
    /// Consume.
    Consume,
}

/// An open node with the benchmark's catalog.
pub(super) struct Engine {
    node: Option<Node>,
    /// The node's tasks run here, under the name that they have in a server.
    background: Runtime,
    workload: Workload,
    next: u64,
    _scratch: Scratch,
}

impl Engine {
    /// Opens it in a temporary folder, with default durability.
    ///
    /// # Errors
    /// A folder that can't be written.
    pub(super) fn open(options: &Options) -> anyhow::Result<Engine> {
        let scratch = Scratch::new(&options.data_dir)?;
        let background =
            Builder::new_multi_thread().worker_threads(2).thread_name("quotad-background").enable_all().build()?;
        let workload = options.workload();
        let settings = NodeOptions { data_dir: scratch.path().join("engine"), ..NodeOptions::default() };
        let node = background.block_on(async {
            let node = Node::open(settings).await?;
            workload.apply(&node).await?;
            anyhow::Ok(node)
        })?;
        Ok(Engine { node: Some(node), background, workload, next: 0, _scratch: scratch })
    }

    /// Measures one round of a call.
    ///
    /// # Errors
    /// A call that fails or is denied.
    pub(super) fn round(&mut self, options: &Options, call: Call) -> anyhow::Result<Sample> {
        let node = self.node.as_ref().context("the node is closed")?;
        let (workload, first) = (self.workload, self.next);
        // More than a round can use: numbers are not used twice.
        self.next += 1 << 32;
        calls_of(node, options, call, first, move |number| workload.call(number))
    }
}

/// Measures calls of a node's verbs, each made of the next number from `first` on.
///
/// # Errors
/// A call that fails or is denied, a request that can't be made.
pub(super) fn calls_of(
    node: &Node,
    options: &Options,
    call: Call,
    first: u64,
    make: impl Fn(u64) -> Option<ReserveCall> + Copy + Send + 'static,
) -> anyhow::Result<Sample> {
    let in_flight = options.in_flight;
    measure(options.time, first, &Watched::here(), |meter| {
        calls::on_every_core(cores(), |core| {
            let (authority, meter, write_here) = (node.authority.clone(), meter.clone(), node.write_here());
            move || async move {
                // As on a server's cores.
                let writing = tokio::task::spawn_local(write_here);
                let tasks = (core..in_flight).step_by(cores());
                let tasks = tasks.map(|_| worker(authority.clone(), make, meter.clone(), call)).collect();
                let seen = calls::all(tasks).await;
                writing.abort();
                seen
            }
        })
    })
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(node) = self.node.take() {
            self.background.block_on(node.close());
        }
    }
}

async fn worker(
    authority: Arc<Authority>,
    make: impl Fn(u64) -> Option<ReserveCall>,
    meter: Arc<Meter>,
    call: Call,
) -> anyhow::Result<super::histogram::Histogram> {
    let tally = Tally::new(meter);
    while tally.goes_on() {
        let request = make(tally.numbers(1)).context("a name that is none")?;
        let start = std::time::Instant::now();
        let answer = match call {
            Call::Consume => authority.consume(request).await?,
            Call::Pair => {
                let settle = Workload::settle(&request);
                let answer = authority.reserve(request).await?;
                authority.commit(settle, true).await?;
                answer
            }
        };
        if let Verdict::Denied(denial) = answer.value {
            anyhow::bail!("a charge of the benchmark was denied: {:?}", denial.violations);
        }
        tally.done(start, 1);
    }
    Ok(tally.finish())
}
