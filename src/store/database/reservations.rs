//! Reservations and request ids in the ledger: what the store has forgotten and a caller may still ask for.

use super::bulk::{Bulk, Values};
use super::errors::store_error;
use super::fold::{Batch, ReservationChange, key_of};
use super::resolve::{self, First, FirstUse, Resolved};
use super::rows;
use crate::domain::name::{IdKey, Uid};
use crate::domain::reservation::{Reservation, State};
use crate::domain::time::Timestamp;
use crate::engine::ports::{KnownRequest, Repeated, ReservationFilter, StoreError};
use foldhash::HashMap;
use sqlx::{SqliteConnection, SqlitePool};

/// A row of `request_get.sql`: key, fingerprint, kind, reservation, amounts.
type RequestColumns = (Vec<u8>, i64, i64, Option<Vec<u8>>, Option<Vec<u8>>);
/// A row of `request_first.sql`: tenant, key, fingerprint, reservation.
type FirstUseColumns = (Vec<u8>, Vec<u8>, i64, Option<Vec<u8>>);

/// The first reservations that the ledger has of a batch's keys.
pub(super) async fn firsts(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
) -> Result<HashMap<(Uid, IdKey), First>, StoreError> {
    let bind = |values: &mut Values, (tenant, key): &(Uid, IdKey)| {
        values.bytes(&tenant.to_bytes()).bytes(&key.to_bytes());
    };
    let times = Bulk::new(include_str!("../../sql/queries/reservation_times.sql"));
    let times: Vec<(Vec<u8>, Vec<u8>, i64)> = times.fetch(connection, &batch.reservation_keys(), bind).await?;
    let mut firsts = HashMap::default();
    for (tenant, key, time) in times {
        let first = First { time: Timestamp::from_millis(time), fingerprint: None };
        firsts.insert((rows::uid(&tenant)?, rows::key(&key)?), first);
    }
    // Few: only those of which there are two.
    let get = Bulk::new(include_str!("../../sql/queries/reservation_get.sql"));
    let twice = resolve::in_question(&batch.reservations, &firsts);
    let records: Vec<(Vec<u8>, Vec<u8>)> = get.fetch(connection, &twice, bind).await?;
    for (_, record) in records {
        let record = rows::reservation(&record)?;
        if let Some(first) = firsts.get_mut(&key_of(&record)) {
            first.fingerprint = Some(record.fingerprint);
        }
    }
    Ok(firsts)
}

/// What the ledger's first uses were of the request ids that made reservations in a batch.
pub(super) async fn first_uses(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
) -> Result<HashMap<(Uid, IdKey), FirstUse>, StoreError> {
    let made = batch.requests.iter().filter(|row| resolve::makes(row.effect.kind));
    let mut keys: Vec<(Uid, IdKey)> = made.map(|row| (row.effect.tenant, row.stamp.key)).collect();
    keys.dedup();
    let get = Bulk::new(include_str!("../../sql/queries/request_first.sql"));
    let found: Vec<FirstUseColumns> = get
        .fetch(connection, &keys, |values, (tenant, key)| {
            values.bytes(&tenant.to_bytes()).bytes(&key.to_bytes());
        })
        .await?;
    let mut uses = HashMap::default();
    for (tenant, key, fingerprint, reservation) in found {
        let reservation = reservation.map(|key| rows::key(&key)).transpose()?;
        let first = FirstUse { fingerprint: fingerprint.cast_unsigned(), reservation };
        uses.insert((rows::uid(&tenant)?, rows::key(&key)?), first);
    }
    Ok(uses)
}

/// Writes the last record of each reservation, the accounts of those that are new, and the repeats.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    partition: u32,
    resolved: &Resolved<'_>,
) -> Result<(), StoreError> {
    let mut last: Vec<_> = resolved.last.iter().collect();
    last.sort_unstable_by_key(|(key, _)| **key);
    let put = Bulk::new(include_str!("../../sql/queries/reservation_put.sql"));
    put.execute(connection, &last, |values, (_, (change, _))| bind_reservation(values, partition, change)).await?;

    let new = last.iter().filter(|(_, (_, new))| *new).map(|(_, (change, _))| change.record);
    let mut accounts: Vec<_> = new.flat_map(account_rows).collect();
    accounts.sort_unstable();
    let add = Bulk::new(include_str!("../../sql/queries/reservation_account_add.sql"));
    add.execute(connection, &accounts, bind_account).await?;

    let repeated = Bulk::new(include_str!("../../sql/queries/repeated_add.sql"));
    repeated
        .execute(connection, &resolved.repeated, |values, record| {
            bind_version(values, record).int(i64::from(partition)).bytes(&rows::record(record));
        })
        .await?;
    let undone = Bulk::new(include_str!("../../sql/queries/repeated_remove.sql"));
    undone
        .execute(connection, &resolved.undone, |values, record| {
            bind_version(values, record);
        })
        .await?;
    Ok(())
}

/// The rows by which a reservation is found by account: tenant, account, create time, key; each account once.
pub(super) fn account_rows(reservation: &Reservation) -> Vec<(Uid, Uid, i64, IdKey)> {
    let levels = reservation.charges.iter().flat_map(|charge| &charge.path);
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
    reader: &SqlitePool,
    tenant: Uid,
    keys: &[IdKey],
) -> Result<Vec<Option<Reservation>>, StoreError> {
    let mut connection = reader.acquire().await.map_err(store_error)?;
    let get = Bulk::new(include_str!("../../sql/queries/reservation_get.sql"));
    let found: Vec<(Vec<u8>, Vec<u8>)> = get.fetch(&mut connection, keys, bind_key(tenant)).await?;
    let mut records = HashMap::default();
    for (key, record) in found {
        records.insert(rows::key(&key)?, rows::reservation(&record)?);
    }
    Ok(keys.iter().map(|key| records.get(key).cloned()).collect())
}

