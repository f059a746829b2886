//! MessagePack as the scripts write it, and values of theirs, read with every step checked: damaged bytes are an error, never
//! a panic.

use super::pack::MAX;
use crate::domain::name::{IdKey, Uid};
use crate::domain::time::Timestamp;
use crate::engine::ports::StoreError;
use rmp::Marker;

/// The deepest nesting that is read.
const DEPTH: usize = 16;

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
