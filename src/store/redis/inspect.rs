//! What Redis says of itself and of the partitions in it, to somebody who only looks.

use super::entry;
use super::keys::Keys;
use super::link::{Link, LinkError};
use super::meta::Meta;
use crate::domain::time::Timestamp;
use crate::engine::audit::Backlog;
use crate::engine::ports::{StoreError, Watermark};
use std::collections::BTreeMap;

/// Settings that matter, where our user may ask for them.
const SETTINGS: [&str; 3] = ["appendfsync", "save", "min-replicas-to-write"];

/// One master.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NodeFacts {
    /// Its address.
    pub name: String,
    /// What INFO says, by field.
    pub info: BTreeMap<String, String>,
    /// Settings by name; without those that may not be asked for.
    pub settings: BTreeMap<String, String>,
}

impl NodeFacts {
    /// A field of INFO, empty if it is not there.
    pub fn field(&self, name: &str) -> &str {
        self.info.get(name).map_or("", String::as_str)
    }

    /// The same as a number, 0 if it is none.
    pub fn number(&self, name: &str) -> u64 {
        self.field(name).parse().unwrap_or(0)
    }
}

/// Asks every master for INFO and settings.
///
/// # Errors
/// [`LinkError`] if one does not answer.
pub async fn nodes(link: &Link) -> Result<Vec<NodeFacts>, LinkError> {
    let mut nodes = Vec::new();
    for (name, answer) in link.each_master(&redis::cmd("INFO")).await? {
        let text: String = redis::from_redis_value(answer).map_err(|error| LinkError::Script(error.to_string()))?;
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        let info = fields.map(|(name, value)| (name.to_owned(), value.trim_end().to_owned())).collect();
        nodes.push(NodeFacts { name, info, settings: BTreeMap::new() });
    }
    for setting in SETTINGS {
        // A user that may not ask is no fault.
        let Ok(answers) = link.each_master(redis::cmd("CONFIG").arg("GET").arg(setting)).await else { continue };
        for (name, answer) in answers {
            let value = redis::from_redis_value::<Vec<String>>(answer).ok().and_then(|pair| pair.into_iter().nth(1));
            if let (Some(node), Some(value)) = (nodes.iter_mut().find(|node| node.name == name), value) {
                node.settings.insert(setting.to_owned(), value);
            }
        }
    }
    Ok(nodes)
}

/// Asks every master for its clock.
///
/// # Errors
/// [`LinkError`] if one does not answer.
pub async fn times(link: &Link) -> Result<Vec<(String, Timestamp)>, LinkError> {
    let mut times = Vec::new();
    for (name, answer) in link.each_master(&redis::cmd("TIME")).await? {
        let (seconds, micros): (i64, i64) =
            redis::from_redis_value(answer).map_err(|error| LinkError::Script(error.to_string()))?;
        times.push((name, Timestamp::from_millis(seconds * 1000 + micros / 1000)));
    }
    Ok(times)
}

/// What a partition has beyond the ledger's watermark; `None` if Redis does not know the partition.
///
/// # Errors
/// [`StoreError::Unavailable`] if Redis does not answer, [`StoreError::Corrupt`] if what it has can't be read.
pub async fn backlog(link: &Link, keys: &Keys, watermark: Watermark) -> Result<Option<Backlog>, StoreError> {
    let Some(meta) = link.get(keys.meta()).await.map_err(LinkError::of_a_read)? else { return Ok(None) };
    let meta = Meta::decode(&meta)?;
    let journal = keys.journal(meta.incarnation);
    let oldest = link.journal_after(&journal, watermark.seq, 1).await.map_err(LinkError::of_a_read)?;
    let since = oldest.first().map(|(_, bytes)| entry::read(bytes)).transpose()?.map(|entry| entry.time);
    let entries = meta.seq.saturating_sub(watermark.seq);
    Ok(Some(Backlog { partition: keys.partition(), entries, since, open: meta.open }))
}
