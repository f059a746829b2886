//! Seeds of random tests: printed, repeatable by `QUOTAD_SEED`, and kept in `tests/it/seeds` once they failed.

use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

/// The seed for a test: from `QUOTAD_SEED`, or a new one; printed.
pub(crate) fn seed(name: &str) -> u64 {
    let seed = given().unwrap_or_else(|| fresh_seed(name, 0));
    eprintln!("{name}: QUOTAD_SEED={seed}");
    seed
}

/// Runs a random test with every seed that ever failed (`tests/it/seeds/NAME.txt`), then with `fresh` new ones, or only
/// with `QUOTAD_SEED` if that is set. A seed that fails is printed and kept in the file; commit it with the repair.
pub(crate) fn for_each_seed(name: &str, fresh: usize, test: impl FnMut(u64)) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/seeds").join(format!("{name}.txt"));
    let seeds = match given() {
        Some(seed) => vec![seed],
        None => kept(&file).into_iter().chain((0..fresh).map(|index| fresh_seed(name, index as u64))).collect(),
    };
    run(name, &file, &seeds, test);
}

fn run(name: &str, file: &PathBuf, seeds: &[u64], mut test: impl FnMut(u64)) {
    for &seed in seeds {
        eprintln!("{name}: QUOTAD_SEED={seed}");
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(seed))) {
            eprintln!("{name}: failed; repeat with QUOTAD_SEED={seed}");
            keep(file, seed);
            resume_unwind(panic);
        }
    }
}

fn given() -> Option<u64> {
    let text = std::env::var("QUOTAD_SEED").ok()?;
    Some(text.parse().unwrap_or_else(|e| panic!("QUOTAD_SEED={text}: {e}")))
}

/// A new seed: by chance, but where `CI` is set the same ones each time, so that a change is judged by what it does and not
/// by a history that nobody has seen before. Run without `CI` to look for more.
fn fresh_seed(name: &str, index: u64) -> u64 {
    if std::env::var_os("CI").is_some() {
        let mut hash = std::collections::hash_map::DefaultHasher::new();
        (name, index).hash(&mut hash);
        return hash.finish();
    }
    // The standard library's own source of randomness for its maps is enough for a seed.
    RandomState::new().build_hasher().finish()
}

fn kept(file: &Path) -> Vec<u64> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).map(|line| line.parse().unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

fn keep(file: &PathBuf, seed: u64) {
    if kept(file).contains(&seed) {
        return;
    }
    // A checkout that can't be written still has the seed on its screen.
    let _ = fs::create_dir_all(file.parent().unwrap_or(file));
    if let Ok(mut open) = OpenOptions::new().create(true).append(true).open(file) {
        let _ = writeln!(open, "{seed}");
    }
}

#[test]
fn a_failing_seed_is_kept_once_and_comes_first() {
    let folder = super::TempDir::new("seeds");
    let file = folder.path().join("deeper/example.txt");
    for _ in 0..2 {
        let outcome = catch_unwind(AssertUnwindSafe(|| run("example", &file, &[1, 2, 3], |seed| assert_ne!(seed, 2))));
        assert!(outcome.is_err());
    }
    assert_eq!(kept(&file), [2]);
    let mut seen = Vec::new();
    run("example", &file, &kept(&file), |seed| seen.push(seed));
    assert_eq!(seen, [2]);
    assert_ne!(fresh_seed("a test", 0), fresh_seed("a test", 1));
}
