//! The ways to `figures.lua`, which reads at one entry of the journal, and to `forget.lua`, by which a counter is asked anew.

use super::super::keys::Keys;
use super::super::link::{Link, LinkError};
use super::super::meta::Meta;
use super::super::pack::{Read, Reader, Writer, damaged};
use super::super::scripts::Script;
use crate::domain::name::IdKey;
use crate::engine::ports::{CounterKey, StoreError};
use std::sync::LazyLock;
use std::time::Duration;

/// What a call may take.
const TIMEOUT: Duration = Duration::from_secs(5);

static FIGURES: LazyLock<Script> = LazyLock::new(|| Script::new("figures", include_str!("../../../lua/figures.lua")));
static FORGET: LazyLock<Script> = LazyLock::new(|| Script::new("forget", include_str!("../../../lua/forget.lua")));

/// What a partition says of itself and of what it was asked for, all at one entry.
pub(super) struct Figures {
    /// Its state; `None`: Redis does not know the partition.
    pub meta: Option<Meta>,
    /// Whose it is; empty: nobody's yet.
    pub installation: Vec<u8>,
    /// The counters' values in the order asked; empty: it has none.
    pub counters: Vec<Vec<u8>>,
    /// The reservations' records in the order asked; empty: it is not open there.
    pub reservations: Vec<Vec<u8>>,
}

/// Reads counters and reservations of a partition.
///
/// # Errors
/// [`StoreError`] if Redis can't be asked.
pub(super) async fn figures(
    link: &Link,
    keys: &Keys,
    counters: &[CounterKey],
    reservations: &[IdKey],
) -> Result<Figures, StoreError> {
    let mut out = Writer::with_capacity(64 + 26 * counters.len() + 17 * reservations.len());
    out.array(3).int(1).array(counters.len());
    for key in counters {
        out.bytes(&field(*key));
    }
    out.array(reservations.len());
    for key in reservations {
        out.bytes(&key.to_bytes());
    }
    let mut names = keys.all(0);
    names.push(keys.installation());
    let answer = link.run(&names, &FIGURES, &[&out.finish()], TIMEOUT).await.map_err(LinkError::of_a_read)?;
    let mut reader = answered(&answer, 5)?;
    let meta = reader.bytes()?;
    Ok(Figures {
        meta: if meta.is_empty() { None } else { Some(Meta::decode(meta)?) },
        installation: reader.bytes()?.to_vec(),
        counters: list(&mut reader)?,
        reservations: list(&mut reader)?,
    })
}

/// Makes an incarnation of a partition forget counters that still are as they were looked at (empty: whatever they are by now);
/// answers which are gone. Nothing is lost: each is asked of the ledger when it is needed next.
///
/// # Errors
/// [`StoreError`] if Redis can't be asked; to forget again does no harm.
pub(super) async fn forget(
    link: &Link,
    keys: &Keys,
    incarnation: u64,
    counters: &[(CounterKey, &[u8])],
) -> Result<Vec<bool>, StoreError> {
    let mut out = Writer::with_capacity(256);
    out.array(3).int(1).uint(incarnation).array(2 * counters.len());
    for (key, value) in counters {
        out.bytes(&field(*key)).bytes(value);
    }
    let answer = link.run(&keys.all(incarnation), &FORGET, &[&out.finish()], TIMEOUT).await;
    let answer = answer.map_err(LinkError::of_a_read)?;
    let mut reader = answered(&answer, 2)?;
    (0..reader.array()?).map(|_| reader.flag()).collect()
}

/// The field of a counter in its hash.
pub(super) fn field(key: CounterKey) -> Vec<u8> {
    [&key.account.to_bytes()[..], &key.meter.0.to_be_bytes()].concat()
}

fn answered(answer: &[u8], items: usize) -> Read<Reader<'_>> {
    let mut reader = Reader::new(answer);
    reader.tuple(items)?;
    if reader.int()? != 1 {
        return Err(damaged("an answer of another format"));
    }
    Ok(reader)
}

fn list(reader: &mut Reader<'_>) -> Read<Vec<Vec<u8>>> {
    (0..reader.array()?).map(|_| reader.bytes().map(<[u8]>::to_vec)).collect()
}