/// Reads what is known of request ids, in the order of the keys.
pub(super) async fn requests(
    reader: &SqlitePool,
    tenant: Uid,
    keys: &[IdKey],
) -> Result<Vec<Option<KnownRequest>>, StoreError> {
    let mut connection = reader.acquire().await.map_err(store_error)?;
    let get = Bulk::new(include_str!("../../sql/queries/request_get.sql"));
    let found: Vec<RequestColumns> = get.fetch(&mut connection, keys, bind_key(tenant)).await?;
    let mut known = HashMap::default();
    for (key, fingerprint, kind, reservation, amounts) in found {
        let request = KnownRequest {
            fingerprint: fingerprint.cast_unsigned(),
            kind: u8::try_from(kind).map_err(|_| StoreError::Corrupt(format!("a request of kind {kind}")))?,
            reservation: reservation.map(|key| rows::key(&key)).transpose()?,
            amounts: rows::read_amounts(&amounts.unwrap_or_default())?,
        };
        known.insert(rows::key(&key)?, request);
    }
    Ok(keys.iter().map(|key| known.get(key).cloned()).collect())
}

fn bind_key(tenant: Uid) -> impl Fn(&mut Values, &IdKey) {
    move |values, key| {
        values.bytes(&tenant.to_bytes()).bytes(&key.to_bytes());
    }
}

/// All open reservations of a partition.
pub(super) async fn open(reader: &SqlitePool, partition: u32) -> Result<Vec<Reservation>, StoreError> {
    let query = sqlx::query_as(include_str!("../../sql/queries/reservation_open.sql")).bind(i64::from(partition));
    rows::reservations(query.fetch_all(reader).await.map_err(store_error)?)
}

/// The repeats of a partition that are not undone.
pub(super) async fn repeated(reader: &SqlitePool, partition: u32) -> Result<Vec<Repeated>, StoreError> {
    let query = sqlx::query_as(include_str!("../../sql/queries/repeated_list.sql")).bind(i64::from(partition));
    let records = rows::reservations(query.fetch_all(reader).await.map_err(store_error)?)?;
    let repeat = |record: Reservation| Repeated { tenant: record.tenant, reservation: Box::new(record) };
    Ok(records.into_iter().map(repeat).collect())
}

/// A page of a tenant's reservations, newest first.
pub(super) async fn list(
    reader: &SqlitePool,
    tenant: Uid,
    filter: &ReservationFilter,
) -> Result<Vec<Reservation>, StoreError> {
    let mut snapshot = reader.begin().await.map_err(store_error)?;
    let Some(name) = &filter.account else {
        return page(&mut snapshot, tenant, filter, None).await;
    };
    let mut found = Vec::new();
    for account in uids(&mut snapshot, tenant, name).await? {
        found.extend(page(&mut snapshot, tenant, filter, Some(account)).await?);
    }
    // An account that was moved has several uids, and a reservation may count on more than one of them.
    found.sort_by_key(|one| std::cmp::Reverse((one.create_time, one.key)));
    found.dedup_by_key(|one| one.key);
    found.truncate(usize::try_from(filter.limit).unwrap_or(usize::MAX));
    Ok(found)
}

async fn uids(connection: &mut SqliteConnection, tenant: Uid, name: &str) -> Result<Vec<Uid>, StoreError> {
    let query = sqlx::query_as(include_str!("../../sql/queries/account_by_name.sql"));
    let query = query.bind(tenant.to_bytes().to_vec()).bind(name);
    let found: Vec<(Vec<u8>,)> = query.fetch_all(connection).await.map_err(store_error)?;
    if found.is_empty() {
        // Names come from lines; reservations that never changed a counter have none.
        return Ok(vec![Uid::of(name)]);
    }
    found.iter().map(|(bytes,)| rows::uid(bytes)).collect()
}

async fn page(
    connection: &mut SqliteConnection,
    tenant: Uid,
    filter: &ReservationFilter,
    account: Option<Uid>,
) -> Result<Vec<Reservation>, StoreError> {
    let only_open = !filter.states.is_empty() && filter.states.iter().all(|state| state.is_open());
    let statement = match account {
        Some(_) => include_str!("../../sql/queries/reservation_list_account.sql"),
        None if only_open => include_str!("../../sql/queries/reservation_list_open.sql"),
        None => include_str!("../../sql/queries/reservation_list.sql"),
    };
    let (time, key) = filter.after.unwrap_or((Timestamp::MAX, IdKey(u128::MAX)));
    let mut query = sqlx::query_as(statement)
        .bind(tenant.to_bytes().to_vec())
        .bind(time.millis())
        .bind(key.to_bytes().to_vec())
        .bind(mask(&filter.states))
        .bind(i64::from(filter.limit));
    if let Some(account) = account {
        query = query.bind(account.to_bytes().to_vec());
    }
    rows::reservations(query.fetch_all(connection).await.map_err(store_error)?)
}

/// The wanted states as bits, all if none are named.
fn mask(states: &[State]) -> i64 {
    if states.is_empty() { -1 } else { states.iter().fold(0, |bits, state| bits | 1 << *state as i64) }
}
