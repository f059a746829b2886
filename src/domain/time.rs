//! Points and lengths of time in whole milliseconds. There is no `now()` here: time comes in as an argument.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
///
/// ```
/// use quotad::domain::time::{Span, Timestamp};
/// let t = Timestamp::from_millis(1_500);
/// assert_eq!(t + Span::from_secs(1), Timestamp::from_millis(2_500));
/// assert_eq!(t.ceil_second(), 2);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Before every other time.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// After every other time.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// From milliseconds since 1970 (UTC).
    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis)
    }

    /// Milliseconds since 1970 (UTC).
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The first whole second at or after this time, in seconds since 1970. Deadlines are looked at by the second.
    pub const fn ceil_second(self) -> i64 {
        self.0.div_euclid(1000) + if self.0.rem_euclid(1000) == 0 { 0 } else { 1 }
    }

    /// The length from `earlier` to this time; negative if `earlier` is later.
    pub const fn since(self, earlier: Timestamp) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Span> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }
}

impl std::ops::Sub<Span> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// RFC 3339 in UTC where the calendar reaches, plain milliseconds elsewhere.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// RFC 3339 with its offset, `2040-03-01T08:00:00Z`; what is below a millisecond is cut.
impl FromStr for Timestamp {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Timestamp, &'static str> {
        let time: jiff::Timestamp = text.parse().map_err(|_| "must be a time like 2040-03-01T08:00:00Z")?;
        Ok(Timestamp(time.as_millisecond()))
    }
}

/// A length of time in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
pub struct Span(i64);

impl Span {
    /// From milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Span(millis)
    }

    /// From whole seconds.
    pub const fn from_secs(secs: i64) -> Self {
        Span(secs.saturating_mul(1000))
    }

    /// In milliseconds.
    pub const fn millis(self) -> i64 {
        self.0
    }
}

/// A half-open stretch of time: `start <= t < end`. A lifetime reaches from [`Timestamp::MIN`] to [`Timestamp::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Period {
    /// The first instant that belongs to it.
    pub start: Timestamp,
    /// The first instant that does not.
    pub end: Timestamp,
}

impl Period {
    /// The period that never begins and never ends.
    pub const ALWAYS: Period = Period { start: Timestamp::MIN, end: Timestamp::MAX };

    /// Whether `t` lies in it; a boundary instant belongs to the new period (S4.23).
    pub fn contains(&self, t: Timestamp) -> bool {
        self.start <= t && t < self.end
    }

    /// What both have in common; empty (`start >= end`) if nothing.
    pub fn intersect(&self, other: &Period) -> Period {
        Period { start: self.start.max(other.start), end: self.end.min(other.end) }
    }
}
