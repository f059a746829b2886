//! The micro-batcher of one partition: what arrives while a call is on the wire goes together into the next one. No timer: on
//! an idle server a command leaves at once, alone.

use super::breaker::Breaker;
use super::command::Command;
use super::keys::Keys;
use super::link::{Link, LinkError};
use super::patience::Patience;
use super::queue::{Batch, Queue, Waiting};
use super::quick;
use super::redirect::delay;
use super::reply::{Header, RawReply, Status, split};
use super::request::encode;
use super::scripts::{Script, Scripts};
use crate::domain::name::IdKey;
use crate::engine::operation::Caps;
use crate::engine::ports::{Clock, StoreError};
use crate::telemetry::metrics;
use crate::telemetry::traces::span;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{Instrument, Span};

/// Commands that wait at most; one more is overload.
pub const MOST_WAITING: usize = 8192;

/// Calls on the wire at most: one runs while the next is written and the one before is read.
const MOST_CALLS: usize = 2;

/// Between attempts to learn what became of a call.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Why a command has no reply.
#[derive(Clone, Debug)]
pub enum SubmitError {
    /// The store can't answer now, or answered what can't be.
    Store(StoreError),
    /// Too many wait already; nothing was done.
    Overloaded,
    /// The partition must be verified first; nothing was done. The command comes back, to be submitted again.
    Verify {
        /// The command.
        command: Box<Command>,
        /// What the partition and its server say of themselves.
        header: Header,
    },
}

/// What comes of a command: the command itself again, the header of its call, and its own reply.
pub type Answer = Result<(Command, Header, RawReply), SubmitError>;

/// The batcher of one partition. Clones are the same one.
#[derive(Clone)]
pub struct Batcher {
    shared: Arc<Shared>,
}

struct Shared {
    link: Link,
    keys: Keys,
    scripts: Scripts,
    caps: Caps,
    /// The clock that decides, if it is not the server's own.
    clock: Option<Arc<dyn Clock>>,
    state: Mutex<State>,
}

struct State {
    queue: Queue,
    /// Calls on the wire, or about to be.
    calls: usize,
    breaker: Breaker,
    patience: Patience,
    /// What the last call without an answer met.
    trouble: String,
    incarnation: u64,
    /// The names of the keys in it.
    names: Arc<Vec<String>>,
}

impl std::fmt::Debug for Batcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batcher").field("partition", &self.shared.keys.partition()).finish_non_exhaustive()
    }
}

impl Batcher {
    /// The batcher of a partition, in no incarnation yet: the first answer will be [`SubmitError::Verify`], unless
    /// [`Batcher::set_incarnation`] comes first. `clock`: `None` for the server's own.
    pub fn new(link: Link, keys: Keys, scripts: Scripts, caps: Caps, clock: Option<Arc<dyn Clock>>) -> Batcher {
        let state = State {
            queue: Queue::default(),
            calls: 0,
            breaker: Breaker::default(),
            patience: Patience::default(),
            trouble: String::new(),
            incarnation: 0,
            names: Arc::new(keys.all(0)),
        };
        Batcher { shared: Arc::new(Shared { link, keys, scripts, caps, clock, state: Mutex::new(state) }) }
    }

    /// Says in which incarnation the partition is, for all calls from now on.
    pub fn set_incarnation(&self, incarnation: u64) {
        let mut state = self.shared.state();
        if state.incarnation != incarnation {
            state.incarnation = incarnation;
            state.names = Arc::new(self.shared.keys.all(incarnation));
        }
    }

    /// The incarnation that calls are sent for.
    pub fn incarnation(&self) -> u64 {
        self.shared.state().incarnation
    }

