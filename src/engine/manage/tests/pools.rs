//! What a document may say of pools, and of tenants that register their accounts.

use super::helpers::{catalog, contents, faults, judge};
use crate::domain::account::{AccountPolicy, AccountState};
use crate::domain::pool::Join;
use crate::domain::time::{Period, Timestamp};
use crate::engine::manage::{content_of, diff, export_tenant};

const METERS: &str = "meters: [{name: a}, {name: b}, {name: bytes, family: allocation}]\n";
const FULL: &str = "
tenants:
  - name: tenants/uni
    account_policy: registered
    state: suspended
    currency: CNY
    accounts: [{name: tenants/uni/users/u, state: closed, currency: EUR}]
    pools:
      - account: tenants/uni/pools/p
        meters: [b, a]
        join: always
        enabled: false
        members:
          - tenants/uni/users/u
          - {account: tenants/uni/users/v, from: 2026-09-01T00:00:00+08:00, to: 2027-02-01T00:00:00Z}
          - {account: tenants/uni/users/w, to: 2027-02-01T00:00:00.5Z}
        rule: {role: student}
        items: {allow: [y, x], deny: [z]}
    quotas: [{subject: tenants/uni/pools/p, meter: a, limits: {lifetime: 1}}]
";

#[test]
fn everything_that_is_said_comes_back() {
    let first = contents(&format!("{METERS}{FULL}"));
    let tenant = &first[1].accounts[0];
    assert_eq!((tenant.account_policy, tenant.state), (AccountPolicy::Registered, AccountState::Suspended));
    let pool = &first[1].pools[0];
    assert_eq!((pool.join, pool.enabled, pool.meters[0].as_str()), (Join::Always, false, "a"));
    let from = "2026-08-31T16:00:00Z".parse().unwrap();
    let to: Timestamp = "2027-02-01T00:00:00Z".parse().unwrap();
    assert_eq!(pool.members[1].period, Period { start: from, end: to });
    assert_eq!(pool.members[2].period.end.millis(), to.millis() + 500);

    let current = catalog(&first);
    let exported = export_tenant("tenants/uni", &current.tenants["tenants/uni"]);
    let again = judge(&exported, Some("tenants/uni"), &current, true).unwrap();
    let before = content_of(Some("tenants/uni"), &current.tenants["tenants/uni"]);
    assert_eq!(diff(&again[0], &before, true, Timestamp::MIN).changes, [], "{exported}");
    let without = judge("name: tenants/uni\naccount_policy: open\n", Some("tenants/uni"), &current, true).unwrap();
    let gone = diff(&without[0], &before, true, Timestamp::MIN).changes;
    assert!(gone.iter().any(|change| change.subject == "pool tenants/uni/pools/p" && change.after.is_empty()));
}

#[test]
fn every_fault_of_a_pool_has_its_line() {
    let found = faults(&format!(
        "{METERS}tenants:
  - name: tenants/uni
    pools:
      - {{account: tenants/uni, meters: []}}
      - account: tenants/uni/pools/p
        meters: [a, a, none, bytes]
        join: never
        members:
          - tenants/other/users/u
          - {{account: tenants/uni/users/u, from: 2027-02-01T00:00:00Z, to: 2027-02-01T00:00:00Z}}
          - {{account: tenants/uni/users/u, from: tomorrow}}
        items: {{allow: [], deny: [two words]}}
      - {{account: tenants/uni/pools/p, meters: [a]}}
      - {{account: tenants/uni/pools/q}}
"
    ));
    let expected = [
        (5, "pools[0].account", "below the tenant"),
        (5, "pools[0].meters", "at least one meter"),
        (7, "pools[1].meters[1]", "stands here twice"),
        (7, "pools[1].meters[3]", "allocation meter"),
        (7, "pools[1].meters[2]", "there is no meter \"none\""),
        (8, "pools[1].join", "one of chosen, always"),
        (10, "pools[1].members[0]", "must begin with the tenant"),
        (11, "pools[1].members[1].to", "must be after from"),
        (12, "pools[1].members[2].from", "must be a time like"),
        (13, "pools[1].items.allow", "leave the key out for all"),
        (13, "pools[1].items.deny[0]", "visible ASCII"),
        (14, "pools[2]", "is a pool on line 6 already"),
        (15, "pools[3].meters", "at least one meter"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for ((line, path, message), found) in expected.iter().zip(&found) {
        let start = format!("line {line}: tenants[0].{path}: ");
        assert!(found.starts_with(&start) && found.contains(message), "{start} {message}\n{found}");
    }
}

#[test]
fn a_registered_tenant_knows_those_with_quotas() {
    let quota = |subject: &str| format!("quotas: [{{subject: {subject}, meter: a, limits: {{lifetime: 1}}}}]\n");
    let tenant = Some("tenants/uni");
    let open =
        contents(&format!("{METERS}tenants: [{{name: tenants/uni, {}}}]\n", quota("tenants/uni/users/u").trim()));
    let current = catalog(&open);
    let begin = "account_policy: registered\n";
    let found = judge(begin, tenant, &current, false).unwrap_err();
    assert!(found[0].contains("account_policy: 1 with quotas have no record: tenants/uni/users/u"), "{found:?}");
    judge(begin, tenant, &current, true).unwrap();
    let named = format!("{begin}accounts: [{{name: tenants/uni/users/u}}]\n");
    let registered = catalog(&[open[0].clone(), judge(&named, tenant, &current, false).unwrap().remove(0)]);
    for (subject, known) in [
        ("tenants/uni/users/u", true),
        ("tenants/uni", true),
        ("tenants/uni/users/-", true),
        ("tenants/uni/users/v", false),
    ] {
        assert_eq!(judge(&quota(subject), tenant, &registered, false).is_ok(), known, "{subject}");
    }
    let found = judge(&quota("tenants/uni/users/v"), tenant, &registered, false).unwrap_err();
    assert_eq!(found, ["line 1: quotas[0].subject: there is no record of tenants/uni/users/v"]);
    let user_only = "accounts: [{name: tenants/uni/users/u, account_policy: registered}]\n";
    assert!(judge(user_only, tenant, &current, false).unwrap_err()[0].contains("unknown key"));
}
