//! Reservations and request ids in the ledger: what the store has forgotten and a caller may still ask for.

use super::bulk::Bulk;
use super::connection::{Connection, Sql, sql};
use super::fold::{Batch, ReservationChange, key_of};
use super::pool::Database;
use super::resolve::{self, First, FirstUse, Resolved};
use super::rows;
use super::values::Values;
use crate::domain::name::{IdKey, Uid};
use crate::domain::reservation::{Reservation, State};
use crate::domain::time::Timestamp;
use crate::engine::ports::{KnownRequest, Repeated, ReservationFilter, StoreError};
use foldhash::HashMap;

/// The first reservations that the ledger has of a batch's keys.
pub(super) async fn firsts(
    connection: &mut Connection,
    batch: &Batch<'_>,
) -> Result<HashMap<(Uid, IdKey), First>, StoreError> {
    let bind = |values: &mut Values, (tenant, key): &(Uid, IdKey)| {
        values.bytes(&tenant.to_bytes()).bytes(&key.to_bytes());
    };
    let times = Bulk::new(sql!("reservation_times"));
    let mut firsts = HashMap::default();
    for row in times.fetch(connection, &batch.reservation_keys(), bind).await? {
        let first = First { time: Timestamp::from_millis(row.int(2)?), fingerprint: None };
        firsts.insert((rows::uid(row.bytes(0)?)?, rows::key(row.bytes(1)?)?), first);
    }
    // Few: only those of which there are two.
    let get = Bulk::new(sql!("reservation_get"));
    let twice = resolve::in_question(&batch.reservations, &firsts);
    for row in get.fetch(connection, &twice, bind).await? {
        let record = rows::reservation(row.bytes(1)?)?;
        if let Some(first) = firsts.get_mut(&key_of(&record)) {
            first.fingerprint = Some(record.fingerprint);
        }
    }
    Ok(firsts)
}

/// What the ledger's first uses were of the request ids that made reservations in a batch.
pub(super) async fn first_uses(
    connection: &mut Connection,
    batch: &Batch<'_>,
) -> Result<HashMap<(Uid, IdKey), FirstUse>, StoreError> {
    let made = batch.requests.iter().filter(|row| resolve::makes(row.effect.kind));
    let mut keys: Vec<(Uid, IdKey)> = made.map(|row| (row.effect.tenant, row.stamp.key)).collect();
    keys.dedup();
    let get = Bulk::new(sql!("request_first"));
    let found = get
        .fetch(connection, &keys, |values, (tenant, key)| {
            values.bytes(&tenant.to_bytes()).bytes(&key.to_bytes());
        })
        .await?;
    let mut uses = HashMap::default();
    for row in &found {
        let reservation = row.maybe_bytes(3)?.map(rows::key).transpose()?;
        let first = FirstUse { fingerprint: row.int(2)?.cast_unsigned(), reservation };
        uses.insert((rows::uid(row.bytes(0)?)?, rows::key(row.bytes(1)?)?), first);
    }
    Ok(uses)
}

/// Writes the last record of each reservation, the accounts of those that are new, and the repeats.
pub(super) async fn put(
    connection: &mut Connection,
    partition: u32,
    resolved: &Resolved<'_>,
) -> Result<(), StoreError> {
    let mut last: Vec<_> = resolved.last.iter().collect();
    last.sort_unstable_by_key(|(key, _)| **key);
    let put = Bulk::new(sql!("reservation_put"));
    put.execute(connection, &last, |values, (_, (change, _))| bind_reservation(values, partition, change)).await?;

    let new = last.iter().filter(|(_, (_, new))| *new).map(|(_, (change, _))| change.record);
    let mut accounts: Vec<_> = new.flat_map(account_rows).collect();
    accounts.sort_unstable();
    let add = Bulk::new(sql!("reservation_account_add"));
    add.execute(connection, &accounts, bind_account).await?;

    let repeated = Bulk::new(sql!("repeated_add"));
    repeated
        .execute(connection, &resolved.repeated, |values, record| {
            bind_version(values, record).int(i64::from(partition)).bytes(&rows::record(record));
        })
        .await?;
    let undone = Bulk::new(sql!("repeated_remove"));
    undone
        .execute(connection, &resolved.undone, |values, record| {
            bind_version(values, record);
        })
        .await?;
    Ok(())
}

/// The rows by which a reservation is found by account: tenant, account, create time, key; each account once.
pub(super) fn account_rows(reservation: &Reservation) -> Vec<(Uid, Uid, i64, IdKey)> {
    let levels = reservation.charges.iter().flat_map(|charge| charge.path.iter());
    let mut accounts: Vec<Uid> = levels.map(|level| level.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let row = |account| (reservation.tenant, account, reservation.create_time.millis(), reservation.key);
    accounts.into_iter().map(row).collect()
}

/// Binds one of [`account_rows`].
pub(super) fn bind_account(values: &mut Values, (tenant, account, time, key): &(Uid, Uid, i64, IdKey)) {
    values.bytes(&tenant.to_bytes()).bytes(&account.to_bytes()).int(*time).bytes(&key.to_bytes());
}

fn bind_version<'v>(values: &'v mut Values, record: &Reservation) -> &'v mut Values {
    let (tenant, key) = key_of(record);
    values.bytes(&tenant.to_bytes()).bytes(&key.to_bytes()).int(record.create_time.millis())
}

fn bind_reservation(values: &mut Values, partition: u32, change: &ReservationChange<'_>) {
    let record = change.record;
    let open = record.state.is_open();
    values.bytes(&record.tenant.to_bytes()).bytes(&record.key.to_bytes()).text(&record.id);
    values.int(record.state as i64).int(i64::from(open)).int(i64::from(record.occupies()));
    values.int(record.create_time.millis()).int(record.expire_time.millis());
    values.maybe_int((!open).then(|| change.time.millis()));
    values.int(i64::from(partition)).int(change.seq.cast_signed()).bytes(&rows::record(record));
}

