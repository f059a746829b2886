//! Reads amounts and lengths from text, exactly: digits to whole numbers, never through a float (S4.29).

use crate::domain::time::Span;

/// The greatest limit that can be set: 2^63-1 (rule 16).
pub const MAX_LIMIT: u64 = i64::MAX as u64;

/// Reads an amount. A whole number is in the meter's smallest unit; underscores may part its digits. A number with a
/// dot is in the shown unit, and must be exact with the meter's decimals: `0.50` is 500000 with 6 (S4.09).
///
/// # Errors
/// What an amount must be, as the end of a sentence.
pub fn read_amount(text: &str, decimals: u8) -> Result<u64, String> {
    if text.starts_with('-') {
        return Err(String::from("must not be negative (`unlimited` lifts a limit)"));
    }
    let (whole, fraction) = match text.split_once('.') {
        None => (text, None),
        Some((whole, fraction)) => (whole, Some(fraction)),
    };
    let digits = digits(whole).ok_or("must be a whole number, like 10 or 10_000_000")?;
    if digits.len() > 1 && digits.starts_with('0') {
        return Err(String::from("must not begin with 0"));
    }
    let padded = match fraction {
        None => digits,
        Some(_) if decimals == 0 => return Err(String::from("must be a whole number: the meter has no decimals")),
        Some(fraction) => digits + &exact(fraction, decimals.into())?,
    };
    padded.parse().ok().filter(|amount| *amount <= MAX_LIMIT).ok_or_else(|| String::from("must be at most 2^63-1"))
}

/// Reads a length of time: `500ms`, `1s`, `15m`, `1h`, `7d`, also joined: `1h30m`.
///
/// # Errors
/// What a length must be, as the end of a sentence.
pub fn read_length(text: &str) -> Result<Span, String> {
    let bad = || String::from("must be a length of time, like 500ms, 90s, 15m, 1h, 7d or 1h30m");
    let mut rest = text;
    let mut millis: i64 = 0;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let number: i64 = rest[..unit_at].parse().map_err(|_| bad())?;
        rest = &rest[unit_at..];
        let (unit, factor) = UNITS.into_iter().find(|(unit, _)| rest.starts_with(unit)).ok_or_else(bad)?;
        rest = &rest[unit.len()..];
        millis = number.checked_mul(factor).and_then(|part| millis.checked_add(part)).ok_or_else(bad)?;
    }
    if text.is_empty() { Err(bad()) } else { Ok(Span::from_millis(millis)) }
}

/// Writes a length as [`read_length`] takes it, in the greatest unit that is exact.
pub fn write_length(length: Span) -> String {
    let millis = length.millis();
    let exact = |factor: i64| millis != 0 && millis % factor == 0;
    let (unit, factor) = UNITS.into_iter().rev().find(|(_, factor)| exact(*factor)).unwrap_or(("s", 1_000));
    format!("{}{unit}", millis / factor)
}

/// Shortest last when sought from the end; `ms` before `m`, because both begin alike.
const UNITS: [(&str, i64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The digits of a whole number, without underscores between them.
fn digits(text: &str) -> Option<String> {
    let groups = text.split('_').all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit()));
    groups.then(|| text.replace('_', ""))
}

/// A fraction padded to the decimals; more digits than those may only be zeros.
fn exact(fraction: &str, decimals: usize) -> Result<String, String> {
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(String::from("must be a number, like 10 or 0.50"));
    }
    let (kept, beyond) = fraction.split_at(fraction.len().min(decimals));
    if beyond.bytes().any(|b| b != b'0') {
        return Err(format!("must have at most {decimals} decimals"));
    }
    Ok(format!("{kept:0<decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_and_never_rounded() {
        for (text, decimals, amount) in [
            ("0", 0, Ok(0)),
            ("10", 6, Ok(10)),
            ("10_000_000", 0, Ok(10_000_000)),
            ("0.50", 6, Ok(500_000)),
            ("0.000001", 6, Ok(1)),
            ("0.5000000000", 6, Ok(500_000)),
            ("1.0", 0, Err(())),
            ("0.0000001", 6, Err(())),
            ("9223372036854775807", 0, Ok(MAX_LIMIT)),
            ("9223372036854775808", 0, Err(())),
            ("922337203685477580.7", 1, Ok(MAX_LIMIT)),
            ("99999999999999999999999", 0, Err(())),
            ("-1", 0, Err(())),
            ("-0.5", 2, Err(())),
            ("+1", 0, Err(())),
            ("1e3", 0, Err(())),
            ("0x10", 0, Err(())),
            ("010", 0, Err(())),
            ("1__0", 0, Err(())),
            ("_1", 0, Err(())),
            ("", 0, Err(())),
            (".5", 2, Err(())),
            ("5.", 2, Err(())),
            ("1.5.5", 2, Err(())),
            ("NaN", 2, Err(())),
            (" 5", 2, Err(())),
        ] {
            assert_eq!(read_amount(text, decimals).map_err(drop), amount, "{text:?} with {decimals} decimals");
        }
    }

    #[test]
    fn lengths_read_as_they_are_written() {
        for (text, millis) in
            [("500ms", 500), ("1s", 1_000), ("90s", 90_000), ("15m", 900_000), ("1h", 3_600_000), ("7d", 604_800_000)]
        {
            assert_eq!(read_length(text), Ok(Span::from_millis(millis)));
            assert_eq!(read_length(&write_length(Span::from_millis(millis))), Ok(Span::from_millis(millis)));
        }
        assert_eq!(read_length("1h30m"), Ok(Span::from_millis(5_400_000)));
        assert_eq!(write_length(Span::from_millis(5_400_000)), "90m");
        for bad in ["", "1", "h", "1 h", "-1s", "1.5s", "1w", "99999999999999999999s", "9223372036854775807d"] {
            assert!(read_length(bad).is_err(), "{bad:?}");
        }
    }
}
