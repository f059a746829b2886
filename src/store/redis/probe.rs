//! What is looked at before a server is used: settings under which promises would break are refused, all faults in one error.

use super::keys::Keys;
use super::link::{Link, LinkError};
use super::options::{RedisOptions, Topology};
use super::pool::first_node;
use super::redirect::delay;
use super::scripts::Script;
use crate::telemetry::metrics;
use std::collections::BTreeSet;
use std::time::Duration;

/// Asks which of the commands in ARGV the user may not run on the partition's keys: one text, with blanks between. Some take
/// several keys, so every argument is one.
const MAY_RUN: &str = "local denied = {}\n\
    for _, name in ipairs(ARGV) do\n\
    if not redis.acl_check_cmd(name, KEYS[1], KEYS[1], KEYS[1]) then denied[#denied + 1] = name end\n\
    end\n\
    return table.concat(denied, ' ')";

/// What is called beside the scripts; ROLE, CONFIG and, on a cluster, more of CLUSTER help but are not needed.
const PLAIN: [&str; 7] = ["EVAL", "EVALSHA", "GET", "INFO", "PING", "XRANGE", "XREVRANGE"];

/// What was found out of servers that can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probed {
    /// Every answered write is on disk at all masters: append-only file, synced at every write.
    pub synced: bool,
    /// All masters keep something on disk.
    pub persistent: bool,
}

/// Why the servers can't be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProbeError {
    /// They must be configured otherwise: every fault.
    #[error("this Redis can't be used: {}", .0.join("; "))]
    Unsafe(
        /// The faults.
        Vec<String>,
    ),
    /// They don't answer now, or not yet as they will.
    #[error("{0}")]
    Unreachable(String),
}

impl From<LinkError> for ProbeError {
    fn from(error: LinkError) -> ProbeError {
        match error {
            LinkError::NotSent(text) | LinkError::Unknown(text) => ProbeError::Unreachable(text),
            LinkError::Script(text) => ProbeError::Unsafe(vec![text]),
        }
    }
}

/// The rights that a user needs, as `ACL SETUSER` takes them.
pub fn rights(options: &RedisOptions, scripts: &[&Script]) -> String {
    let mut commands: BTreeSet<&str> = scripts.iter().flat_map(|script| commands_of(script.text())).collect();
    commands.extend(PLAIN);
    if matches!(options.topology, Topology::Cluster(_)) {
        commands.insert("CLUSTER");
    }
    let all: Vec<String> = commands.iter().map(|name| format!("+{}", name.to_lowercase())).collect();
    format!("~{}* {}", options.prefix, all.join(" "))
}

/// A refusal to answer at all: waiting does not mend a missing right.
fn refused(error: LinkError, link: &Link, scripts: &[&Script]) -> ProbeError {
    match error {
        LinkError::NotSent(text) if text.contains("NoPerm") || text.contains("NOPERM") => {
            let needed = rights(link.options(), scripts);
            ProbeError::Unsafe(vec![format!("the user lacks rights ({text}); it needs {needed}")])
        }
        other => ProbeError::from(other),
    }
}

/// Looks at the servers as soon as they answer, however long that takes, and warns of what weakens the promises.
///
/// # Errors
/// Every fault of the servers' settings.
pub async fn wait(link: &Link, keys: &Keys, scripts: &[&Script]) -> Result<Probed, ProbeError> {
    let mut attempt = 0;
    loop {
        match probe(link, keys, scripts).await {
            Err(ProbeError::Unreachable(why)) => {
                metrics::engine().redis_up.set(0.0);
                if attempt == 0 {
                    tracing::warn!(why, "waiting for Redis");
                }
                tokio::time::sleep(delay(attempt, Duration::from_millis(50), Duration::from_secs(2))).await;
                attempt = attempt.saturating_add(1);
            }
            Ok(probed) => {
                warn(probed);
                return Ok(probed);
            }
            Err(error) => return Err(error),
        }
    }
}

fn warn(probed: Probed) {
    if !probed.persistent {
        tracing::warn!(
            "Redis keeps nothing on disk: if it stops, what is not in the database yet is lost (some 200 ms; DURABLE answers stay)"
        );
    }
}

/// Looks at the servers once.
///
/// # Errors
/// [`ProbeError`].
pub async fn probe(link: &Link, keys: &Keys, scripts: &[&Script]) -> Result<Probed, ProbeError> {
    let mut faults = Vec::new();
    if let Topology::Cluster(_) = &link.options().topology {
        look_at_cluster(link.options(), &mut faults).await?;
        if !faults.is_empty() {
            return Err(ProbeError::Unsafe(faults));
        }
    }
    let mut probed = Probed { synced: true, persistent: true };
    for (name, answer) in link.each_master(&redis::cmd("INFO")).await.map_err(|error| refused(error, link, scripts))? {
        let info: String = redis::from_redis_value(answer).map_err(|e| ProbeError::Unsafe(vec![e.to_string()]))?;
        judge(&name, &info, &link.options().topology, &mut faults);
        probed.persistent &= field(&info, "aof_enabled") == Some("1") || saves(link).await;
        probed.synced &= field(&info, "aof_enabled") == Some("1") && syncs(link).await;
    }
    // A replica runs no script that writes, and an old server not this one: first things first.
    if faults.is_empty() {
        look_at_rights(link, keys, scripts, &mut faults).await?;
    }
    if faults.is_empty() { Ok(probed) } else { Err(ProbeError::Unsafe(faults)) }
}

