//! Times and lengths of time.

use crate::domain::time::{Span, Timestamp};
use crate::services::violations::Violations;

/// A time, or none at the ends of time.
pub fn timestamp(time: Timestamp) -> Option<pbjson_types::Timestamp> {
    let bounded = time != Timestamp::MIN && time != Timestamp::MAX;
    bounded.then(|| pbjson_types::Timestamp {
        seconds: time.millis().div_euclid(1000),
        nanos: i32::try_from(time.millis().rem_euclid(1000) * 1_000_000).unwrap_or(0),
    })
}

/// A time as it came; below a millisecond is cut.
pub fn from_timestamp(time: &pbjson_types::Timestamp) -> Option<Timestamp> {
    let nanos = i64::from(time.nanos);
    if !(0..1_000_000_000).contains(&nanos) {
        return None;
    }
    Some(Timestamp::from_millis(time.seconds.checked_mul(1000)?.checked_add(nanos / 1_000_000)?))
}

/// The first and the last second of the times that a calendar reaches.
const CALENDAR: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_207_200;

/// The same, if a calendar reaches it.
pub fn in_calendar(time: &pbjson_types::Timestamp) -> Option<Timestamp> {
    from_timestamp(time).filter(|_| CALENDAR.contains(&time.seconds))
}

/// A time to live: 1 ms to 24 h; what is below a millisecond is cut.
pub fn ttl(ttl: Option<&pbjson_types::Duration>, bad: &mut Violations) -> Option<Span> {
    let ttl = ttl?;
    let nanos = i128::from(ttl.seconds) * 1_000_000_000 + i128::from(ttl.nanos);
    let most = i128::from(crate::engine::authority::MAX_TTL.millis()) * 1_000_000;
    if !(1_000_000..=most).contains(&nanos) {
        bad.add("ttl", "must be above 0, at least a millisecond, and at most 24 h");
        return None;
    }
    i64::try_from(nanos / 1_000_000).ok().map(Span::from_millis)
}
