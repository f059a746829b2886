//! Placeholder while the real module is on its way; replaced whole by it.
#![allow(missing_docs)]

use super::time::{Period, Span, Timestamp};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum WindowKind {
    Lifetime,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    Cron,
    Sliding,
    Rate,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WindowSpec {
    pub kind: WindowKind,
    pub zone: Option<String>,
    pub anchor: Option<String>,
    pub length: Option<Span>,
    pub cron: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub struct WindowId(pub u64);

#[derive(Clone, Debug)]
pub struct Window(WindowSpec);

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("bad window")]
pub struct WindowError;

impl WindowError {
    pub fn field(&self) -> &'static str {
        "zone"
    }
}

impl WindowSpec {
    pub fn compile(&self, _default_zone: &str) -> Result<Window, WindowError> {
        Ok(Window(self.clone()))
    }
}

impl WindowKind {
    pub fn as_str(self) -> &'static str {
        "lifetime"
    }
}

impl Window {
    pub fn kind(&self) -> WindowKind {
        self.0.kind
    }
    pub fn id(&self) -> WindowId {
        WindowId(self.0.kind as u64)
    }
    pub fn spec(&self) -> &WindowSpec {
        &self.0
    }
    pub fn zone_name(&self) -> &str {
        ""
    }
    pub fn length(&self) -> Option<Span> {
        self.0.length
    }
    pub fn period_at(&self, _t: Timestamp) -> Period {
        Period::ALWAYS
    }
    pub fn bucket_millis(&self) -> i64 {
        self.0.length.map_or(1, |length| length.millis() / 60)
    }
}
