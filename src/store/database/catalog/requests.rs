//! Requests for more, as rows.

use super::super::Database;
use super::super::connection::{Connection, sql};
use super::super::pool::Tries;
use super::super::row::Row;
use super::read;
use super::rows::{self, from_json, limits_from_json, limits_to_json, to_json};
use super::statements::AUDIT_INSERT;
use crate::domain::limit_request::{LimitRequest, RequestState, Resolution, Seen};
use crate::domain::time::Timestamp;
use crate::engine::paperwork::{Added, RequestFilter};
use crate::engine::ports::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Serialize, Deserialize)]
struct SeenJson {
    window: String,
    limit: Option<u64>,
    used: u64,
    held: u64,
}

/// Keeps a request with its audit entry, or answers the one that has the id.
pub(in super::super) async fn add(database: &Database, request: &LimitRequest) -> Result<Added, StoreError> {
    let mut tries = Tries::default();
    loop {
        let mut transaction = database.write().await?;
        match add_in(&mut transaction, request).await {
            Ok(added) => return transaction.commit().await.map(|()| added),
            Err(error) => tries.again(transaction, error).await?,
        }
    }
}

async fn add_in(transaction: &mut Connection, request: &LimitRequest) -> Result<Added, StoreError> {
    let (wanted, seen) = (limits_to_json(&request.wanted)?, seen_to_json(&request.seen)?);
    let added = transaction.execute(sql!("limit_request_add"), |values| {
        values.text(&request.tenant).text(&request.id).text(request.account.as_str()).text(request.meter.as_str());
        values
            .int(request.create_time.millis())
            .text(&wanted)
            .text(&request.reason)
            .text(&request.requester)
            .text(&seen);
    });
    if added.await? == 0 {
        let there = get(transaction, &request.tenant, &request.id).await?;
        return there.map(Added::There).ok_or_else(|| StoreError::Corrupt(String::from("a request that is not there")));
    }
    let version = read::version(transaction, &request.tenant).await?;
    let after = request_to_json(request)?;
    let audit = transaction.execute(AUDIT_INSERT, |values| {
        values.text(&request.tenant).int(version.cast_signed()).int(request.create_time.millis());
        values
            .text(&request.requester)
            .text("create")
            .text(&subject(request))
            .maybe_text(None)
            .maybe_text(Some(&after));
    });
    audit.await?;
    Ok(Added::New(request.clone()))
}

/// Writes down what was decided; whether the request was pending.
pub(super) async fn resolve(
    connection: &mut Connection,
    scope: &str,
    request: &LimitRequest,
    resolution: &Resolution,
) -> Result<bool, StoreError> {
    let granted = limits_to_json(&resolution.granted)?;
    let resolved = connection.execute(sql!("limit_request_resolve"), |values| {
        values.text(scope).text(&request.id).text(request.state.as_str()).text(&granted);
        values.text(&resolution.resolver).text(&resolution.comment).int(resolution.time.millis());
    });
    Ok(resolved.await? > 0)
}

/// One request.
pub(in super::super) async fn get(
    connection: &mut Connection,
    tenant: &str,
    id: &str,
) -> Result<Option<LimitRequest>, StoreError> {
    let row = connection.fetch_optional(sql!("limit_request_get"), |values| {
        values.text(tenant).text(id);
    });
    row.await?.as_ref().map(|row| request(tenant, row)).transpose()
}

/// A page of a tenant's requests, newest first.
pub(in super::super) async fn list(
    database: &Database,
    tenant: &str,
    filter: &RequestFilter,
) -> Result<Vec<LimitRequest>, StoreError> {
    let account = filter.account.as_deref().unwrap_or_default();
    let (time, id) = filter.after.as_ref().map_or((i64::MAX, ""), |(time, id)| (time.millis(), id.as_str()));
    let mut connection = database.read().await?;
    let rows = connection.fetch(sql!("limit_request_list"), |values| {
        values.text(tenant).int(time).text(id).text(filter.state.map_or("", RequestState::as_str));
        // A name below begins with the account and a slash; 0 is the character after it.
        values.text(account).text(&format!("{account}/")).text(&format!("{account}0")).int(i64::from(filter.limit));
    });
    rows.await?.iter().map(|row| request(tenant, row)).collect()
}

fn request(tenant: &str, row: &Row) -> Result<LimitRequest, StoreError> {
    let (account, meter, state) = (row.text(1)?, row.text(2)?, row.text(3)?);
    let state = RequestState::ALL.into_iter().find(|known| known.as_str() == state);
    let state = state.ok_or_else(|| StoreError::Corrupt(String::from("a limit request in an unknown state")))?;
    let resolution = match row.maybe_int(12)? {
        None => None,
        Some(time) => Some(Resolution {
            granted: limits_from_json(&row.text(9)?)?,
            resolver: row.text(10)?,
            comment: row.text(11)?,
            time: Timestamp::from_millis(time),
        }),
    };
    Ok(LimitRequest {
        tenant: tenant.to_owned(),
        id: row.text(0)?,
        account: account.parse().map_err(|error| rows::damaged("account", &account, &error))?,
        meter: meter.parse().map_err(|error| rows::damaged("meter", &meter, &error))?,
        state,
        create_time: Timestamp::from_millis(row.int(4)?),
        wanted: limits_from_json(&row.text(5)?)?,
        reason: row.text(6)?,
        requester: row.text(7)?,
        seen: seen_from_json(&row.text(8)?)?,
        resolution,
    })
}

fn seen_to_json(seen: &[Seen]) -> Result<String, StoreError> {
    let seen = seen.iter().map(|Seen { kind, limit, used, held }| SeenJson {
        window: kind.as_str().to_owned(),
        limit: *limit,
        used: *used,
        held: *held,
    });
    to_json(&seen.collect::<Vec<_>>())
}

fn seen_from_json(json: &str) -> Result<Vec<Seen>, StoreError> {
    let seen = |SeenJson { window, limit, used, held }: SeenJson| {
        let kind = window.parse().map_err(|error| rows::damaged("window", &window, &error))?;
        Ok(Seen { kind, limit, used, held })
    };
    from_json::<Vec<SeenJson>>(json)?.into_iter().map(seen).collect()
}

/// What the audit calls it.
pub(super) fn subject(request: &LimitRequest) -> String {
    format!("limit-request {} {} {}", request.account, request.meter, request.id)
}

/// What the audit says of it.
pub(super) fn request_to_json(request: &LimitRequest) -> Result<String, StoreError> {
    let limits = |limits| from_json::<serde_json::Value>(&limits_to_json(limits)?);
    let mut said = json!({
        "state": request.state.as_str(), "wanted": limits(&request.wanted)?, "reason": request.reason,
        "requester": request.requester,
    });
    if let Some(resolution) = &request.resolution {
        said["granted"] = limits(&resolution.granted)?;
        said["comment"] = json!(resolution.comment);
    }
    to_json(&said)
}