/// Reads reservations by key, in the order of the keys.
pub(super) async fn by_keys(
    database: &Database,
    tenant: Uid,
    keys: &[IdKey],
) -> Result<Vec<Option<Reservation>>, StoreError> {
    let mut connection = database.read().await?;
    let get = Bulk::new(sql!("reservation_get"));
    let mut records = HashMap::default();
    for row in get.fetch(&mut connection, keys, bind_key(tenant)).await? {
        records.insert(rows::key(row.bytes(0)?)?, rows::reservation(row.bytes(1)?)?);
    }
    Ok(keys.iter().map(|key| records.get(key).cloned()).collect())
}

/// Reads what is known of request ids, in the order of the keys.
pub(super) async fn requests(
    database: &Database,
    tenant: Uid,
    keys: &[IdKey],
) -> Result<Vec<Option<KnownRequest>>, StoreError> {
    let mut connection = database.read().await?;
    let get = Bulk::new(sql!("request_get"));
    let mut known = HashMap::default();
    for row in get.fetch(&mut connection, keys, bind_key(tenant)).await? {
        let kind = row.int(2)?;
        let request = KnownRequest {
            fingerprint: row.int(1)?.cast_unsigned(),
            kind: u8::try_from(kind).map_err(|_| StoreError::Corrupt(format!("a request of kind {kind}")))?,
            reservation: row.maybe_bytes(3)?.map(rows::key).transpose()?,
            amounts: rows::read_amounts(row.maybe_bytes(4)?.unwrap_or_default())?,
        };
        known.insert(rows::key(row.bytes(0)?)?, request);
    }
    Ok(keys.iter().map(|key| known.get(key).cloned()).collect())
}

fn bind_key(tenant: Uid) -> impl Fn(&mut Values, &IdKey) {
    move |values, key| {
        values.bytes(&tenant.to_bytes()).bytes(&key.to_bytes());
    }
}

/// All open reservations of a partition.
pub(super) async fn open(database: &Database, partition: u32) -> Result<Vec<Reservation>, StoreError> {
    of_partition(database, sql!("reservation_open"), partition).await
}

/// The repeats of a partition that are not undone.
pub(super) async fn repeated(database: &Database, partition: u32) -> Result<Vec<Repeated>, StoreError> {
    let records = of_partition(database, sql!("repeated_list"), partition).await?;
    let repeat = |record: Reservation| Repeated { tenant: record.tenant, reservation: Box::new(record) };
    Ok(records.into_iter().map(repeat).collect())
}

async fn of_partition(database: &Database, sql: Sql, partition: u32) -> Result<Vec<Reservation>, StoreError> {
    let mut connection = database.read().await?;
    let found = connection.fetch(sql, |values| {
        values.int(i64::from(partition));
    });
    rows::reservations(&found.await?)
}

/// A page of a tenant's reservations, newest first.
pub(super) async fn list(
    database: &Database,
    tenant: Uid,
    filter: &ReservationFilter,
) -> Result<Vec<Reservation>, StoreError> {
    let mut snapshot = database.snapshot().await?;
    let Some(name) = &filter.account else {
        let found = page(&mut snapshot, tenant, filter, None).await?;
        return snapshot.commit().await.map(|()| found);
    };
    let mut found = Vec::new();
    for account in uids(&mut snapshot, tenant, name).await? {
        found.extend(page(&mut snapshot, tenant, filter, Some(account)).await?);
    }
    snapshot.commit().await?;
    // An account that was moved has several uids, and a reservation may count on more than one of them.
    found.sort_by_key(|one| std::cmp::Reverse((one.create_time, one.key)));
    found.dedup_by_key(|one| one.key);
    found.truncate(usize::try_from(filter.limit).unwrap_or(usize::MAX));
    Ok(found)
}

async fn uids(connection: &mut Connection, tenant: Uid, name: &str) -> Result<Vec<Uid>, StoreError> {
    let found = connection.fetch(sql!("account_by_name"), |values| {
        values.bytes(&tenant.to_bytes()).text(name);
    });
    let found = found.await?;
    if found.is_empty() {
        // Names come from lines; reservations that never changed a counter have none.
        return Ok(vec![Uid::of(name)]);
    }
    found.iter().map(|row| rows::uid(row.bytes(0)?)).collect()
}

async fn page(
    connection: &mut Connection,
    tenant: Uid,
    filter: &ReservationFilter,
    account: Option<Uid>,
) -> Result<Vec<Reservation>, StoreError> {
    let only_open = !filter.states.is_empty() && filter.states.iter().all(|state| state.is_open());
    let statement = match account {
        Some(_) => sql!("reservation_list_account"),
        None if only_open => sql!("reservation_list_open"),
        None => sql!("reservation_list"),
    };
    let (time, key) = filter.after.unwrap_or((Timestamp::MAX, IdKey(u128::MAX)));
    let found = connection.fetch(statement, |values| {
        values.bytes(&tenant.to_bytes()).int(time.millis()).bytes(&key.to_bytes());
        values.int(mask(&filter.states)).int(i64::from(filter.limit));
        if let Some(account) = account {
            values.bytes(&account.to_bytes());
        }
    });
    rows::reservations(&found.await?)
}

/// The wanted states as bits, all if none are named.
fn mask(states: &[State]) -> i64 {
    if states.is_empty() { -1 } else { states.iter().fold(0, |bits, state| bits | 1 << *state as i64) }
}
