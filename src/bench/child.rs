//! Servers as processes of their own, and the temporary folder for their data; both end with their value.

use anyhow::{Context, Result};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A temporary folder.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// A new one below `parent`.
    ///
    /// # Errors
    /// A parent that can't be written.
    pub(super) fn new(parent: &Path) -> Result<Scratch> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("quotad-bench-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("can't make {}", path.display()))?;
        Ok(Scratch(path))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What can't be removed is left in the temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process whose data is thrown away: it is killed with its value.
#[derive(Debug)]
pub(super) struct Killed(pub(super) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Nothing needs to be ended in order.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server to be started: `program` with `args`, and no settings of the caller's own server.
pub(super) fn command(program: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("QUOTAD_")) {
        command.env_remove(name);
    }
    command.env("QUOTAD_LOG", "warn").args(args).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// A server process that says on its first line where it listens.
#[derive(Debug)]
pub(super) struct Server {
    process: Killed,
    addr: String,
}

impl Server {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// A program that can't be started, or ends before it listens.
    pub(super) fn start(command: &mut Command) -> Result<Server> {
        let program = command.get_program().to_owned();
        let child = command.spawn().with_context(|| format!("can't start {}", program.display()))?;
        let mut server = Server { process: Killed(child), addr: String::new() };
        let mut line = String::new();
        if let Some(output) = server.process.0.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let ready: serde_json::Value =
            serde_json::from_str(&line).with_context(|| format!("{} did not start: {line:?}", program.display()))?;
        ready["grpc"].as_str().context("the server did not say where it listens")?.clone_into(&mut server.addr);
        Ok(server)
    }

    /// Where it listens, as `host:port`.
    pub(super) fn addr(&self) -> &str {
        &self.addr
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.process.0.id()
    }
}
