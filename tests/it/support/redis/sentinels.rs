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
        until("the replica follows", || replica.says("master_link_status", "up"));
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

    /// Which of the servers is the master, as the sentinels see it.
    pub(crate) fn master(&self) -> usize {
        let port = self.master_port();
        self.servers.iter().position(|server| server.port() == port).expect("a master of ours")
    }

    /// Ends the master as `kill -9` does, and waits until the sentinels have promoted the other; answers which one died.
    pub(crate) fn kill_master(&mut self) -> usize {
        let dead = self.master();
        self.servers[dead].kill();
        self.wait_for_another_than(self.servers[dead].port());
        dead
    }

    /// Lets the master go on without its replica, which lacks from now on what is written.
    pub(crate) fn cut_replica(&self) {
        let master = &self.servers[self.master()];
        master.ask::<()>(&["ACL", "SETUSER", "default", "-psync", "-sync", "-replconf"]);
        master.ask::<u32>(&["CLIENT", "KILL", "TYPE", "replica"]);
        let replica = &self.servers[1 - self.master()];
        until("the replica is cut off", || replica.says("master_link_status", "down"));
    }

    /// Starts a killed server again, as the replica of the other: the sentinels order that themselves some seconds later.
    pub(crate) fn rejoin(&mut self, index: usize) {
        self.servers[index].restart();
        let master = self.servers[1 - index].port().to_string();
        let order = ["REPLICAOF", "127.0.0.1", &master];
        // The sentinels may order the same at this moment, and close all connections.
        until("the order is taken", || self.servers[index].try_ask::<()>(&order).is_ok());
        self.wait_until_follows(index);
    }

    /// Waits until a server is the other's replica and has what that has.
    pub(crate) fn wait_until_follows(&self, index: usize) {
        let server = &self.servers[index];
        until("the replica follows", || server.says("role", "slave") && server.says("master_link_status", "up"));
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
            now != before && server.says("role", "master")
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
            hurry(port);
            return (process, port, dir);
        }
    }
    panic!("no sentinel could be started");
}

/// Lets a sentinel look at the servers, and talk to the others, every second or so instead of every ten.
fn hurry(port: u16) {
    let order = ["DEBUG", "INFO-PERIOD", "1000", "PUBLISH-PERIOD", "500"];
    redis::cmd("SENTINEL").arg(&order).exec(&mut connect(port, None).unwrap()).unwrap();
}

/// Whether a sentinel knows one replica and two other sentinels.
fn complete(port: u16) -> bool {
    let ask = || -> redis::RedisResult<std::collections::HashMap<String, String>> {
        redis::cmd("SENTINEL").arg(&["MASTER", "mymaster"]).query(&mut connect(port, None)?)
    };
    let known = ask().unwrap();
    known["num-slaves"] == "1" && known["num-other-sentinels"] == "2"
}
