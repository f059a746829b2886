//! Sizes, headers, bans: what keeps a file readable.

use super::source::{Source, has_word};
use super::tree::{Complaints, files, read, rust_files, within};

/// Longer than this and a file is two.
const MAX_LINES: usize = 400;

/// Words that mark something unfinished, put together from pieces so that this file has none.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("#[ig", "nore"),
];

/// Where floats are allowed in the layers that count, and why.
const FLOATS: &[(&str, &str)] = &[
    ("src/engine/tasks/", "gauges and histograms of the metrics crate take them; no amount goes through"),
    ("src/store/redis/blob.rs", "a script's numbers are doubles, which are exact for whole ones within 2^53"),
];

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut complaints = Complaints::default();
    for file in rust_files() {
        let source = Source::read(&file);
        if source.raw.len() > MAX_LINES {
            let what = format!("{} lines; split it by noun or verb, at most {MAX_LINES}", source.raw.len());
            complaints.add(&file, MAX_LINES + 1, what);
        }
        let first = source.raw.first().map_or("", String::as_str);
        // The crate's own documentation is ARCHITECTURE.md.
        if !first.starts_with("//!") && !first.starts_with("#![doc = include_str!") {
            complaints.add(&file, 1, "begin with `//!` and one to three sentences that say what the file is");
        }
    }
    complaints.finish();
}

#[test]
fn front_pages_hold_no_logic() {
    let mut complaints = Complaints::default();
    for file in rust_files().into_iter().filter(|file| file.ends_with("/mod.rs") || file == "src/lib.rs") {
        let source = Source::read(&file);
        // What unit tests share may stand in the front page of their folder.
        let of_unit_tests = |line: usize| file.starts_with("src/") && source.test[line];
        for (i, code) in source.code.iter().enumerate().filter(|(i, _)| !of_unit_tests(*i)) {
            for word in ["fn", "impl", "struct", "enum", "trait"].iter().filter(|word| has_word(code, word)) {
                complaints.add(&file, i + 1, format!("`{word}` in a front page; move it to a file with a name"));
            }
        }
    }
    complaints.finish();
}

#[test]
fn nothing_is_left_over() {
    let mut complaints = Complaints::default();
    let others =
        [("proto", "proto"), ("src", "sql"), ("src", "lua"), ("src", "md"), ("deploy", "md"), ("README.md", "md")];
    let texts = others.iter().flat_map(|(place, extension)| files(place, extension));
    for file in rust_files().into_iter().chain(texts) {
        let text = read(&file).unwrap_or_default();
        for (i, line) in text.lines().enumerate() {
            for word in UNFINISHED.iter().filter(|word| has_word(line, word)) {
                complaints.add(&file, i + 1, format!("`{word}`: finish it, or open an issue and take the word out"));
            }
        }
    }
    complaints.finish();
}

#[test]
fn production_code_does_not_unwrap() {
    let mut complaints = Complaints::default();
    for file in files("src", "rs") {
        for (line, code) in Source::read(&file).production() {
            if code.contains(concat!(".unw", "rap()")) {
                complaints.add(
                    &file,
                    line,
                    "handle it, or `expect` with the reason why it can't fail and an allow that says so",
                );
            }
        }
    }
    complaints.finish();
}

#[test]
fn unsafe_is_forbidden() {
    let library = read("src/lib.rs").unwrap();
    assert!(library.contains("#![forbid(unsafe_code)]"), "src/lib.rs:1: add #![forbid(unsafe_code)]");
    let manifest = read("Cargo.toml").unwrap();
    assert!(
        manifest.contains("unsafe_code = \"forbid\""),
        "Cargo.toml:1: under [lints.rust] say unsafe_code = \"forbid\""
    );
}

#[test]
fn amounts_are_never_floats() {
    let allowed: Vec<&str> = FLOATS.iter().map(|(place, _)| *place).collect();
    let mut complaints = Complaints::default();
    let counting = ["src/domain", "src/engine", "src/store"];
    for file in counting.iter().flat_map(|place| files(place, "rs")).filter(|file| !within(file, &allowed)) {
        for (line, code) in Source::read(&file).production() {
            if has_word(code, "f32") || has_word(code, "f64") {
                complaints.add(
                    &file,
                    line,
                    "a float; use whole numbers, or list the file with its reason in tests/it/tidy/style.rs",
                );
            }
        }
    }
    complaints.finish();
}

#[test]
fn statements_and_scripts_have_headers() {
    let mut complaints = Complaints::default();
    for file in files("src", "sql").into_iter().chain(files("src", "lua")) {
        // The first line of a whole script names the engine that runs it.
        let begins =
            |text: String| text.lines().find(|line| !line.starts_with("#!lua")).is_some_and(|l| l.starts_with("--"));
        if !read(&file).is_some_and(begins) {
            complaints.add(&file, 1, "begin with a `--` header: what it is for, its arguments, what it answers");
        }
    }
    complaints.finish();
}
