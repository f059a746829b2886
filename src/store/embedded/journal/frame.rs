//! A segment's text: a header with the format, then frames, each with its length and a checksum.

use crate::domain::entry::Entry;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64;

/// What a segment begins with; the last byte is the format.
pub(super) const HEADER: [u8; 8] = *b"qjournl\x01";
/// Before each body: its length, the same inverted, so that a damaged one is not taken for a torn end, and a checksum.
const PREFIX: usize = 4 + 4 + 8;
/// Kinds of bodies.
const INSTALLATION: u8 = 1;
const NEWEST: u8 = 2;
const ENTRY: u8 = 3;

/// What a frame says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Frame<'a> {
    /// The installation that all entries are of.
    Installation(&'a str),
    /// The number of a partition's newest entry so far: what it says stays true when the entry's segment is removed.
    Newest(u32, u64),
    /// An entry: partition, number, encoded.
    Entry(u32, u64, &'a [u8]),
}

/// A segment that is not what was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Damage {
    /// From this byte on.
    pub(super) at: usize,
}

impl<'a> Frame<'a> {
    fn decode(body: &'a [u8]) -> Option<Frame<'a>> {
        let (kind, rest) = body.split_first()?;
        if *kind == INSTALLATION {
            return std::str::from_utf8(rest).ok().map(Frame::Installation);
        }
        let (partition, rest) = rest.split_first_chunk::<4>()?;
        let (seq, rest) = rest.split_first_chunk::<8>()?;
        let (partition, seq) = (u32::from_le_bytes(*partition), u64::from_le_bytes(*seq));
        match *kind {
            NEWEST if rest.is_empty() => Some(Frame::Newest(partition, seq)),
            ENTRY => Some(Frame::Entry(partition, seq, rest)),
            _ => None,
        }
    }
}

/// Adds to a text the installation that all entries are of.
pub(super) fn write_installation(text: Vec<u8>, id: &str) -> Vec<u8> {
    framed(text, |mut text| {
        text.push(INSTALLATION);
        text.extend(id.as_bytes());
        text
    })
}

/// Adds the number of a partition's newest entry.
pub(super) fn write_newest(text: Vec<u8>, partition: u32, seq: u64) -> Vec<u8> {
    framed(text, |text| numbered(text, NEWEST, partition, seq))
}

/// Adds an entry, and answers where its encoded form stands.
pub(super) fn write_entry(text: Vec<u8>, partition: u32, seq: u64, entry: &Entry) -> (Vec<u8>, Range<usize>) {
    let mut start = 0;
    let text = framed(text, |text| {
        let text = numbered(text, ENTRY, partition, seq);
        start = text.len();
        entry.encode_behind(text)
    });
    let end = text.len();
    (text, start..end)
}

fn numbered(mut text: Vec<u8>, kind: u8, partition: u32, seq: u64) -> Vec<u8> {
    text.push(kind);
    text.extend(partition.to_le_bytes());
    text.extend(seq.to_le_bytes());
    text
}

/// Adds a frame, whose body is written where it stays.
fn framed(mut text: Vec<u8>, body: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let start = text.len();
    text.extend([0; PREFIX]);
    let mut text = body(text);
    let (prefix, body) = text[start..].split_at_mut(PREFIX);
    // An entry has 2^32 bytes only if it has millions of effects, which callers in work are not.
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    prefix[..4].copy_from_slice(&length.to_le_bytes());
    prefix[4..8].copy_from_slice(&(!length).to_le_bytes());
    prefix[8..].copy_from_slice(&xxh3_64(body).to_le_bytes());
    text
}

/// The whole frames of a segment, and the length up to which it is whole: what a process that died, or a power cut, left
/// half-written at its end is left out.
///
/// # Errors
/// [`Damage`] for another format, or for what was written whole and is something else now.
pub(super) fn read(text: &[u8]) -> Result<(Vec<Frame<'_>>, usize), Damage> {
    let Some(mut rest) = text.strip_prefix(&HEADER) else {
        let left = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        return if HEADER.starts_with(&text[..left]) { Ok((Vec::new(), 0)) } else { Err(Damage { at: 0 }) };
    };
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let at = text.len() - rest.len();
        let Some((prefix, after)) = rest.split_first_chunk::<PREFIX>() else { break };
        let [a, b, c, d, e, f, g, h, sum @ ..] = *prefix;
        let length = u32::from_le_bytes([a, b, c, d]);
        if length != !u32::from_le_bytes([e, f, g, h]) {
            // A file system may give a file its length before what is in it; a body that is there begins with its kind.
            if is_hollow(after) {
                break;
            }
            return Err(Damage { at });
        }
        let Some((body, after)) = after.split_at_checked(length as usize) else { break };
        match Frame::decode(body).filter(|_| xxh3_64(body).to_le_bytes() == sum) {
            Some(frame) => frames.push(frame),
            None if is_hollow(after) => break,
            None => return Err(Damage { at }),
        }
        rest = after;
    }
    Ok((frames, text.len() - rest.len()))
}

