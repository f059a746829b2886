//! What stands in our keys, as JSON for people and programs that look into a partition.

use super::meta::Meta;
use super::pack::{Read, Reader};
use super::value::Value;
use crate::domain::counter::{Gauge, Usage, WindowCount};
use crate::domain::entry::{Effect, Entry, Line};
use crate::domain::name::IdKey;
use crate::domain::reservation::{Held, Reservation};
use crate::domain::time::Timestamp;
use serde_json::{Value as Json, json};

/// A partition's state.
pub(super) fn meta(meta: &Meta) -> Json {
    json!({
        "incarnation": meta.incarnation,
        "run_id": String::from_utf8_lossy(&meta.server.run_id),
        "master_replid": String::from_utf8_lossy(&meta.server.replid),
        "open": meta.open,
        "now": time(meta.now),
        "seq": meta.seq,
        "flushed": meta.flushed,
        "complete_since": time(meta.complete_since),
        "ids_complete_since": time(meta.ids_complete_since),
        "floor": meta.floor,
        "generation": {"number": meta.generation.0, "since": time(meta.generation.1)},
        "slice": {"number": meta.slice.0, "since": time(meta.slice.1)},
        "slice_seqs": meta.slice_seqs,
        "slice_denials": meta.slice_denials,
        "cursor": time(Timestamp::from_millis(meta.cursor.saturating_mul(1000))),
        "open_reservations": meta.reservations,
        "counters": meta.counters,
    })
}

/// What a tenant has in a partition.
pub(super) fn tenant(bytes: &[u8]) -> Read<Json> {
    let mut reader = Reader::new(bytes);
    reader.tuple(3)?;
    Ok(json!({
        "catalog_version": reader.uint()?, "open_reservations": reader.uint()?, "counters": reader.uint()?,
    }))
}

/// A counter's value.
pub(super) fn counter(value: &Value) -> Json {
    let counter = &value.counter;
    let loading = value.loading.map(|(since, changes)| json!({"since": since, "changes": changes}));
    json!({
        "lifetime_known": counter.lifetime_known,
        "cut": counter.cut,
        "top_up": usage(counter.top_up),
        "own": counter.own,
        "windows": counter.windows.iter().map(window).collect::<Vec<_>>(),
        "loading": loading,
    })
}

fn usage(usage: Usage) -> Json {
    json!({"used": usage.used, "held": usage.held})
}

fn window(count: &WindowCount) -> Json {
    let mut shown = match &count.gauge {
        Gauge::Period { period, usage } => json!({
            "kind": "period", "start": time(period.start), "end": time(period.end), "used": usage.used, "held": usage.held,
        }),
        Gauge::Sliding { step, buckets } => {
            let bucket = |(index, usage): &(i64, Usage)| json!([index, usage.used, usage.held]);
            json!({"kind": "sliding", "step_ms": step, "buckets": buckets.iter().map(bucket).collect::<Vec<_>>()})
        }
        Gauge::Rate { length, limit, backlog, at } => {
            json!({"kind": "rate", "length_ms": length, "limit": limit, "backlog": backlog, "at": time(*at)})
        }
    };
    shown["window"] = format!("{:016x}", count.window.0).into();
    shown["planned"] = count.planned.into();
    shown
}

/// A reservation, whole.
pub(super) fn reservation(record: &Reservation) -> Json {
    let flags = &record.flags;
    json!({
        "tenant": record.tenant_name,
        "id": record.id,
        "key": id(record.key),
        "fingerprint": word(record.fingerprint),
        "state": format!("{:?}", record.state),
        "flags": {
            "overrun": flags.overrun, "late": flags.late, "recovered": flags.recovered,
            "unenforced": flags.unenforced, "saturated": flags.saturated,
        },
        "create_time": time(record.create_time),
        "expire_time": time(record.expire_time),
        "labels": record.labels,
        "charges": record.charges.iter().map(charge).collect::<Vec<_>>(),
        "requests": record.requests.iter().map(|key| id(*key)).collect::<Vec<_>>(),
    })
}

