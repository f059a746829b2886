//! Readers of single values: amounts, lengths of time, labels. Each error says what to write instead.

use jiff::SignedDuration;
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
