//! What a document changes: nothing the second time, no more than it names, everything else when it prunes.

use super::helpers::{catalog, contents};
use crate::domain::time::Timestamp;
use crate::engine::manage::{Change, ChangeKind, content_of, diff};
use crate::engine::ports::CatalogWrite;

const BEFORE: &str = "\
meters: [{name: m}, {name: n}]
plans: [{name: p, quotas: [{meter: m, limits: {day: 1}}]}]
quotas: [{subject: tenants/-, meter: m, limits: {day: 5}}]
";

fn changes(before: &str, after: &str, prune: bool) -> Vec<Change> {
    let current = content_of(None, &catalog(&contents(before)).installation);
    diff(&contents(after)[0], &current, prune, Timestamp::from_millis(1)).changes
}

#[test]
fn the_same_again_changes_nothing() {
    assert_eq!(changes(BEFORE, BEFORE, false), []);
    assert_eq!(changes(BEFORE, BEFORE, true), []);
    assert_eq!(changes(BEFORE, "", false), []);
}

#[test]
fn a_change_says_before_and_after_in_a_line() {
    let after =
        "meters: [{name: m, unit: run}]\nquotas: [{subject: tenants/-, meter: m, limits: {day: 6}, note: \"a\\nb\"}]\n";
    assert_eq!(
        changes(BEFORE, after, false),
        [
            Change {
                kind: ChangeKind::Update,
                subject: "meter m".to_owned(),
                before: "{name: m, unit: unit}".to_owned(),
                after: "{name: m, unit: run}".to_owned(),
            },
            Change {
                kind: ChangeKind::Update,
                subject: "quota tenants/- m".to_owned(),
                before: "{subject: tenants/-, meter: m, limits: {day: 5}}".to_owned(),
                after: "{subject: tenants/-, meter: m, limits: {day: 6}, note: \"a\\nb\"}".to_owned(),
            },
        ]
    );
}

#[test]
fn pruning_removes_what_refers_first() {
    let changes = changes(BEFORE, "meters: [{name: n}]\n", true);
    let removed: Vec<&str> = changes.iter().map(|change| change.subject.as_str()).collect();
    assert_eq!(removed, ["quota tenants/- m", "quota plans/p m", "plan p", "meter m"]);
    assert!(changes.iter().all(|change| change.kind == ChangeKind::Delete && change.after.is_empty()));
}

#[test]
fn what_is_new_is_dated_and_what_stays_keeps_its_date() {
    let current = content_of(None, &catalog(&contents(BEFORE)).installation);
    let after = contents("meters: [{name: m}]\nquotas: [{subject: tenants/-/users/-, meter: m}]\n");
    let diff = diff(&after[0], &current, false, Timestamp::from_millis(77));
    let [CatalogWrite::PutQuota(quota)] = diff.writes.as_slice() else { panic!("{diff:?}") };
    assert_eq!(quota.create_time, Timestamp::from_millis(77));
}
