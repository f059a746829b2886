//! Why a written window is refused, and which of its fields is to blame.

use super::WindowKind;
use thiserror::Error;

/// Why a [`WindowSpec`](super::WindowSpec) is no window. The message says what the field must be; [`WindowError::field`]
/// says which one it is.
///
/// ```
/// use quotad::domain::window::{WindowError, WindowKind, WindowSpec};
/// let spec = WindowSpec { zone: Some("Mars/Olympus".into()), ..WindowSpec::of(WindowKind::Day) };
/// let error = spec.compile("UTC").unwrap_err();
/// assert_eq!(error, WindowError::UnknownZone("Mars/Olympus".into()));
/// assert_eq!(error.field(), "zone");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum WindowError {
    /// Not the name of a kind.
    #[error("kind must be one of lifetime, minute, hour, day, week, month, year, cron, sliding, rate")]
    UnknownKind,
    /// Not in the zone database. Holds at most the first 64 characters of what was written.
    #[error("zone must be a name of the IANA time zone database, like Europe/Amsterdam; {0:?} is not")]
    UnknownZone(String),
    /// A zone where none belongs.
    #[error("zone has no meaning in a {0} window")]
    ZoneNotAllowed(WindowKind),
    /// An anchor that is not one of the kind's.
    #[error("anchor of a {0} window must be {form}", form = anchor_form(*.0))]
    BadAnchor(WindowKind),
    /// An anchor where none belongs.
    #[error("anchor has no meaning in a {0} window")]
    AnchorNotAllowed(WindowKind),
    /// No length where one is needed.
    #[error("length is needed in a {0} window: {form}", form = length_form(*.0))]
    LengthMissing(WindowKind),
    /// A length that is too short, too long or not whole.
    #[error("length of a {0} window must be {form}", form = length_form(*.0))]
    BadLength(WindowKind),
    /// A length where none belongs.
    #[error("length has no meaning in a {0} window")]
    LengthNotAllowed(WindowKind),
    /// No expression where one is needed.
    #[error("cron is needed in a cron window: five fields, like 0 1 * * FRI")]
    CronMissing,
    /// Not five fields.
    #[error("cron must have five fields: minute, hour, day of month, month, day of week; it has {0}")]
    CronFields(usize),
    /// Five fields that cannot be read.
    #[error("cron cannot be read: {0}")]
    CronSyntax(String),
    /// An expression without a single match, like 30 February.
    #[error("cron never matches any date")]
    CronNever,
    /// An expression where none belongs.
    #[error("cron has no meaning in a {0} window")]
    CronNotAllowed(WindowKind),
}

impl WindowError {
    /// The field to blame: `kind`, `zone`, `anchor`, `length` or `cron`.
    pub const fn field(&self) -> &'static str {
        match self {
            WindowError::UnknownKind => "kind",
            WindowError::UnknownZone(_) | WindowError::ZoneNotAllowed(_) => "zone",
            WindowError::BadAnchor(_) | WindowError::AnchorNotAllowed(_) => "anchor",
            WindowError::LengthMissing(_) | WindowError::BadLength(_) | WindowError::LengthNotAllowed(_) => "length",
            WindowError::CronMissing
            | WindowError::CronFields(_)
            | WindowError::CronSyntax(_)
            | WindowError::CronNever
            | WindowError::CronNotAllowed(_) => "cron",
        }
    }
}

const fn anchor_form(kind: WindowKind) -> &'static str {
    match kind {
        WindowKind::Day => "a time of day, like 01:00",
        WindowKind::Week => "a day of the week and maybe a time, like FRI or FRI 01:00",
        WindowKind::Month => "a day from 1 to 31 and maybe a time, like 15 or 15 06:00",
        WindowKind::Year => "month-day and maybe a time, like 04-01 or 04-01 06:00",
        _ => "absent",
    }
}

const fn length_form(kind: WindowKind) -> &'static str {
    match kind {
        WindowKind::Sliding => "whole minutes, from 1 minute to 31 days",
        WindowKind::Rate => "from 1 millisecond to 31 days",
        _ => "absent",
    }
}
