//! The way to Redis that all calls share: one connection, replaced when it breaks; each call is sent once, and an error says
//! whether it may have run.

use super::fault::{Fault, ends_the_connection};
use super::options::{OptionsError, RedisOptions};
use super::pool::{Connections, Pooled, Wire, connections};
use super::redirect::{Next, Step, delay, follow, pause};
use super::scripts::Script;
use arc_swap::ArcSwapOption;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::{Cmd, FromRedisValue, Value};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

/// How often the connection in use is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long is waited after the first attempt to connect that failed, and at most.
const FIRST_DELAY: Duration = Duration::from_millis(20);
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// Why a call has no answer, by what is known of it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LinkError {
    /// It did not run: no connection, or a server that refuses to run anything now (loading, busy, out of memory, a replica).
    #[error("{0}")]
    NotSent(String),
    /// It may have run: the connection broke or the time was over before the answer came.
    #[error("{0}")]
    Unknown(String),
    /// It ran into an error of its own, or is one that the server never takes.
    #[error("{0}")]
    Script(String),
}

/// How the link stands.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Standing {
    /// A connection is being made; it was up a moment ago, or this is the start.
    Dialing,
    /// There is one.
    Up,
    /// The last attempt failed; more follow.
    Down(String),
}

/// The shared way to Redis. Clones are the same link.
#[derive(Clone)]
pub struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    options: RedisOptions,
    pool: Connections,
    live: ArcSwapOption<Live>,
    standing: watch::Sender<Standing>,
    /// Told when the live connection was dropped, or the link.
    broken: Arc<Notify>,
}

/// The connection in use, until it breaks.
struct Live {
    wire: Wire,
    /// Keeps its place in the pool.
    _pooled: Pooled,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

impl Link {
    /// Opens a link, and returns before anything is connected. A task of its own keeps it connected until the last
    /// clone is gone; it runs, as the connections do, on the runtime of this call.
    ///
    /// # Errors
    /// Options that the driver does not take.
    pub fn open(options: RedisOptions) -> Result<Link, OptionsError> {
        let pool = connections(&options).map_err(OptionsError::one)?;
        let shared = Arc::new(Shared {
            options,
            pool,
            live: ArcSwapOption::empty(),
            standing: watch::Sender::new(Standing::Dialing),
            broken: Arc::default(),
        });
        tokio::spawn(keep(Arc::downgrade(&shared), Arc::clone(&shared.broken)));
        Ok(Link { shared })
    }

    /// What it was opened with.
    pub fn options(&self) -> &RedisOptions {
        &self.shared.options
    }

    /// Resolves once there is a connection.
    ///
    /// # Errors
    /// [`LinkError::NotSent`] with what the last attempt said, when `timeout` is over.
    pub async fn ready(&self, timeout: Duration) -> Result<(), LinkError> {
        let mut standing = self.shared.standing.subscribe();
        let up = standing.wait_for(|standing| *standing == Standing::Up);
        match tokio::time::timeout(timeout, up).await {
            Ok(_) => Ok(()),
            Err(_) => Err(self.not_connected("no connection in time")),
        }
    }

    /// Runs a script once on the keys of one partition, all with one tag, and gives its answer, which must be a string.
    ///
    /// # Errors
    /// [`LinkError`]; nothing is sent a second time but what certainly did not run.
    pub async fn run(
        &self,
        keys: &[String],
        script: &Script,
        args: &[&[u8]],
        timeout: Duration,
    ) -> Result<Vec<u8>, LinkError> {
        debug_assert!(super::keys::share_a_tag(keys), "keys of several tags: {keys:?}");
        let deadline = Instant::now() + timeout;
        let value = match self.send(&script.by_hash(keys, args), deadline).await {
            Err(Fault::NoScript) => self.send(&script.by_text(keys, args), deadline).await,
            other => other,
        };
        match value.map_err(LinkError::from)? {
            Value::BulkString(bytes) => Ok(bytes),
            other => Err(LinkError::Script(format!("the script {} answered {other:?}", script.name()))),
        }
    }

    /// Sends one command, within the time-out of the options, and reads its answer.
    ///
    /// # Errors
    /// [`LinkError`]; an answer of another type is [`LinkError::Script`].
    pub async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, LinkError> {
        let value = self.send(command, Instant::now() + self.shared.options.response_timeout).await?;
        redis::from_redis_value(value).map_err(|error| LinkError::Script(error.to_string()))
    }

    /// Asks every master of a cluster, or the one server: each one's name and its answer.
    pub(super) async fn each_master(&self, command: &Cmd) -> Result<Vec<(String, Value)>, LinkError> {
        let deadline = Instant::now() + self.shared.options.response_timeout;
        let live = self.live(deadline).await?;
        let Wire::Cluster(mut cluster) = live.wire.clone() else {
            return Ok(vec![(self.shared.options.place(), self.send(command, deadline).await?)]);
        };
        let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        let answer = timeout_at(deadline, cluster.route_command(command.clone(), all)).await;
        let value = answer
            .map_err(|_| LinkError::Unknown("no answer in time".to_owned()))?
            .and_then(Value::extract_error)
            .map_err(|error| LinkError::from(Fault::of(&error)))?;
        redis::from_redis_value(value).map_err(|error| LinkError::Script(error.to_string()))
    }

