//! Documents that people follow: links lead somewhere, named paths exist, and the README's test command is the one that
//! all checks run.

use super::tree::{Complaints, exists, files, read};

/// The README's test command, and the first step of `.ci/run`.
const TEST_COMMAND: &str = "./.ci/setup && cargo test --locked";

/// Beginnings of paths that the documents name from the root.
const FOLDERS: &[&str] = &["src/", "tests/", "proto/", "deploy/", "benches/"];

fn documents() -> Vec<String> {
    let places = ["README.md", "src", "deploy", "proto", "benches", "tests"];
    places.iter().flat_map(|place| files(place, "md")).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut complaints = Complaints::default();
    for file in documents() {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (line, target) in links(&read(&file).unwrap()) {
            let path = target.split('#').next().unwrap_or_default();
            // Other sites, headings of the same page, and items of rustdoc, which rustdoc checks.
            if path.is_empty() || path.contains(':') {
                continue;
            }
            if !exists(&join(folder, path)) {
                complaints.add(&file, line, format!("the link to {target} leads nowhere"));
            }
        }
    }
    complaints.finish();
}

#[test]
fn named_paths_exist() {
    let mut complaints = Complaints::default();
    for file in ["README.md", "src/ARCHITECTURE.md", "proto/README.md"] {
        let Some(text) = read(file) else { continue };
        for (i, line) in text.lines().enumerate() {
            for path in named_paths(line).into_iter().filter(|path| !exists(path)) {
                complaints.add(file, i + 1, format!("{path} is named but not there"));
            }
        }
    }
    complaints.finish();
}

#[test]
fn the_readme_and_the_checks_run_the_same_tests() {
    let run = read(".ci/run").expect(".ci/run: the script that runs all checks is missing");
    assert!(run.contains(TEST_COMMAND), ".ci/run:1: must run `{TEST_COMMAND}`");
    if let Some(readme) = read("README.md") {
        assert!(readme.contains(TEST_COMMAND), "README.md:1: must say how to run the tests: `{TEST_COMMAND}`");
    }
}

/// The targets of a document's links, with their lines; code blocks left out.
fn links(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut in_code) = (Vec::new(), false);
    for (i, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            found.push((i + 1, target.to_owned()));
        }
    }
    found
}

/// A path as seen from the root, without `.` and `..`.
fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// The paths from the root that a line names, with `{a,b}` written out. Patterns with `*` are left out.
fn named_paths(line: &str) -> Vec<String> {
    let of_a_path = |c: char| c.is_alphanumeric() || "/._-{},*:".contains(c);
    line.split(|c: char| !of_a_path(c))
        .map(|word| word.trim_end_matches(['.', ',', ':']).trim_start_matches("./"))
        .filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)))
        .filter(|word| !word.contains(['*', ':']) && !word.contains(".."))
        .flat_map(written_out)
        .collect()
}

/// `a/{b,c}.rs` as `a/b.rs` and `a/c.rs`. A comma outside braces ends the path.
fn written_out(word: &str) -> Vec<String> {
    match (word.find('{'), word.find('}')) {
        (Some(open), Some(close)) if open < close => word[open + 1..close]
            .split(',')
            .flat_map(|choice| written_out(&format!("{}{choice}{}", &word[..open], &word[close + 1..])))
            .collect(),
        _ => vec![word.split(',').next().unwrap_or_default().to_owned()],
    }
}

#[test]
fn paths_and_links_are_found() {
    assert_eq!(
        named_paths("see `src/a/{b,c}.rs`, (tests/it/main.rs). src/*.rs"),
        ["src/a/b.rs", "src/a/c.rs", "tests/it/main.rs"]
    );
    assert_eq!(
        links("a [b](c.md#d) e\n```\n[x](y)\n```\n[f](../g)"),
        [(1, "c.md#d".to_owned()), (5, "../g".to_owned())]
    );
    assert_eq!(join("deploy/catalogs", "../README.md"), "deploy/README.md");
}
