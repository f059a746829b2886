//! The file's text: a header with the format, then frames, each with its length and a checksum.

use crate::engine::ports::StoreError;
use sha2::{Digest, Sha256};

/// What the file begins with; the last byte is the format.
pub(super) const HEADER: [u8; 8] = *b"quspool\x01";
/// Length and checksum before each frame's body.
const PREFIX: usize = 4 + 8;
/// A body is at least its kind and number.
const LEAST: usize = 1 + 8;
/// Kinds of bodies.
const PUT: u8 = 1;
const GONE: u8 = 2;

/// What a frame says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Frame<'a> {
    /// An entry was put.
    Put(u64, &'a [u8]),
    /// An entry was taken out.
    Gone(u64),
}

impl<'a> Frame<'a> {
    /// As bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let (kind, number, entry) = match self {
            Frame::Put(number, entry) => (PUT, number, *entry),
            Frame::Gone(number) => (GONE, number, &[][..]),
        };
        let mut body = Vec::with_capacity(LEAST + entry.len());
        body.push(kind);
        body.extend(number.to_le_bytes());
        body.extend(entry);
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let mut out = Vec::with_capacity(PREFIX + body.len());
        out.extend(length.to_le_bytes());
        out.extend(checksum(&body));
        out.extend(body);
        out
    }

    fn decode(body: &'a [u8]) -> Option<Frame<'a>> {
        let (kind, rest) = body.split_first()?;
        let (number, entry) = rest.split_first_chunk::<8>()?;
        let number = u64::from_le_bytes(*number);
        match *kind {
            PUT => Some(Frame::Put(number, entry)),
            GONE => Some(Frame::Gone(number)),
            _ => None,
        }
    }
}

/// The whole frames of a file, and the length up to which it is whole: a last frame that was torn off is left out.
///
/// # Errors
/// [`StoreError::Corrupt`] for another format, or a frame before the last that is not what was written.
pub(super) fn read(text: &[u8]) -> Result<(Vec<Frame<'_>>, usize), StoreError> {
    let Some(mut rest) = text.strip_prefix(&HEADER) else {
        // A file whose very beginning was torn off has nothing yet.
        let begun = HEADER.starts_with(text);
        return if begun {
            Ok((Vec::new(), 0))
        } else {
            Err(damaged(0, "it does not begin as a spool of this version"))
        };
    };
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let at = text.len() - rest.len();
        let Some((length, after)) = rest.split_first_chunk::<4>() else { return Ok((frames, at)) };
        let Some((sum, after)) = after.split_first_chunk::<8>() else { return Ok((frames, at)) };
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((body, after)) = after.split_at_checked(length) else { return Ok((frames, at)) };
        match Frame::decode(body).filter(|_| checksum(body) == *sum) {
            Some(frame) => frames.push(frame),
            None if after.is_empty() => return Ok((frames, at)),
            None => return Err(damaged(at, "a frame is not what was written")),
        }
        rest = after;
    }
    Ok((frames, text.len()))
}

fn checksum(body: &[u8]) -> [u8; 8] {
    let mut sum = [0; 8];
    sum.copy_from_slice(&Sha256::digest(body)[..8]);
    sum
}

fn damaged(at: usize, why: &str) -> StoreError {
    StoreError::Corrupt(format!("the spool is damaged at byte {at}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (Vec<u8>, Vec<usize>) {
        let (mut text, mut ends) = (HEADER.to_vec(), Vec::new());
        for frame in [Frame::Put(1, b"one"), Frame::Put(2, b""), Frame::Gone(1)] {
            text.extend(frame.encode());
            ends.push(text.len());
        }
        (text, ends)
    }

    #[test]
    fn what_was_written_is_read_and_a_torn_end_is_left_out_wherever_it_was_torn() {
        let (text, ends) = file();
        let (frames, whole) = read(&text).unwrap();
        assert_eq!((frames, whole), (vec![Frame::Put(1, b"one"), Frame::Put(2, b""), Frame::Gone(1)], text.len()));
        for length in 0..text.len() {
            let (frames, whole) = read(&text[..length]).unwrap();
            let complete = ends.iter().filter(|end| **end <= length).count();
            assert_eq!(frames.len(), complete, "{length}");
            let least = if length < HEADER.len() { 0 } else { HEADER.len() };
            assert_eq!(whole, ends[..complete].last().copied().unwrap_or(least), "{length}");
        }
    }

    #[test]
    fn damage_is_an_error_but_in_the_last_frame_where_it_counts_as_torn() {
        let (text, ends) = file();
        for at in 0..text.len() {
            let mut damaged = text.clone();
            damaged[at] ^= 0x40;
            match read(&damaged) {
                Ok((frames, whole)) => {
                    // A length that reaches beyond the end looks like a torn frame, too.
                    let complete = ends.iter().filter(|end| **end <= at).count();
                    assert_eq!(frames.len(), complete, "{at}");
                    assert!(at >= HEADER.len() && whole <= at, "{at}");
                }
                Err(error) => assert!(at < ends[1] && error.to_string().contains("damaged at byte"), "{at}: {error}"),
            }
        }
    }
}