    /// The connection in use. While one is being made for the first time, or just broke, that is waited for; a server
    /// that could not be reached a moment ago fails at once.
    async fn live(&self, deadline: Instant) -> Result<Arc<Live>, LinkError> {
        loop {
            if let Some(live) = self.shared.live.load_full() {
                return Ok(live);
            }
            let mut standing = self.shared.standing.subscribe();
            let settled = standing.wait_for(|standing| *standing != Standing::Dialing);
            match timeout_at(deadline, settled).await {
                Ok(Ok(standing)) if *standing == Standing::Up => {}
                _ => return Err(self.not_connected("no connection in time")),
            }
        }
    }

    fn not_connected(&self, otherwise: &str) -> LinkError {
        let place = self.shared.options.place();
        match &*self.shared.standing.borrow() {
            Standing::Down(why) => LinkError::NotSent(format!("Redis ({place}) can't be reached: {why}")),
            _ => LinkError::NotSent(format!("Redis ({place}) can't be reached: {otherwise}")),
        }
    }

    /// Sends a command and follows a cluster's redirects, none of which ran it.
    async fn send(&self, command: &Cmd, deadline: Instant) -> Result<Value, Fault> {
        let mut step = Step::default();
        loop {
            let live = self.live(deadline).await.map_err(Fault::from)?;
            let answer = timeout_at(deadline, follow(live.wire.clone(), command, &step.target)).await;
            let error = match answer {
                Err(_) => return Err(Fault::Unknown("no answer in time".to_owned())),
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => error,
            };
            if matches!(live.wire, Wire::Cluster(_)) {
                match step.after(&error) {
                    Next::Now => continue,
                    Next::Pause(attempt) => {
                        let again = Instant::now() + pause(attempt);
                        if again < deadline {
                            tokio::time::sleep_until(again).await;
                            continue;
                        }
                    }
                    Next::Stop => {}
                }
            }
            let fault = Fault::of(&error);
            if ends_the_connection(&error) {
                self.shared.replace(&live);
            }
            return Err(fault);
        }
    }
}

impl Shared {
    async fn dial(&self) -> Result<(), String> {
        let pooled = self.pool.get().await.map_err(|error| match error {
            deadpool::managed::PoolError::Timeout(_) => "no connection in time".to_owned(),
            other => other.to_string(),
        })?;
        // Both in one step, here and where it is taken out of use: who sees that it is up finds a connection.
        self.standing.send_modify(|standing| {
            self.live.store(Some(Arc::new(Live { wire: Wire::clone(&pooled), _pooled: pooled })));
            *standing = Standing::Up;
        });
        Ok(())
    }

    /// Takes a broken connection out of use, unless another call did so before.
    fn replace(&self, broken: &Arc<Live>) {
        // A cluster's handle mends itself, and knows the other nodes' good connections.
        let Wire::Node(node) = &broken.wire else { return };
        node.retire();
        let replaced = self.standing.send_if_modified(|standing| {
            let before = self.live.compare_and_swap(broken, None);
            let ours = before.as_ref().is_some_and(|before| Arc::ptr_eq(before, broken));
            if ours {
                *standing = Standing::Dialing;
            }
            ours
        });
        if replaced {
            self.broken.notify_one();
        }
    }

    /// Whether the connection in use still answers. That of a cluster mends itself.
    async fn answers(&self, live: &Live) -> bool {
        let mut wire = live.wire.clone();
        if matches!(wire, Wire::Cluster(_)) {
            return true;
        }
        let ping = redis::cmd("PING");
        let answer = ping.exec_async(&mut wire);
        match tokio::time::timeout(self.options.response_timeout, answer).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => !ends_the_connection(&error),
            Err(_) => false,
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The task that keeps the link notices at once that there is nothing left to keep.
        self.broken.notify_one();
    }
}

/// Keeps a link connected: dials when there is no connection, with back-off, and looks once a second whether the one in use
/// still answers, so that a connection that broke while idle costs no call.
async fn keep(link: Weak<Shared>, broken: Arc<Notify>) {
    let mut failures = 0;
    loop {
        let Some(shared) = link.upgrade() else { return };
        if let Some(live) = shared.live.load_full() {
            drop(shared);
            if tokio::time::timeout(LOOK_EVERY, broken.notified()).await.is_ok() {
                continue;
            }
            let Some(shared) = link.upgrade() else { return };
            if !shared.answers(&live).await || shared.pool.manager().has_moved(&live.wire).await {
                shared.replace(&live);
            }
            continue;
        }
        match shared.dial().await {
            Ok(()) => {
                let place = shared.options.place();
                tracing::info!(place, "connected to Redis");
                failures = 0;
            }
            Err(why) => {
                let place = shared.options.place();
                if failures == 0 {
                    tracing::warn!(place, why, "Redis can't be reached; trying on");
                }
                shared.standing.send_replace(Standing::Down(why));
                drop(shared);
                tokio::time::sleep(delay(failures, FIRST_DELAY, LONGEST_DELAY)).await;
                failures = failures.saturating_add(1);
            }
        }
    }
}
