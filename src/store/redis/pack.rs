//! MessagePack as the scripts speak it: whole numbers, booleans, bytes as *str* (they do not read *bin*) and arrays. What is
//! read is checked at every step: damaged bytes are an error, never a panic.

use crate::domain::amount;
use crate::domain::name::{IdKey, Uid};
use crate::domain::time::Timestamp;
use crate::engine::ports::StoreError;
use rmp::Marker;
use rmp::encode;

/// The greatest number that both sides hold exactly, 2^53-1; it also stands for the end of time.
pub const MAX: i64 = amount::MAX as i64;
/// The deepest nesting that is read.
const DEPTH: usize = 16;

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
        encode::write_str_len(&mut self.0, u32::try_from(bytes.len()).unwrap_or(u32::MAX)).ok();
        self.0.extend_from_slice(bytes);
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

/// What a damaged message is to the caller.
pub fn damaged(what: &str) -> StoreError {
    StoreError::Corrupt(format!("the counter store holds or answers something that no quotad wrote: {what}"))
}

/// A result of reading.
pub type Read<T> = Result<T, StoreError>;

/// Reads a message from its beginning.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of these bytes.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// That everything was read.
    ///
    /// # Errors
    /// Bytes are left.
    pub fn end(&self) -> Read<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(damaged("bytes after the end")) }
    }

    fn take(&mut self, len: usize) -> Read<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else { return Err(damaged("it breaks off")) };
        self.rest = rest;
        Ok(taken)
    }

    fn marker(&mut self) -> Read<Marker> {
        self.take(1).map(|byte| Marker::from_u8(byte[0]))
    }

    /// The big-endian number of the next `len` bytes.
    fn number(&mut self, len: usize) -> Read<u64> {
        Ok(self.take(len)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn len(&mut self, len: usize) -> Read<usize> {
        usize::try_from(self.number(len)?).map_err(|_| damaged("a length"))
    }

    /// The length of an array, whose items follow. Never more than there are bytes for.
    ///
    /// # Errors
    /// Something else stands here.
    pub fn array(&mut self) -> Read<usize> {
        let len = match self.marker()? {
            Marker::FixArray(len) => usize::from(len),
            Marker::Array16 => self.len(2)?,
            Marker::Array32 => self.len(4)?,
            _ => return Err(damaged("no array where one belongs")),
        };
        // Each item takes a byte at least: nobody reserves memory for a length that was made up.
        if len <= self.rest.len() { Ok(len) } else { Err(damaged("an array breaks off")) }
    }

    /// An array of at least `least` items; answers how many come after those.
    ///
    /// # Errors
    /// Something else stands here, or a shorter one.
    pub fn tuple(&mut self, least: usize) -> Read<usize> {
        self.array()?.checked_sub(least).ok_or_else(|| damaged("a list is too short"))
    }

    /// A number.
    ///
    /// # Errors
    /// Something else stands here.
    pub fn int(&mut self) -> Read<i64> {
        let too_big = |_| damaged("a number beyond the range");
        Ok(match self.marker()? {
            Marker::FixPos(value) => i64::from(value),
            Marker::FixNeg(value) => i64::from(value),
            Marker::U8 => self.number(1)? as i64,
            Marker::U16 => self.number(2)? as i64,
            Marker::U32 => self.number(4)? as i64,
            Marker::U64 => i64::try_from(self.number(8)?).map_err(too_big)?,
            Marker::I8 => i64::from(self.number(1)? as u8 as i8),
            Marker::I16 => i64::from(self.number(2)? as u16 as i16),
            Marker::I32 => i64::from(self.number(4)? as u32 as i32),
            Marker::I64 => self.number(8)?.cast_signed(),
            Marker::F64 => whole(self.number(8)?).ok_or_else(|| damaged("a fraction"))?,
            _ => return Err(damaged("no number where one belongs")),
        })
    }

    /// A number that is not below zero.
    ///
    /// # Errors
    /// Something else stands here.
    pub fn uint(&mut self) -> Read<u64> {
        u64::try_from(self.int()?).map_err(|_| damaged("a number below zero"))
    }

    /// An amount, or none for -1.
    ///
    /// # Errors
    /// Something else stands here.
    pub fn maybe(&mut self) -> Read<Option<u64>> {
        let value = self.int()?;
        Ok(u64::try_from(value).ok())
    }

    /// An index or a count.
    ///
    /// # Errors
    /// Something else stands here.
    pub fn count(&mut self) -> Read<usize> {
        usize::try_from(self.int()?).map_err(|_| damaged("an index below zero"))
    }

    /// The index that a script counts from 1.
    ///
    /// # Errors
    /// Something else stands here.
    pub fn index(&mut self) -> Read<usize> {
        self.count()?.checked_sub(1).ok_or_else(|| damaged("an index of 0"))
    }

    /// Yes or no: 1 or 0, true or false.
    ///
    /// # Errors
    /// Something else stands here.
    pub fn flag(&mut self) -> Read<bool> {
        match Marker::from_u8(*self.rest.first().ok_or_else(|| damaged("it breaks off"))?) {
            Marker::True | Marker::False => Ok(self.marker()? == Marker::True),
            _ => Ok(self.int()? != 0),
        }
    }

    /// A time.
    ///
    /// # Errors
    /// Something else stands here.
    pub fn time(&mut self) -> Read<Timestamp> {
        self.int().map(to_time)
    }

    /// Bytes.
    ///
    /// # Errors
    /// Something else stands here.
    pub fn bytes(&mut self) -> Read<&'a [u8]> {
        let len = match self.marker()? {
            Marker::FixStr(len) => usize::from(len),
            Marker::Str8 | Marker::Bin8 => self.len(1)?,
            Marker::Str16 | Marker::Bin16 => self.len(2)?,
            Marker::Str32 | Marker::Bin32 => self.len(4)?,
            _ => return Err(damaged("no bytes where some belong")),
        };
        self.take(len)
    }

    /// An account.
    ///
    /// # Errors
    /// Something else stands here.
    pub fn uid(&mut self) -> Read<Uid> {
        sixteen(self.bytes()?).map(Uid)
    }

    /// The id of a reservation or request.
    ///
    /// # Errors
    /// Something else stands here, also none.
    pub fn key(&mut self) -> Read<IdKey> {
        sixteen(self.bytes()?).map(IdKey)
    }

    /// The id of a reservation or request, or none.
    ///
    /// # Errors
    /// Something else stands here.
    pub fn maybe_key(&mut self) -> Read<Option<IdKey>> {
        match self.bytes()? {
            b"" => Ok(None),
            bytes => sixteen(bytes).map(|key| Some(IdKey(key))),
        }
    }

    /// Eight bytes.
    ///
    /// # Errors
    /// Something else stands here.
    pub fn word(&mut self) -> Read<u64> {
        let bytes = self.bytes()?.try_into().map_err(|_| damaged("a word that has not 8 bytes"))?;
        Ok(u64::from_be_bytes(bytes))
    }

    /// Whether nothing stands here; then it is read over.
    pub fn is_nothing(&mut self) -> bool {
        let nothing = self
            .rest
            .first()
            .map(|byte| Marker::from_u8(*byte))
            .is_some_and(|marker| matches!(marker, Marker::False | Marker::Null));
        if nothing {
            self.rest = &self.rest[1..];
        }
        nothing
    }

    /// Reads over one value, whatever it is, and answers its bytes.
    ///
    /// # Errors
    /// It breaks off, or is nested deeper than anything of ours.
    pub fn skip(&mut self) -> Read<&'a [u8]> {
        let before = self.rest;
        self.skip_at(0)?;
        Ok(&before[..before.len() - self.rest.len()])
    }

    /// Reads over `count` values.
    ///
    /// # Errors
    /// As [`Reader::skip`].
    pub fn skip_many(&mut self, count: usize) -> Read<()> {
        (0..count).try_for_each(|_| self.skip_at(0))
    }

    fn skip_at(&mut self, depth: usize) -> Read<()> {
        let marker = Marker::from_u8(*self.rest.first().ok_or_else(|| damaged("it breaks off"))?);
        match marker {
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 if depth < DEPTH => {
                let len = self.array()?;
                (0..len).try_for_each(|_| self.skip_at(depth + 1))
            }
            Marker::True | Marker::False | Marker::Null => self.marker().map(|_| ()),
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => self.bytes().map(|_| ()),
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => self.bytes().map(|_| ()),
            _ => self.int().map(|_| ()),
        }
    }
}

