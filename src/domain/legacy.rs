//! Records and journal entries as they were before rate cards: format 1. They are read for one release longer, so that a start
//! after an upgrade finds what was written before it.

use super::entry::{Effect, Entry, Kind, Line, LineLevel, RequestStamp};
use super::meter::Rules;
use super::name::{IdKey, MeterId, Uid};
use super::reservation::{About, Flags, Held, Level, Reservation, State};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A reservation of format 1.
#[derive(Serialize, Deserialize)]
pub struct ReservationV1 {
    tenant: Uid,
    tenant_name: Box<str>,
    id: Box<str>,
    key: IdKey,
    fingerprint: u64,
    state: State,
    flags: Flags,
    create_time: Timestamp,
    expire_time: Timestamp,
    charges: Vec<HeldV1>,
    labels: Vec<(Box<str>, Box<str>)>,
    requests: Vec<IdKey>,
}

#[derive(Serialize, Deserialize)]
struct HeldV1 {
    account: Box<str>,
    meter: Box<str>,
    meter_id: MeterId,
    item: Box<str>,
    also: Vec<Box<str>>,
    asked: Option<u64>,
    held: u64,
    committed: u64,
    unconfirmed: u64,
    lapsed: u64,
    freed: u64,
    final_amount: Option<u64>,
    rules: Rules,
    path: Vec<Level>,
}

/// A journal entry of format 1.
#[derive(Serialize, Deserialize)]
pub struct EntryV1 {
    time: Timestamp,
    effects: Vec<EffectV1>,
}

#[derive(Serialize, Deserialize)]
struct EffectV1 {
    tenant: Uid,
    time: Timestamp,
    catalog_version: u64,
    kind: Kind,
    request: Option<RequestStamp>,
    reservation: Option<ReservationV1>,
    lines: Vec<LineV1>,
}

#[derive(Serialize, Deserialize)]
struct LineV1 {
    charge: u8,
    account: Box<str>,
    meter: Box<str>,
    meter_id: MeterId,
    item: Box<str>,
    also: Vec<Box<str>>,
    effective: Timestamp,
    used: i64,
    held: i64,
    levels: Vec<LineLevel>,
    chain: u8,
}

impl From<ReservationV1> for Reservation {
    fn from(old: ReservationV1) -> Reservation {
        Reservation {
            tenant: old.tenant,
            tenant_name: old.tenant_name.into(),
            id: old.id,
            key: old.key,
            fingerprint: old.fingerprint,
            state: old.state,
            flags: old.flags,
            create_time: old.create_time,
            expire_time: old.expire_time,
            charges: old.charges.into_iter().map(Held::from).collect(),
            labels: old.labels,
            requests: old.requests,
        }
    }
}

fn about((account, meter): (Box<str>, Box<str>), meter_id: MeterId, item: Box<str>, also: Vec<Box<str>>) -> Arc<About> {
    Arc::new(About { account: account.into(), meter: meter.into(), meter_id, item, also })
}

impl From<HeldV1> for Held {
    fn from(old: HeldV1) -> Held {
        Held {
            about: about((old.account, old.meter), old.meter_id, old.item, old.also),
            asked: old.asked,
            held: old.held,
            committed: old.committed,
            unconfirmed: old.unconfirmed,
            lapsed: old.lapsed,
            freed: old.freed,
            final_amount: old.final_amount,
            rules: old.rules,
            path: old.path.into(),
            price: None,
            estimate: None,
        }
    }
}

impl From<EntryV1> for Entry {
    fn from(old: EntryV1) -> Entry {
        let effect = |old: EffectV1| Effect {
            tenant: old.tenant,
            time: old.time,
            catalog_version: old.catalog_version,
            kind: old.kind,
            request: old.request,
            reservation: old.reservation.map(|reservation| Arc::new(reservation.into())),
            lines: old.lines.into_iter().map(Line::from).collect(),
            note: None,
        };
        Entry { time: old.time, effects: old.effects.into_iter().map(effect).collect() }
    }
}

impl From<LineV1> for Line {
    fn from(old: LineV1) -> Line {
        Line {
            charge: old.charge,
            about: about((old.account, old.meter), old.meter_id, old.item, old.also),
            effective: old.effective,
            used: old.used,
            held: old.held,
            levels: old.levels.into(),
            chain: old.chain,
            price: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reservation() -> ReservationV1 {
        let level = Level { account: Uid(1), has_top_up: true, held_top_up: 2, used_top_up: 3 };
        let charge = HeldV1 {
            account: "tenants/acme".into(),
            meter: "runs".into(),
            meter_id: MeterId(4),
            item: "i".into(),
            also: vec!["tenants/acme/pools/p".into()],
            asked: Some(5),
            held: 6,
            committed: 7,
            unconfirmed: 8,
            lapsed: 9,
            freed: 10,
            final_amount: Some(11),
            rules: Rules::default(),
            path: vec![level],
        };
        ReservationV1 {
            tenant: Uid(1),
            tenant_name: "tenants/acme".into(),
            id: "r".into(),
            key: IdKey(2),
            fingerprint: 3,
            state: State::Held,
            flags: Flags { overrun: true, ..Flags::default() },
            create_time: Timestamp::from_millis(4),
            expire_time: Timestamp::from_millis(5),
            charges: vec![charge],
            labels: vec![("a".into(), "b".into())],
            requests: vec![IdKey(6)],
        }
    }

    #[test]
    fn an_entry_of_format_1_is_read() {
        let line = LineV1 {
            charge: 0,
            account: "tenants/acme".into(),
            meter: "runs".into(),
            meter_id: MeterId(4),
            item: "i".into(),
            also: Vec::new(),
            effective: Timestamp::from_millis(4),
            used: -7,
            held: 6,
            levels: vec![LineLevel { account: Uid(1), used_top_up: 1, held_top_up: -1 }],
            chain: 1,
        };
        let effect = EffectV1 {
            tenant: Uid(1),
            time: Timestamp::from_millis(4),
            catalog_version: 9,
            kind: Kind::Commit,
            request: Some(RequestStamp { key: IdKey(6), fingerprint: 1, reservation: None, amounts: vec![1] }),
            reservation: Some(reservation()),
            lines: vec![line],
        };
        let old = EntryV1 { time: Timestamp::from_millis(4), effects: vec![effect] };
        let entry = Entry::decode(&postcard::to_extend(&old, vec![1]).unwrap()).unwrap();
        assert_eq!(Entry::decode(&entry.encode()), Ok(entry.clone()));
        let [effect] = entry.effects.as_slice() else { panic!("{entry:?}") };
        let charge = &effect.reservation.as_ref().unwrap().charges[0];
        assert_eq!((charge.held, charge.final_amount, charge.path.get(0).unwrap().used_top_up), (6, Some(11), 3));
        assert_eq!((effect.lines[0].used, effect.lines[0].levels.get(0).unwrap().held_top_up), (-7, -1));
        assert_eq!((charge.price.clone(), effect.lines[0].price.clone()), (None, None));
    }
}
