//! Following a cluster's redirects: a call that was sent to the wrong node did not run and may go to the right one.

use super::pool::Wire;
use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::{Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// How often a call is sent on.
const MOST_STEPS: u32 = 8;

/// Where a call goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Target {
    /// To the node that has its keys, as the handle knows.
    #[default]
    Slot,
    /// To this node, which has them by now.
    Moved(String, u16),
    /// To this node, which is taking them over.
    Ask(String, u16),
}

/// Where a call stands on its way.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) target: Target,
    taken: u32,
}

/// What to do after an error.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Send it to the new target.
    Now,
    /// Send it again after a pause; so many pauses were made.
    Pause(u32),
    /// It is an answer like any other.
    Stop,
}

impl Step {
    /// Judges an error and sets the next target.
    pub(super) fn after(&mut self, error: &RedisError) -> Next {
        self.taken += 1;
        if self.taken > MOST_STEPS {
            return Next::Stop;
        }
        let redirect = || error.redirect_node().and_then(|(node, _)| split(node));
        let target = match error.kind() {
            ErrorKind::Server(ServerErrorKind::Moved) => redirect().map(|(host, port)| Target::Moved(host, port)),
            ErrorKind::Server(ServerErrorKind::Ask) => redirect().map(|(host, port)| Target::Ask(host, port)),
            // Some keys have moved and others not; soon all have.
            ErrorKind::Server(ServerErrorKind::TryAgain) => None,
            // A node that the handle does not know yet; it is asking for the others now.
            ErrorKind::ClusterConnectionNotFound => None,
            _ => return Next::Stop,
        };
        let known = target.is_some();
        self.target = target.unwrap_or_default();
        if known { Next::Now } else { Next::Pause(self.taken - 1) }
    }
}

fn split(node: &str) -> Option<(String, u16)> {
    let (host, port) = node.rsplit_once(':')?;
    (!host.is_empty() && host != "?").then_some(())?;
    Some((host.to_owned(), port.parse().ok()?))
}

/// Sends a call to its target.
pub(super) async fn follow(mut wire: Wire, command: &Cmd, target: &Target) -> RedisResult<Value> {
    let by_address = |host: &String, port: &u16| SingleNodeRoutingInfo::ByAddress { host: host.clone(), port: *port };
    match (&mut wire, target) {
        (Wire::Cluster(cluster), Target::Moved(host, port)) => {
            let routing = RoutingInfo::SingleNode(by_address(host, port));
            cluster.route_command(command.clone(), routing).await?.extract_error()
        }
        (Wire::Cluster(cluster), Target::Ask(host, port)) => {
            let mut both = redis::pipe();
            both.cmd("ASKING").add_command(command.clone());
            let answers = cluster.route_pipeline(both, 1, 1, by_address(host, port)).await?;
            answers.into_iter().next().unwrap_or(Value::Nil).extract_error()
        }
        _ => command.query_async(&mut wire).await,
    }
}

/// How long to wait before a call is sent to a cluster again.
pub(super) fn pause(attempt: u32) -> Duration {
    delay(attempt, Duration::from_millis(10), Duration::from_millis(160))
}

/// A back-off: twice as long each time, up to `most`, and from half of it on by chance, so that many who wait do not come
/// back together.
pub(super) fn delay(attempt: u32, first: Duration, most: Duration) -> Duration {
    let whole = first.saturating_mul(2_u32.saturating_pow(attempt)).min(most);
    let half = u64::try_from(whole.as_micros() / 2).unwrap_or(u64::MAX);
    let chance = RandomState::new().build_hasher().finish();
    Duration::from_micros(half + chance.checked_rem(half).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: &str) -> RedisError {
        redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap().extract_error().unwrap_err()
    }

    #[test]
    fn redirects_name_the_next_node_and_end() {
        let mut step = Step::default();
        assert_eq!(step.after(&error("MOVED 5 10.0.0.1:7001")), Next::Now);
        assert_eq!(step.target, Target::Moved("10.0.0.1".to_owned(), 7001));
        assert_eq!(step.after(&error("ASK 5 ::1:7002")), Next::Now);
        assert_eq!(step.target, Target::Ask("::1".to_owned(), 7002));
        assert_eq!(step.after(&error("TRYAGAIN some keys")), Next::Pause(2));
        assert_eq!(step.target, Target::Slot);
        assert_eq!(step.after(&error("MOVED 5 ?:7001")), Next::Pause(3));
        assert_eq!(step.after(&error("LOADING")), Next::Stop);
        assert_eq!(step.after(&error("ERR no")), Next::Stop);
        let rest: Vec<Next> = (0..3).map(|_| step.after(&error("TRYAGAIN"))).collect();
        assert_eq!(rest, [Next::Pause(6), Next::Pause(7), Next::Stop]);
    }

    #[test]
    fn a_delay_doubles_up_to_its_bound() {
        let (first, most) = (Duration::from_millis(20), Duration::from_secs(1));
        for (attempt, whole) in [(0, 20), (1, 40), (3, 160), (9, 1000), (u32::MAX, 1000)] {
            let delay = delay(attempt, first, most);
            assert!(delay >= Duration::from_millis(whole / 2) && delay <= Duration::from_millis(whole), "{delay:?}");
        }
        assert!(pause(20) <= Duration::from_millis(160));
    }
}
