//! The way to `adopt.lua`: one look at a partition, and the compare-and-set by which it changes hands.

use super::keys::Keys;
use super::link::{Link, LinkError};
use super::meta::{Meta, Server};
use super::pack::{Read, Reader, Writer, damaged};
use super::scripts::Script;
use crate::domain::name::Uid;
use crate::domain::time::Timestamp;
use crate::engine::ports::StoreError;
use std::sync::LazyLock;
use std::time::Duration;

/// A call may drop and load much.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a look is tried, and the time between.
const TRIES: u32 = 20;
const REST: Duration = Duration::from_millis(100);

/// The script that gives a partition its next state.
pub static ADOPT: LazyLock<Script> = LazyLock::new(|| Script::new("adopt", include_str!("../../lua/adopt.lua")));

/// A partition as it was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Look {
    /// Its state as bytes; empty: it has none.
    pub raw: Vec<u8>,
    /// The same, read.
    pub meta: Option<Meta>,
    /// The server that answered.
    pub server: Server,
    /// Its time.
    pub time: Timestamp,
    /// Whose partition it is; empty: nobody's yet.
    pub installation: Vec<u8>,
}

/// What a change of hands puts into the partition.
#[derive(Default, Debug)]
pub(super) struct Cargo {
    /// Drop all that there was first.
    pub drop: bool,
    /// The incarnation whose journal comes into use.
    pub journal: u64,
    /// The incarnation that is left, whose journal may go.
    pub left: Option<u64>,
    /// Fields and values by hash.
    pub tenants: Vec<Field>,
    /// Open reservations.
    pub reservations: Vec<Field>,
    /// Their request ids.
    pub requests: Vec<Field>,
    /// Their deadlines.
    pub deadlines: Vec<Field>,
    /// Catalog versions that bind from now on, by tenant, in a partition that keeps what it has.
    pub versions: Vec<(Uid, u64)>,
}

/// A field and its value.
pub(super) type Field = (Vec<u8>, Vec<u8>);

/// Looks at a partition.
///
/// # Errors
/// [`StoreError`] if Redis can't be asked, or the partition holds something that no quotad wrote.
pub(super) async fn look(link: &Link, keys: &Keys) -> Result<Look, StoreError> {
    let nobody =
        Look { raw: Vec::new(), meta: None, server: Server::default(), time: Timestamp::MIN, installation: Vec::new() };
    let mut tries = 0;
    loop {
        tries += 1;
        match call(link, keys, &nobody, (&[], &[]), &Cargo::default()).await? {
            Ok((_, look)) => return Ok(look),
            Err(error) if tries == TRIES => return Err(error.of_a_read()),
            // The connection was to a server that is gone; the next one is better.
            Err(_) => tokio::time::sleep(REST).await,
        }
    }
}

/// Gives a partition its next state if it still is as it was looked at, and answers how it is then. `None`: it was otherwise,
/// or no answer came; whether it happened is to be looked at.
///
/// # Errors
/// [`StoreError`] if Redis can't be asked.
pub(super) async fn swap(
    link: &Link,
    keys: &Keys,
    before: &Look,
    installation: &str,
    next: &Meta,
    cargo: &Cargo,
) -> Result<Option<Look>, StoreError> {
    match call(link, keys, before, (&next.encode(), installation.as_bytes()), cargo).await? {
        Ok((true, look)) => Ok(Some(look)),
        Ok((false, _)) | Err(LinkError::Unknown(_)) => Ok(None),
        Err(error) => Err(error.of_a_read()),
    }
}

async fn call(
    link: &Link,
    keys: &Keys,
    before: &Look,
    (next, installation): (&[u8], &[u8]),
    cargo: &Cargo,
) -> Result<Result<(bool, Look), LinkError>, StoreError> {
    let mut out = Writer::with_capacity(512);
    out.array(12).int(1).bytes(&before.raw).bytes(next).bytes(&before.server.run_id).bytes(&before.server.replid);
    out.bytes(installation).flag(cargo.drop);
    for fields in [&cargo.tenants, &cargo.reservations, &cargo.requests, &cargo.deadlines] {
        out.array(fields.len() * 2);
        for (field, value) in fields {
            out.bytes(field).bytes(value);
        }
    }
    out.array(cargo.versions.len() * 2);
    for (tenant, version) in &cargo.versions {
        out.bytes(&tenant.to_bytes()).uint(*version);
    }
    let mut names = keys.all(cargo.journal);
    names.extend([keys.installation(), keys.journal(cargo.left.unwrap_or(cargo.journal))]);
    match link.run(&names, &ADOPT, &[&out.finish()], TIMEOUT).await {
        Ok(answer) => Ok(Ok(read(&answer)?)),
        Err(error) => Ok(Err(error)),
    }
}

fn read(answer: &[u8]) -> Read<(bool, Look)> {
    let mut reader = Reader::new(answer);
    reader.tuple(7)?;
    if reader.int()? != 1 {
        return Err(damaged("an answer of another format"));
    }
    let done = reader.flag()?;
    let raw = reader.bytes()?.to_vec();
    let meta = if raw.is_empty() { None } else { Some(Meta::decode(&raw)?) };
    let server = Server { run_id: reader.bytes()?.to_vec(), replid: reader.bytes()?.to_vec() };
    let time = reader.time()?;
    Ok((done, Look { raw, meta, server, time, installation: reader.bytes()?.to_vec() }))
}
