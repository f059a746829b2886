//! The promises, and what was found about each.

use crate::cli::render::{Column, View};
use serde::Serialize;

/// Whether a promise holds here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// It does.
    #[default]
    Met,
    /// Not in every case that it was made for.
    Weakened,
    /// It does not.
    Broken,
}

/// What is promised.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Promise {
    Limits,
    Kill,
    Power,
    Durable,
    Loss,
    Flush,
    Time,
    Room,
    Safe,
}

/// All promises: the name and the text of each.
const PROMISES: [(Promise, &str, &str); 9] = [
    (Promise::Limits, "limits", "No grant passes an enforced limit, however many call at once"),
    (Promise::Kill, "kill", "A killed quotad loses no answered write, and none has its effect twice"),
    (Promise::Power, "power", "A power cut loses no answered write"),
    (Promise::Durable, "durable", "What an answer calls DURABLE is never lost"),
    (Promise::Loss, "loss", "A counter store that forgets is noticed, and nothing answered is missing"),
    (Promise::Flush, "flush", "Everything answered reaches the ledger within moments"),
    (Promise::Time, "time", "One clock decides, and it is right"),
    (Promise::Room, "room", "There is room to go on writing"),
    (Promise::Safe, "safe", "Servers, versions and schema are such that all this can hold"),
];

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Report {
    found: Vec<(Promise, Verdict, String)>,
    /// Facts that are neither good nor bad.
    notes: Vec<String>,
}

impl Report {
    /// The promise does not hold in every case.
    pub(super) fn weakened(&mut self, promise: Promise, why: impl Into<String>) {
        self.found.push((promise, Verdict::Weakened, why.into()));
    }

    /// The promise does not hold.
    pub(super) fn broken(&mut self, promise: Promise, why: impl Into<String>) {
        self.found.push((promise, Verdict::Broken, why.into()));
    }

    /// The promise holds, and why.
    pub(super) fn met(&mut self, promise: Promise, why: impl Into<String>) {
        self.found.push((promise, Verdict::Met, why.into()));
    }

    /// A fact.
    pub(super) fn note(&mut self, fact: impl Into<String>) {
        self.notes.push(fact.into());
    }

    /// The worst of all.
    pub(super) fn verdict(&self) -> Verdict {
        self.found.iter().map(|(_, verdict, _)| *verdict).max().unwrap_or_default()
    }

    fn of(&self, promise: Promise) -> (Verdict, Vec<&str>) {
        let found = || self.found.iter().filter(|(of, ..)| *of == promise);
        let verdict = found().map(|(_, verdict, _)| *verdict).max().unwrap_or_default();
        // A reason to be at ease says nothing beside one not to be.
        let why = found().filter(|(_, of, _)| *of == verdict || *of > Verdict::Met);
        (verdict, why.map(|(.., why)| why.as_str()).collect())
    }

    /// For people.
    pub(super) fn text(&self, view: &View) -> String {
        let columns = [Column::Text("promise"), Column::Text("here"), Column::Text("why")];
        let mut rows = Vec::new();
        for (promise, _, text) in PROMISES {
            let (verdict, why) = self.of(promise);
            rows.push(vec![text.to_owned(), word(verdict).to_owned(), why.join("\n")]);
        }
        let mut lines = vec![sentence(self.verdict()).to_owned()];
        lines.extend(self.notes.iter().cloned());
        lines.push(view.table(&columns, rows));
        lines.join("\n")
    }

    /// For programs.
    pub(super) fn json(&self) -> String {
        let promise = |(promise, name, text): &(Promise, &str, &str)| {
            let (verdict, why) = self.of(*promise);
            serde_json::json!({"promise": name, "text": text, "verdict": verdict, "why": why})
        };
        let promises: Vec<_> = PROMISES.iter().map(promise).collect();
        let report = serde_json::json!({"verdict": self.verdict(), "promises": promises, "notes": self.notes});
        format!("{report:#}")
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "met",
        Verdict::Weakened => "WEAKENED",
        Verdict::Broken => "BROKEN",
    }
}

fn sentence(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "every promise is met",
        Verdict::Weakened => "some promises are weakened",
        Verdict::Broken => "some promises are BROKEN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts_and_reasons_of_the_better_stay_out() {
        let mut report = Report::default();
        report.met(Promise::Power, "synced");
        assert_eq!((report.verdict(), report.of(Promise::Power)), (Verdict::Met, (Verdict::Met, vec!["synced"])));
        report.weakened(Promise::Power, "everysec");
        assert_eq!(report.of(Promise::Power), (Verdict::Weakened, vec!["everysec"]));
        report.broken(Promise::Safe, "evicts");
        assert_eq!(report.verdict(), Verdict::Broken);
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json["verdict"], "broken");
        assert_eq!(json["promises"].as_array().unwrap().len(), PROMISES.len());
        let text = report.text(&View { unicode: false, now: 0 });
        assert!(text.contains("WEAKENED") && text.contains("everysec") && !text.contains("synced"), "{text}");
    }
}
