//! Windows against known cases, against a slow oracle, and against the rules over all zones.

mod cases;
mod checks;
mod oracle;
mod tiling;

use super::{Window, WindowKind, WindowSpec};
use crate::domain::time::{Period, Timestamp};

/// An instant from RFC 3339.
fn time(text: &str) -> Timestamp {
    Timestamp::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// A window of a kind; an empty anchor is none. For cron the anchor is the expression.
fn window(kind: WindowKind, zone: &str, anchor: &str) -> Window {
    let text = (!anchor.is_empty()).then(|| anchor.to_owned());
    let mut spec = WindowSpec { zone: Some(zone.into()), ..WindowSpec::of(kind) };
    if kind == WindowKind::Cron {
        spec.cron = text;
    } else {
        spec.anchor = text;
    }
    spec.compile("Etc/Unknown").unwrap()
}

/// The period at `t`, and that every instant at its edges agrees.
fn checked(window: &Window, t: Timestamp) -> Period {
    let period = window.period_at(t);
    assert!(period.contains(t), "{window:?} at {t}: {period:?}");
    for edge in [period.start, Timestamp::from_millis(period.end.millis() - 1)] {
        assert_eq!(window.period_at(edge), period, "{window:?} at {edge}, from {t}");
    }
    period
}