fn charge(charge: &Held) -> Json {
    let level = |level: crate::domain::reservation::Level| {
        json!({
            "account": level.account.to_string(), "has_top_up": level.has_top_up,
            "held_top_up": level.held_top_up, "used_top_up": level.used_top_up,
        })
    };
    json!({
        "account": charge.account, "meter": charge.meter, "item": charge.item, "also": charge.also,
        "asked": charge.asked, "held": charge.held, "committed": charge.committed, "unconfirmed": charge.unconfirmed,
        "lapsed": charge.lapsed, "freed": charge.freed, "final_amount": charge.final_amount,
        "levels": charge.path.iter().map(level).collect::<Vec<_>>(),
    })
}

/// A request id of an open reservation.
pub(super) fn request(bytes: &[u8]) -> Read<Json> {
    let mut reader = Reader::new(bytes);
    reader.tuple(4)?;
    asked(&mut reader)
}

/// Fingerprint, reservation, amounts and seq.
fn asked(reader: &mut Reader<'_>) -> Read<Json> {
    let (fingerprint, reservation) = (reader.word()?, reader.maybe_key()?);
    let amounts = super::entry::amounts(reader)?;
    Ok(json!({
        "fingerprint": word(fingerprint), "reservation": reservation.map(id), "amounts": amounts, "seq": reader.uint()?,
    }))
}

/// An outcome, by the letter of its field.
pub(super) fn outcome(letter: u8, bytes: &[u8]) -> Read<Json> {
    let mut reader = Reader::new(bytes);
    match letter {
        b'r' => {
            reader.tuple(3)?;
            let fingerprint = word(reader.word()?);
            Ok(json!({"fingerprint": fingerprint, "seq": reader.uint()?, "until": time(reader.time()?)}))
        }
        b'q' => {
            reader.tuple(5)?;
            let mut shown = asked(&mut reader)?;
            shown["until"] = time(reader.time()?);
            Ok(shown)
        }
        _ => {
            reader.tuple(3)?;
            let (fingerprint, until) = (word(reader.word()?), time(reader.time()?));
            Ok(json!({"fingerprint": fingerprint, "until": until, "denial_bytes": reader.skip()?.len()}))
        }
    }
}

/// The keys of the reservations whose deadline is in one second.
pub(super) fn deadlines(bytes: &[u8]) -> Json {
    let key = |bytes: &[u8; 16]| id(IdKey(u128::from_be_bytes(*bytes)));
    let (keys, rest) = bytes.as_chunks::<16>();
    json!({"reservations": keys.iter().map(key).collect::<Vec<_>>(), "bytes_left_over": rest.len()})
}

/// A journal entry.
pub(super) fn entry(seq: u64, entry: &Entry) -> Json {
    let effects: Vec<Json> = entry.effects.iter().map(effect).collect();
    json!({"seq": seq, "time": time(entry.time), "effects": effects})
}

fn effect(effect: &Effect) -> Json {
    let request = effect.request.as_ref().map(|stamp| {
        json!({
            "key": id(stamp.key), "fingerprint": word(stamp.fingerprint),
            "reservation": stamp.reservation.map(id), "amounts": stamp.amounts,
        })
    });
    json!({
        "tenant": effect.tenant.to_string(),
        "kind": format!("{:?}", effect.kind),
        "catalog_version": effect.catalog_version,
        "request": request,
        "reservation": effect.reservation.as_deref().map(reservation),
        "lines": effect.lines.iter().map(line).collect::<Vec<_>>(),
        "note": effect.note.as_ref().map(|note| json!({"actor": note.actor, "reason": note.reason})),
    })
}

fn line(line: &Line) -> Json {
    let level = |level: crate::domain::entry::LineLevel| {
        json!({
            "account": level.account.to_string(), "used_top_up": level.used_top_up, "held_top_up": level.held_top_up,
        })
    };
    json!({
        "charge": line.charge, "account": line.account, "meter": line.meter, "item": line.item, "also": line.also,
        "effective": time(line.effective), "used": line.used, "held": line.held,
        "levels": line.levels.iter().map(level).collect::<Vec<_>>(),
    })
}

fn time(time: Timestamp) -> Json {
    match time {
        Timestamp::MIN => "always".into(),
        Timestamp::MAX => "never".into(),
        time => time.to_string().into(),
    }
}

fn id(key: IdKey) -> Json {
    key.to_string().into()
}

fn word(word: u64) -> Json {
    format!("{word:016x}").into()
}
