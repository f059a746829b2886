//! Who may name whom. Cargo can't enforce layers inside one crate, so these tests do.

use super::source::{Source, has_word};
use super::tree::{Complaints, exists, files, within};

/// A layer, and what of this crate it may name. The composition root and the command line see all.
const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &["domain"]),
    ("engine", &["domain", "engine", "telemetry"]),
    // The ports and their plain data, and the pure half of a decision, which every store shares.
    (
        "store",
        &[
            "domain",
            "engine::audit",
            "engine::paperwork",
            "engine::ports",
            "engine::operation",
            "engine::call",
            "engine::verdict",
            "store",
            "telemetry",
        ],
    ),
    ("services", &["domain", "engine", "proto", "services", "telemetry"]),
    ("facades", &["domain", "engine", "proto", "services", "facades", "telemetry"]),
    ("transport", &["config", "proto", "telemetry", "transport"]),
    ("client", &["client", "proto"]),
    ("config", &["config"]),
    ("telemetry", &["telemetry"]),
    ("proto", &["proto"]),
];

/// What sees all.
const ABOVE_ALL: &[&str] = &["app", "bench", "cli", "lib", "main"];

/// Foreign crates by the beginning of their name, where they may be named, and what to do elsewhere.
const CRATES: &[(&str, &[&str], &str)] = &[
    (
        "tonic",
        &[
            "src/services/",
            "src/transport/",
            "src/client/",
            "src/cli/",
            "src/app/",
            "src/bench/",
            "src/telemetry/otlp/",
            "src/proto.rs",
        ],
        "wire types stop at services; convert there",
    ),
    (
        "prost",
        &["src/services/", "src/transport/", "src/client/", "src/cli/", "src/app/", "src/bench/", "src/proto.rs"],
        "wire types stop at services; convert there",
    ),
    (
        "opentelemetry",
        &["src/telemetry/traces.rs", "src/telemetry/otlp/", "src/client/trace.rs"],
        "spans are made with `telemetry::traces::span!`; what exports is named there alone",
    ),
    ("sqlx", &["src/store/database/", "src/store/embedded/"], "driver types and errors stop at the adapter"),
    ("redis", &["src/store/redis/", "src/store/mod.rs"], "driver types and errors stop at the adapter"),
    ("deadpool", &["src/store/redis/"], "driver types and errors stop at the adapter"),
    ("axum", &["src/transport/", "src/facades/"], "HTTP belongs to transport and facades"),
];

/// What the domain must not know: it is a function of its arguments.
const IMPURE: &[&str] = &[
    "async",
    "await",
    "tokio",
    "Instant",
    "SystemTime",
    "rand",
    "getrandom",
    "RandomState",
    "std::fs",
    "std::net",
    "std::env",
    "std::io",
    "std::process",
    "std::thread",
    "now_v7",
    "Zoned::now",
    "Timestamp::now",
];

/// Ways to ask the process for the time.
const CLOCKS: &[&str] = &["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"];

/// Who may: the store's clock is the one that decides; the others measure how long something took.
const MAY_ASK_THE_TIME: &[&str] = &[
    "src/store/clock.rs",
    "src/store/embedded/writer.rs",
    "src/store/redis/batch.rs",
    "src/store/redis/link.rs",
    "src/store/redis/probe.rs",
    "src/transport/",
    "src/telemetry/",
    "src/cli/",
    "src/client/",
    "src/engine/tasks/",
    "src/bench/",
];

/// The layer of a file of `src`: its folder, or its own name at the top.
fn layer(file: &str) -> &str {
    let path = file.trim_start_matches("src/");
    path.split_once('/').map_or(path.trim_end_matches(".rs"), |(folder, _)| folder)
}

#[test]
fn layers_name_only_what_lies_below() {
    let mut complaints = Complaints::default();
    for file in files("src", "rs") {
        let layer = layer(&file);
        if ABOVE_ALL.contains(&layer) {
            continue;
        }
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
            complaints.add(
                &file,
                1,
                format!("`{layer}` is no layer yet; say in tests/it/tidy/layers.rs what it may name"),
            );
            continue;
        };
        let source = Source::read(&file);
        for (line, path) in source.paths_from("crate") {
            let named = path.join("::");
            let known = allowed.iter().any(|a| *a == path[0] || *a == named);
            if !source.test[line - 1] && !known {
                complaints.add(&file, line, format!("{layer} names {named}; it may name {}", allowed.join(", ")));
            }
        }
        // As deep as the file stands in the tree of modules, `super`s lead out of the crate's root and around the table.
        let depth = file.trim_start_matches("src/").trim_end_matches("/mod.rs").matches('/').count() + 1;
        let out = vec!["super"; depth].join("::");
        for (line, code) in source.production().filter(|(_, code)| code.contains(&out)) {
            complaints.add(&file, line, format!("`{}` leaves the layer; write `crate::`", code.trim()));
        }
    }
    complaints.finish();
}

