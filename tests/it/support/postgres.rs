//! A real PostgreSQL of a test's own: started on a free port, stopped, killed, started again on the same data.

use super::port::unused_addr;
use super::tempdir::TempDir;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// How long a start or a stop may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The owner of the cluster and of all databases; needs no password.
const ROLE: &str = "quotad";

/// A PostgreSQL server with a data folder of its own. It ends with this value.
#[derive(Debug)]
pub(crate) struct Postgres {
    child: Option<Child>,
    port: u16,
    settings: Vec<String>,
    databases: AtomicU32,
    dir: TempDir,
    user: Option<User>,
    _template: Arc<Template>,
}

impl Postgres {
    /// Starts one with the server's own defaults for durability.
    #[track_caller]
    pub(crate) fn start() -> Postgres {
        Postgres::start_with(&[])
    }

    /// Starts one with settings as `name=value`.
    #[track_caller]
    pub(crate) fn start_with(settings: &[&str]) -> Postgres {
        let template = template();
        let dir = TempDir::new("postgres");
        let user = User::needed_for(dir.path());
        // With its owner and its rights.
        run(Command::new("cp").arg("-a").arg(template.data()).arg(dir.path().join("data")));
        own(dir.path(), user.as_ref());
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let databases = AtomicU32::new(0);
        let mut server =
            Postgres { child: None, port: unused_addr().port(), settings, databases, dir, user, _template: template };
        server.start_again();
        server
    }

