//! Over gRPC: a load generator in this process, the servers and the bare echo in processes of their own.

use super::caller::Target;
use super::calls;
use super::child::{self, Scratch, Server};
use super::fill;
use super::memory::resident;
use super::meter::{Sample, Watched, measure, settle};
use super::open;
use super::options::{Call, Options, cores};
use super::workload::Workload;
use crate::client::Client;
use crate::proto::v1;
use anyhow::{Context, Result};
use prost::Message;
use std::ops::Range;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long servers may take to have little to do once the ledger has all.
const PATIENCE: Duration = Duration::from_secs(20);
/// Accounts that are charged before the ledger is waited for; whole blocks.
const STEP: usize = 100 * fill::BLOCK as usize;
/// The same as a number of accounts.
pub(super) const STEP_ACCOUNTS: u64 = STEP as u64;
/// Batches of holds likewise.
const STEP_BATCHES: u64 = 100;

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
    /// How each of them is started.
    commands: Vec<Command>,
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
        let (mut servers, mut commands) = (Vec::new(), Vec::new());
        for number in 0..started {
            let data = scratch.path().join(format!("server-{number}"));
            let data = data.to_str().context("the temporary folder's name is not Unicode")?;
            let mut args = vec!["serve", "--data-dir", data, "--grpc-addr", any, "--http-addr", any];
            // A measurement may be longer than connections live.
            args.extend(["--max-connection-age-seconds", "0"]);
            args.extend(replicas.args.iter().map(String::as_str));
            let mut command = child::command(&options.program, &args);
            servers.push(Server::start(&mut command)?);
            commands.push(command);
        }
        let echo = Server::start(&mut child::command(&options.program, &["bench", "--echo", any]))?;
        let addrs: Vec<String> =
            options.addr.iter().cloned().chain(servers.iter().map(|server| server.addr().to_owned())).collect();
        let addr = addrs.first().context("no server to measure")?.clone();
        let workload = options.workload();
        let sizes = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let client = Client::connect(&addr)?;
            apply(&client, workload).await?;
            let request = workload.reserve(workload.place(0), 0);
            let size = request.encoded_len();
            anyhow::Ok((size, client.reserve(request).await?.encoded_len()))
        })?;
        let store = replicas.store;
        Ok(Wire { servers, commands, store, echo, addrs, sizes, workload, next: 1, _scratch: scratch })
    }

    /// Measures one round of a call, closed loop, on the first `replicas` servers, to which the connections are dealt.
    ///
    /// # Errors
    /// A call that fails or is denied.
    pub(super) fn round(&mut self, options: &Options, call: Call, replicas: usize) -> Result<Sample> {
        let (target, watched) = self.target(call, replicas);
        let (first, connections) = (self.numbers(), options.connections);
        let each = match call {
            // A batch is many decisions: with as many batches as calls, the server would only queue them.
            Call::Batch => options.in_flight.div_ceil(8),
            _ => options.in_flight,
        }
        .div_ceil(connections);
        measure(options.time, first, &watched, |meter| {
            calls::on_every_core(cores(), |core| {
                let (target, meter) = (target.clone(), meter.clone());
                move || async move {
                    let mut workers = Vec::new();
                    for caller in target.connect(core, cores(), connections).await? {
                        // A stream has all its calls under way on one task.
                        let tasks = if call == Call::Stream { 1 } else { each };
                        workers.extend((0..tasks).map(|_| caller.clone().run(call, each, meter.clone())));
                    }
                    calls::all(workers).await
                }
            })
        })
    }

    /// Measures one round of a call, open loop, so many requests a second, on the first server.
    ///
    /// # Errors
    /// A call that fails or is denied.
    pub(super) fn open(&mut self, options: &Options, call: Call, rate: u64) -> Result<Sample> {
        let (target, watched) = self.target(call, 1);
        let first = self.numbers();
        measure(options.time, first, &watched, |meter| open::start(&target, call, rate, options.connections, meter))
    }

    /// Charges the accounts with these numbers once each, waits until the ledger has it, and lets what is measured from now on be
    /// for one of all accounts up to there.
    ///
    /// # Errors
    /// A call that fails or is denied.
    pub(super) fn fill(&mut self, accounts: Range<u64>, connections: usize) -> Result<()> {
        self.workload.accounts = accounts.end;
        let (target, watched) = self.target(Call::Consume, 1);
        // Step by step, and every step as large, so that what waits for the ledger takes as much memory at any size.
        for start in accounts.clone().step_by(STEP) {
            let part = start..accounts.end.min(start + STEP_ACCOUNTS);
            fill::touch(&target, part, STEP_ACCOUNTS / fill::CHARGES, self.numbers(), connections)?;
            self.carried(&target, &watched)?;
        }
        Ok(())
    }

    /// Changes the limits of all accounts, so that the servers forget what they looked up for them.
    ///
    /// # Errors
    /// A server that refuses it.
    pub(super) fn forget(&mut self) -> Result<()> {
        self.workload.higher += 1;
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let client = Client::connect(self.addrs.first().context("no server")?)?;
            apply(&client, self.workload).await
        })
    }

    /// Opens holds and leaves them open, step by step as well; answers how many.
    ///
    /// # Errors
    /// A call that fails or is denied.
    pub(super) fn hold(&mut self, steps: u64, connections: usize) -> Result<u64> {
        let (target, watched) = self.target(Call::Pair, 1);
        for _ in 0..steps {
            fill::hold(&target, STEP_BATCHES, self.numbers(), connections)?;
            self.carried(&target, &watched)?;
        }
        Ok(steps * STEP_BATCHES * fill::BATCH)
    }

    /// Kills the first server and starts it again; answers how long it took until it listened, and until it answered a Consume.
    ///
    /// # Errors
    /// A server that can't be started or does not answer.
    pub(super) fn restart(&mut self) -> Result<(Duration, Duration)> {
        drop(self.servers.remove(0));
        let begin = Instant::now();
        let command = self.commands.first_mut().context("no server")?;
        self.servers.insert(0, Server::start(command)?);
        let listens = begin.elapsed();
        self.addrs = self.servers.iter().map(|server| server.addr().to_owned()).collect();
        let (target, _) = self.target(Call::Consume, 1);
        fill::ask(&target, self.numbers())?;
        Ok((listens, begin.elapsed()))
    }

    /// Waits until the ledger has all, and the servers have little to do.
    fn carried(&mut self, target: &Target, watched: &Watched) -> Result<()> {
        fill::carried(target, self.numbers())?;
        settle(&watched.servers, PATIENCE);
        Ok(())
    }

    /// Memory of the servers, where the system tells.
    pub(super) fn resident(&self) -> Option<u64> {
        self.servers.iter().map(|server| resident(server.id())).sum()
    }

    /// Where a call goes, and whose processor time counts.
    fn target(&self, call: Call, replicas: usize) -> (Target, Watched) {
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
        (Target { addrs, workload: self.workload, sizes: self.sizes }, watched)
    }

    /// The first of more numbers than a round can use: none is used twice.
    fn numbers(&mut self) -> u64 {
        let first = self.next;
        self.next += 1 << 32;
        first
    }
}

/// Applies the benchmark's catalog.
async fn apply(client: &Client, workload: Workload) -> Result<()> {
    let yaml = workload.catalog();
    client.apply(v1::ApplyRequest { yaml: yaml.into(), ..Default::default() }).await?;
    Ok(())
}
