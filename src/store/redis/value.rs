//! A counter's value as the scripts keep it: little-endian doubles and bytes, no larger than it must be. Only read here; the
//! scripts alone write it.

use super::pack::{Read, damaged, to_time, whole};
use crate::domain::counter::{Counter, Gauge, Usage, WindowCount};
use crate::domain::time::{Period, Timestamp};
use crate::domain::window::WindowId;

/// The format of a value; its first byte.
const FORMAT: u8 = 1;
/// What is set in its second byte.
const LIFETIME_KNOWN: u8 = 1;
const CUT: u8 = 2;
const LOADING: u8 = 4;
/// What is added to a window's kind where it was planned without a break.
const PLANNED: u8 = 128;

/// A counter's value, and since which entry its changes are noted where the ledger's part is not there yet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Value {
    /// What is known.
    pub counter: Counter,
    /// The entry after which every change is noted, and how many are.
    pub loading: Option<(u64, usize)>,
}

/// Reads a value.
///
/// # Errors
/// [`crate::engine::ports::StoreError::Corrupt`] if it is none.
pub fn read(bytes: &[u8]) -> Read<Value> {
    let mut from = Doubles { rest: bytes };
    if from.byte()? != FORMAT {
        return Err(damaged("a counter of an unknown format"));
    }
    let flags = from.byte()?;
    let top_up = Usage { used: from.amount()?, held: from.amount()? };
    let own = from.amount()?;
    let count = from.byte()?;
    let windows = (0..count).map(|_| window(&mut from)).collect::<Read<_>>()?;
    let loading = if flags & LOADING == 0 { None } else { Some(loading(&mut from)?) };
    if !from.rest.is_empty() {
        return Err(damaged("a counter with bytes after its end"));
    }
    let (lifetime_known, cut) = (flags & LIFETIME_KNOWN != 0, flags & CUT != 0);
    Ok(Value { counter: Counter { windows, top_up, own, lifetime_known, cut }, loading })
}

fn window(from: &mut Doubles<'_>) -> Read<WindowCount> {
    let id: [u8; 8] = from.fixed()?;
    let kind = from.byte()?;
    let gauge = match kind & !PLANNED {
        0 => Gauge::Period {
            period: Period { start: from.time()?, end: from.time()? },
            usage: Usage { used: from.amount()?, held: from.amount()? },
        },
        1 => {
            let step = from.int()?;
            let count = u16::from_le_bytes(from.fixed()?);
            let bucket = |_| Ok((from.int()?, Usage { used: from.amount()?, held: from.amount()? }));
            let buckets = (0..count).map(bucket).collect::<Read<_>>()?;
            Gauge::Sliding { step: positive(step)?, buckets }
        }
        2 => {
            let length = positive(from.int()?)?;
            // Lifted: whatever comes drains at once.
            let limit = u64::try_from(from.int()?).unwrap_or(u64::MAX);
            Gauge::Rate { length, limit, backlog: from.amount()?, at: from.time()? }
        }
        _ => return Err(damaged("a window of an unknown kind")),
    };
    Ok(WindowCount { window: WindowId(u64::from_be_bytes(id)), planned: kind & PLANNED != 0, gauge })
}

fn loading(from: &mut Doubles<'_>) -> Read<(u64, usize)> {
    let since = from.amount()?;
    let count = u16::from_le_bytes(from.fixed()?);
    for _ in 0..count {
        for _ in 0..6 {
            from.int()?;
        }
        from.byte()?;
    }
    Ok((since, usize::from(count)))
}

fn positive(length: i64) -> Read<i64> {
    if length > 0 { Ok(length) } else { Err(damaged("a window of no length")) }
}

struct Doubles<'a> {
    rest: &'a [u8],
}

impl Doubles<'_> {
    fn fixed<const N: usize>(&mut self) -> Read<[u8; N]> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(damaged("a counter breaks off"));
        };
        self.rest = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Read<u8> {
        self.fixed::<1>().map(|byte| byte[0])
    }

    fn int(&mut self) -> Read<i64> {
        whole(u64::from_le_bytes(self.fixed()?)).ok_or_else(|| damaged("a counter with a figure that is not whole"))
    }

    fn amount(&mut self) -> Read<u64> {
        u64::try_from(self.int()?).map_err(|_| damaged("a counter with a figure below zero"))
    }

    fn time(&mut self) -> Read<Timestamp> {
        self.int().map(to_time)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn values_come_back_whole() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..1_000 {
            let value = samples::value(&mut rng);
            assert_eq!(read(&samples::value_bytes(&value)).unwrap(), value);
        }
    }

    #[test]
    fn damaged_values_never_panic() {
        let mut rng = StdRng::seed_from_u64(2);
        for _ in 0..1_000 {
            let mut bytes = samples::value_bytes(&samples::value(&mut rng));
            assert!(read(&bytes[..rng.random_range(0..bytes.len())]).is_err());
            bytes.push(0);
            assert!(read(&bytes).is_err(), "bytes after the end");
            bytes.pop();
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random();
            let _ = read(&bytes);
        }
    }
}
