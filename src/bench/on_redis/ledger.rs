//! Where the ledger is: in a PostgreSQL of the benchmark's own, with its own defaults for durability, or in SQLite files.

use super::server::free_port;
use crate::bench::child::Scratch;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long PostgreSQL may take to start.
const PATIENCE: Duration = Duration::from_secs(30);
/// The owner of all databases; needs no password.
const ROLE: &str = "quotad";

/// Databases for ledgers.
pub(super) enum Databases {
    /// Of a server that ends with this value.
    Postgres(Postgres),
    /// Files in a folder, each for one process.
    Sqlite(PathBuf),
}

/// A running PostgreSQL.
pub(super) struct Postgres {
    child: Child,
    port: u16,
    user: Option<(u32, u32)>,
}

impl Databases {
    /// PostgreSQL where it is installed, else SQLite.
    ///
    /// # Errors
    /// A PostgreSQL that is there and does not start.
    pub(super) fn start(scratch: &Scratch) -> Result<Databases> {
        if Command::new(program("postgres")).arg("--version").stdout(Stdio::null()).status().is_err() {
            return Ok(Databases::Sqlite(scratch.path().to_owned()));
        }
        Ok(Databases::Postgres(Postgres::start(&scratch.path().join("postgres"))?))
    }

    /// What it is.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Databases::Postgres(_) => "PostgreSQL",
            Databases::Sqlite(_) => "SQLite",
        }
    }

    /// Whether replicas may share a database.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Databases::Postgres(_))
    }

    /// The URL of a new, empty database.
    ///
    /// # Errors
    /// A server that refuses it.
    pub(super) fn create(&self, name: &str) -> Result<String> {
        match self {
            Databases::Sqlite(folder) => Ok(format!("sqlite:{}", folder.join(name).with_extension("db").display())),
            Databases::Postgres(server) => {
                let port = server.port.to_string();
                run(as_user("createdb", server.user).args(["-h", "127.0.0.1", "-p", &port, "-U", ROLE, name]))?;
                Ok(format!("postgres://{ROLE}@127.0.0.1:{port}/{name}"))
            }
        }
    }
}

impl Postgres {
    fn start(folder: &Path) -> Result<Postgres> {
        fs::create_dir(folder)?;
        let user = user_for(folder)?;
        if let Some((uid, gid)) = user {
            chown(folder, Some(uid), Some(gid))?;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        }
        let data = folder.join("data");
        let mut init = as_user("initdb", user);
        init.current_dir(folder).args(["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-U", ROLE, "-D"]);
        run(init.arg(&data))?;
        let port = free_port()?;
        let mut command = as_user("postgres", user);
        command.current_dir(folder).arg("-D").arg(&data).arg("-k").arg(folder).args(["-p", &port.to_string()]);
        let child = command.args(["-c", "listen_addresses=127.0.0.1"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Postgres { child: child.spawn().context("postgres can't be started")?, port, user };
        server.wait(&data)?;
        Ok(server)
    }

    /// The eighth line of its file is its state.
    fn wait(&mut self, data: &Path) -> Result<()> {
        let begin = Instant::now();
        loop {
            let state = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            if state.lines().nth(7).is_some_and(|state| state.trim() == "ready") {
                return Ok(());
            }
            let ended = self.child.try_wait()?.is_some();
            ensure!(!ended && begin.elapsed() < PATIENCE, "postgres does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once, with all its processes: its data is thrown away.
        let _ = Command::new("kill").args(["-QUIT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
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

/// Whom to become to own a folder: nobody else unless it is root's, whom PostgreSQL refuses.
fn user_for(folder: &Path) -> Result<Option<(u32, u32)>> {
    if fs::metadata(folder)?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| users.lines().find(|line| line.split(':').next() == Some(name));
    let line = find("postgres").or_else(|| find("nobody")).context("no user to run PostgreSQL for root")?;
    let number = |field: usize| -> Result<u32> { Ok(line.split(':').nth(field).unwrap_or_default().parse()?) };
    Ok(Some((number(2)?, number(3)?)))
}

fn as_user(name: &str, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program(name));
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command.stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("can't start {}", command.get_program().display()))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {errors}", command.get_program().display());
    Ok(())
}
