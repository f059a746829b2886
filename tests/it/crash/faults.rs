//! A journal that can't be written: callers get UNAVAILABLE, nothing is half done, and all goes on when it can again.

use super::books::Books;
use super::jobs::Job;
use super::load::{Load, Resume, options, resume};
use crate::support::{Server, TempDir, seed};
use quotad::proto::v1::GetUsageRequest;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tonic::Code;

/// Lets the files of a running server grow no further, or as they like: as if the disk were full, or had room again.
fn set_full(server: &Server, full: bool) {
    let limit = if full { "--fsize=1024:" } else { "--fsize=unlimited:" };
    let status = Command::new("prlimit").args(["--pid", &server.pid().to_string(), limit]).status().expect("prlimit");
    assert!(status.success());
}

/// Runs statements on a database of a running server, as a second process.
pub(crate) async fn tamper(file: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(10));
    let mut connection: SqliteConnection = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Sends the jobs' unanswered calls again until they are answered, at most for five seconds each.
pub(super) async fn insist(server: &Server, jobs: &mut [Job]) {
    let mut quota = server.quota();
    for job in jobs {
        let begin = Instant::now();
        while let Err(status) = job.run(&mut quota).await {
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
            assert!(begin.elapsed() < Duration::from_secs(5), "does not recover: {status:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_cannot_be_written_refuses_and_recovers() {
    let mut rng = StdRng::seed_from_u64(seed("crash-journal"));
    let mut books = Books::new();
    let (options, _catalog) = options(&[]);
    let mut server = Server::start(options);
    for round in 0..4 {
        let load = Load::start(&server, 12, &format!("f{round}"), &mut rng);
        tokio::time::sleep(Duration::from_millis(rng.random_range(50..150))).await;
        set_full(&server, true);
        // Every client meets the outage, whose calls are all told at once.
        let begin = Instant::now();
        let mut jobs = load.end().await;
        assert!(begin.elapsed() < Duration::from_secs(5), "callers hang: {:?}", begin.elapsed());
        if round == 2 {
            server.kill_hard();
            server.restart();
        }
        set_full(&server, false);
        insist(&server, &mut jobs).await;
        jobs.iter().for_each(|job| books.enter(job));
        books.check(&server).await;
    }
    server.kill_hard();
    server.restart();
    books.check(&server).await;
    assert!(server.terminate().success());
    books.check_ledger(&server.data_dir()).await;
}

/// A small file system of its own, if this user may make one.
struct SmallDisk<'a>(&'a Path);

impl SmallDisk<'_> {
    fn mount(at: &Path) -> Option<SmallDisk<'_>> {
        fs::create_dir_all(at).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"]).arg(at).output().ok()?;
        mount.status.success().then_some(SmallDisk(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Lazily: the server may still have its files open.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_recovers() {
    let folder = TempDir::new("server");
    let data = folder.path().join("data");
    let Some(_disk) = SmallDisk::mount(&data) else {
        println!("not run: a full disk needs a small tmpfs, and this user may not mount one");
        return;
    };
    let mut rng = StdRng::seed_from_u64(seed("crash-disk"));
    let mut books = Books::new();
    let (options, _catalog) = options(&[]);
    let mut server = Server::start_in(folder, options);
    for round in 0..2 {
        let load = Load::start(&server, 8, &format!("d{round}"), &mut rng);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let filler = data.join("filler");
        fill(&filler);
        let mut jobs = load.end().await;
        // What is full still answers questions that need no disk.
        let request =
            GetUsageRequest { tenant: "tenants/crash".into(), account: "tenants/crash".into(), meter: String::new() };
        let begin = Instant::now();
        while let Err(status) = server.usage().get_usage(request.clone()).await {
            assert!(begin.elapsed() < Duration::from_secs(5), "{status:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        fs::remove_file(&filler).unwrap();
        insist(&server, &mut jobs).await;
        jobs.iter().for_each(|job| books.enter(job));
        books.check(&server).await;
    }
    server.kill_hard();
    server.restart();
    resume(&server, Vec::new(), Resume::Unanswered, &mut books).await;
    books.check(&server).await;
    assert!(server.terminate().success());
    books.check_ledger(&server.data_dir()).await;
}

/// Writes until nothing more fits.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![7; size]).is_ok() {}
    }
}
