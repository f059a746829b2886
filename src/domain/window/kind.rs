//! The kinds of window, and which of the fields each kind takes.

use super::WindowError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The shape of time that a limit counts over.
///
/// ```
/// use quotad::domain::window::WindowKind;
/// assert_eq!("week".parse(), Ok(WindowKind::Week));
/// assert_eq!(WindowKind::Week.as_str(), "week");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum WindowKind {
    /// All time, one period that never ends.
    Lifetime,
    /// A minute of UTC.
    Minute,
    /// An hour of the local clock.
    Hour,
    /// A day of the local clock, from midnight or the anchor.
    Day,
    /// A week of the local clock, from Monday or the anchor.
    Week,
    /// A month of the local clock, from the 1st or the anchor.
    Month,
    /// A year of the local clock, from 1 January or the anchor.
    Year,
    /// From one match of a five-field cron expression to the next, in the local clock.
    Cron,
    /// The last so many minutes, in [`SLIDING_BUCKETS`](super::SLIDING_BUCKETS) steps (rule 15).
    Sliding,
    /// So much per length of time, refilled evenly (rule 15).
    Rate,
}

impl WindowKind {
    /// Every kind, in order.
    pub const ALL: [WindowKind; 10] = [
        WindowKind::Lifetime,
        WindowKind::Minute,
        WindowKind::Hour,
        WindowKind::Day,
        WindowKind::Week,
        WindowKind::Month,
        WindowKind::Year,
        WindowKind::Cron,
        WindowKind::Sliding,
        WindowKind::Rate,
    ];

    /// Its name in catalogs: `lifetime`, `minute` ... `rate`.
    pub const fn as_str(self) -> &'static str {
        match self {
            WindowKind::Lifetime => "lifetime",
            WindowKind::Minute => "minute",
            WindowKind::Hour => "hour",
            WindowKind::Day => "day",
            WindowKind::Week => "week",
            WindowKind::Month => "month",
            WindowKind::Year => "year",
            WindowKind::Cron => "cron",
            WindowKind::Sliding => "sliding",
            WindowKind::Rate => "rate",
        }
    }

    /// Whether it follows the local clock of a zone.
    ///
    /// ```
    /// use quotad::domain::window::WindowKind;
    /// assert!(WindowKind::Day.uses_zone());
    /// assert!(!WindowKind::Minute.uses_zone());
    /// ```
    pub const fn uses_zone(self) -> bool {
        matches!(
            self,
            WindowKind::Hour
                | WindowKind::Day
                | WindowKind::Week
                | WindowKind::Month
                | WindowKind::Year
                | WindowKind::Cron
        )
    }

    /// Whether it has an anchor.
    pub const fn uses_anchor(self) -> bool {
        matches!(self, WindowKind::Day | WindowKind::Week | WindowKind::Month | WindowKind::Year)
    }

    /// Whether it has a length.
    pub const fn uses_length(self) -> bool {
        matches!(self, WindowKind::Sliding | WindowKind::Rate)
    }
}

impl fmt::Display for WindowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for WindowKind {
    type Err = WindowError;
    fn from_str(text: &str) -> Result<Self, WindowError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(WindowError::UnknownKind)
    }
}
