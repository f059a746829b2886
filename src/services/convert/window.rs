//! Windows, as they were written.

use crate::domain::time::Span;
use crate::domain::window::{WindowKind, WindowSpec};
use crate::proto::v1;

/// A window as the protocol shows it.
pub fn window(window: &WindowSpec) -> v1::Window {
    v1::Window {
        kind: kind(window.kind).into(),
        time_zone: window.zone.clone().unwrap_or_default(),
        anchor: window.anchor.clone().unwrap_or_default(),
        length: window.length.map(duration),
        cron: window.cron.clone().unwrap_or_default(),
    }
}

fn kind(kind: WindowKind) -> v1::WindowKind {
    match kind {
        WindowKind::Lifetime => v1::WindowKind::Lifetime,
        WindowKind::Minute => v1::WindowKind::Minute,
        WindowKind::Hour => v1::WindowKind::Hour,
        WindowKind::Day => v1::WindowKind::Day,
        WindowKind::Week => v1::WindowKind::Week,
        WindowKind::Month => v1::WindowKind::Month,
        WindowKind::Year => v1::WindowKind::Year,
        WindowKind::Cron => v1::WindowKind::Cron,
        WindowKind::Sliding => v1::WindowKind::Sliding,
        WindowKind::Rate => v1::WindowKind::Rate,
    }
}

/// A length of time, to the millisecond.
fn duration(span: Span) -> pbjson_types::Duration {
    let nanos = span.millis() % 1000 * 1_000_000;
    pbjson_types::Duration { seconds: span.millis() / 1000, nanos: i32::try_from(nanos).unwrap_or(0) }
}