    /// Sends a command with the next call. Whoever drops this future before its call is sent takes the command back; after
    /// that it runs on by itself.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit(&self, command: Command) -> Answer {
        let (answer, reply) = oneshot::channel();
        if self.shared.enqueue(Waiting { command, answer, span: Span::current() })? {
            tokio::spawn(drive(Arc::clone(&self.shared)));
        }
        reply.await.unwrap_or_else(|_| Err(unknown("the server is stopping")))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a command; true if a new call shall be made for it.
    fn enqueue(&self, waiting: Waiting) -> Result<bool, SubmitError> {
        let mut state = self.state();
        if state.breaker.is_open() && !state.breaker.allows(Instant::now()) {
            return Err(unavailable(&state.trouble));
        }
        if state.queue.len() >= MOST_WAITING {
            return Err(SubmitError::Overloaded);
        }
        state.queue.push(waiting);
        let free = state.calls < MOST_CALLS;
        state.calls += usize::from(free);
        Ok(free)
    }

    /// Sends one call and takes its answer apart: the quick way where there is one, else, or if that was given up, the general one.
    async fn call(&self, commands: &[Command], timeout: Duration) -> Result<(Header, Vec<RawReply>), Failure> {
        let (incarnation, names, quick) = {
            let mut state = self.state();
            let quick = self.scripts.quick.filter(|_| state.patience.tries());
            (state.incarnation, Arc::clone(&state.names), quick)
        };
        let clock = self.clock.as_ref().map(|clock| clock.now());
        let quick = quick.and_then(|script| Some((script, quick::encode(incarnation, clock, &self.caps, commands)?)));
        let deadline = Instant::now() + timeout;
        let mut bytes = Vec::new();
        if let Some((script, request)) = quick {
            bytes = match self.run(script, &names, &request, commands.len(), timeout).await {
                Ok(bytes) => bytes,
                // Nothing was done; the general script tells whether it is the batch's fault.
                Err(Failure::Link(LinkError::Script(text))) => {
                    tracing::error!(
                        partition = self.keys.partition(),
                        text,
                        "the quick script failed; nothing was done"
                    );
                    Vec::new()
                }
                Err(failure) => return Err(failure),
            };
            self.state().patience.tried(!bytes.is_empty());
        }
        if bytes.is_empty() {
            let request = encode(incarnation, clock, &self.caps, commands);
            let left = deadline.saturating_duration_since(Instant::now());
            bytes = self.run(self.scripts.batch, &names, &request, commands.len(), left).await?;
        }
        let (header, replies) = split(bytes).map_err(Failure::Damaged)?;
        if header.status == Status::Decided && replies.len() != commands.len() {
            let text = format!("{} replies to {} commands", replies.len(), commands.len());
            return Err(Failure::Damaged(StoreError::Corrupt(text)));
        }
        Ok((header, replies))
    }

    async fn run(
        &self,
        script: &'static Script,
        names: &[String],
        request: &[u8],
        commands: usize,
        timeout: Duration,
    ) -> Result<Vec<u8>, Failure> {
        let started = Instant::now();
        // Nobody's call begins no trace.
        let span = if Span::current().is_none() { Span::none() } else { span!("script") };
        let answer = self.link.run(names, script, &[request], timeout).instrument(span).await;
        metrics::engine().script(commands, started.elapsed());
        answer.map_err(Failure::Link)
    }

