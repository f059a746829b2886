//! Plain fields one after the other, little-endian, as `struct.unpack` reads them: cheaper for a script than arrays, which it would
//! have to make.

use crate::domain::amount;

/// Above any sum of amounts.
const NO_BOUND: f64 = (1_u64 << 62) as f64;

/// A sequence of fields under construction.
#[derive(Default)]
pub struct Blob(Vec<u8>);

impl Blob {
    /// With room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Blob {
        Blob(Vec::with_capacity(bytes))
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    /// Bytes as they are (`cN`).
    pub fn append(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// One byte (`B`).
    pub fn byte(&mut self, value: u8) -> &mut Blob {
        self.0.push(value);
        self
    }

    /// Two bytes (`I2`).
    pub fn short(&mut self, value: u16) -> &mut Blob {
        self.append(&value.to_le_bytes());
        self
    }

    /// A number within the range in which scripts are exact (`d`), cut to it.
    pub fn integer(&mut self, value: i64) -> &mut Blob {
        let most = amount::MAX as i64;
        self.append(&(value.clamp(-most, most) as f64).to_le_bytes());
        self
    }

    /// An unsigned number (`d`), cut to 2^53-1.
    pub fn number(&mut self, value: u64) -> &mut Blob {
        self.append(&(value.min(amount::MAX) as f64).to_le_bytes());
        self
    }

    /// An amount that is asked for (`d`): one beyond 2^53-1 is said as 2^53.
    pub fn asked(&mut self, value: u64) -> &mut Blob {
        self.append(&(value.min(amount::MAX + 1) as f64).to_le_bytes());
        self
    }

    /// An amount (`d`), -1 for none.
    pub fn maybe(&mut self, value: Option<u64>) -> &mut Blob {
        match value {
            Some(value) => self.number(value),
            None => self.integer(-1),
        }
    }

    /// A bound (`d`), cut to the range in which scripts are exact; none is above whatever can be asked or taken.
    pub fn bound(&mut self, value: Option<u64>) -> &mut Blob {
        match value {
            Some(value) => self.number(value),
            None => {
                self.append(&NO_BOUND.to_le_bytes());
                self
            }
        }
    }

    /// Bytes with their length before them (`I2c0`); `None` if they are too many.
    pub fn text(&mut self, bytes: &[u8]) -> Option<&mut Blob> {
        self.short(u16::try_from(bytes.len()).ok()?).append(bytes);
        Some(self)
    }

    /// A kind (`B`) and a length (`I2`), which follow from what is written after them; `None` if it has neither.
    pub fn sized(&mut self, write: impl FnOnce(&mut Blob) -> Option<u8>) -> Option<()> {
        let at = self.0.len();
        self.append(&[0; 3]);
        let kind = write(self)?;
        let length = u16::try_from(self.0.len() - at - 3).ok()?;
        self.0[at] = kind;
        self.0[at + 1..at + 3].copy_from_slice(&length.to_le_bytes());
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_as_they_are_read() {
        let mut blob = Blob::with_capacity(8);
        blob.sized(|out| {
            out.byte(7).short(258).number(u64::MAX).asked(u64::MAX).maybe(None).text(b"ab")?;
            Some(9)
        })
        .unwrap();
        let bytes = blob.finish();
        assert_eq!(bytes[..6], [9, 31, 0, 7, 2, 1]);
        let double = |at: usize| f64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!((double(6), double(14), double(22)), (9_007_199_254_740_991.0, 9_007_199_254_740_992.0, -1.0));
        assert_eq!(bytes[30..], [2, 0, b'a', b'b']);
        let mut blob = Blob::with_capacity(16);
        blob.bound(Some(u64::MAX)).bound(None);
        let bytes = blob.finish();
        let double = |at: usize| f64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!((double(0), double(8)), (9_007_199_254_740_991.0, 4_611_686_018_427_387_904.0));
        assert!(Blob::with_capacity(0).text(&vec![0; 65_536]).is_none(), "longer than its length can say");
        assert!(Blob::with_capacity(0).sized(|_| None).is_none());
    }
}
