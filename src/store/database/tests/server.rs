//! A real PostgreSQL for the tests of this folder. A small shell watches each server: when the test process ends, however
//! it ends, so does the server, and its folder goes away.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Runs the server until its own input says `keep` or ends. $1 the server's folder, $2 program, $3 and more its arguments.
const WATCH: &str = r#"
dir=$1; shift
trap '' INT TERM
"$@" </dev/null >>"$dir/log" 2>&1 &
server=$!
read -r what
kill -QUIT $server
wait $server
[ "$what" = keep ] || rm -rf "$dir"
"#;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A server of its own.
pub(crate) struct Server {
    dir: PathBuf,
    port: u16,
    watch: Option<Child>,
}

impl Server {
    /// Makes a data folder and starts a server on it.
    pub(crate) fn start() -> Server {
        let name = format!("quotad-postgres-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        if let Some((uid, gid)) = server_user(&dir) {
            chown(&dir, Some(uid), Some(gid)).unwrap();
        }
        let mut init = as_server_user(&dir, &program("initdb"));
        init.args(["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=1", "-U", "quotad", "-D"]);
        let made = init.arg(dir.join("data")).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Server { dir, port, watch: None };
        server.start_again();
        server
    }

    /// Starts it on the same data and port.
    pub(crate) fn start_again(&mut self) {
        let (dir, port) = (&self.dir, self.port.to_string());
        let mut watch = as_server_user(dir, Path::new("/bin/sh"));
        watch.arg("-c").arg(WATCH).arg("watch").arg(dir).arg(program("postgres")).arg("-D").arg(dir.join("data"));
        watch.arg("-k").arg(dir).args(["-p", &port, "-c", "listen_addresses=127.0.0.1"]);
        watch.args(["-c", "max_connections=300", "-c", "shared_buffers=32MB", "-c", "deadlock_timeout=100ms"]);
        self.watch = Some(watch.stdin(Stdio::piped()).spawn().unwrap());
        let ready = || fs::read_to_string(dir.join("data/postmaster.pid")).is_ok_and(|state| state.contains("ready"));
        let deadline = Instant::now() + PATIENCE;
        while !ready() {
            let log = || fs::read_to_string(dir.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "PostgreSQL does not start:\n{}", log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it at once, as a crash would, and keeps its data.
    pub(crate) fn stop(&mut self) {
        let mut watch = self.watch.take().unwrap();
        watch.stdin.take().unwrap().write_all(b"keep\n").unwrap();
        watch.wait().unwrap();
        let _ = fs::remove_file(self.dir.join("data/postmaster.pid"));
    }

    /// The URL of one of its databases.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://quotad@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes a new, empty database; answers its URL.
    pub(crate) async fn fresh_database(&self) -> String {
        self.fresh_database_with("").await
    }

    /// The same, with options of `CREATE DATABASE`.
    pub(crate) async fn fresh_database_with(&self, options: &str) -> String {
        use sqlx::{AssertSqlSafe, Connection, PgConnection};
        let name = format!("fresh_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut admin = PgConnection::connect(&self.url("postgres")).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0 {options}"));
        sqlx::raw_sql(create).execute(&mut admin).await.unwrap();
        admin.close().await.unwrap();
        self.url(&name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(watch) = &mut self.watch {
            drop(watch.stdin.take());
            let _ = watch.wait();
        }
    }
}

/// The server that all tests of this process share.
pub(crate) fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

/// Whom to become because PostgreSQL refuses to run for root; nobody else if the tests do not run as root.
fn server_user(dir: &Path) -> Option<(u32, u32)> {
    // It was just made by this process.
    if fs::metadata(dir).unwrap().uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| users.lines().find(|line| line.split(':').next() == Some(name));
    let line = find("postgres").or_else(|| find("nobody")).unwrap();
    let number = |field: usize| line.split(':').nth(field).unwrap().parse().unwrap();
    Some((number(2), number(3)))
}

fn as_server_user(dir: &Path, program: &Path) -> Command {
    let mut command = Command::new(program);
    // The folder belongs to that user already.
    let owner = fs::metadata(dir).unwrap();
    let ours = fs::metadata("/proc/self").unwrap();
    if owner.uid() != ours.uid() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    command.current_dir(dir).stdin(Stdio::null());
    command
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
