//! Any of our keys in readable form, for an operator who looks into a partition: nothing is changed.

use super::link::{Link, LinkError};
use super::meta::Meta;
use super::pack::{Read, damaged};
use super::{entry, record, shown, value};
use crate::domain::name::{IdKey, Uid};
use crate::engine::ports::{CounterKey, StoreError};
use serde_json::{Value as Json, json};

/// What to show of a key that holds many things.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pick {
    /// Some of them.
    Some(usize),
    /// The one of a counter.
    Counter(CounterKey),
    /// The one of a tenant.
    Tenant(Uid),
    /// The one of a reservation's or request's id.
    Id(IdKey),
    /// A field as it is listed.
    Field(String),
    /// An entry of a journal.
    Entry(u64),
}

/// What a key holds, by its name after the tag.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Meta,
    Tenants,
    Reservations,
    Requests,
    Deadlines,
    Counters,
    Outcomes,
    Journal,
    Text,
}

impl Holds {
    fn of(key: &str) -> Option<Holds> {
        let (_, name) = key.split_once("}:")?;
        Some(match name {
            "meta" => Holds::Meta,
            "tenants" => Holds::Tenants,
            "reservations" => Holds::Reservations,
            "requests" => Holds::Requests,
            "deadlines" => Holds::Deadlines,
            "counters:0" | "counters:1" => Holds::Counters,
            "outcomes:0" | "outcomes:1" | "outcomes:2" => Holds::Outcomes,
            "installation" => Holds::Text,
            other if other.starts_with("journal:") => Holds::Journal,
            _ => return None,
        })
    }

    /// What stands in one field.
    fn show(self, field: &[u8], bytes: &[u8]) -> Read<Json> {
        match self {
            Holds::Tenants => shown::tenant(bytes),
            Holds::Reservations => Ok(shown::reservation(&record::unpack(bytes)?)),
            Holds::Requests => shown::request(bytes),
            Holds::Deadlines => Ok(shown::deadlines(bytes)),
            Holds::Counters => Ok(shown::counter(&value::read(bytes)?)),
            Holds::Outcomes => shown::outcome(field.first().copied().unwrap_or_default(), bytes),
            Holds::Meta | Holds::Journal | Holds::Text => Err(damaged("a field of a key that has none")),
        }
    }

    /// A field as text.
    fn name(self, field: &[u8]) -> String {
        match (self, field) {
            (Holds::Deadlines, field) => String::from_utf8_lossy(field).into_owned(),
            (Holds::Outcomes, [letter, id @ ..]) => format!("{}:{}", char::from(*letter), hex(id)),
            (Holds::Counters, field) if field.len() == 24 => format!("{}:{}", hex(&field[..16]), hex(&field[16..])),
            (_, field) => hex(field),
        }
    }

    /// The fields that a pick may mean.
    fn fields(self, pick: &Pick) -> Vec<Vec<u8>> {
        match (self, pick) {
            (Holds::Counters, Pick::Counter(key)) => {
                vec![[&key.account.to_bytes()[..], &key.meter.0.to_be_bytes()].concat()]
            }
            (Holds::Tenants, Pick::Tenant(tenant)) => vec![tenant.to_bytes().to_vec()],
            (Holds::Outcomes, Pick::Id(key)) => {
                b"rqd".iter().map(|letter| [&[*letter][..], &key.to_bytes()].concat()).collect()
            }
            (_, Pick::Id(key)) => vec![key.to_bytes().to_vec()],
            (Holds::Deadlines, Pick::Field(text)) => vec![text.as_bytes().to_vec()],
            (Holds::Outcomes, Pick::Field(text)) => {
                let (letter, id) = text.split_once(':').unwrap_or(("", text));
                vec![[letter.as_bytes(), &unhex(id)].concat()]
            }
            (_, Pick::Field(text)) => vec![unhex(&text.replace(':', ""))],
            _ => Vec::new(),
        }
    }
}

