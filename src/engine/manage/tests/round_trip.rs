//! Export and back: the same contents, whatever they hold.

use super::helpers::{catalog, contents, judge};
use crate::engine::manage::{Current, ScopeContent, Yaml, content_of, export_installation, export_tenant};

/// Contents in the order of names, as an export gives them.
fn sorted(contents: &[ScopeContent]) -> Vec<ScopeContent> {
    let current = catalog(contents);
    let names = contents.iter().map(|content| content.tenant.as_deref());
    let mut all: Vec<ScopeContent> = names.map(|name| content_of(name, current.of(name).unwrap())).collect();
    all.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    all
}

#[test]
fn every_example_comes_back_from_its_export() {
    for (name, yaml) in [
        ("ai-platform", include_str!("../../../../deploy/catalogs/ai-platform.yaml")),
        ("storage-hub", include_str!("../../../../deploy/catalogs/storage-hub.yaml")),
        ("workspaces", include_str!("../../../../deploy/catalogs/workspaces.yaml")),
        ("llm-pools", include_str!("../../../../deploy/catalogs/llm-pools.yaml")),
        ("saas-spend", include_str!("../../../../deploy/catalogs/saas-spend.yaml")),
    ] {
        let first = contents(yaml);
        let exported = export_installation(&catalog(&first));
        let second = contents(&exported);
        assert_eq!(sorted(&first), sorted(&second), "{name}:\n{exported}");
        assert_eq!(export_installation(&catalog(&second)), exported, "{name}");
    }
}

#[test]
fn any_text_survives() {
    let texts = [
        "plain",
        "with space",
        "null",
        "~",
        "true",
        "No",
        "1",
        "1.5",
        "1e3",
        "0x1f",
        "-",
        "- a",
        "a: b",
        "a #b",
        "#",
        "[a]",
        "{a: b}",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a`",
        "'",
        "\"",
        "\\",
        "\\n",
        "a\nb",
        "a\n\n b\n",
        "\n",
        "\t",
        " lead",
        "trail ",
        "a\r\nb",
        "\u{0}\u{7}\u{1b}",
        "\u{85}\u{2028}\u{2029}",
        "\u{feff}x",
        "\u{fffe}",
        "中文注释",
        "😀 ok",
        "e\u{301}",
        "\u{a0}",
        "\u{7f}",
        "2026-01-01",
        "12:30:00",
        "---",
        "...",
        "=",
        "<<",
        "?",
        ",",
    ];
    for text in texts {
        let note = Yaml::Text(text.to_owned()).line();
        let yaml = format!(
            "meters: [{{name: m, display_names: {{{note}: {note}}}}}]\ntenants:\n  - name: tenants/a\n    labels: {{{note}: {note}}}\n    \
             quotas: [{{subject: tenants/a, meter: m, note: {note}}}]\n"
        );
        let first = contents(&yaml);
        assert_eq!(first[1].quotas[0].note, text, "{note}");
        assert_eq!(first[1].accounts[0].labels.get(text).map(String::as_str), Some(text));
        assert_eq!(first[0].meters[0].display_names.get(text).map(String::as_str), Some(text));
        let exported = export_installation(&catalog(&first));
        assert_eq!(sorted(&contents(&exported)), sorted(&first), "{exported}");
    }
}

#[test]
fn a_tenants_export_is_its_own_part() {
    let all = contents(include_str!("../../../../deploy/catalogs/ai-platform.yaml"));
    let current = catalog(&all);
    let exported = export_tenant("tenants/ai", &current.tenants["tenants/ai"]);
    assert!(
        exported.starts_with("name: tenants/ai\ndisplay_name: \"AI platform\"\ntime_zone: Asia/Shanghai\n"),
        "{exported}"
    );
    let back = judge(&exported, Some("tenants/ai"), &current, true).unwrap();
    assert_eq!(sorted(&back), sorted(&all[1..]));
}

#[test]
fn nothing_exports_as_nothing() {
    assert_eq!(export_installation(&Current::default()), "");
    assert!(contents("")[0].meters.is_empty());
}