/// Whether a cluster is one, and whole.
async fn look_at_cluster(options: &RedisOptions, faults: &mut Vec<String>) -> Result<(), ProbeError> {
    let Topology::Cluster(seeds) = &options.topology else { return Ok(()) };
    let unreachable = |error: redis::RedisError| ProbeError::Unreachable(error.to_string());
    let mut node = first_node(options, seeds).await.map_err(unreachable)?;
    let info: String = redis::cmd("INFO").arg("cluster").query_async(&mut node).await.map_err(unreachable)?;
    if field(&info, "cluster_enabled") != Some("1") {
        faults.push(format!("{} is a server by itself: leave --redis-cluster out", options.place()));
        return Ok(());
    }
    let info: String = redis::cmd("CLUSTER").arg("INFO").query_async(&mut node).await.map_err(unreachable)?;
    match field(&info, "cluster_slots_assigned") {
        Some("16384") if field(&info, "cluster_state") == Some("ok") => Ok(()),
        Some("16384") => Err(ProbeError::Unreachable("the cluster says that it is down".to_owned())),
        slots => {
            let slots = slots.unwrap_or("0");
            faults.push(format!("the cluster has nodes for {slots} of its 16384 slots only"));
            Ok(())
        }
    }
}

/// Whether one master's settings are safe, by what INFO says: CONFIG may be forbidden to our user.
fn judge(name: &str, info: &str, topology: &Topology, faults: &mut Vec<String>) {
    let version = field(info, "redis_version").unwrap_or("unknown");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < 7) {
        faults.push(format!("{name} has version {version}; 7.0 is the oldest that will do"));
    }
    match field(info, "maxmemory_policy") {
        Some("noeviction") => {}
        policy => faults.push(format!(
            "{name} has maxmemory-policy {}: it would drop counters and holds when memory is short; set it to noeviction",
            policy.unwrap_or("unknown")
        )),
    }
    if field(info, "role") != Some("master") {
        faults.push(format!("{name} is a replica: point at its master, or use sentinels"));
    }
    if field(info, "cluster_enabled") == Some("1") && !matches!(topology, Topology::Cluster(_)) {
        faults.push(format!("{name} belongs to a cluster: add --redis-cluster"));
    }
}

/// Whether the user may run all that the scripts do. A script that is stopped in its middle would leave half a batch.
async fn look_at_rights(
    link: &Link,
    keys: &Keys,
    scripts: &[&Script],
    faults: &mut Vec<String>,
) -> Result<(), ProbeError> {
    let commands: BTreeSet<&str> = scripts.iter().flat_map(|script| commands_of(script.text())).collect();
    let args: Vec<&[u8]> = commands.iter().map(|name| name.as_bytes()).collect();
    let ask = Script::new("rights", MAY_RUN);
    let denied = link.run(&keys.all(0), &ask, &args, link.options().response_timeout).await;
    let denied = denied.map_err(|error| refused(error, link, scripts))?;
    if !denied.is_empty() {
        let denied = String::from_utf8_lossy(&denied).into_owned();
        let needed = rights(link.options(), scripts);
        faults.push(format!("the user may not run {denied} on our keys; it needs {needed}"));
    }
    Ok(())
}

/// The commands that a script calls: what stands in `call('NAME'`, by whatever name `redis.call` goes there.
fn commands_of(text: &str) -> impl Iterator<Item = &str> {
    text.split("call(").skip(1).filter_map(|rest| {
        let quote = rest.chars().next().filter(|c| *c == '\'' || *c == '"')?;
        rest[1..].split(quote).next()
    })
}

async fn syncs(link: &Link) -> bool {
    setting(link, "appendfsync").await.is_some_and(|values| values.iter().all(|value| value == "always"))
}

async fn saves(link: &Link) -> bool {
    // Unknown is taken for a yes: a warning must not be wrong.
    setting(link, "save").await.is_none_or(|values| values.iter().all(|value| !value.is_empty()))
}

/// A setting of all masters; `None` if the user may not ask.
async fn setting(link: &Link, name: &str) -> Option<Vec<String>> {
    let answers = link.each_master(redis::cmd("CONFIG").arg("GET").arg(name)).await.ok()?;
    let value = |answer| redis::from_redis_value::<Vec<String>>(answer).ok()?.into_iter().nth(1);
    answers.into_iter().map(|(_, answer)| value(answer)).collect()
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unsafe_setting_is_named() {
        let one =
            RedisOptions::new(&super::super::options::RedisFlags { url: "redis://h".to_owned(), ..Default::default() });
        let topology = one.unwrap().topology;
        let judged = |info: &str| {
            let mut faults = Vec::new();
            judge("h:6379", info, &topology, &mut faults);
            faults
        };
        let good = "redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\nrole:master\r\ncluster_enabled:0\r\n";
        assert_eq!(judged(good), Vec::<String>::new());
        let bad = "redis_version:6.2.1\r\nmaxmemory_policy:allkeys-lru\r\nrole:slave\r\ncluster_enabled:1\r\n";
        assert_eq!(judged(bad).len(), 4);
        assert_eq!(judged("").len(), 3);
    }

    #[test]
    fn the_commands_of_a_script_are_found() {
        let text =
            "redis.call('XADD', KEYS[1]) x(redis.call(\"INFO\")) redis.call(name) local c = redis.call call('GET')";
        assert_eq!(commands_of(text).collect::<Vec<_>>(), ["XADD", "INFO", "GET"]);
    }
}
