//! A data folder whose ledger and journal do not belong together, and one whose first start died half-way.

use super::load::options;
use crate::support::{Server, TempDir, cli};
use std::path::Path;

/// Starts a server that must refuse the folder, and answers what it says.
#[track_caller]
fn refused(data: &Path) -> String {
    let data = data.to_str().unwrap();
    let output = cli(["serve", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--data-dir", data]);
    assert_eq!((output.status, output.stdout.as_str()), (Some(1), ""), "{output:?}");
    output.stderr
}

/// Moves a database with all that belongs to it.
fn rename(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let path = |base: &Path| format!("{}{suffix}", base.display());
        if Path::new(&path(from)).exists() {
            std::fs::rename(path(from), path(to)).unwrap();
        }
    }
}

#[test]
fn a_journal_without_its_ledger_is_refused_until_that_is_back() {
    let (options, _catalog) = options(&[]);
    let mut server = Server::start(options.clone());
    let addr = server.grpc_addr().to_owned();
    let account = ["--account", "tenants/crash/teams/a/users/u", "--meter", "runs", "--amount", "3", "--id", "kept"];
    let consumed = cli(["consume", "--addr", &addr].iter().chain(&account));
    assert!(consumed.status == Some(0), "{consumed:?}");
    server.kill_hard();
    let (ledger, away) = (server.data_dir().join("ledger.db"), server.data_dir().join("away.db"));
    rename(&ledger, &away);
    for _ in 0..2 {
        let said = refused(&server.data_dir());
        assert!(said.contains("ledger.db is missing") && said.contains("put ledger.db back"), "{said}");
        assert!(!ledger.exists(), "nothing takes the place of what must be put back");
    }

    // The ledger of another folder that was just made.
    let mut other = Server::start(options);
    assert!(other.terminate().success());
    std::fs::copy(other.data_dir().join("ledger.db"), &ledger).unwrap();
    let said = refused(&server.data_dir());
    assert!(said.contains("different installations"), "{said}");

    rename(&ledger, &other.data_dir().join("ledger.db"));
    rename(&away, &ledger);
    server.restart();
    let shown = cli(["reservation", "--addr", server.grpc_addr(), "--tenant", "tenants/crash", "--id", "kept"]);
    assert!(shown.status == Some(0) && shown.stdout.contains("committed"), "{shown:?}");
}

/// Copies a file, or a folder of files.
fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn a_first_start_that_died_half_way_is_begun_again() {
    let (options, _catalog) = options(&[]);
    let mut first = Server::start(options.clone());
    assert!(first.terminate().success());
    let made = |files: &[&str]| {
        let folder = TempDir::new("half-way");
        std::fs::create_dir(folder.path().join("data")).unwrap();
        for file in files {
            copy(&first.data_dir().join(file), &folder.path().join("data").join(file));
        }
        folder
    };
    // Nothing was decided, so that either file may be missing.
    for files in [&["ledger.db"][..], &["journal"], &["ledger.db", "journal"], &[]] {
        let mut server = Server::start_in(made(files), options.clone());
        assert!(server.terminate().success(), "{files:?}: {}", server.stderr());
    }
}