#[test]
fn foreign_crates_stay_where_they_belong() {
    let mut complaints = Complaints::default();
    for file in files("src", "rs") {
        let source = Source::read(&file);
        for (name, places, advice) in CRATES.iter().filter(|(_, places, _)| !within(&file, places)) {
            for (line, _) in source.production().filter(|(_, code)| names_crate(code, name)) {
                complaints.add(&file, line, format!("{name} is named outside {}: {advice}", places.join(", ")));
            }
        }
    }
    complaints.finish();
}

/// Whether a path in the line begins with a crate whose name is `name`, or `name` and an underscore and more.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let begins = !code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        // `::tonic::X` begins there too, `store::redis::X` does not.
        let of_a_path =
            code[..at].strip_suffix("::").is_some_and(|b| b.chars().next_back().is_some_and(char::is_alphanumeric));
        let rest = code[at + name.len()..].trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        let whole = code.as_bytes().get(at + name.len()).is_none_or(|b| !b.is_ascii_alphanumeric());
        begins
            && !of_a_path
            && whole
            && (rest.starts_with("::") || code.trim_start().starts_with(&format!("use {name}")))
    })
}

#[test]
fn the_domain_is_pure() {
    let mut complaints = Complaints::default();
    for file in files("src/domain", "rs") {
        let source = Source::read(&file);
        for (line, code) in source.production() {
            for word in IMPURE.iter().filter(|word| has_word(code, word)) {
                complaints.add(
                    &file,
                    line,
                    format!("`{word}`: no clock, no I/O, no randomness here; take it as an argument"),
                );
            }
        }
    }
    complaints.finish();
}

#[test]
fn only_a_few_ask_for_the_time() {
    let mut complaints = Complaints::default();
    for file in files("src", "rs").into_iter().filter(|file| !within(file, MAY_ASK_THE_TIME)) {
        let source = Source::read(&file);
        for (line, code) in source.production() {
            for clock in CLOCKS.iter().filter(|clock| has_word(code, clock)) {
                complaints.add(&file, line, format!("`{clock}`: ask the Clock port, or take the time as an argument"));
            }
        }
    }
    complaints.finish();
}

#[test]
fn sql_and_lua_are_read_by_the_store_alone() {
    let mut complaints = Complaints::default();
    for file in files("src", "rs").into_iter().filter(|file| !file.starts_with("src/store/")) {
        let source = Source::read(&file);
        for (i, raw) in source.raw.iter().enumerate() {
            if raw.contains("include_str!") && (raw.contains("sql/") || raw.contains("lua/")) {
                complaints.add(&file, i + 1, "statements and scripts are taken in by src/store only");
            }
        }
    }
    complaints.finish();
}

#[test]
fn the_model_shares_no_rules_with_the_engine() {
    if !exists("tests/it/model") {
        return;
    }
    let mut complaints = Complaints::default();
    for file in files("tests/it/model", "rs") {
        let source = Source::read(&file);
        let shared = ["admission", "settlement", "counter"];
        for (line, path) in source.paths_from("quotad") {
            if path[0] == "domain" && path.get(1).is_some_and(|module| shared.contains(&module.as_str())) {
                complaints.add(&file, line, "the model must know the rules by itself, or it proves nothing");
            }
        }
        for (i, code) in source.code.iter().enumerate() {
            if shared
                .iter()
                .any(|module| code.contains(&format!("domain::{module}")) || has_word(code, &format!("{module}::")))
            {
                complaints.add(&file, i + 1, "the model must know the rules by itself, or it proves nothing");
            }
        }
    }
    complaints.finish();
}

#[test]
fn crates_are_recognized() {
    assert!(names_crate("use tonic::Status;", "tonic") && names_crate("fn f(s: tonic_types::X)", "tonic"));
    assert!(names_crate("use redis;", "redis") && names_crate("::prost::Message", "prost"));
    assert!(!names_crate("crate::store::redis::Pool", "redis") && !names_crate("let redis = 1;", "redis"));
    assert!(!names_crate("monotonic::X", "tonic"));
    assert_eq!((layer("src/app.rs"), layer("src/store/redis/keys.rs")), ("app", "store"));
}
