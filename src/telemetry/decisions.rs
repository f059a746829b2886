//! Decisions, by method and by meter. Meters are an administrator's words, so their number is bounded: each core keeps its own
//! handles, and the first names that the process meets have a label of their own.

use super::fields;
use super::metrics::{DECISIONS_TOTAL, METER_DECISIONS_TOTAL, install};
use metrics::{Counter, counter};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

/// Meters with a label of their own.
const NAMED: usize = 100;

/// Counts the decisions of one method, by cause.
pub struct DecisionMetrics {
    rpc: &'static str,
    causes: &'static [&'static str],
    granted: Counter,
    denied: Vec<OnceLock<Counter>>,
}

impl DecisionMetrics {
    /// The instruments of `rpc`; `causes` are the label values, and a denial names one by its place. Installs the recorder.
    pub fn new(rpc: &'static str, causes: &'static [&'static str]) -> Self {
        install();
        let granted =
            counter!(DECISIONS_TOTAL, fields::RPC => rpc, fields::OUTCOME => "granted", fields::CAUSE => "none");
        DecisionMetrics { rpc, causes, granted, denied: causes.iter().map(|_| OnceLock::new()).collect() }
    }

    /// Counts a grant.
    pub fn granted(&self) {
        self.granted.increment(1);
    }

    /// Counts a denial by the place of its first cause in the list given to [`DecisionMetrics::new`]. A place beyond the
    /// list is not counted.
    pub fn denied(&self, cause: usize) {
        let (Some(slot), Some(&cause)) = (self.denied.get(cause), self.causes.get(cause)) else { return };
        let rpc = self.rpc;
        slot.get_or_init(
            || counter!(DECISIONS_TOTAL, fields::RPC => rpc, fields::OUTCOME => "denied", fields::CAUSE => cause),
        )
        .increment(1);
    }
}

/// The counters of one meter.
struct Handles {
    granted: Counter,
    denied: Counter,
}

type Known = HashMap<Box<str>, Handles, foldhash::fast::RandomState>;

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// Counts one decision on a meter.
pub fn decided(meter: &str, granted: bool) {
    KNOWN.with_borrow_mut(|known| {
        if !known.contains_key(meter) {
            if known.len() >= 2 * NAMED {
                // A flood of names costs time and not memory.
                known.clear();
            }
            known.insert(meter.into(), handles(label(meter)));
        }
        if let Some(handles) = known.get(meter) {
            if granted { handles.granted.increment(1) } else { handles.denied.increment(1) }
        }
    });
}

fn handles(meter: String) -> Handles {
    install();
    let of = |outcome: &'static str| counter!(METER_DECISIONS_TOTAL, fields::METER => meter.clone(), fields::OUTCOME => outcome);
    Handles { granted: of("granted"), denied: of("denied") }
}

/// The meter's own name as long as there are few, in the whole process.
fn label(meter: &str) -> String {
    static NAMES: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if names.contains(meter) {
        return meter.to_owned();
    }
    if names.len() < NAMED {
        names.insert(meter.to_owned());
        return meter.to_owned();
    }
    String::from("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_meters_share_one_label() {
        for number in 0..3 * NAMED {
            decided(&format!("test.meter{number}"), number % 2 == 0);
        }
        let text = install().render();
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("quotad_meter_decisions_total{")).collect();
        assert!(lines.len() <= 2 * (NAMED + 1), "{}", lines.len());
        assert!(lines.iter().any(|line| line.contains(r#"meter="other",outcome="denied""#)), "{text}");
    }
}