/// The time that a script means: the ends of its numbers are the ends of time.
pub fn to_time(millis: i64) -> Timestamp {
    match millis {
        _ if millis >= MAX => Timestamp::MAX,
        _ if millis <= -MAX => Timestamp::MIN,
        _ => Timestamp::from_millis(millis),
    }
}

/// Sixteen bytes as a number.
///
/// # Errors
/// They are more or fewer.
pub fn sixteen(bytes: &[u8]) -> Read<u128> {
    let bytes = bytes.try_into().map_err(|_| damaged("an id that has not 16 bytes"))?;
    Ok(u128::from_be_bytes(bytes))
}

/// The whole number that the bits of a double stand for, if it is one within 2^53 on both sides of zero: scripts count in
/// doubles, and nothing here does.
pub fn whole(bits: u64) -> Option<i64> {
    let negative = bits >> 63 == 1;
    let exponent = i64::try_from(bits >> 52 & 0x7ff).ok()? - 1075;
    let fraction = bits & ((1 << 52) - 1);
    if bits << 1 == 0 {
        return Some(0);
    }
    let mantissa = fraction | 1 << 52;
    let number = match exponent {
        0 => mantissa,
        1 if fraction == 0 => mantissa << 1,
        -52..=-1 if mantissa.trailing_zeros() as i64 >= -exponent => mantissa >> -exponent,
        _ => return None,
    };
    let number = number.cast_signed();
    Some(if negative { -number } else { number })
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