    /// Sends a batch until it has an answer, or until what is left must not be sent again, or `deadline`. `perhaps`: it was
    /// sent before and may have run.
    async fn process(&self, mut batch: Batch, deadline: Instant, mut perhaps: bool) {
        for attempt in 0.. {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = left.min(self.link.options().response_timeout);
            match self.call(&batch.commands, timeout).await {
                Ok((header, replies)) => {
                    self.answered();
                    return batch.answer(&header, replies);
                }
                Err(Failure::Damaged(error)) => {
                    tracing::error!(partition = self.keys.partition(), %error, "an answer of Redis can't be read");
                    return batch.fail(&SubmitError::Store(error));
                }
                Err(Failure::Link(LinkError::Script(text))) => {
                    self.answered();
                    if batch.commands.len() > 1 {
                        return self.one_by_one(batch, deadline, perhaps).await;
                    }
                    tracing::error!(partition = self.keys.partition(), text, "a script failed; nothing was done");
                    return batch.fail(&SubmitError::Store(StoreError::Corrupt(text)));
                }
                Err(Failure::Link(LinkError::NotSent(text))) => {
                    self.failed(&text);
                    if !perhaps {
                        return batch.fail(&unavailable(&text));
                    }
                    batch = batch.repeatable(&text);
                }
                Err(Failure::Link(LinkError::Unknown(text))) => {
                    self.failed(&text);
                    perhaps = true;
                    batch = batch.repeatable(&text);
                }
            }
            // What is left is recognised when it comes a second time: find out what became of it.
            tokio::time::sleep(delay(attempt, FIRST_PAUSE, LONGEST_PAUSE)).await;
            let left = deadline.saturating_duration_since(Instant::now());
            if batch.commands.is_empty() || left.is_zero() || self.link.ready(left).await.is_err() {
                return batch.fail(&unknown("no answer in time"));
            }
        }
    }

    /// Sends each command of a batch by itself: one of them made the script fail for all.
    async fn one_by_one(&self, batch: Batch, deadline: Instant, perhaps: bool) {
        for single in batch.singles() {
            Box::pin(self.process(single, deadline, perhaps)).await;
        }
    }

    fn answered(&self) {
        metrics::engine().redis_up.set(1.0);
        if self.state().breaker.succeeded() {
            tracing::info!(partition = self.keys.partition(), "Redis answers again");
        }
    }

    /// Notes a call without an answer. If that opens the breaker, all who wait are told.
    fn failed(&self, text: &str) {
        let told = {
            let mut state = self.state();
            text.clone_into(&mut state.trouble);
            if !state.breaker.failed(Instant::now()) {
                return;
            }
            state.queue.clear()
        };
        metrics::engine().redis_up.set(0.0);
        tracing::warn!(
            partition = self.keys.partition(),
            text,
            "Redis does not answer; calls fail at once until it does"
        );
        for waiting in told {
            // Whoever hung up needs no answer.
            let _ = waiting.answer.send(Err(unavailable(text)));
        }
    }
}

/// Why a call has no answer that can be dealt out.
enum Failure {
    Link(LinkError),
    Damaged(StoreError),
}

fn unavailable(text: &str) -> SubmitError {
    SubmitError::Store(StoreError::Unavailable(text.to_owned()))
}

pub(super) fn unknown(text: &str) -> SubmitError {
    SubmitError::Store(StoreError::OutcomeUnknown(text.to_owned()))
}

/// Makes calls as long as something waits.
async fn drive(shared: Arc<Shared>) {
    let mut driver = Driver { shared, keys: Vec::new(), done: false };
    while let Some(batch) = driver.next() {
        // Enough to send what may have run a second time.
        let deadline = Instant::now() + 2 * driver.shared.link.options().response_timeout;
        let span = batch.span();
        driver.shared.process(batch, deadline, false).instrument(span).await;
    }
}

/// One of the calls that may be on the wire; gives its place free also when its task is dropped.
struct Driver {
    shared: Arc<Shared>,
    /// The reservations that its call is about.
    keys: Vec<IdKey>,
    done: bool,
}

impl Driver {
    /// The next batch; none when nothing waits that may go now. Then the place is free.
    fn next(&mut self) -> Option<Batch> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        state.queue.release(&mut self.keys);
        let batch = state.queue.take();
        if batch.commands.is_empty() {
            state.calls -= 1;
            self.done = true;
            return None;
        }
        self.keys = batch.commands.iter().filter_map(Command::reservation).collect();
        Some(batch)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.done {
            let shared = Arc::clone(&self.shared);
            let mut state = shared.state();
            state.queue.release(&mut self.keys);
            state.calls -= 1;
        }
    }
}
