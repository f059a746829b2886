//! Stories: behaviour as plain text, played against the real program over gRPC. The language stands in
//! `stories/README.md`; a failure names file and line, what was expected and what was answered.

mod answer;
mod expect;
mod names;
mod operation;
mod parse;
mod run;
mod world;

use crate::support::Options;
use std::path::PathBuf;

pub(crate) use parse::{Story, claims, read};

/// One test for each file: the files run side by side, the stories of a file one after the other.
macro_rules! stories {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run::play(stringify!($name), &embedded());
        })*

        #[test]
        fn every_file_is_played() {
            let listed = [$(stringify!($name)),*];
            let there: Vec<String> = all().into_iter().map(|(name, _)| name).collect();
            assert_eq!(there, listed, "list every file of tests/it/stories in tests/it/stories.rs, sorted");
        }
    };
}

stories! {
    ai_platform
    catalog
    core
    expiry
    idempotency
    llm_pools
    meters
    saas_spend
    settlement
    storage_hub
    windows
    workspaces
}

/// How the server under the stories starts. Another counter store is another value here; the stories stay as they are.
fn embedded() -> Options {
    Options::new().test_clock()
}

/// Every story file: its name without `.story`, and its stories.
pub(crate) fn all() -> Vec<(String, Vec<Story>)> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().to_str().and_then(|name| name.strip_suffix(".story")).map(str::to_owned)
        })
        .collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), read(&name))).collect()
}

/// Where the stories are.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/stories")
}
