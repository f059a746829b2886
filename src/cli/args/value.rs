//! Readers of single values: amounts, lengths of time, labels. Each error says what to write instead.

use jiff::SignedDuration;
use pbjson_types::Timestamp;
use std::time::Duration;

/// An amount: a whole number of the meter's smallest unit, 0 to 2^63-1.
pub fn amount(text: &str) -> Result<i64, String> {
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits(text) {
        return text.parse().map_err(|_| "is beyond the greatest amount, 9223372036854775807".to_owned());
    }
    if text.starts_with('-') {
        return Err("an amount can't be negative".to_owned());
    }
    if text.split_once('.').is_some_and(|(whole, part)| all_digits(whole) && all_digits(part)) {
        return Err("an amount is a whole number of the meter's smallest unit, without decimals".to_owned());
    }
    Err("an amount is a whole number of the meter's smallest unit, written with digits only".to_owned())
}

/// A signed amount, not 0.
pub fn signed(text: &str) -> Result<i64, String> {
    let (sign, size) = text.strip_prefix('-').map_or((1, text.strip_prefix('+').unwrap_or(text)), |size| (-1, size));
    match amount(size)? {
        0 => Err("an adjustment by 0 is none".to_owned()),
        size => Ok(sign * size),
    }
}

/// A point in time with its zone: `2026-11-21T10:00:00Z`.
pub fn time(text: &str) -> Result<Timestamp, String> {
    let time: jiff::Timestamp = text.parse().map_err(|_| "is not a time like 2026-11-21T10:00:00Z".to_owned())?;
    let nanos = i64::from(time.subsec_nanosecond());
    let (seconds, nanos) =
        if nanos < 0 { (time.as_second() - 1, nanos + 1_000_000_000) } else { (time.as_second(), nanos) };
    Ok(Timestamp { seconds, nanos: i32::try_from(nanos).unwrap_or(0) })
}

/// A length of time above zero: `60s`, `5m`, `1h30m`, `500ms`.
pub fn duration(text: &str) -> Result<Duration, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("a time needs a unit: 60s, 5m, 1h30m or 500ms".to_owned());
    }
    let length: SignedDuration = text.parse().map_err(|_| "is not a time like 60s, 5m, 1h30m or 500ms".to_owned())?;
    match Duration::try_from(length) {
        Ok(length) if !length.is_zero() => Ok(length),
        _ => Err("a time must be above zero".to_owned()),
    }
}

/// An id: not empty, which it is where a shell's variable is not set.
pub fn id(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("an id can't be empty; is a variable not set?".to_owned()) } else { Ok(text.to_owned()) }
}

/// A label, `key=value`; the value may be empty.
pub fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a label is key=value".to_owned()),
    }
}
