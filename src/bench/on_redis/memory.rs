//! Memory: what Redis gives back when one kind of thing is removed, by its own account, over how many there were.

use super::client::Client;
use super::report::Memory;
use super::script::Script;
use crate::store::redis::keys::Keys;
use anyhow::{Result, ensure};

/// Holds that are left open to be weighed.
const HOLDS: u64 = 20_000;

/// Weighs what a measured partition has; it is of no use afterwards.
///
/// # Errors
/// A call that fails.
pub(super) fn weigh(script: &mut Script, keys: &Keys, incarnation: u64) -> Result<Vec<Memory>> {
    let all = keys.all(incarnation);
    let [_, _, reservations, _, deadlines, counters, _, outcomes, _, _, journal] = &all[..] else {
        anyhow::bail!("a partition of {} keys", all.len())
    };
    // Those of what has ended stay until they come.
    script.client().count(&format!("DEL {deadlines}"))?;
    script.hold(HOLDS)?;

    let client = script.client();
    client.count(&format!("DEL {journal}"))?;
    let holds = client.count(&format!("HLEN {reservations}"))?;
    ensure!(holds == HOLDS.next_multiple_of(64), "{holds} open holds");
    let ended = client.count(&format!("HLEN {outcomes}"))?;
    let idle = client.count(&format!("HLEN {counters}"))?;
    Ok(vec![
        Memory { what: "idle counter, 2 windows", count: idle, bytes: freed(client, counters)? / idle as f64 },
        Memory {
            what: "open hold, with its deadline",
            count: holds,
            bytes: freed(client, &format!("{reservations} {deadlines}"))? / holds as f64,
        },
        Memory { what: "settled outcome", count: ended, bytes: freed(client, outcomes)? / ended as f64 },
    ])
}

/// Bytes that go with some keys.
fn freed(client: &mut Client, keys: &str) -> Result<f64> {
    let before = client.info("memory", "used_memory:")?;
    client.count(&format!("DEL {keys}"))?;
    Ok(before - client.info("memory", "used_memory:")?)
}
