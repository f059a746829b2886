//! The table state x operation of `src/ARCHITECTURE.md`, cell by cell through the authority.

use super::catalog::{Catalog, Expiry, Meter, Overage, TENANT};
use super::digest::Said;
use super::engine::{Engine, Place};
use super::reservation::{Ask, Op};
use crate::support::redis::RedisServer;

const USER: &str = "tenants/t/users/u1";
const START: i64 = 1_767_225_600_000;

/// The operations, in the order of the columns below. A hold is of 5; the number is the amount that is listed.
const COLUMNS: [&str; 10] = [
    "commit all",
    "commit 3",
    "commit 7",
    "part 2",
    "release all",
    "release 2",
    "release 5",
    "extend",
    "free",
    "deadline",
];

/// By state and meter, what each operation makes of it. `=`: as it was; `replayed`: it found nothing to do.
#[rustfmt::skip]
const ROWS: [(&str, &str, [&str; 10]); 17] = [
    ("held", "m.back", [
        "COMMITTED used 5", "COMMITTED used 3", "COMMITTED used 7 overrun", "PARTIALLY_COMMITTED held 3 used 2",
        "RELEASED", "HELD held 3", "RELEASED", "=", "Open", "EXPIRED",
    ]),
    ("held", "m.charge", [
        "COMMITTED used 5", "COMMITTED used 3", "COMMITTED used 7 overrun", "PARTIALLY_COMMITTED held 3 used 2",
        "RELEASED", "HELD held 3", "RELEASED", "=", "Open", "EXPIRED used 5",
    ]),
    ("held", "m.park", [
        "COMMITTED used 5", "COMMITTED used 3", "COMMITTED used 7 overrun", "PARTIALLY_COMMITTED held 3 used 2",
        "RELEASED", "HELD held 3", "RELEASED", "=", "Open", "PARKED held 5",
    ]),
    ("part", "m.back", [
        "COMMITTED used 5", "COMMITTED used 5", "COMMITTED used 9 overrun", "PARTIALLY_COMMITTED held 1 used 4",
        "RELEASED used 2", "PARTIALLY_COMMITTED held 1 used 2", "RELEASED used 2", "=", "Open", "EXPIRED used 2",
    ]),
    ("part", "m.charge", [
        "COMMITTED used 5", "COMMITTED used 5", "COMMITTED used 9 overrun", "PARTIALLY_COMMITTED held 1 used 4",
        "RELEASED used 2", "PARTIALLY_COMMITTED held 1 used 2", "RELEASED used 2", "=", "Open", "EXPIRED used 5",
    ]),
    ("part", "m.park", [
        "COMMITTED used 5", "COMMITTED used 5", "COMMITTED used 9 overrun", "PARTIALLY_COMMITTED held 1 used 4",
        "RELEASED used 2", "PARTIALLY_COMMITTED held 1 used 2", "RELEASED used 2", "=", "Open",
        "PARKED held 3 used 2",
    ]),
    ("lapsed", "m.park", [
        "COMMITTED used 5", "COMMITTED used 3", "COMMITTED used 7 overrun", "PARKED held 3 used 2", "RELEASED",
        "PARKED held 3", "RELEASED", "Parked", "Open", "=",
    ]),
    ("committed", "m.back", [
        "= replayed", "= replayed", "Committed", "Committed", "Committed", "Committed", "Committed", "Committed",
        "NotFreeable(0)", "=",
    ]),
    ("committed", "m.alloc", [
        "= replayed", "= replayed", "Committed", "Committed", "Committed", "Committed", "Committed", "Committed",
        "COMMITTED used 3 freed 3", "=",
    ]),
    ("released", "m.back", [
        "Released", "Released", "Released", "Released", "= replayed", "= replayed", "= replayed", "Released",
        "NotFreeable(0)", "=",
    ]),
    ("released", "m.alloc", [
        "Released", "Released", "Released", "Released", "= replayed", "= replayed", "= replayed", "Released",
        "= replayed", "=",
    ]),
    ("lapsed", "m.back", [
        "COMMITTED used 5 late", "COMMITTED used 3 late", "COMMITTED used 7 overrun late", "EXPIRED used 2 late",
        "= replayed", "= replayed", "= replayed", "Expired", "NotFreeable(0)", "=",
    ]),
    ("lapsed", "m.alloc", [
        "COMMITTED used 5 late", "COMMITTED used 3 late", "COMMITTED used 7 overrun late", "EXPIRED used 2 late",
        "= replayed", "= replayed", "= replayed", "Expired", "= replayed", "=",
    ]),
    ("lapsed", "m.charge", [
        "COMMITTED used 5 late", "COMMITTED used 3 late", "COMMITTED used 7 overrun late", "EXPIRED used 5 late",
        "Committed", "Committed", "Committed", "Expired", "NotFreeable(0)", "=",
    ]),
    ("lapsed", "m.kept", [
        "COMMITTED used 5 late", "COMMITTED used 3 late", "COMMITTED used 7 overrun late", "EXPIRED used 5 late",
        "Committed", "Committed", "Committed", "Expired", "EXPIRED used 5 freed 5", "=",
    ]),
    ("unknown", "m.back", [
        "NotFound", "COMMITTED used 3 late recovered", "COMMITTED used 7 late recovered",
        "EXPIRED used 2 late recovered", "NotFound", "NotFound", "NotFound", "NotFound", "NotFound", "NotFound",
    ]),
    ("unknown", "m.alloc", [
        "NotFound", "COMMITTED used 3 late recovered", "COMMITTED used 7 late recovered",
        "EXPIRED used 2 late recovered", "NotFound", "NotFound", "NotFound", "NotFound", "NotFound", "NotFound",
    ]),
];