    /// Where clients find a database: `postgres://...`.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{ROLE}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes a new, empty database; answers its URL.
    #[track_caller]
    pub(crate) fn fresh_database(&self) -> String {
        let name = format!("fresh_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0"));
        self.url(&name)
    }

    /// Runs statements in a database, all or none; answers the rows, values parted by `|`.
    #[track_caller]
    pub(crate) fn sql(&self, database: &str, statements: &str) -> String {
        let mut command = Command::new(program("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statements]).arg(self.url(database));
        run(&mut command)
    }

    /// The server's process id.
    #[track_caller]
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("PostgreSQL was stopped").id()
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join("log")).unwrap_or_default()).into_owned()
    }

    /// Ends it in good order: clients are thrown out, everything is written.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.end("-INT");
    }

    /// Ends it at once, without a checkpoint: the next start recovers.
    #[track_caller]
    pub(crate) fn stop_immediately(&mut self) {
        self.end("-QUIT");
    }

    /// `kill -9` of the server and of all its processes.
    #[track_caller]
    pub(crate) fn kill_hard(&mut self) {
        let mut child = self.child.take().expect("PostgreSQL was stopped");
        let backends = children(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        // They would notice by themselves, but not before the answer to whom they serve.
        if !backends.is_empty() {
            // Those that have ended meanwhile are no failure.
            let _ = Command::new("kill").arg("-KILL").args(&backends).stderr(Stdio::null()).status();
        }
    }

    /// Starts it again on the same data and port (after one of the ways to end it).
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.is_none(), "PostgreSQL runs already");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut child = self.spawn();
            match wait_until_ready(&mut child, &self.dir.path().join("data"), deadline) {
                Ok(()) => return self.child = Some(child),
                Err(why) => {
                    // Another process may have the port for a moment, or the killed one's children its memory.
                    let _ = child.kill();
                    let _ = child.wait();
                    assert!(Instant::now() < deadline, "PostgreSQL does not start ({why}):\n{}", self.log());
                    thread::sleep(Duration::from_millis(100));
                }
            }
        }
    }

    fn spawn(&self) -> Child {
        let dir = self.dir.path();
        let mut command = self
            .user
            .as_ref()
            .map_or_else(|| Command::new(program("postgres")), |user| user.command(&program("postgres")));
        command.arg("-D").arg(dir.join("data")).arg("-k").arg(dir).args(["-p", &self.port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "max_connections=200", "shared_buffers=32MB"] {
            command.args(["-c", setting]);
        }
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let log = File::options().create(true).append(true).open(dir.join("log")).unwrap();
        command.current_dir(dir).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command.spawn().unwrap()
    }

    #[track_caller]
    fn end(&mut self, signal: &str) {
        let mut child = self.child.take().expect("PostgreSQL was stopped");
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "PostgreSQL does not end after {signal}:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.child.is_some() && !thread::panicking() {
            return self.stop_immediately();
        }
        // After a panic nothing here may panic again.
        if let Some(child) = &mut self.child {
            let _ = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status();
            let _ = child.wait();
        }
        if thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(20).collect();
            eprintln!("PostgreSQL's last lines:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

/// The system's user that runs PostgreSQL for root, whom it refuses.
#[derive(Clone, Debug)]
struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// Whom to become to own a folder below `dir`: nobody else unless the tests run as root.
    fn needed_for(dir: &Path) -> Option<User> {
        if fs::metadata(dir).unwrap().uid() != 0 {
            return None;
        }
        let users = fs::read_to_string("/etc/passwd").unwrap();
        let find = |name: &str| users.lines().find(|line| line.split(':').next() == Some(name));
        let line = find("postgres").or_else(|| find("nobody")).expect("no user to run PostgreSQL: run ./.ci/setup");
        let number = |field: usize| line.split(':').nth(field).unwrap().parse().unwrap();
        Some(User { uid: number(2), gid: number(3) })
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.uid(self.uid).gid(self.gid);
        command
    }
}

/// A data folder right after `initdb`, to be copied: that is quicker than to make each anew. Goes with its last user.
#[derive(Debug)]
struct Template(PathBuf);

impl Template {
    fn data(&self) -> PathBuf {
        self.0.join("data")
    }
}

impl Drop for Template {
    fn drop(&mut self) {
        // Left behind in the system's temporary folder at worst.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The template of this process, made when there is none.
fn template() -> Arc<Template> {
    static NEWEST: Mutex<Weak<Template>> = Mutex::new(Weak::new());
    let mut newest = NEWEST.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(template) = newest.upgrade() {
        return template;
    }
    let dir = TempDir::new("postgres-template");
    let user = User::needed_for(dir.path());
    own(dir.path(), user.as_ref());
    let initdb = program("initdb");
    let mut command = user.map_or_else(|| Command::new(&initdb), |user| user.command(&initdb));
    command.current_dir(dir.path()).args(["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-U", ROLE]);
    run(command.args(["--wal-segsize=1", "-D"]).arg(dir.path().join("data")));
    let template = Arc::new(Template(dir.keep()));
    *newest = Arc::downgrade(&template);
    template
}

/// Gives a folder (not what is in it) to the user, so that sockets and logs may be made there.
fn own(dir: &Path, user: Option<&User>) {
    if let Some(user) = user {
        chown(dir, Some(user.uid), Some(user.gid)).unwrap();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// One of PostgreSQL's programs: those of the newest installed version, or what the search path has.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("postgres").exists())
        .max();
    newest.map_or_else(|| PathBuf::from(name), |(_, bin)| bin.join(name))
}

/// Runs a program to its end; answers what it printed.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|e| panic!("{command:?}: {e}; run ./.ci/setup"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {errors}", output.status);
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Its first line is the process id, its eighth the state. That of an earlier, killed server may still be there.
fn wait_until_ready(child: &mut Child, data: &Path, deadline: Instant) -> Result<(), String> {
    loop {
        let state = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        let mut lines = state.lines();
        let ours = lines.next() == Some(&child.id().to_string());
        if ours && lines.nth(6).is_some_and(|state| state.trim() == "ready") {
            return Ok(());
        }
        if let Some(status) = child.try_wait().unwrap() {
            return Err(status.to_string());
        }
        if Instant::now() > deadline {
            return Err("not ready in time".to_owned());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The processes that a process started and that still run.
fn children(of: u32) -> Vec<String> {
    let status = |pid: &str| fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let parent = format!("PPid:\t{of}");
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|b| b.is_ascii_digit()) && status(name).lines().any(|line| line == parent))
        .collect()
}

#[test]
fn postgres_keeps_its_data_whichever_way_it_ends() {
    let mut server = Postgres::start();
    let url = server.fresh_database();
    let database = url.rsplit_once('/').unwrap().1.to_owned();
    server.sql(&database, "CREATE TABLE t (n BIGINT NOT NULL PRIMARY KEY)");
    for (n, end) in [Postgres::stop, Postgres::stop_immediately, Postgres::kill_hard].into_iter().enumerate() {
        server.sql(&database, &format!("INSERT INTO t VALUES ({n})"));
        let before = server.pid();
        end(&mut server);
        assert!(children(before).is_empty() && !Path::new(&format!("/proc/{before}")).exists());
        server.start_again();
        assert_ne!(server.pid(), before);
        assert_eq!(server.sql(&database, "SELECT COUNT(*) FROM t"), (n + 1).to_string());
    }
    let other = server.fresh_database();
    assert_ne!(other, url);
    let (pid, dir) = (server.pid(), server.dir.path().to_owned());
    drop(server);
    assert!(!Path::new(&format!("/proc/{pid}")).exists() && !dir.exists());
}

#[test]
fn postgres_ends_with_a_test_that_panics() {
    let seen = Mutex::new((0, PathBuf::new()));
    let test = || {
        let server = Postgres::start();
        *seen.lock().unwrap() = (server.pid(), server.dir.path().to_owned());
        std::panic::resume_unwind(Box::new("on purpose"));
    };
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(test)).is_err());
    let (pid, dir) = seen.into_inner().unwrap();
    assert!(pid > 0 && !Path::new(&format!("/proc/{pid}")).exists());
    // A failed test's folder stays for a look; nobody needs this one.
    fs::remove_dir_all(dir).unwrap();
}
