//! MessagePack as the scripts speak it: whole numbers, booleans, bytes as *str* (they do not read *bin*) and arrays.

use crate::domain::amount;
use crate::domain::name::{IdKey, Uid};
use crate::domain::time::Timestamp;
use rmp::encode;

pub use super::unpack::{Read, Reader, damaged, sixteen, to_time, whole};

/// The greatest number that both sides hold exactly, 2^53-1; it also stands for the end of time.
pub const MAX: i64 = amount::MAX as i64;

/// A message under construction.
#[derive(Default)]
pub struct Writer(Vec<u8>);

// Writing into a growing vector has nothing that can fail.
impl Writer {
    /// With room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Writer {
        Writer(Vec::with_capacity(bytes))
    }

    /// The message.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    /// Begins an array of `len` items, which follow.
    pub fn array(&mut self, len: usize) -> &mut Writer {
        encode::write_array_len(&mut self.0, u32::try_from(len).unwrap_or(u32::MAX)).ok();
        self
    }

    /// A number, cut to the range in which scripts are exact.
    pub fn int(&mut self, value: i64) -> &mut Writer {
        self.raw_int(value.clamp(-MAX, MAX))
    }

    /// An unsigned number, cut to 2^53-1.
    pub fn uint(&mut self, value: u64) -> &mut Writer {
        self.raw_int(value.min(amount::MAX) as i64)
    }

    /// An amount that is asked for: one beyond 2^53-1 is said as 2^53, so that it is seen to be beyond.
    pub fn asked(&mut self, value: u64) -> &mut Writer {
        self.raw_int(value.min(amount::MAX + 1) as i64)
    }

    /// A sum that may be beyond 2^53, where scripts know it only roughly.
    pub fn sum(&mut self, value: u64) -> &mut Writer {
        self.raw_int(i64::try_from(value).unwrap_or(i64::MAX))
    }

    /// An amount, or -1 for none.
    pub fn maybe(&mut self, value: Option<u64>) -> &mut Writer {
        self.raw_int(value.map_or(-1, |value| value.min(amount::MAX) as i64))
    }

    fn raw_int(&mut self, value: i64) -> &mut Writer {
        encode::write_sint(&mut self.0, value).ok();
        self
    }

    /// An index or a count.
    pub fn count(&mut self, value: usize) -> &mut Writer {
        self.uint(value as u64)
    }

    /// Yes or no as 1 or 0.
    pub fn flag(&mut self, value: bool) -> &mut Writer {
        self.raw_int(i64::from(value))
    }

    /// A time; the ends of time are those of the exact numbers.
    pub fn time(&mut self, time: Timestamp) -> &mut Writer {
        self.int(time.millis())
    }

    /// Bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Writer {
        self.bytes_of(bytes.len()).packed(bytes)
    }

    /// What was packed already.
    pub fn packed(&mut self, bytes: &[u8]) -> &mut Writer {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The beginning of so many bytes, which follow.
    pub fn bytes_of(&mut self, len: usize) -> &mut Writer {
        encode::write_str_len(&mut self.0, u32::try_from(len).unwrap_or(u32::MAX)).ok();
        self
    }

    /// An account.
    pub fn uid(&mut self, uid: Uid) -> &mut Writer {
        self.bytes(&uid.to_bytes())
    }

    /// The id of a reservation or request, `""` for none.
    pub fn key(&mut self, key: Option<IdKey>) -> &mut Writer {
        match key {
            Some(key) => self.bytes(&key.to_bytes()),
            None => self.bytes(b""),
        }
    }

    /// Eight bytes: a hash, a meter, a window, a fingerprint.
    pub fn word(&mut self, word: u64) -> &mut Writer {
        self.bytes(&word.to_be_bytes())
    }

    /// Nothing at all.
    pub fn nothing(&mut self) -> &mut Writer {
        encode::write_bool(&mut self.0, false).ok();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn numbers_of_every_size_come_back() {
        let mut rng = StdRng::seed_from_u64(7);
        let edges =
            [0, 1, 31, 32, 127, 128, 255, 256, 65_535, 65_536, u32::MAX as i64, u32::MAX as i64 + 1, MAX - 1, MAX];
        let random: Vec<i64> = (0..2_000).map(|_| rng.random_range(0..=MAX) >> rng.random_range(0..53)).collect();
        for value in edges.into_iter().chain(random) {
            for value in [value, -value] {
                let mut out = Writer::default();
                out.int(value).time(Timestamp::from_millis(value));
                let bytes = out.finish();
                let mut reader = Reader::new(&bytes);
                assert_eq!(reader.int().unwrap(), value);
                assert_eq!(reader.time().unwrap(), to_time(value));
                reader.end().unwrap();
                assert_eq!(whole((value as f64).to_bits()), Some(value));
            }
        }
        let mut out = Writer::default();
        out.uint(u64::MAX).asked(u64::MAX).asked(5).maybe(None).maybe(Some(u64::MAX)).int(i64::MIN).flag(true);
        out.time(Timestamp::MAX).time(Timestamp::MIN);
        let bytes = out.finish();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.uint().unwrap(), amount::MAX);
        assert_eq!((reader.uint().unwrap(), reader.uint().unwrap()), (amount::MAX + 1, 5));
        assert_eq!((reader.maybe().unwrap(), reader.maybe().unwrap()), (None, Some(amount::MAX)));
        assert_eq!((reader.int().unwrap(), reader.flag().unwrap()), (-MAX, true));
        assert_eq!((reader.time().unwrap(), reader.time().unwrap()), (Timestamp::MAX, Timestamp::MIN));
    }

    #[test]
    fn fractions_and_what_is_beyond_the_range_are_no_numbers() {
        for wrong in [0.5, -1.25, f64::NAN, f64::INFINITY, 1e300, 1e-300, (1_u64 << 54) as f64, f64::MIN_POSITIVE] {
            assert_eq!(whole(wrong.to_bits()), None, "{wrong}");
        }
        assert_eq!(whole((-0.0_f64).to_bits()), Some(0));
        assert_eq!(whole(((1_u64 << 53) as f64).to_bits()), Some(1 << 53));
    }

    #[test]
    fn bytes_ids_and_nothing_come_back() {
        for len in [0, 1, 31, 32, 255, 256, 65_535, 65_536] {
            let data: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let mut out = Writer::default();
            out.array(4).bytes(&data).nothing().key(None).key(Some(IdKey(5)));
            let bytes = out.finish();
            let mut reader = Reader::new(&bytes);
            assert_eq!((reader.array().unwrap(), reader.bytes().unwrap()), (4, &data[..]));
            assert!(reader.is_nothing() && !reader.is_nothing());
            assert_eq!((reader.maybe_key().unwrap(), reader.maybe_key().unwrap()), (None, Some(IdKey(5))));
            reader.end().unwrap();
            assert_eq!(Reader::new(&bytes).skip().unwrap(), &bytes[..]);
        }
    }

    #[test]
    fn damaged_bytes_never_panic() {
        let mut rng = StdRng::seed_from_u64(11);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..rng.random_range(0..40)).map(|_| rng.random()).collect();
            let mut reader = Reader::new(&bytes);
            while !reader.rest().is_empty() {
                let before = reader.rest().len();
                let _ = match rng.random_range(0..7) {
                    0 => reader.int().map(|_| ()),
                    1 => reader.bytes().map(|_| ()),
                    2 => reader.array().map(|_| ()),
                    3 => reader.flag().map(|_| ()),
                    4 => reader.word().map(|_| ()),
                    5 => reader.maybe_key().map(|_| ()),
                    _ => reader.skip().map(|_| ()),
                };
                if reader.rest().len() == before {
                    break;
                }
            }
        }
        // Nested deeper than anything is an error, not an overflow of the stack.
        assert!(Reader::new(&[0x91; 100_000]).skip().is_err());
    }
}