fn meter(name: &'static str, allocation: bool, expiry: Expiry) -> Meter {
    let overage = Overage::Record;
    Meter { name, allocation, positive: false, overage, expiry, on_reserve: false, deny_by_default: false }
}

struct Cells {
    engine: Engine,
    now: i64,
    made: usize,
}

impl Cells {
    async fn start(place: Place) -> Cells {
        let meters = vec![
            meter("m.back", false, Expiry::GiveBack),
            meter("m.charge", false, Expiry::Charge),
            meter("m.park", false, Expiry::Park),
            meter("m.alloc", true, Expiry::GiveBack),
            meter("m.kept", true, Expiry::Charge),
        ];
        let catalog = Catalog { meters, ..Catalog::default() };
        let engine = Engine::start(place, START).await;
        engine.configure(None, &catalog.installation_document()).await;
        Cells { engine, now: START, made: 0 }
    }

    /// Past every deadline.
    fn wait(&mut self) {
        self.now += 61_000;
        self.engine.wind(self.now);
    }

    /// A reservation of 5 in the state, or the id of none.
    async fn make(&mut self, state: &str, meter: &'static str) -> String {
        self.made += 1;
        let res = format!("r{}", self.made);
        if state == "unknown" {
            return res;
        }
        let hold =
            Op::Reserve { res: Some(res.clone()), req: None, asks: vec![ask(meter, Some(5))], ttl: Some(60_000) };
        assert_eq!(shown(&self.engine.call(&hold).await), "HELD held 5");
        let then = match state {
            "part" => Some(operation("part 2", &res, meter)),
            "committed" => Some(operation("commit 3", &res, meter)),
            "released" => Some(operation("release all", &res, meter)),
            _ => None,
        };
        match then {
            Some(op) => drop(self.engine.call(&op).await),
            None if state == "lapsed" => self.wait(),
            None => {}
        }
        res
    }

    async fn counter(&self, meter: &'static str) -> (i128, i128) {
        match self.engine.call(&Op::Usage { account: USER, meter }).await {
            Said::Usage { windows, .. } => (windows[0].used, windows[0].held),
            other => panic!("{other:?}"),
        }
    }

