//! Faulty documents: every fault at once, on its line.

use super::helpers::{contents, faults, judge};
use crate::engine::manage::Current;
use crate::engine::manage::document::{MAX_DOCUMENT, Problems, read_draft};

#[test]
fn every_fault_is_told_at_once_with_line_and_path() {
    let yaml = "\
meters:
  - name: runs
    famly: allocation
  - name: Runs
  - unit: byte
  - name: runs
    decimals: 11
    admission: sometimes
plans: none
quotas:
  - subject: tenants/-
    meter: runs
    limits: {day: -1, month: 5.5, year: ten, sliding: 5}
  - subject: tenants/a/users/u1
    meter: walks
    limits:
      day: {amount: 5, zone: Mars/Phobos, anchor: \"25:00\", cron: x}
      day: 7
      fortnight: 1
    hold_share_percent: 0
tenants:
  - name: tenants/a
    time_zone: Nowhere
    accounts:
      - {name: tenants/b/users/u1, plan: gold}
  - name: tenants/a/users/u1
  - name: tenants/a
";
    let found = faults(yaml);
    let starts = [
        "line 3: meters[0].famly: unknown key; did you mean family?",
        "line 4: meters[1].name: a meter is lower-case words",
        "line 5: meters[2]: name is needed",
        "line 6: meters[3]: runs stands on line 2 already",
        "line 7: meters[3].decimals: must be a whole number from 0 to 10",
        "line 8: meters[3].admission: must be one of fits, positive",
        "line 9: plans: must be a list, not a single value",
        "line 13: quotas[0].limits.sliding: length is needed",
        "line 13: quotas[0].limits.day: must not be negative",
        "line 13: quotas[0].limits.month: must be a whole number",
        "line 13: quotas[0].limits.year: must be a whole number",
        "line 14: quotas[1].subject: belongs to a tenant",
        "line 15: quotas[1].meter: there is no meter \"walks\"",
        "line 17: quotas[1].limits.day.zone: zone must be a name of the IANA time zone database",
        "line 17: quotas[1].limits.day.anchor: anchor of a day window",
        "line 17: quotas[1].limits.day.cron: cron has no meaning in a day window",
        "line 18: quotas[1].limits.day: stands here twice",
        "line 19: quotas[1].limits.fortnight: unknown key; ",
        "line 20: quotas[1].hold_share_percent: must be a whole number from 1 to 100",
        "line 23: tenants[0].time_zone: must be a name of the IANA time zone database; it is \"Nowhere\"",
        "line 25: tenants[0].accounts[0].name: must begin with the tenant tenants/a",
        "line 25: tenants[0].accounts[0].plan: there is no plan \"gold\"",
        "line 26: tenants[1].name: must be one pair",
        "line 27: tenants[2].name: tenants/a stands here twice",
    ];
    for start in starts {
        assert!(found.iter().any(|line| line.starts_with(start)), "{start} is missing in {found:#?}");
    }
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    let lines = found.iter().map(|line| line[5..].split(':').next().unwrap().parse::<usize>().unwrap());
    assert!(lines.is_sorted());
}

#[test]
fn what_is_not_yaml_or_more_than_catalogs_use_is_refused() {
    for (yaml, start) in [
        ("meters: [", "line "),
        ("a: b: c\n", "line 1: "),
        ("meters: *m\n", "line 1: "),
        ("plans: &p []\nmeters: *p\n", "line 2: aliases are not used in catalogs"),
        ("meters: !!seq []\n", "line 1: tags are not used"),
        ("meters: []\n---\nplans: []\n", "line 2: must be one document"),
        ("- meters\n", "line 1: must be a map with keys like meters, not a list"),
        ("meters\n", "line 1: must be a map"),
        ("{[a]: b}\n", "line 1: "),
        ("limits: {day: 1}\n", "line 1: limits: unknown key; known here: meters, plans, quotas, rate_cards, tenants"),
        ("accounts: []\n", "line 1: this looks like the document of one tenant: add --tenant NAME"),
        ("name: tenants/a\nquotas: []\n", "line 1: this looks like the document of one tenant"),
        ("meters: [{name: [a]}]\n", "line 1: meters[0].name: must be a single value, not a list"),
        ("meters: [{name: a, display_names: {en: {x: y}}}]\n", "line 1: meters[0].display_names.en: must be a single"),
    ] {
        let found = faults(yaml);
        assert!(found[0].starts_with(start), "{yaml:?}: {found:?}");
    }
}

#[test]
fn a_forgotten_number_is_a_fault_and_no_licence() {
    let head = "meters: [{name: m}]\nquotas:\n  - subject: tenants/-\n    meter: m\n";
    for (rest, fault) in [
        ("    limits: {lifetime: }\n", "line 5: quotas[0].limits.lifetime: has no amount"),
        ("    limits:\n      day: 5\n      month: ~\n", "line 7: quotas[0].limits.month: has no amount"),
        ("    limits: {day: {amount: }}\n", "line 5: quotas[0].limits.day: amount is needed"),
        ("    limits: {day: 5}\n    raise:\n", "line 6: quotas[0].raise: raises nothing"),
        ("    limits: {day: 5}\n    raise: ~\n", "line 6: quotas[0].raise: raises nothing"),
        ("    limits:\n", "line 5: quotas[0].limits: names no window"),
        ("    top_up: 5\n", "line 5: quotas[0].top_up: a top-up stands beside limits"),
        ("    limits: {}\n    top_up: 5\n", "line 6: quotas[0].top_up: a top-up stands beside limits"),
    ] {
        let found = faults(&format!("{head}{rest}"));
        assert!(found.len() == 1 && found[0].starts_with(fault), "{rest:?}: {found:#?}");
    }
    contents(&format!("{head}    limits: {{day: 5}}\n    top_up: 5\n"));
}

#[test]
fn bombs_and_floods_are_bounded() {
    let deep = format!("meters: {}{}", "[".repeat(200), "]".repeat(200));
    assert!(faults(&deep)[0].contains("nested too deeply"));
    let flow = format!("meters: {}", "[".repeat(100_000));
    assert_eq!(faults(&flow).len(), 1);

    let many = format!("quotas:\n{}", "  - x\n".repeat(10_000));
    let found = faults(&many);
    assert_eq!(found.len(), 501);
    assert_eq!(found[500], "and 9500 more");

    let long = format!("{}: 1\n", "k".repeat(100_000));
    assert!(faults(&long)[0].len() < 300);

    let mut problems = Problems::default();
    read_draft(&vec![b' '; MAX_DOCUMENT + 1], None, &mut problems);
    assert_eq!(problems.to_string(), "line 1: must be at most 64 MiB");
    let mut problems = Problems::default();
    read_draft(b"meters:\n  - name: \xff\n", None, &mut problems);
    assert_eq!(problems.to_string(), "line 2: must be UTF-8");
}

#[test]
fn nothing_at_all_is_a_document() {
    for yaml in ["", "\n", "# only a comment\n", "---\n", "null\n", "\u{FEFF}meters: []\n", "meters:\nquotas: ~\n"] {
        assert_eq!(contents(yaml).len(), 1, "{yaml:?}");
    }
}

#[test]
fn a_tenants_document_is_its_block() {
    let none = Current::default();
    let ai = Some("tenants/ai");
    let plain = judge("time_zone: Asia/Shanghai\nmeters: [{name: runs}]\n", ai, &none, false).unwrap();
    assert_eq!(plain[0].tenant.as_deref(), ai);
    assert_eq!(plain[0].accounts[0].time_zone.as_deref(), Some("Asia/Shanghai"));
    assert_eq!(plain[0].meters[0].tenant.as_deref(), ai);

    let block = "tenants:\n  - {name: tenants/ai, time_zone: Asia/Shanghai, meters: [{name: runs}]}\n";
    assert_eq!(judge(block, ai, &none, false).unwrap(), plain);
    let named = "name: tenants/ai\ntime_zone: Asia/Shanghai\nmeters: [{name: runs}]\n";
    assert_eq!(judge(named, ai, &none, false).unwrap(), plain);

    for (yaml, start) in [
        ("tenants:\n  - {name: tenants/b}\n", "line 2: tenants[0].name: must be tenants/ai"),
        (
            "tenants:\n  - {name: tenants/ai}\n  - {name: tenants/b}\n",
            "line 1: this is a document of the installation (it",
        ),
        ("meters: []\ntenants:\n  - {name: tenants/ai}\n", "line 1: this is a document of the installation"),
        ("name: tenants/b\n", "line 1: name: must be tenants/ai"),
        ("quotas: [{subject: tenants/-/users/-, meter: m}]", "line 1: quotas[0].subject: must begin with the tenant"),
        ("quotas: [{subject: tenants/aii, meter: m}]", "line 1: quotas[0].subject: must begin with the tenant"),
    ] {
        let found = judge(yaml, ai, &none, false).unwrap_err();
        assert!(found[0].starts_with(start), "{yaml:?}: {found:?}");
    }
}

#[test]
fn a_document_of_many_quotas_is_read_in_one_go() {
    let quotas: String = (0..20_000)
        .map(|i| {
            format!("      - {{subject: tenants/a/users/u{i}, meter: m, limits: {{day: {i}, month: unlimited}}}}\n")
        })
        .collect();
    let all = contents(&format!("meters: [{{name: m}}]\ntenants:\n  - name: tenants/a\n    quotas:\n{quotas}"));
    assert_eq!(all[1].quotas.len(), 20_000);
}
