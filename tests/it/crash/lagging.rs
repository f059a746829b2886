//! A ledger that can't be written: decisions go on, the journal keeps everything, and afterwards the backlog drains.

use super::books::{Books, fence};
use super::faults::tamper;
use super::load::{Load, options};
use crate::support::{Server, seed};
use rand::{SeedableRng, rngs::StdRng};
use std::time::Duration;

/// Stops the ledger's writes.
pub(crate) const STOP: &str =
    "CREATE TRIGGER stop BEFORE UPDATE ON watermark BEGIN SELECT RAISE(ABORT, 'the ledger is away'); END;
    CREATE TRIGGER stop_first BEFORE INSERT ON watermark BEGIN SELECT RAISE(ABORT, 'the ledger is away'); END";
/// Lets them go on.
pub(super) const GO_ON: &str = "DROP TRIGGER stop; DROP TRIGGER stop_first";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_go_on_while_the_ledger_lags() {
    let mut rng = StdRng::seed_from_u64(seed("crash-lagging"));
    let mut books = Books::new();
    let (options, _catalog) = options(&[]);
    let mut server = Server::start(options);
    let ledger = server.data_dir().join("ledger.db");
    for round in 0..3 {
        tamper(&ledger, STOP).await;
        for part in 0..2 {
            let load = Load::start(&server, 8, &format!("l{round}.{part}"), &mut rng);
            tokio::time::sleep(Duration::from_millis(400)).await;
            let jobs = load.finish().await;
            for job in &jobs {
                assert_eq!(job.answered, job.acts.len(), "a call failed because the ledger lags: {job:?}");
                books.enter(job);
            }
            books.check(&server).await;
            if part == 0 && round > 0 {
                // What the ledger lacks survives in the journal alone.
                server.kill_hard();
                server.restart();
                books.check(&server).await;
            }
        }
        tamper(&ledger, GO_ON).await;
        fence(&server, &mut books, &format!("fence{round}")).await;
    }
    assert!(server.terminate().success());
    books.check_ledger(&server.data_dir()).await;
}
