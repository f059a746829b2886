//! A segment's text: a header with the format, then frames, each with its length and a checksum.

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
    /// Adds it to a text.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([0; PREFIX]);
        match self {
            Frame::Installation(id) => {
                out.push(INSTALLATION);
                out.extend(id.as_bytes());
            }
            Frame::Newest(partition, seq) => numbered(out, NEWEST, *partition, *seq),
            Frame::Entry(partition, seq, entry) => {
                numbered(out, ENTRY, *partition, *seq);
                out.extend(*entry);
            }
        }
        let (prefix, body) = out[start..].split_at_mut(PREFIX);
        // Of a group commit an entry has 2^32 bytes only if it has millions of effects, which callers in work are not.
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        prefix[..4].copy_from_slice(&length.to_le_bytes());
        prefix[4..8].copy_from_slice(&(!length).to_le_bytes());
        prefix[8..].copy_from_slice(&xxh3_64(body).to_le_bytes());
    }

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

fn numbered(out: &mut Vec<u8>, kind: u8, partition: u32, seq: u64) {
    out.push(kind);
    out.extend(partition.to_le_bytes());
    out.extend(seq.to_le_bytes());
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

    const FRAMES: [Frame<'static>; 5] = [
        Frame::Installation("one"),
        Frame::Newest(1, 7),
        Frame::Entry(1, 8, b"first"),
        Frame::Entry(0, u64::MAX, b""),
        Frame::Entry(0, 3, &[0; 70]),
    ];

    /// A segment, and where each frame ends.
    fn segment() -> (Vec<u8>, Vec<usize>) {
        let (mut text, mut ends) = (HEADER.to_vec(), Vec::new());
        for frame in FRAMES {
            frame.write(&mut text);
            ends.push(text.len());
        }
        (text, ends)
    }

    #[test]
    fn what_was_written_is_read_and_a_torn_end_is_left_out_wherever_it_was_torn() {
        let (text, ends) = segment();
        assert_eq!(read(&text), Ok((FRAMES.to_vec(), text.len())));
        for length in 0..text.len() {
            let complete = ends.iter().filter(|end| **end <= length).count();
            let least = if length < HEADER.len() { 0 } else { HEADER.len() };
            let whole = ends[..complete].last().copied().unwrap_or(least);
            let expected = Ok((FRAMES[..complete].to_vec(), whole));
            assert_eq!(read(&text[..length]), expected, "{length}");
            // The same where the file is as long as it was to become, and the rest of it empty.
            let mut hollow = text[..length].to_vec();
            hollow.resize(text.len() + 9, 0);
            let (frames, hollow_whole) = read(&hollow).unwrap();
            assert!(frames.len() >= complete && hollow_whole >= whole, "{length}");
            assert_eq!(frames, FRAMES[..frames.len()], "{length}: nothing is there that was not written");
        }
    }

    #[test]
    fn a_changed_byte_is_damage_and_never_another_entry() {
        let (text, ends) = segment();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone();
                changed[at] ^= 1 << bit;
                match read(&changed) {
                    Err(Damage { at: found }) => assert!(found <= at),
                    // The last frame may have been torn off just so.
                    Ok((frames, _)) => {
                        assert!(at >= ends[ends.len() - 2] && frames == FRAMES[..4], "{at}: {frames:?}");
                    }
                }
            }
        }
    }
}
