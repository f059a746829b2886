//! Page sizes and page tokens: a token carries where the page before ended, and is good for the same question only.

use super::violations::Violations;
use sha2::{Digest, Sha256};

const DEFAULT_SIZE: u32 = 50;
const MAX_SIZE: u32 = 1000;
/// Bytes after which a page ends: with one long item more it stays below the 4 MiB that clients read.
const MAX_BYTES: usize = 3 << 20;

/// A page size: 0 means 50, more than 1000 is taken as 1000, below 0 is bad.
pub fn size(size: i32, bad: &mut Violations) -> u32 {
    match u32::try_from(size) {
        Ok(0) => DEFAULT_SIZE,
        Ok(size) => size.min(MAX_SIZE),
        Err(_) => {
            bad.add("page_size", "must not be negative");
            DEFAULT_SIZE
        }
    }
}

/// How many items of these encoded lengths make one page: at least one, then as many as stay within about 3 MiB.
pub fn fitting(lengths: impl Iterator<Item = usize>) -> usize {
    let mut bytes = 0_usize;
    let fits = |length: &usize| {
        let first = bytes == 0;
        bytes = bytes.saturating_add(*length).max(1);
        first || bytes <= MAX_BYTES
    };
    lengths.take_while(fits).count()
}

/// The digest of what a token is good for: the request's other fields.
pub fn scope(parts: &[&str]) -> [u8; 8] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut out = [0; 8];
    out.copy_from_slice(&hash.finalize()[..8]);
    out
}

/// A token for a cursor.
pub fn encode(cursor: &str, scope: &[u8; 8]) -> String {
    let mut bytes = check(cursor, scope).to_vec();
    bytes.extend_from_slice(cursor.as_bytes());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The cursor of a token; empty is none. A token that was edited, or of another question, is bad.
pub fn decode(token: &str, scope: &[u8; 8], bad: &mut Violations) -> Option<String> {
    if token.is_empty() {
        return None;
    }
    let cursor = bytes_of(token).and_then(|bytes| {
        let (digest, cursor) = bytes.split_at_checked(8)?;
        let cursor = std::str::from_utf8(cursor).ok()?.to_owned();
        (check(&cursor, scope) == *digest).then_some(cursor)
    });
    if cursor.is_none() {
        bad.add("page_token", "is not a token of this list");
    }
    cursor
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()).collect()
}

fn check(cursor: &str, scope: &[u8; 8]) -> [u8; 8] {
    self::scope(&[cursor, &scope.iter().map(|byte| format!("{byte:02x}")).collect::<String>()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_by_bytes_but_never_empty() {
        assert_eq!(fitting(std::iter::empty()), 0);
        assert_eq!(fitting([100; 1000].into_iter()), 1000);
        assert_eq!(fitting([60 << 10; 100].into_iter()), 51);
        assert_eq!(fitting([5 << 20, 1].into_iter()), 1);
        assert_eq!(fitting([MAX_BYTES, 1].into_iter()), 1);
    }
}
