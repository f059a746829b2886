//! A window as a person writes it, and the checks that turn it into one that can be used.

use super::anchor::Anchor;
use super::calendar::{Calendar, HOUR};
use super::compiled::{Course, SLIDING_BUCKETS, Window};
use super::cron::CronTimes;
use super::zone::Zone;
use super::{WindowError, WindowKind};
use crate::domain::time::Span;

const LONGEST: i64 = 31 * 24 * 3_600_000;
const MINUTE_MILLIS: i64 = 60_000;

/// A window as it is written and stored in catalogs.
///
/// ```
/// use quotad::domain::time::Timestamp;
/// use quotad::domain::window::{WindowKind, WindowSpec};
/// let spec = WindowSpec {
///     zone: Some("Asia/Shanghai".into()),
///     anchor: Some("FRI 01:00".into()),
///     ..WindowSpec::of(WindowKind::Week)
/// };
/// let week = spec.compile("UTC").unwrap();
/// let period = week.period_at(Timestamp::from_millis(0));
/// assert_eq!(period.start.to_string(), "1969-12-25T17:00:00Z"); // Friday 01:00 in Shanghai is Thursday 17:00 UTC
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WindowSpec {
    /// The kind; it decides which of the other fields have a meaning.
    pub kind: WindowKind,
    /// An IANA zone for hour, day, week, month, year and cron; absent: the default zone.
    pub zone: Option<String>,
    /// Where day (`01:00`), week (`FRI 01:00`), month (`15 06:00`) and year (`04-01 06:00`) begin. The time may be left
    /// out, except for day, and then is midnight; absent: midnight, Monday, the 1st, 1 January. A day that a month does
    /// not have is its last day.
    pub anchor: Option<String>,
    /// The length of sliding (whole minutes, 1 minute to 31 days) and rate (1 ms to 31 days); needed there.
    pub length: Option<Span>,
    /// The five-field expression of cron; needed there.
    pub cron: Option<String>,
}

impl WindowSpec {
    /// A window of a kind with nothing else said.
    ///
    /// ```
    /// use quotad::domain::window::{WindowKind, WindowSpec};
    /// assert_eq!(WindowSpec::of(WindowKind::Month).anchor, None);
    /// ```
    pub fn of(kind: WindowKind) -> WindowSpec {
        WindowSpec { kind, zone: None, anchor: None, length: None, cron: None }
    }

    /// Checks it and makes it ready for use. `default_zone` stands in for an absent zone.
    ///
    /// # Errors
    /// The first [`WindowError`], in the order zone, anchor, length, cron.
    ///
    /// ```
    /// use quotad::domain::window::{WindowKind, WindowSpec};
    /// let friday = |anchor: &str| {
    ///     let spec = WindowSpec { anchor: Some(anchor.into()), ..WindowSpec::of(WindowKind::Week) };
    ///     spec.compile("Europe/Paris").map(|window| window.id())
    /// };
    /// assert_eq!(friday("FRI 01:00"), friday("friday 1:00"));
    /// assert_eq!(friday("FRI 25:00").unwrap_err().field(), "anchor");
    /// ```
    pub fn compile(&self, default_zone: &str) -> Result<Window, WindowError> {
        let zone = self.checked_zone(default_zone)?;
        let anchor = self.checked_anchor()?;
        let length = self.checked_length()?;
        let cron = self.checked_cron()?;

        let anchor_text = anchor.map(|anchor| anchor.normal());
        let (calendar, cron_text) = match (anchor, cron) {
            (Some(anchor), _) => (Some(anchor.calendar()), None),
            (None, Some((times, text))) => (Some(Calendar::Cron(Box::new(times))), Some(text)),
            (None, None) => (None, None),
        };
        let course = match (self.kind, zone, calendar) {
            (WindowKind::Minute, _, _) => Course::Minutes,
            (WindowKind::Hour, Some(zone), _) => Course::local(zone, Calendar::Every { step: HOUR, phase: 0 }),
            (_, Some(zone), Some(calendar)) => Course::local(zone, calendar),
            _ => Course::Always,
        };
        Ok(Window::new(self.clone(), length, anchor_text, cron_text, course))
    }

    fn checked_zone(&self, default_zone: &str) -> Result<Option<Zone>, WindowError> {
        match &self.zone {
            Some(_) if !self.kind.uses_zone() => Err(WindowError::ZoneNotAllowed(self.kind)),
            _ if !self.kind.uses_zone() => Ok(None),
            zone => Zone::find(zone.as_deref().unwrap_or(default_zone)).map(Some),
        }
    }

    fn checked_anchor(&self) -> Result<Option<Anchor>, WindowError> {
        match &self.anchor {
            Some(_) if !self.kind.uses_anchor() => Err(WindowError::AnchorNotAllowed(self.kind)),
            _ if !self.kind.uses_anchor() => Ok(None),
            anchor => Anchor::parse(self.kind, anchor.as_deref()).map(Some),
        }
    }

    fn checked_length(&self) -> Result<Option<Span>, WindowError> {
        let shortest = if self.kind == WindowKind::Sliding { MINUTE_MILLIS } else { 1 };
        match self.length {
            Some(_) if !self.kind.uses_length() => Err(WindowError::LengthNotAllowed(self.kind)),
            None if self.kind.uses_length() => Err(WindowError::LengthMissing(self.kind)),
            Some(length) if !(shortest..=LONGEST).contains(&length.millis()) => Err(WindowError::BadLength(self.kind)),
            // A whole number of minutes makes sub-buckets of whole seconds.
            Some(length) if self.kind == WindowKind::Sliding && length.millis() % (SLIDING_BUCKETS * 1_000) != 0 => {
                Err(WindowError::BadLength(self.kind))
            }
            length => Ok(length),
        }
    }

    fn checked_cron(&self) -> Result<Option<(CronTimes, String)>, WindowError> {
        match (&self.cron, self.kind) {
            (Some(text), WindowKind::Cron) => CronTimes::parse(text).map(Some),
            (None, WindowKind::Cron) => Err(WindowError::CronMissing),
            (Some(_), kind) => Err(WindowError::CronNotAllowed(kind)),
            (None, _) => Ok(None),
        }
    }
}
