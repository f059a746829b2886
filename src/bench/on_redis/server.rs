//! A `redis-server` of the benchmark's own, without persistence; it ends with its value.

use super::client::Client;
use crate::bench::child::{Killed, Scratch};
use anyhow::{Context, Result};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// The server.
#[derive(Debug)]
pub(super) struct Server {
    process: Killed,
    port: u16,
}

impl Server {
    /// Starts one on a free port; `None` if there is none on this machine.
    ///
    /// # Errors
    /// One that does not start.
    pub(super) fn start(scratch: &Scratch) -> Result<Option<Server>> {
        let port = free_port()?;
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]);
        let child = match command.arg(scratch.path()).stdin(Stdio::null()).stdout(Stdio::null()).spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("redis-server can't be started"),
        };
        let server = Server { process: Killed(child), port };
        let begin = Instant::now();
        while let Err(error) = server.connect() {
            if begin.elapsed() > PATIENCE {
                return Err(error.context("redis-server does not start"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Some(server))
    }

    /// A connection.
    ///
    /// # Errors
    /// A server that does not listen.
    pub(super) fn connect(&self) -> Result<Client> {
        Client::connect(self.port)
    }

    /// Where clients find it.
    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.process.0.id()
    }
}

/// A port that nobody listens on now.
///
/// # Errors
/// A machine without one.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
