//! What a decision needs to know of one window: where it stands and what limits it.

use super::time::Period;
use super::window::{WindowId, WindowKind};

/// A window of one account on one meter as a decision sees it: where it stands now and what limits it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WindowPlan {
    /// Which window.
    pub window: WindowId,
    /// Its kind.
    pub kind: WindowKind,
    /// The period that the plan assumes; all of time for lifetime, sliding and rate.
    pub period: Period,
    /// Sliding: length of one step; rate: the time in which the limit drains; else 0. In milliseconds.
    pub step: i64,
    /// The limit; `None`: counted and shown, never denying.
    pub limit: Option<u64>,
    /// Whether the limit denies, or only records what it would have denied (rule 13).
    pub enforced: bool,
    /// What one hold may take of it (rule 17).
    pub hold_cap: Option<u64>,
}

impl WindowPlan {
    /// The lifetime without a limit: what is counted where nothing limits.
    pub fn unlimited_lifetime(window: WindowId) -> WindowPlan {
        WindowPlan {
            window,
            kind: WindowKind::Lifetime,
            period: Period::ALWAYS,
            step: 0,
            limit: None,
            enforced: false,
            hold_cap: None,
        }
    }
}
