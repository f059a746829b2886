//! Stories: behaviour as plain text, played against the real program over gRPC. The language stands in
//! `stories/README.md`; a failure names file and line, what was expected and what was answered.

mod answer;
mod cluster;
mod expect;
mod names;
mod operation;
mod parse;
mod quotas;
mod run;
mod world;

use std::path::PathBuf;
use world::Place;

pub(crate) use parse::{Story, claims, read};

/// Two tests for each file, embedded and on Redis, and one for all of them on a cluster: the files run side by side, the
/// stories of a file one after the other. The word behind a file is where its ledger is when its counters are in Redis.
macro_rules! stories {
    ($($name:ident: $ledger:ident,)*) => {
        $(#[test]
        fn $name() {
            run::play(stringify!($name), Place::embedded());
        })*

        /// The same files, unchanged.
        mod on_redis {
            use super::{Place, run};
            $(#[test]
            fn $name() {
                run::play(stringify!($name), Place::$ledger());
            })*
        }

        #[test]
        fn all_on_a_cluster() {
            cluster::play(&[$(stringify!($name)),*]);
        }

        #[test]
        fn every_file_is_played() {
            let listed = [$(stringify!($name)),*];
            let there: Vec<String> = all().into_iter().map(|(name, _)| name).collect();
            assert_eq!(there, listed, "list every file of tests/it/stories in tests/it/stories.rs, sorted");
        }
    };
}

stories! {
    ai_platform: redis_and_file,
    catalog: redis_and_postgres,
    contradictions: redis_and_file,
    core: redis_and_postgres,
    days: redis_and_postgres,
    expiry: redis_and_postgres,
    idempotency: redis_and_postgres,
    llm_pools: redis_and_file,
    meters: redis_and_file,
    moves: redis_and_postgres,
    overflow: redis_and_postgres,
    pools: redis_and_postgres,
    raises: redis_and_postgres,
    rate_cards: redis_and_postgres,
    saas_spend: redis_and_postgres,
    settlement: redis_and_postgres,
    storage_hub: redis_and_postgres,
    windows: redis_and_file,
    workspaces: redis_and_file,
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
