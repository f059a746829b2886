//! What the database knows of a partition, made ready to be put into an empty one.

use super::adopt::{Cargo, Field};
use super::pack::Writer;
use super::record;
use crate::domain::name::{IdKey, Uid};
use crate::domain::reservation::{Reservation, State};
use crate::domain::time::Timestamp;
use crate::engine::ports::{CatalogStore, KnownRequest, Ledger, StoreError};
use std::collections::{BTreeMap, HashMap};

/// Request ids that are read from the ledger at once.
const REQUESTS: usize = 1_000;
/// Fields in one call, and their bytes: so that a call stays within some milliseconds.
const FIELDS: usize = 2_000;
const BYTES: usize = 1 << 20;
/// Keys in one field of the deadlines.
const PIECE: usize = 64;

/// The contents of a partition at its beginning.
#[derive(Default)]
pub(super) struct Contents {
    /// The time of the ledger's last entry; `None`: it has none.
    pub last_time: Option<Timestamp>,
    /// The least catalog version under which anybody may be decided.
    pub floor: u64,
    /// Open reservations in all.
    pub reservations: u64,
    /// The second of the first deadline.
    pub first_deadline: Option<i64>,
    /// What is to be put, in portions.
    pub portions: Vec<Cargo>,
}

/// Reads everything that a partition must have before it may decide. `seq` is the number of an entry that the ledger has.
///
/// # Errors
/// [`StoreError`] if the database can't be read.
pub(super) async fn contents(
    ledger: &dyn Ledger,
    catalog: &dyn CatalogStore,
    (partition, partitions): (u32, u32),
    seq: u64,
) -> Result<Contents, StoreError> {
    let mut contents = Contents { last_time: ledger.last_time(partition).await?, ..Contents::default() };
    let (floor, versions) = versions(catalog, (partition, partitions)).await?;
    contents.floor = floor;
    let mut tenants: BTreeMap<Uid, (u64, u64)> =
        versions.into_iter().map(|(tenant, version)| (tenant, (version, 0))).collect();
    let open = ledger.open_reservations(partition).await?;
    contents.reservations = open.len() as u64;
    for reservation in &open {
        tenants.entry(reservation.tenant).or_default().1 += 1;
    }
    let mut deadlines: BTreeMap<i64, Vec<IdKey>> = BTreeMap::new();
    for reservation in open.iter().filter(|reservation| reservation.state != State::Parked) {
        deadlines.entry(second(reservation.expire_time)).or_default().push(reservation.key);
    }
    contents.first_deadline = deadlines.keys().next().copied();

    let mut portions = Portions::default();
    for (tenant, (version, open)) in tenants {
        portions.put(|cargo| &mut cargo.tenants, (tenant.to_bytes().to_vec(), tenant_value(version, open)));
    }
    for (second, keys) in deadlines {
        for field in deadline_fields(second, &keys) {
            portions.put(|cargo| &mut cargo.deadlines, field);
        }
    }
    for (key, known) in requests(ledger, &open).await? {
        portions.put(|cargo| &mut cargo.requests, (key.to_bytes().to_vec(), request_value(&known, seq)));
    }
    for reservation in &open {
        let field = (reservation.key.to_bytes().to_vec(), record::pack(reservation));
        portions.put(|cargo| &mut cargo.reservations, field);
    }
    contents.portions = portions.finish();
    Ok(contents)
}

/// The least catalog versions that a partition may decide under: for anybody, and for each of its tenants.
///
/// # Errors
/// [`StoreError`] if the database can't be read.
pub(super) async fn versions(
    catalog: &dyn CatalogStore,
    (partition, partitions): (u32, u32),
) -> Result<(u64, Vec<(Uid, u64)>), StoreError> {
    let (mut floor, mut tenants) = (0, Vec::new());
    for (tenant, version) in catalog.versions().await? {
        match tenant.as_deref().map(Uid::of) {
            None => floor = version,
            Some(tenant) if tenant.partition(partitions) == partition => tenants.push((tenant, version)),
            Some(_) => {}
        }
    }
    Ok((floor, tenants))
}

/// Fields on their way into portions.
#[derive(Default)]
struct Portions {
    done: Vec<Cargo>,
    last: Cargo,
    fields: usize,
    bytes: usize,
}

