//! SIGTERM under load, and two servers on one folder.

use super::books::Books;
use super::load::{Load, Resume, options, resume};
use crate::support::{Server, cli, seed};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_loses_nothing() {
    let mut rng = StdRng::seed_from_u64(seed("crash-sigterm"));
    let mut books = Books::new();
    let (options, _catalog) = options(&[]);
    let mut server = Server::start(options);
    for round in 0..3 {
        let load = Load::start(&server, 24, &format!("s{round}"), &mut rng);
        tokio::time::sleep(Duration::from_millis(rng.random_range(50..200))).await;
        let status = tokio::task::block_in_place(|| server.terminate());
        assert!(status.success(), "{status}\n{}", server.stderr());
        let jobs = load.end().await;
        assert!(!server.stderr().contains("journal keeps it"), "not all is in the ledger:\n{}", server.stderr());

        assert_all_flushed(&server.data_dir());
        server.restart();
        resume(&server, jobs, Resume::Unanswered, &mut books).await;
        books.check(&server).await;
    }
}

/// The stopped server's journal has nothing that its ledger lacks.
fn assert_all_flushed(data: &Path) {
    let seen = cli(["doctor", "--data-dir", data.to_str().unwrap()]);
    assert!(seen.stdout.contains("the ledger lacks 0 entries"), "{seen:?}");
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let (options, _catalog) = options(&[]);
    let server = Server::start(options);
    let output = Command::new(env!("CARGO_BIN_EXE_quotad"))
        .args(["serve", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--data-dir"])
        .arg(server.data_dir())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("another quotad uses") && said.contains("data"), "{said}");
    assert!(output.stdout.is_empty());
}
