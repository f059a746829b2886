//! Who waits for the next call of a partition, and what goes into it.

use super::batch::{Answer, SubmitError, unknown};
use super::command::Command;
use super::reply::{Header, RawReply};
use crate::domain::name::IdKey;
use crate::telemetry::traces::{is_sampled, link, span};
use std::collections::{HashSet, VecDeque};
use tokio::sync::oneshot;
use tracing::Span;

/// Commands of one call at most.
pub const MOST_COMMANDS: usize = 64;

/// Counters that the commands of one call may touch, together; a single command may touch more.
pub const MOST_COUNTERS: usize = 512;

/// How far the queue is searched for commands that need not wait for a call on the wire.
const LOOK_AHEAD: usize = 4 * MOST_COMMANDS;

/// A command and who waits for its reply.
pub(super) struct Waiting {
    pub(super) command: Command,
    pub(super) answer: oneshot::Sender<Answer>,
    /// The span of who waits.
    pub(super) span: Span,
}

/// The commands that wait, in order.
#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    /// Reservations that the calls on the wire are about.
    busy: HashSet<IdKey>,
}

impl Queue {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Lines up at the end.
    pub(super) fn push(&mut self, waiting: Waiting) {
        self.waiting.push_back(waiting);
    }

    /// All who wait, in order; none afterwards.
    pub(super) fn clear(&mut self) -> Vec<Waiting> {
        self.waiting.drain(..).collect()
    }

    /// The call about these reservations is over.
    pub(super) fn release(&mut self, keys: &mut Vec<IdKey>) {
        for key in keys.drain(..) {
            self.busy.remove(&key);
        }
    }

    /// Takes the next batch from the queue, in order. A command about a reservation that is on the wire stays, and so do
    /// those behind it about the same one.
    pub(super) fn take(&mut self) -> Batch {
        let mut batch = Batch::default();
        let mut stay: VecDeque<Waiting> = VecDeque::new();
        let mut staying = HashSet::new();
        let mut counters = 0;
        while stay.len() < LOOK_AHEAD && batch.commands.len() < MOST_COMMANDS {
            let Some(waiting) = self.waiting.pop_front() else { break };
            if waiting.answer.is_closed() {
                continue;
            }
            let key = waiting.command.reservation();
            if let Some(key) = key.filter(|key| self.busy.contains(key) || staying.contains(key)) {
                staying.insert(key);
                stay.push_back(waiting);
                continue;
            }
            counters += waiting.command.counters();
            if counters > MOST_COUNTERS && !batch.commands.is_empty() {
                stay.push_back(waiting);
                break;
            }
            batch.push(waiting);
        }
        while let Some(waiting) = stay.pop_back() {
            self.waiting.push_front(waiting);
        }
        self.busy.extend(batch.commands.iter().filter_map(Command::reservation));
        batch
    }
}

/// The commands of one call, and who waits for each.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) commands: Vec<Command>,
    waiters: Vec<(oneshot::Sender<Answer>, Span)>,
}

impl Batch {
    fn push(&mut self, Waiting { command, answer, span }: Waiting) {
        self.commands.push(command);
        self.waiters.push((answer, span));
    }

    fn waiting(self) -> impl Iterator<Item = Waiting> {
        let waiters = self.commands.into_iter().zip(self.waiters);
        waiters.map(|(command, (answer, span))| Waiting { command, answer, span })
    }

    pub(super) fn singles(self) -> impl Iterator<Item = Batch> {
        self.waiting().map(|waiting| {
            let mut single = Batch::default();
            single.push(waiting);
            single
        })
    }

    /// A span for its call: below that of the first who waits and is traced, linked to the others'.
    pub(super) fn span(&self) -> Span {
        let mut traced = self.waiters.iter().map(|(_, span)| span).filter(|span| is_sampled(span));
        let Some(first) = traced.next() else { return Span::none() };
        let span = span!(parent: first, "batch", commands = self.commands.len());
        traced.for_each(|other| link(&span, other));
        span
    }

    /// Deals the replies out, or the need to verify. Whoever hung up needs no answer, here and below.
    pub(super) fn answer(self, header: &Header, replies: Vec<RawReply>) {
        let mut replies = replies.into_iter();
        for Waiting { command, answer, .. } in self.waiting() {
            let answered = match replies.next() {
                Some(reply) => Ok((command, header.clone(), reply)),
                None => Err(SubmitError::Verify { command: Box::new(command), header: header.clone() }),
            };
            let _ = answer.send(answered);
        }
    }

    pub(super) fn fail(self, error: &SubmitError) {
        for (answer, _) in self.waiters {
            let _ = answer.send(Err(error.clone()));
        }
    }

    /// What may be sent again after it perhaps ran; the others are told that nobody knows.
    pub(super) fn repeatable(self, text: &str) -> Batch {
        let mut rest = Batch::default();
        for waiting in self.waiting() {
            if waiting.command.is_repeatable() {
                rest.push(waiting);
            } else {
                let _ = waiting.answer.send(Err(unknown(text)));
            }
        }
        rest
    }
}