impl Portions {
    fn put(&mut self, hash: impl Fn(&mut Cargo) -> &mut Vec<Field>, field: Field) {
        (self.fields, self.bytes) = (self.fields + 1, self.bytes + field.0.len() + field.1.len());
        hash(&mut self.last).push(field);
        if self.fields >= FIELDS || self.bytes >= BYTES {
            self.done.push(std::mem::take(&mut self.last));
            (self.fields, self.bytes) = (0, 0);
        }
    }

    fn finish(mut self) -> Vec<Cargo> {
        self.done.push(self.last);
        self.done
    }
}

/// The first whole second that is not before a time.
fn second(time: Timestamp) -> i64 {
    time.millis().div_euclid(1000) + i64::from(time.millis().rem_euclid(1000) > 0)
}

/// A second's keys as `lib/deadlines.lua` lays them out: full pieces in fields of their own, and how many those are.
fn deadline_fields(second: i64, keys: &[IdKey]) -> Vec<Field> {
    let mut pieces: Vec<Vec<u8>> =
        keys.chunks(PIECE).map(|piece| piece.iter().flat_map(|key| key.to_bytes()).collect()).collect();
    let Some(last) = pieces.pop() else { return Vec::new() };
    let full = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
    let head = if full > 0 { full.to_le_bytes().to_vec() } else { Vec::new() };
    let numbered = (1..).zip(pieces).map(|(number, piece)| (format!("{second}:{number}").into_bytes(), piece));
    let own = (second.to_string().into_bytes(), [head, last].concat());
    numbered.chain([own]).collect()
}

fn tenant_value(version: u64, open: u64) -> Vec<u8> {
    let mut out = Writer::default();
    out.array(3).uint(version).uint(open).uint(0);
    out.finish()
}

fn request_value(known: &KnownRequest, seq: u64) -> Vec<u8> {
    let mut out = Writer::default();
    out.array(4).word(known.fingerprint).key(known.reservation).array(known.amounts.len());
    for amount in &known.amounts {
        out.uint(*amount);
    }
    out.uint(seq);
    out.finish()
}

/// What the ledger knows of the request ids of open reservations.
async fn requests(ledger: &dyn Ledger, open: &[Reservation]) -> Result<Vec<(IdKey, KnownRequest)>, StoreError> {
    let mut by_tenant: HashMap<Uid, Vec<IdKey>> = HashMap::new();
    for reservation in open {
        by_tenant.entry(reservation.tenant).or_default().extend(&reservation.requests);
    }
    let mut all = Vec::new();
    for (tenant, keys) in by_tenant {
        for keys in keys.chunks(REQUESTS) {
            let found = ledger.requests(tenant, keys).await?;
            all.extend(keys.iter().zip(found).filter_map(|(key, known)| Some((*key, known?))));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_second_is_laid_out_in_pieces() {
        let keys: Vec<IdKey> = (0..130).map(IdKey).collect();
        assert_eq!(deadline_fields(7, &[]), []);
        let one = deadline_fields(7, &keys[..64]);
        assert_eq!((one.len(), &one[0].0[..], one[0].1.len()), (1, &b"7"[..], 64 * 16));
        let many = deadline_fields(-7, &keys);
        let names: Vec<&[u8]> = many.iter().map(|(name, _)| &name[..]).collect();
        assert_eq!(names, [&b"-7:1"[..], b"-7:2", b"-7"]);
        assert_eq!((many[1].1.len(), &many[2].1[..4], many[2].1.len()), (64 * 16, &[2, 0, 0, 0][..], 4 + 2 * 16));
        assert_eq!(&many[1].1[..16], &IdKey(64).to_bytes());
        for (time, expected) in [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (-1, 0), (-1_000, -1)] {
            assert_eq!(second(Timestamp::from_millis(time)), expected, "{time}");
        }
    }

    #[test]
    fn portions_are_bounded_and_lose_nothing() {
        let mut portions = Portions::default();
        for n in 0..5_000_u32 {
            portions.put(|cargo| &mut cargo.requests, (n.to_le_bytes().to_vec(), Vec::new()));
        }
        for n in 0..3_u32 {
            portions.put(|cargo| &mut cargo.tenants, (n.to_le_bytes().to_vec(), vec![0; BYTES]));
        }
        let all = portions.finish();
        assert_eq!(all.iter().map(|cargo| cargo.requests.len()).sum::<usize>(), 5_000);
        assert!(all.iter().all(|cargo| cargo.requests.len() <= FIELDS && cargo.tenants.len() <= 1));
        assert_eq!(all.iter().map(|cargo| cargo.tenants.len()).sum::<usize>(), 3);
    }
}
