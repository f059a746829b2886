//! A window that was checked, and the periods it makes.

use super::calendar::{Calendar, DAY, FIRST, LAST};
use super::zone::Zone;
use super::{WindowKind, WindowSpec};
use crate::domain::time::{Period, Span, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

/// The sub-buckets of a sliding window; the oldest counts whole (rule 15).
pub const SLIDING_BUCKETS: i64 = 60;

/// The number behind a window's shape: the first 8 bytes of SHA-256 over kind, zone, anchor, length and cron text, each
/// preceded by its length. The zone is the one that was resolved and the anchor is in its normal form, so that windows
/// of the same meaning are the same, and a changed shape is a new counter.
///
/// ```
/// use quotad::domain::window::{WindowKind, WindowSpec};
/// let id = |zone| WindowSpec::of(WindowKind::Day).compile(zone).unwrap().id();
/// assert_eq!(id("Europe/Paris"), id("europe/paris"));
/// assert_ne!(id("Europe/Paris"), id("UTC"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct WindowId(pub u64);

/// A window that was checked and is ready for use; a clone is cheap. Two windows are equal if their ids are.
///
/// ```
/// use quotad::domain::time::Timestamp;
/// use quotad::domain::window::{WindowKind, WindowSpec};
/// let month = WindowSpec::of(WindowKind::Month).compile("Europe/Amsterdam").unwrap();
/// let period = month.period_at(Timestamp::from_millis(1_790_000_000_000)); // 2026-09-21
/// assert_eq!(period.start.to_string(), "2026-08-31T22:00:00Z");
/// assert_eq!(period.end.to_string(), "2026-09-30T22:00:00Z");
/// assert_eq!(month.to_string(), "month (Europe/Amsterdam, 1 00:00)");
/// ```
#[derive(Clone)]
pub struct Window(Arc<Inner>);

struct Inner {
    spec: WindowSpec,
    id: WindowId,
    length: Option<Span>,
    anchor: Option<String>,
    cron: Option<String>,
    course: Course,
}

/// How its periods are found.
pub(super) enum Course {
    /// One period, all time.
    Always,
    /// Minutes of UTC.
    Minutes,
    /// Boundaries on the local clock of a zone.
    Local(Box<(Zone, Calendar)>),
}

impl Course {
    pub(super) fn local(zone: Zone, calendar: Calendar) -> Course {
        Course::Local(Box::new((zone, calendar)))
    }
}

impl Window {
    pub(super) fn new(
        spec: WindowSpec,
        length: Option<Span>,
        anchor: Option<String>,
        cron: Option<String>,
        course: Course,
    ) -> Window {
        let mut inner = Inner { spec, id: WindowId(0), length, anchor, cron, course };
        inner.id = inner.hash();
        Window(Arc::new(inner))
    }

    /// Its kind.
    pub fn kind(&self) -> WindowKind {
        self.0.spec.kind
    }

    /// The number behind its shape.
    pub fn id(&self) -> WindowId {
        self.0.id
    }

    /// What it was made of, as written.
    pub fn spec(&self) -> &WindowSpec {
        &self.0.spec
    }

    /// The zone whose clock it follows, as the database writes it; `UTC` for kinds that follow none.
    pub fn zone_name(&self) -> &str {
        match &self.0.course {
            Course::Local(local) => local.0.name(),
            Course::Always | Course::Minutes => "UTC",
        }
    }

    /// The anchor in its normal form, like `FRI 01:00`; none for kinds without one.
    pub fn anchor(&self) -> Option<&str> {
        self.0.anchor.as_deref()
    }

    /// The length of a sliding window or a rate.
    pub fn length(&self) -> Option<Span> {
        self.0.length
    }

    /// The length in milliseconds of one of a sliding window's [`SLIDING_BUCKETS`]; 1 for other kinds, which have none,
    /// so that dividing by it is safe.
    ///
    /// ```
    /// use quotad::domain::time::Span;
    /// use quotad::domain::window::{WindowKind, WindowSpec};
    /// let hour = WindowSpec { length: Some(Span::from_secs(3600)), ..WindowSpec::of(WindowKind::Sliding) };
    /// assert_eq!(hour.compile("UTC").unwrap().bucket_millis(), 60_000);
    /// ```
    pub fn bucket_millis(&self) -> i64 {
        match (self.kind(), self.0.length) {
            (WindowKind::Sliding, Some(length)) => length.millis() / SLIDING_BUCKETS,
            _ => 1,
        }
    }

    /// The period in which an instant lies; [`Period::ALWAYS`] for lifetime, sliding and rate.
    ///
    /// The period before the first boundary after the year 1 begins at [`Timestamp::MIN`], the one from the last
    /// boundary of the year 9999 ends at [`Timestamp::MAX`].
    ///
    /// ```
    /// use quotad::domain::time::Timestamp;
    /// use quotad::domain::window::{WindowKind, WindowSpec};
    /// let day = WindowSpec::of(WindowKind::Day).compile("Europe/Amsterdam").unwrap();
    /// let autumn = day.period_at(Timestamp::from_millis(1_792_922_400_000)); // 2026-10-25, the clock goes back
    /// assert_eq!(autumn.end.since(autumn.start).millis(), 25 * 3_600_000);
    /// ```
    pub fn period_at(&self, t: Timestamp) -> Period {
        match &self.0.course {
            Course::Always => Period::ALWAYS,
            Course::Minutes => minute_at(t),
            Course::Local(local) => local_at(&local.0, &local.1, t),
        }
    }

    /// When the period in which `t` lies is over; none if it never is, and none for sliding and rate, which have no
    /// moment at which everything is given back.
    ///
    /// ```
    /// use quotad::domain::time::Timestamp;
    /// use quotad::domain::window::{WindowKind, WindowSpec};
    /// let reset = |kind| WindowSpec::of(kind).compile("UTC").unwrap().next_reset(Timestamp::from_millis(1));
    /// assert_eq!(reset(WindowKind::Minute), Some(Timestamp::from_millis(60_000)));
    /// assert_eq!(reset(WindowKind::Lifetime), None);
    /// ```
    pub fn next_reset(&self, t: Timestamp) -> Option<Timestamp> {
        Some(self.period_at(t).end).filter(|end| *end < Timestamp::MAX)
    }
}

impl Inner {
    fn zone(&self) -> Option<&str> {
        match &self.course {
            Course::Local(local) => Some(local.0.name()),
            Course::Always | Course::Minutes => None,
        }
    }

    /// The parts that its id is made of, without the kind; absent ones are empty.
    fn parts(&self) -> [String; 4] {
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        let length = self.length.map(|length| length.millis().to_string()).unwrap_or_default();
        [text(self.zone()), text(self.anchor.as_deref()), length, text(self.cron.as_deref())]
    }

    fn hash(&self) -> WindowId {
        let mut hash = Sha256::new();
        for part in [self.spec.kind.as_str()].into_iter().chain(self.parts().iter().map(String::as_str)) {
            hash.update((part.len() as u32).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        WindowId(digest[..8].iter().fold(0, |id, byte| id << 8 | u64::from(*byte)))
    }
}

impl PartialEq for Window {
    fn eq(&self, other: &Window) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Window {}

/// The kind and what makes it different from others of its kind: `week (Asia/Shanghai, FRI 01:00)`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [zone, anchor, length, cron] = self.0.parts();
        let length = if length.is_empty() { length } else { length + " ms" };
        let parts = [zone, anchor, length, cron].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        match parts.as_slice() {
            [] => write!(f, "{}", self.kind()),
            parts => write!(f, "{} ({})", self.kind(), parts.join(", ")),
        }
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Window({self})")
    }
}

fn minute_at(t: Timestamp) -> Period {
    let minute = t.millis().div_euclid(60_000);
    let edge = |minute: i64| Timestamp::from_millis(minute.saturating_mul(60_000));
    Period { start: edge(minute), end: edge(minute + 1) }
}

/// The period lies between the last boundary that the zone's clocks have shown up to `t`, and the first one that they
/// have not. Each falls on the first instant at which the clocks show it or a later time, and that order of boundaries
/// is also the order of their instants; so `t` lies between the two, and periods tile time whatever the clock changes.
fn local_at(zone: &Zone, calendar: &Calendar, t: Timestamp) -> Period {
    // Outside of the calendar by more than any offset, there is no boundary on that side.
    let second = t.millis().div_euclid(1_000).clamp(FIRST - 2 * DAY, LAST + 2 * DAY);
    let shown = zone.latest_shown(second);
    let instant = |local: i64| Timestamp::from_millis(zone.first_instant(local) * 1_000);
    Period {
        start: calendar.at_or_before(shown).map_or(Timestamp::MIN, instant),
        end: calendar.after(shown).map_or(Timestamp::MAX, instant),
    }
}
