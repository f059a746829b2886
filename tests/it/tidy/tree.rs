//! The repository as the rules see it: its files, and a list of complaints that fails the test at its end.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository's root.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether a path from the root exists.
pub(super) fn exists(path: &str) -> bool {
    root().join(path).exists()
}

/// The text of a file, by its path from the root; `None` if it is not there.
pub(super) fn read(path: &str) -> Option<String> {
    fs::read_to_string(root().join(path)).ok()
}

/// The files at or below `place` with that extension, as paths from the root with `/`, in order. None if it is absent.
pub(super) fn files(place: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(&root().join(place), extension, &mut found);
    found.sort();
    found
}

fn walk(place: &Path, extension: &str, found: &mut Vec<String>) {
    if place.is_file() {
        if place.extension().is_some_and(|e| e == extension) {
            found.push(from_root(place));
        }
        return;
    }
    let Ok(entries) = fs::read_dir(place) else { return };
    let inside: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    for path in inside {
        walk(&path, extension, found);
    }
}

fn from_root(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/")
}

/// All Rust files of the package.
pub(super) fn rust_files() -> Vec<String> {
    ["build.rs", "src", "tests", "benches"].iter().flat_map(|place| files(place, "rs")).collect()
}

/// Whether `file` is one of `places`, or lies in one of them (a place that ends in `/`).
pub(super) fn within(file: &str, places: &[&str]) -> bool {
    places.iter().any(|place| file == *place || (place.ends_with('/') && file.starts_with(place)))
}

/// What is wrong, gathered, so that one run shows everything.
#[derive(Default)]
pub(super) struct Complaints(Vec<String>);

impl Complaints {
    /// Adds one: what is wrong in which line (from 1) and what to do.
    pub(super) fn add(&mut self, file: &str, line: usize, what: impl AsRef<str>) {
        self.0.push(format!("{file}:{line}: {}", what.as_ref()));
    }

    /// Fails the test if there are any.
    #[track_caller]
    pub(super) fn finish(self) {
        assert!(self.0.is_empty(), "{} against the house rules:\n{}", self.0.len(), self.0.join("\n"));
    }
}
