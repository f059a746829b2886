//! A cluster, made by commands, whose slots move by commands.

use super::server::{Keep, RedisServer, until};
use crate::support::unused_addr;

/// A cluster of three masters that share the slots.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The nodes, in the order of their slots.
    pub(crate) nodes: Vec<RedisServer>,
    ids: Vec<String>,
}

/// Slots of a cluster.
const SLOTS: u16 = 16384;

impl Cluster {
    /// Starts it and waits until every node says that all is well.
    pub(crate) fn start() -> Cluster {
        Cluster::start_whole(Keep::Nothing)
    }

    /// The same, with nodes that keep their data as they are told.
    pub(crate) fn start_whole(keep: Keep) -> Cluster {
        Cluster::start_with(keep, SLOTS)
    }

    /// The same, with only the first `slots` slots dealt out: with fewer than 16384 the cluster is not complete.
    pub(crate) fn start_with(keep: Keep, slots: u16) -> Cluster {
        let nodes: Vec<RedisServer> = (0..3).map(|_| cluster_node(keep)).collect();
        let share = slots / 3 + 1;
        for (index, node) in (0_u16..).zip(&nodes) {
            let (first, last) = (index * share, ((index + 1) * share - 1).min(slots - 1));
            node.ask::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
            node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]);
        }
        for other in &nodes[1..] {
            let (port, bus) = (other.port().to_string(), bus_of(other));
            nodes[0].ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        let ids = nodes.iter().map(|node| node.ask(&["CLUSTER", "MYID"])).collect();
        let cluster = Cluster { nodes, ids };
        until("the cluster is whole", || cluster.nodes.iter().all(|node| knows_all(node, slots)));
        cluster
    }

    /// The URL of its first node.
    pub(crate) fn url(&self) -> String {
        self.nodes[0].url()
    }

    /// The node that has the slot of a key, by its own account.
    pub(crate) fn node_of(&self, key: &str) -> usize {
        let has = |node: &RedisServer| node.try_ask::<i64>(&["EXISTS", key]).is_ok();
        self.nodes.iter().position(has).expect("a node that has the slot")
    }

    /// The slot of a key.
    pub(crate) fn slot_of(&self, key: &str) -> u16 {
        self.nodes[0].ask(&["CLUSTER", "KEYSLOT", key])
    }

    /// Begins to move a slot: the one node imports it, the other migrates.
    pub(crate) fn begin_move(&self, slot: u16, from: usize, to: usize) {
        let slot = slot.to_string();
        self.nodes[to].ask::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.ids[from]]);
        self.nodes[from].ask::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.ids[to]]);
    }

    /// Moves all keys of a slot, one by one.
    pub(crate) fn move_keys(&self, slot: u16, from: usize, to: usize) {
        while self.move_some(slot, from, to, 10) > 0 {}
    }

    /// Moves at most so many keys of a slot; answers how many it were.
    pub(crate) fn move_some(&self, slot: u16, from: usize, to: usize, most: usize) -> usize {
        let port = self.nodes[to].port().to_string();
        let keys: Vec<String> =
            self.nodes[from].ask(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), &most.to_string()]);
        for key in &keys {
            self.nodes[from].ask::<String>(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
        }
        keys.len()
    }

    /// Ends a move: the slot belongs to its new node.
    pub(crate) fn end_move(&self, slot: u16, from: usize, to: usize) {
        let others = (0..self.nodes.len()).filter(|index| *index != to && *index != from);
        for index in [to, from].into_iter().chain(others) {
            self.nodes[index].ask::<()>(&["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &self.ids[to]]);
        }
    }

    /// Moves a slot with all its keys.
    pub(crate) fn move_slot(&self, slot: u16, from: usize, to: usize) {
        self.begin_move(slot, from, to);
        self.move_keys(slot, from, to);
        self.end_move(slot, from, to);
    }
}

fn cluster_node(keep: Keep) -> RedisServer {
    let bus = unused_addr().port().to_string();
    let settings = ["--cluster-enabled", "yes", "--cluster-node-timeout", "3000", "--cluster-port", &bus];
    RedisServer::start_with(keep, &settings)
}

fn bus_of(node: &RedisServer) -> String {
    node.settings.last().unwrap().clone()
}

/// Whether a node sees three nodes and all the slots that were dealt out.
fn knows_all(node: &RedisServer, slots: u16) -> bool {
    let info: String = node.ask(&["CLUSTER", "INFO"]);
    let has = |line: &str| info.lines().any(|found| found == line);
    let state = if slots == SLOTS { "cluster_state:ok" } else { "cluster_state:fail" };
    has(state) && has("cluster_known_nodes:3") && has(&format!("cluster_slots_assigned:{slots}"))
}