/// Reads a key by its whole name and shows what is picked of it; JSON null if that is not there.
///
/// # Errors
/// [`StoreError::Corrupt`] for a key that is none of ours, a pick that does not fit it, or bytes that are damaged;
/// [`StoreError::Unavailable`] if Redis does not answer.
pub async fn read(link: &Link, key: &str, pick: &Pick) -> Result<Json, StoreError> {
    let holds = Holds::of(key).ok_or_else(|| StoreError::Corrupt(format!("{key} is none of quotad's keys")))?;
    match holds {
        Holds::Meta | Holds::Text => {
            let Some(bytes) = link.get(key).await.map_err(LinkError::of_a_read)? else { return Ok(Json::Null) };
            if holds == Holds::Text {
                return Ok(String::from_utf8_lossy(&bytes).into());
            }
            Ok(shown::meta(&Meta::decode(&bytes)?))
        }
        Holds::Journal => journal(link, key, pick).await,
        _ => match pick {
            Pick::Some(limit) => some(link, key, holds, *limit).await,
            pick => one(link, key, holds, pick).await,
        },
    }
}

async fn journal(link: &Link, key: &str, pick: &Pick) -> Result<Json, StoreError> {
    let (after, limit) = match pick {
        Pick::Entry(seq) => (seq.saturating_sub(1), 1),
        Pick::Some(limit) => (0, *limit),
        _ => return Err(StoreError::Corrupt("a journal has entries by number only".into())),
    };
    let entries = link.journal_after(key, after, limit).await.map_err(LinkError::of_a_read)?;
    let mut all = Vec::new();
    for (seq, bytes) in entries {
        if *pick == Pick::Entry(seq) || matches!(pick, Pick::Some(_)) {
            all.push(shown::entry(seq, &entry::read(&bytes)?));
        }
    }
    match pick {
        Pick::Entry(_) => Ok(all.pop().unwrap_or_default()),
        _ => {
            let count: u64 = link.command(redis::cmd("XLEN").arg(key)).await.map_err(LinkError::of_a_read)?;
            Ok(json!({"entries": count, "first": all}))
        }
    }
}

async fn one(link: &Link, key: &str, holds: Holds, pick: &Pick) -> Result<Json, StoreError> {
    let fields = holds.fields(pick);
    if fields.is_empty() {
        return Err(StoreError::Corrupt(format!("{key} has no such fields")));
    }
    for field in fields {
        let bytes: Option<Vec<u8>> =
            link.command(redis::cmd("HGET").arg(key).arg(&field)).await.map_err(LinkError::of_a_read)?;
        if let Some(bytes) = bytes {
            return holds.show(&field, &bytes);
        }
    }
    Ok(Json::Null)
}

async fn some(link: &Link, key: &str, holds: Holds, limit: usize) -> Result<Json, StoreError> {
    let count: u64 = link.command(redis::cmd("HLEN").arg(key)).await.map_err(LinkError::of_a_read)?;
    let mut fields = serde_json::Map::new();
    let mut cursor: Vec<u8> = b"0".to_vec();
    loop {
        let (next, pairs) = link.scan(key, &cursor, 100).await.map_err(LinkError::of_a_read)?;
        for (field, value) in pairs {
            if fields.len() < limit {
                // One that is damaged must not hide the others.
                let shown = holds.show(&field, &value).unwrap_or_else(|error| error.to_string().into());
                fields.insert(holds.name(&field), shown);
            }
        }
        if next == b"0" || fields.len() >= limit {
            return Ok(json!({"fields": count, "some": fields}));
        }
        cursor = next;
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a hexadecimal text; none of one that is not.
fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?);
    text.as_bytes().chunks(2).map(byte).collect::<Option<Vec<_>>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::MeterId;

    #[test]
    fn fields_have_names_that_lead_back_to_them() {
        let key = CounterKey { account: Uid(7), meter: MeterId(0xab) };
        for (holds, pick) in [
            (Holds::Counters, Pick::Counter(key)),
            (Holds::Outcomes, Pick::Id(IdKey(9))),
            (Holds::Reservations, Pick::Id(IdKey(9))),
            (Holds::Tenants, Pick::Tenant(Uid(1))),
            (Holds::Deadlines, Pick::Field("1700000000".into())),
        ] {
            for field in holds.fields(&pick) {
                assert_eq!(holds.fields(&Pick::Field(holds.name(&field))), [field]);
            }
        }
        assert_eq!((unhex("0aFf"), unhex("0"), unhex("zz")), (vec![10, 255], vec![], vec![]));
    }

    #[test]
    fn keys_are_told_by_what_follows_the_tag() {
        assert!(Holds::of("quotad:{p0}:journal:3") == Some(Holds::Journal));
        assert!(Holds::of("quotad:{p0}:other").is_none() && Holds::of("meta").is_none());
    }
}
