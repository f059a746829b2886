//! Between the local clock of a zone and instants, exactly, whatever its clock changes do.

use super::WindowError;
use super::calendar::HOUR;
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::sync::OnceLock;

/// No zone is further from UTC than this, in seconds.
const WIDEST: i64 = 26 * HOUR;

/// A zone of the database that is built into the program.
#[derive(Debug)]
pub(super) struct Zone {
    tz: TimeZone,
    name: String,
}

impl Zone {
    /// Looks a name up, in any case.
    pub(super) fn find(name: &str) -> Result<Zone, WindowError> {
        static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
        let database = DATABASE.get_or_init(TimeZoneDatabase::bundled);
        let unknown = || WindowError::UnknownZone(name.chars().take(64).collect());
        let tz = database.get(name).map_err(|_| unknown())?;
        let name = tz.iana_name().filter(|_| !tz.is_unknown()).ok_or_else(unknown)?.to_owned();
        Ok(Zone { tz, name })
    }

    /// Its name as the database writes it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The latest local time that the zone's clocks have shown up to an instant. While a clock that was set back
    /// catches up, this is what it showed before: boundaries that it passes for a second time are over.
    ///
    /// Both in seconds; the result is a second short of a clock change that cuts it off.
    pub(super) fn latest_shown(&self, instant: i64) -> i64 {
        let mut latest = instant + self.offset(instant);
        // `preceding` leaves out the instant it is given.
        for change in self.tz.preceding(timestamp(instant + 1)) {
            let before = change.timestamp().as_second() - 1;
            if before < instant - 2 * WIDEST {
                break;
            }
            latest = latest.max(before + self.offset(before));
        }
        latest
    }

    /// The first instant at which the zone's clocks show a local time or a later one: the instant itself, the end of
    /// the gap that skips it, or the first of two.
    pub(super) fn first_instant(&self, local: i64) -> i64 {
        // From an instant that is surely before it, through the stretches between two clock changes.
        let mut from = local - WIDEST;
        let mut offset = self.offset(from);
        for change in self.tz.following(timestamp(from)) {
            let until = change.timestamp().as_second();
            let found = from.max(local - offset);
            if found < until {
                return found;
            }
            from = until;
            offset = change.offset().seconds().into();
        }
        from.max(local - offset)
    }

    fn offset(&self, instant: i64) -> i64 {
        self.tz.to_offset(timestamp(instant)).seconds().into()
    }
}

/// Beyond what the calendar can say, the nearest instant that it can.
fn timestamp(second: i64) -> Timestamp {
    let (lowest, highest) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(second.clamp(lowest, highest)).unwrap_or(Timestamp::UNIX_EPOCH)
}