    /// What the operation makes of the state, and by how much the counter moved since before the reservation was made.
    async fn cell(&mut self, state: &str, meter: &'static str, column: &str) -> (String, String, (i128, i128), Said) {
        let before = self.counter(meter).await;
        let res = self.make(state, meter).await;
        let stood = shown(&self.engine.call(&Op::Get { res: res.clone() }).await);
        if column == "deadline" {
            self.wait();
        }
        let said = self.engine.call(&operation(column, &res, meter)).await;
        let after = self.counter(meter).await;
        let stands = self.engine.call(&Op::Get { res: res.clone() }).await;
        // The next cell begins with nothing held.
        self.engine.call(&operation("release all", &res, meter)).await;
        (stood, shown(&said), (after.0 - before.0, after.1 - before.1), stands)
    }
}

fn ask(meter: &'static str, amount: Option<u64>) -> Ask {
    Ask { account: USER, meter, item: "", amount, also: Vec::new() }
}

fn operation(column: &str, res: &str, meter: &'static str) -> Op {
    let (res, req) = (res.to_owned(), None);
    let listed = |amount| vec![ask(meter, Some(amount))];
    match column {
        "commit all" => Op::Commit { res, req, asks: Vec::new(), is_final: true },
        "commit 3" => Op::Commit { res, req, asks: listed(3), is_final: true },
        "commit 7" => Op::Commit { res, req, asks: listed(7), is_final: true },
        "part 2" => Op::Commit { res, req, asks: listed(2), is_final: false },
        "release all" => Op::Release { res, req, asks: Vec::new() },
        "release 2" => Op::Release { res, req, asks: listed(2) },
        "release 5" => Op::Release { res, req, asks: listed(5) },
        "extend" => Op::Extend { res, req, asks: Vec::new(), ttl: Some(30_000) },
        "free" => Op::Free { res, req },
        _ => Op::Get { res },
    }
}

/// The state, the figures that are not 0, the flags.
fn shown(said: &Said) -> String {
    let (view, replayed) = match said {
        Said::Refused(error) => return error.clone(),
        Said::Stands { view, replayed } | Said::Extended { view, replayed, .. } => (view, *replayed),
        Said::Freed { view: Some(view), replayed, .. } => (view, *replayed),
        other => panic!("{other:?}"),
    };
    let charge = &view.charges[0];
    let mut text = view.state.to_owned();
    for (name, figure) in [("held", charge.held), ("used", charge.committed), ("freed", charge.freed)] {
        if figure != 0 {
            text += &format!(" {name} {figure}");
        }
    }
    for flag in &view.flags {
        text += &format!(" {flag}");
    }
    text + if replayed { " replayed" } else { "" }
}

#[tokio::test]
async fn every_cell_of_the_table() {
    every_cell(Place::Embedded).await;
}

#[tokio::test]
async fn every_cell_of_the_table_on_redis() {
    let server = RedisServer::start();
    every_cell(Place::in_redis(&server)).await;
}

async fn every_cell(place: Place) {
    let mut cells = Cells::start(place).await;
    for (state, meter, row) in ROWS {
        for (column, expected) in COLUMNS.into_iter().zip(row) {
            let cell = format!("{state} on {meter} x {column}");
            let (stood, said, moved, stands) = cells.cell(state, meter, column).await;
            assert_eq!(said, expected.replace('=', &stood), "{cell}");
            let counted = match &stands {
                Said::Stands { view, .. } => (view.charges[0].committed - view.charges[0].freed, view.charges[0].held),
                _ => (0, 0),
            };
            assert_eq!(moved, counted, "{cell}: the counter has moved by what the reservation stands for");
        }
    }
}

#[tokio::test]
async fn a_commit_without_amounts_of_an_unknown_reservation_is_not_found() {
    let cells = Cells::start(Place::Embedded).await;
    let asks = vec![ask("m.back", Some(1)), ask("m.charge", None)];
    for is_final in [true, false] {
        let op = Op::Commit { res: String::from("nobody"), req: None, asks: asks.clone(), is_final };
        assert_eq!(shown(&cells.engine.call(&op).await), "NotFound", "unknown, without an amount x commit {is_final}");
    }
    assert_eq!(cells.counter("m.back").await, (0, 0), "{TENANT} has used nothing");
}