/// Whether nothing was written there.
fn is_hollow(text: &[u8]) -> bool {
    text.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    /// A segment, and where each frame ends.
    fn segment() -> (Vec<u8>, Vec<usize>) {
        let entry = |time| Entry { time: Timestamp::from_millis(time), effects: Vec::new() };
        let (mut text, mut ends) = (HEADER.to_vec(), Vec::new());
        let frames: [&dyn Fn(Vec<u8>) -> Vec<u8>; 5] = [
            &|text| write_installation(text, "one"),
            &|text| write_newest(text, 1, 7),
            &|text| write_entry(text, 1, 8, &entry(5)).0,
            &|text| write_entry(text, 0, u64::MAX, &entry(i64::MAX)).0,
            &|text| write_entry(text, 0, 3, &entry(0)).0,
        ];
        for write in frames {
            text = write(text);
            ends.push(text.len());
        }
        (text, ends)
    }

    #[test]
    fn what_was_written_is_read_and_a_torn_end_is_left_out_wherever_it_was_torn() {
        let (text, ends) = segment();
        let (frames, whole) = read(&text).unwrap();
        assert_eq!((whole, &frames[..2]), (text.len(), &[Frame::Installation("one"), Frame::Newest(1, 7)][..]));
        let numbers = frames[2..].iter().map(|frame| match frame {
            Frame::Entry(partition, seq, bytes) => (*partition, *seq, Entry::decode(bytes).unwrap().time.millis()),
            other => panic!("{other:?}"),
        });
        assert_eq!(numbers.collect::<Vec<_>>(), [(1, 8, 5), (0, u64::MAX, i64::MAX), (0, 3, 0)]);
        for length in 0..text.len() {
            let complete = ends.iter().filter(|end| **end <= length).count();
            let least = if length < HEADER.len() { 0 } else { HEADER.len() };
            let whole = ends[..complete].last().copied().unwrap_or(least);
            let expected = Ok((frames[..complete].to_vec(), whole));
            assert_eq!(read(&text[..length]), expected, "{length}");
            // The same where the file is as long as it was to become, and the rest of it empty.
            let mut hollow = text[..length].to_vec();
            hollow.resize(text.len() + 9, 0);
            let (found, hollow_whole) = read(&hollow).unwrap();
            assert!(found.len() >= complete && hollow_whole >= whole, "{length}");
            assert_eq!(found, frames[..found.len()], "{length}: nothing is there that was not written");
        }
    }

    #[test]
    fn a_changed_byte_is_damage_and_never_another_entry() {
        let (text, ends) = segment();
        let (whole, _) = read(&text).unwrap();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone();
                changed[at] ^= 1 << bit;
                match read(&changed) {
                    Err(Damage { at: found }) => assert!(found <= at),
                    // The last frame may have been torn off just so.
                    Ok((frames, _)) => {
                        assert!(at >= ends[ends.len() - 2] && frames == whole[..4], "{at}: {frames:?}");
                    }
                }
            }
        }
    }
}
