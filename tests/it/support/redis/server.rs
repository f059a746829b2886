//! One server, started on a free port, killed, frozen and started again.

use crate::support::{TempDir, unused_addr};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How a server keeps its data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keep {
    /// Not at all.
    Nothing,
    /// In an append-only file that is synced at every write.
    Everything,
}

/// How often something is looked at until it is so, and how long at most.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `check` is true.
#[track_caller]
pub(crate) fn until(what: &str, mut check: impl FnMut() -> bool) {
    let started = Instant::now();
    while !check() {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        thread::sleep(LOOK_EVERY);
    }
}

/// A child that ends with this value.
#[derive(Debug)]
pub(super) struct Process(Child);

impl Process {
    pub(super) fn spawn(dir: &Path, args: &[String]) -> Process {
        let log = File::options().create(true).append(true).open(dir.join("log")).unwrap();
        let child = Command::new("redis-server")
            .current_dir(dir)
            .args(args)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| panic!("redis-server (.ci/setup installs it): {e}"));
        Process(child)
    }

    /// Waits until it answers on `port`; false if it ended instead, because another took the port.
    pub(super) fn answers(&mut self, port: u16, password: Option<&str>) -> bool {
        let started = Instant::now();
        loop {
            if self.0.try_wait().unwrap().is_some() {
                return false;
            }
            if let Ok(mut connection) = connect(port, password)
                && redis::cmd("PING").exec(&mut connection).is_ok()
            {
                return true;
            }
            assert!(started.elapsed() < PATIENCE, "redis-server does not answer on port {port}");
            thread::sleep(LOOK_EVERY);
        }
    }

    pub(super) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(super) fn connect(port: u16, password: Option<&str>) -> redis::RedisResult<redis::Connection> {
    let login = password.map(|password| format!(":{password}@")).unwrap_or_default();
    redis::Client::open(format!("redis://{login}127.0.0.1:{port}"))?.get_connection_with_timeout(Duration::from_secs(2))
}

/// A running (or killed) `redis-server`.
#[derive(Debug)]
pub(crate) struct RedisServer {
    process: Process,
    port: u16,
    pub(super) settings: Vec<String>,
    password: Option<String>,
    dir: TempDir,
}

impl RedisServer {
    /// One that keeps nothing.
    pub(crate) fn start() -> RedisServer {
        RedisServer::start_with(Keep::Nothing, &[])
    }

    /// One with more settings, each word an argument of its own: `["--maxmemory", "10mb"]`.
    pub(crate) fn start_with(keep: Keep, settings: &[&str]) -> RedisServer {
        let aof = if keep == Keep::Everything { "yes" } else { "no" };
        let fixed = ["--appendonly", aof, "--appendfsync", "always", "--save", ""];
        let password = settings.iter().position(|word| *word == "--requirepass").map(|at| settings[at + 1].to_owned());
        let settings: Vec<String> = fixed.iter().chain(settings).map(|word| (*word).to_owned()).collect();
        let dir = TempDir::new("redis");
        for _ in 0..20 {
            let port = unused_addr().port();
            let mut process = Process::spawn(dir.path(), &arguments(port, &settings));
            if process.answers(port, password.as_deref()) {
                return RedisServer { process, port, settings, password, dir };
            }
        }
        panic!("no redis-server could be started: {}", fs::read_to_string(dir.path().join("log")).unwrap_or_default());
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its folder: `dump.rdb`, `appendonlydir`, `log`.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        let login = self.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default();
        format!("redis://{login}127.0.0.1:{}", self.port)
    }

    /// A connection of the test's own.
    pub(crate) fn connection(&self) -> redis::Connection {
        connect(self.port, self.password.as_deref()).unwrap()
    }

    /// Sends a command, by a connection of its own, and reads the answer.
    #[track_caller]
    pub(crate) fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_ask(words).unwrap_or_else(|e| panic!("{words:?}: {e}"))
    }

    /// The same, where the answer may be an error.
    pub(crate) fn try_ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let mut connection = connect(self.port, self.password.as_deref())?;
        redis::cmd(words[0]).arg(&words[1..]).query(&mut connection)
    }

    /// One line of INFO: `info("role")`.
    #[track_caller]
    pub(crate) fn info(&self, name: &str) -> String {
        let all: String = self.ask(&["INFO", "everything"]);
        let line = all.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("INFO has no {name}")).to_owned()
    }

    /// Whether a line of INFO says so. No if there is no such line, or no answer: a server whose role changes closes connections.
    pub(crate) fn says(&self, name: &str, expected: &str) -> bool {
        let all = self.try_ask::<String>(&["INFO", "everything"]).unwrap_or_default();
        all.lines().any(|line| line.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')) == Some(expected))
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again, on its port and its files; kills it first if it still runs.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let started = Instant::now();
        loop {
            self.process = Process::spawn(self.dir.path(), &arguments(self.port, &self.settings));
            if self.process.answers(self.port, self.password.as_deref()) {
                return;
            }
            // The port may be in use by a connection of somebody else for a moment.
            assert!(started.elapsed() < PATIENCE, "redis-server does not start again on port {}", self.port);
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Starts it again without what it kept.
    pub(crate) fn restart_empty(&mut self) {
        self.kill();
        for name in ["appendonlydir", "dump.rdb"] {
            let path = self.dir.path().join(name);
            // What it never wrote is not there.
            let _ = fs::remove_dir_all(&path);
            let _ = fs::remove_file(&path);
        }
        self.restart();
    }

    /// Stops it in its tracks (SIGSTOP): connections stay, nothing answers.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on (SIGCONT).
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.process.0.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill {signal}");
    }
}

fn arguments(port: u16, settings: &[String]) -> Vec<String> {
    let port = port.to_string();
    // A server with TLS alone says `--port 0` itself: the later word counts.
    ["--bind", "127.0.0.1", "--port", &port]
        .iter()
        .map(|word| (*word).to_owned())
        .chain(settings.iter().cloned())
        .collect()
}
