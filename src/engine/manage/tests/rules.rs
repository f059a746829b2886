//! What a quota may say: bounds, order, amounts, families, names.

use super::helpers::{catalog, contents, faults, judge};
use crate::domain::quota::{LimitValue, Subject};
use crate::domain::time::Span;
use crate::domain::window::WindowKind;

/// A document with one meter and one quota of every tenant.
fn with(meter: &str, quota: &str) -> String {
    format!("meters:\n  - {{name: m, {meter}}}\nquotas:\n  - {{subject: tenants/-, meter: m, {quota}}}\n")
}

fn refused(meter: &str, quota: &str, message: &str) {
    let found = faults(&with(meter, quota));
    assert!(found.len() == 1 && found[0].contains(message), "{meter} {quota}: {found:?}");
}

fn accepted(meter: &str, quota: &str) -> Vec<(WindowKind, LimitValue)> {
    let contents = contents(&with(meter, quota));
    contents[0].quotas[0].limits.iter().map(|limit| (limit.window.kind, limit.value)).collect()
}

#[test]
fn bounds_include_both_ends_s2_05() {
    let meter = "min_limit: 10, max_limit: 20";
    for amount in ["10", "20"] {
        accepted(meter, &format!("limits: {{lifetime: {amount}}}"));
    }
    refused(meter, "limits: {lifetime: 9}", "must be at least 10");
    refused(meter, "limits: {lifetime: 21}", "must be at most 20");
    accepted(meter, "limits: {lifetime: unlimited}");
    refused("may_be_unlimited: false", "limits: {lifetime: unlimited}", "does not allow unlimited");
    refused("min_limit: 3, max_limit: 2", "limits: {}", "must not be below min_limit");
    // No bound but int64 (S0.09), and 0 is a limit.
    let all = accepted("unit: x", "limits: {lifetime: 9_223_372_036_854_775_807, day: 0}");
    assert!(all.contains(&(WindowKind::Lifetime, LimitValue::Finite(i64::MAX as u64))));
    assert!(all.contains(&(WindowKind::Day, LimitValue::Finite(0))));
    refused("unit: x", "limits: {lifetime: 9223372036854775808}", "must be at most 2^63-1");
}

#[test]
fn what_stands_may_stand_whatever_bounds_its_meter_was_given_since() {
    let before = contents(&with("max_limit: 20", "limits: {lifetime: 20, day: unlimited}"));
    let current = catalog(&before);
    let tightened = "max_limit: 10, may_be_unlimited: false";
    for prune in [false, true] {
        let same = judge(&with(tightened, "limits: {lifetime: 20, day: unlimited}"), None, &current, prune).unwrap();
        assert_eq!(same[0].quotas, before[0].quotas);
        let found = judge(&with(tightened, "limits: {lifetime: 19, day: unlimited}"), None, &current, prune);
        assert_eq!(found.unwrap_err().len(), 2);
        // One that can't be read is not taken for what stands without it.
        let found = judge(&with(tightened, "limits: {lifetime: 20, day: unlimited, year: x}"), None, &current, prune);
        assert!(found.is_err());
    }
}

#[test]
fn daily_is_not_above_monthly_is_not_above_yearly_s4_08() {
    accepted("unit: x", "limits: {day: 5, month: 5, year: 5}");
    accepted("unit: x", "limits: {day: 5, month: unlimited, year: 5}");
    refused("unit: x", "limits: {day: 6, month: 5}", "day must not be above month: 6 is above 5");
    refused("unit: x", "limits: {month: 6, year: 5}", "month must not be above year");
    refused("unit: x", "limits: {day: 6, year: 5}", "day must not be above year");
    refused("unit: x", "limits: {day: 6, month: unlimited, year: 5}", "day must not be above year");
    // All empty is allowed and restricts nothing (S4.07).
    assert!(accepted("unit: x", "note: none").is_empty());
}

#[test]
fn amounts_are_in_the_meters_decimals_s4_29() {
    let half = [(WindowKind::Day, LimitValue::Finite(500_000))];
    for text in ["0.50", "\"0.50\"", "0.5", "500_000", "500000"] {
        assert_eq!(accepted("decimals: 6", &format!("limits: {{day: {text}}}")), half, "{text}");
    }
    refused("decimals: 6", "limits: {day: 0.0000001}", "must have at most 6 decimals");
    refused("decimals: 0", "limits: {day: 1.0}", "the meter has no decimals");
    let contents =
        contents(&with("decimals: 2, min_limit: 1.50, max_limit: 9.99", "limits: {day: 2.00}, top_up: 0.01"));
    assert_eq!((contents[0].meters[0].min_limit, contents[0].meters[0].max_limit), (150, Some(999)));
    assert_eq!(contents[0].quotas[0].top_up, Some(1));
}

