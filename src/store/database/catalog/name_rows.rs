//! What stands behind names as rows; as in `rows`, the JSON is this file's alone. `catalog_name_put.sql` knows how one begins that is
//! of a move under way.

use super::rows::{damaged, from_json as read, to_json as write};
use crate::domain::moved::{Behind, Move, NameRecord};
use crate::domain::name::{AccountName, Uid};
use crate::engine::ports::StoreError;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BehindJson {
    Account(String),
    Moved(String),
    Moving(MoveJson),
}

#[derive(Serialize, Deserialize)]
struct MoveJson {
    id: String,
    uid: String,
    to: String,
    resets_quotas: bool,
    undone: bool,
    actor: String,
}

/// The definition of what stands behind a name.
pub(super) fn to_json(behind: &Behind) -> Result<String, StoreError> {
    write(&match behind {
        Behind::Account(uid) => BehindJson::Account(uid.to_string()),
        Behind::Moved(to) => BehindJson::Moved(to.to_string()),
        Behind::Moving(moving) => BehindJson::Moving(MoveJson {
            id: moving.id.clone(),
            uid: moving.uid.to_string(),
            to: moving.to.to_string(),
            resets_quotas: moving.resets_quotas,
            undone: moving.undone,
            actor: moving.actor.clone(),
        }),
    })
}

/// What stands behind a name, from its definition.
pub(super) fn from_json(name: &str, json: &str) -> Result<NameRecord, StoreError> {
    let behind = match read(json)? {
        BehindJson::Account(text) => Behind::Account(uid(&text)?),
        BehindJson::Moved(to) => Behind::Moved(account(&to)?),
        BehindJson::Moving(MoveJson { id, uid: text, to, resets_quotas, undone, actor }) => {
            Behind::Moving(Box::new(Move { id, uid: uid(&text)?, to: account(&to)?, resets_quotas, undone, actor }))
        }
    };
    Ok(NameRecord { name: account(name)?, behind })
}

fn account(name: &str) -> Result<AccountName, StoreError> {
    name.parse().map_err(|error| damaged("account", name, &error))
}

fn uid(text: &str) -> Result<Uid, StoreError> {
    u128::from_str_radix(text, 16).map(Uid).map_err(|error| damaged("uid", text, &error))
}
