//! Forgetting what may be forgotten: ended reservations and request ids after 35 days.

use super::bulk::Bulk;
use super::connection::{Connection, sql};
use super::fold::key_of;
use super::pool::{Database, Tries};
use super::values::Values;
use super::{reservations, rows};
use crate::domain::time::{Span, Timestamp};
use crate::engine::ports::StoreError;

/// How long reservations and request ids are kept after their end (rule 5).
const KEPT: Span = Span::from_secs(35 * 24 * 3600);
/// Reservations, and request ids, that one call removes at most: the writer is not held longer than some tens of ms.
const AT_ONCE: i64 = 5_000;

/// Forgets a bounded part of what may be forgotten at `now`; answers how many reservations and request ids went.
pub(super) async fn prune(database: &Database, now: Timestamp) -> Result<u64, StoreError> {
    let mut tries = Tries::default();
    loop {
        let mut transaction = database.write().await?;
        match prune_in(&mut transaction, (now - KEPT).millis()).await {
            Ok(gone) => return transaction.commit().await.map(|()| gone),
            Err(error) => tries.again(transaction, error).await?,
        }
    }
}

async fn prune_in(transaction: &mut Connection, before: i64) -> Result<u64, StoreError> {
    let bounds = |values: &mut Values| {
        values.int(before).int(AT_ONCE);
    };
    let ended = rows::reservations(&transaction.fetch(sql!(each "reservation_ended"), bounds).await?)?;
    let accounts: Vec<_> = ended.iter().flat_map(reservations::account_rows).collect();
    let from_accounts = Bulk::new(sql!("reservation_account_remove"));
    from_accounts.execute(transaction, &accounts, reservations::bind_account).await?;
    let remove = Bulk::new(sql!("reservation_remove"));
    let reservations = remove
        .execute(transaction, &ended, |values, record| {
            let (tenant, key) = key_of(record);
            values.bytes(&tenant.to_bytes()).bytes(&key.to_bytes());
        })
        .await?;
    Ok(reservations + transaction.execute(sql!(each "request_prune"), bounds).await?)
}