#[test]
fn windows_have_their_shape() {
    let all = contents(&with(
        "unit: x",
        "limits: {rate: {amount: 10, length: 1s}, sliding: {amount: 100, length: 1h}, \
         cron: {amount: 5, cron: \"0 1 * * FRI\", zone: Asia/Shanghai}, year: {amount: unlimited, anchor: 04-01}}",
    ));
    let limits = &all[0].quotas[0].limits;
    assert_eq!(
        limits.iter().map(|limit| limit.window.kind).collect::<Vec<_>>(),
        [WindowKind::Year, WindowKind::Cron, WindowKind::Sliding, WindowKind::Rate]
    );
    assert_eq!(limits[0].value, LimitValue::Unlimited);
    assert_eq!(limits[1].window.cron.as_deref(), Some("0 1 * * FRI"));
    assert_eq!(limits[2].window.length, Some(Span::from_secs(3_600)));
    refused("unit: x", "limits: {rate: {amount: 10, length: 1 second}}", "must be a length of time");
    refused("unit: x", "limits: {rate: {amount: 9_007_199_254_741, length: 1s}}", "must be at most 2^53-1");
    refused("unit: x", "limits: {cron: {amount: 1, cron: 0 1 * *}}", "five fields");
    refused("unit: x", "limits: {day: {zone: UTC}}", "amount is needed");
    refused("family: allocation", "limits: {day: 5}", "an allocation meter has only a lifetime limit");
    accepted("family: allocation", "limits: {lifetime: 5}");
}

#[test]
fn words_are_read_in_any_case() {
    let all = contents(&with(
        "family: ALLOCATION, expiry: give-back, charge: On_Reserve, failure_policy: FAIL-OPEN, default_policy: Deny",
        "enforcement: SHADOW",
    ));
    let exported = crate::engine::manage::export_installation(&catalog(&all));
    for line in ["family: allocation", "charge: on_reserve", "failure_policy: fail_open", "enforcement: shadow"] {
        assert!(exported.contains(line), "{exported}");
    }
    assert!(!exported.contains("expiry"), "a default is left out: {exported}");
}

#[test]
fn a_quota_stands_once() {
    let doubled = "\
meters: [{name: m}]
plans:
  - {name: p, quotas: [{meter: m}]}
  - {name: p}
quotas:
  - {subject: tenants/-, meter: m}
  - {subject: plans/p, meter: m}
  - {subject: tenants/-, meter: m}
  - {subject: plans/q, meter: m}
";
    assert_eq!(
        faults(doubled),
        [
            "line 4: plans[1]: p stands on line 3 already",
            "line 7: quotas[1]: plans/p has a quota on m on line 3 already",
            "line 8: quotas[2]: tenants/- has a quota on m on line 6 already",
            "line 9: quotas[3].subject: there is no plan \"q\"",
        ]
    );
}

#[test]
fn the_catalog_is_known_unless_it_is_pruned() {
    let current = catalog(&contents(
        "meters: [{name: m}]\nplans: [{name: p}]\ntenants:\n  - {name: tenants/a, meters: [{name: own}]}\n",
    ));
    let yaml = "accounts: [{name: tenants/a/u/1, plan: p}]\nquotas: [{subject: tenants/a, meter: m}, {subject: tenants/a, meter: own}]\n";
    assert_eq!(judge(yaml, Some("tenants/a"), &current, false).unwrap()[0].quotas.len(), 2);
    let found = judge(yaml, Some("tenants/a"), &current, true).unwrap_err();
    assert_eq!(found, ["line 2: quotas[1].meter: there is no meter \"own\""]);

    let whole = "tenants:\n  - {name: tenants/a, quotas: [{subject: tenants/a, meter: m}]}\n";
    assert!(judge(whole, None, &current, false).is_ok());
    assert_eq!(judge(whole, None, &current, true).unwrap_err().len(), 1);
}

#[test]
fn a_meters_family_and_decimals_stay() {
    let current = catalog(&contents("meters: [{name: m}]\n"));
    let found = judge("meters:\n  - {name: m, family: allocation, decimals: 2}\n", None, &current, false).unwrap_err();
    assert!(found[0].starts_with("line 2: meters[0].family: can't be changed"), "{found:?}");
    assert!(found[1].starts_with("line 2: meters[0].decimals: can't be changed"), "{found:?}");
    // A tenant's own meter of that name would change them just as well.
    assert!(
        judge(
            "meters: [{name: m, family: allocation}]",
            Some("tenants/a"),
            &{
                let mut current = current.clone();
                current.tenants.insert("tenants/a".to_owned(), current.installation.clone());
                current
            },
            false
        )
        .is_err()
    );
    assert!(judge("meters: [{name: m, unit: x}]", None, &current, false).is_ok());
}

#[test]
fn subjects_belong_to_their_scope() {
    let yaml = "\
meters: [{name: m}]
quotas:
  - {subject: -/-, meter: m}
  - {subject: tenants/a/users/-, meter: m}
tenants:
  - name: plans/a
  - name: tenants/a
    quotas:
      - {subject: tenants/-/users/u1, meter: m}
      - {subject: tenants/a/users/-/jobs/7, meter: m}
      - {subject: tenants/a, meter: m}
";
    let found = faults(yaml);
    assert!(found[0].starts_with("line 3: quotas[0].subject: a collection is"), "{found:?}");
    assert!(found[1].starts_with("line 4: quotas[1].subject: must begin with a wild pair"), "{found:?}");
    assert!(found[2].starts_with("line 6: tenants[0].name: must not be in the collection plans"), "{found:?}");
    assert!(found[3].starts_with("line 9: tenants[1].quotas[0].subject: must begin with the tenant"), "{found:?}");
    assert_eq!(found.len(), 4);
    let good = contents("meters: [{name: m}]\nplans: [{name: p, quotas: [{meter: m}]}]\n");
    assert_eq!(good[0].quotas[0].subject, Subject::Plan("p".to_owned()));
}
