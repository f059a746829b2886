//! Reads anchors: at which point of its day, week, month or year a window begins.

use super::calendar::{Calendar, DAY, HOUR, MINUTE, WEEK};
use super::{WindowError, WindowKind};

/// The first Monday after 1970-01-01, in local seconds.
const FIRST_MONDAY: i64 = 4 * DAY;
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// Of a leap year: an anchor on 29 February is legal and is clamped in other years.
const MONTH_LENGTHS: [i8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// A point in a day, week, month or year. Parts that the kind does not have are zero.
#[derive(Clone, Copy)]
pub(super) struct Anchor {
    kind: WindowKind,
    weekday: usize,
    month: i8,
    day: i8,
    hour: i64,
    minute: i64,
}

impl Anchor {
    /// Reads the anchor of a day, week, month or year; without a text it is the first midnight.
    pub(super) fn parse(kind: WindowKind, text: Option<&str>) -> Result<Anchor, WindowError> {
        let mut anchor = Anchor { kind, weekday: 0, month: 1, day: 1, hour: 0, minute: 0 };
        match text {
            None => Ok(anchor),
            Some(text) => anchor.read(text).map(|()| anchor).ok_or(WindowError::BadAnchor(kind)),
        }
    }

    fn read(&mut self, text: &str) -> Option<()> {
        let mut words = text.split_ascii_whitespace();
        match self.kind {
            WindowKind::Week => self.weekday = weekday(words.next()?)?,
            WindowKind::Month => self.day = number(words.next()?, 1..=31)?,
            WindowKind::Year => {
                let (month, day) = words.next()?.split_once('-')?;
                self.month = number(month, 1..=12)?;
                self.day = number(day, 1..=MONTH_LENGTHS[self.month as usize - 1])?;
            }
            _ => {}
        }
        let time = words.next();
        if words.next().is_some() || (time.is_none() && self.kind == WindowKind::Day) {
            return None;
        }
        if let Some(time) = time {
            let (hour, minute) = time.split_once(':')?;
            self.hour = number(hour, 0..=23)?.into();
            self.minute = number(minute, 0..=59).filter(|_| minute.len() == 2)?.into();
        }
        Some(())
    }

    /// One text for one meaning, which the window's id is made of: `FRI 01:00`.
    pub(super) fn normal(&self) -> String {
        let Anchor { month, day, hour, minute, .. } = *self;
        match self.kind {
            WindowKind::Week => {
                let name = WEEKDAYS[self.weekday][..3].to_ascii_uppercase();
                format!("{name} {hour:02}:{minute:02}")
            }
            WindowKind::Month => format!("{day} {hour:02}:{minute:02}"),
            WindowKind::Year => format!("{month:02}-{day:02} {hour:02}:{minute:02}"),
            _ => format!("{hour:02}:{minute:02}"),
        }
    }

    /// The boundaries that it makes.
    pub(super) fn calendar(&self) -> Calendar {
        let time = self.hour * HOUR + self.minute * MINUTE;
        match self.kind {
            WindowKind::Week => Calendar::Every { step: WEEK, phase: FIRST_MONDAY + self.weekday as i64 * DAY + time },
            WindowKind::Month => Calendar::Month { day: self.day, time },
            WindowKind::Year => Calendar::Year { month: self.month, day: self.day, time },
            _ => Calendar::Every { step: DAY, phase: time },
        }
    }
}

/// Monday is 0. Full English names or their first three letters, in any case.
fn weekday(text: &str) -> Option<usize> {
    WEEKDAYS.iter().position(|name| name.eq_ignore_ascii_case(text) || name[..3].eq_ignore_ascii_case(text))
}

/// One or two digits, nothing else.
fn number(text: &str, range: std::ops::RangeInclusive<i8>) -> Option<i8> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|value| digits && range.contains(value))
}
