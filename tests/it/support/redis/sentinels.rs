//! A master with its replica, and the sentinels that watch them.

use super::server::{Keep, Process, RedisServer, connect, until};
use crate::support::{TempDir, unused_addr};
use std::fs;

/// A master with one replica, and three sentinels that watch it by the name `mymaster`.
#[derive(Debug)]
pub(crate) struct Sentinels {
    /// The master at the start, then its replica; after a fail over the roles are the other way round.
    pub(crate) servers: [RedisServer; 2],
    sentinels: Vec<(Process, u16)>,
    /// The sentinels' files.
    _dirs: Vec<TempDir>,
}

impl Sentinels {
    /// Starts all and waits until every sentinel knows the replica and the other sentinels.
    pub(crate) fn start() -> Sentinels {
        let fast = ["--repl-ping-replica-period", "1", "--repl-diskless-sync-delay", "0"];
        let master = RedisServer::start_with(Keep::Nothing, &fast);
        let replica = RedisServer::start_with(Keep::Nothing, &fast);
        replica.ask::<()>(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
        until("the replica follows", || replica.info("master_link_status") == "up");
        let (mut sentinels, mut dirs) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let (process, port, dir) = sentinel(master.port());
            sentinels.push((process, port));
            dirs.push(dir);
        }
        let all = Sentinels { servers: [master, replica], sentinels, _dirs: dirs };
        until("the sentinels know each other", || all.sentinels.iter().all(|(_, port)| complete(*port)));
        all
    }

    /// The URL that names the sentinels and the master.
    pub(crate) fn url(&self) -> String {
        let hosts: Vec<String> = self.sentinels.iter().map(|(_, port)| format!("127.0.0.1:{port}")).collect();
        format!("redis+sentinel://{}/mymaster", hosts.join(","))
    }

    /// The port of the master, as the sentinels that still run see it.
    pub(crate) fn master_port(&self) -> u16 {
        let ask = |port: u16| -> redis::RedisResult<(String, u16)> {
            redis::cmd("SENTINEL").arg(&["GET-MASTER-ADDR-BY-NAME", "mymaster"]).query(&mut connect(port, None)?)
        };
        self.sentinels.iter().find_map(|(_, port)| ask(*port).ok()).expect("a sentinel").1
    }

    /// Ends one of the sentinels.
    pub(crate) fn kill_sentinel(&mut self, index: usize) {
        self.sentinels[index].0.kill();
    }

    /// Orders a fail over, as an operator does, and waits until the other server is the master.
    pub(crate) fn fail_over(&self) {
        let before = self.master_port();
        let (_, port) = &self.sentinels[0];
        let order = || -> redis::RedisResult<()> {
            redis::cmd("SENTINEL").arg(&["FAILOVER", "mymaster"]).exec(&mut connect(*port, None)?)
        };
        until("the order is taken", || order().is_ok());
        self.wait_for_another_than(before);
    }

    /// Waits until the sentinels name another master, and it is one.
    pub(crate) fn wait_for_another_than(&self, before: u16) {
        until("another master", || {
            let now = self.master_port();
            let server = self.servers.iter().find(|server| server.port() == now).unwrap();
            now != before && server.info("role") == "master"
        });
    }
}

fn sentinel(master: u16) -> (Process, u16, TempDir) {
    let dir = TempDir::new("sentinel");
    let config = format!(
        "bind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 {master} 2\nsentinel down-after-milliseconds mymaster 1000\n\
         sentinel failover-timeout mymaster 4000\nsentinel parallel-syncs mymaster 1\n"
    );
    for _ in 0..20 {
        let port = unused_addr().port();
        fs::write(dir.path().join("sentinel.conf"), format!("port {port}\n{config}")).unwrap();
        let mut process = Process::spawn(dir.path(), &["sentinel.conf".to_owned(), "--sentinel".to_owned()]);
        if process.answers(port, None) {
            return (process, port, dir);
        }
    }
    panic!("no sentinel could be started");
}

/// Whether a sentinel knows one replica and two other sentinels.
fn complete(port: u16) -> bool {
    let ask = || -> redis::RedisResult<std::collections::HashMap<String, String>> {
        redis::cmd("SENTINEL").arg(&["MASTER", "mymaster"]).query(&mut connect(port, None)?)
    };
    let known = ask().unwrap();
    known["num-slaves"] == "1" && known["num-other-sentinels"] == "2"
}
