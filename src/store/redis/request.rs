//! Commands as ARGV of the script: plans once for the whole batch, then the operations (`src/lua/README.md`, "The request").

use super::barred;
use super::command::Command;
use super::pack::{MAX, Writer};
use super::record;
use crate::domain::adjustment::Move;
use crate::domain::admission::Demand;
use crate::domain::counter::WindowPlan;
use crate::domain::name::Uid;
use crate::domain::reservation::Held;
use crate::domain::settlement::Pricing;
use crate::domain::time::{Period, Timestamp};
use crate::domain::window::WindowKind;
use crate::engine::operation::{Caps, Charges, Known, ListedCharge, Operation, Plan, Refill, Verb};
use crate::engine::ports::CounterKey;
use crate::engine::verdict;
use std::collections::HashMap;
use std::sync::Arc;

/// The format of a request.
const FORMAT: i64 = 1;
/// Items that every operation begins with.
const COMMON: usize = 7;
/// About what an operation takes.
const ROOM: usize = 512;

/// The verbs of the contract.
mod verb {
    pub(super) const LOOK: i64 = 1;
    pub(super) const RESERVE: i64 = 2;
    pub(super) const COMMIT: i64 = 3;
    pub(super) const RELEASE: i64 = 4;
    pub(super) const EXTEND: i64 = 5;
    pub(super) const FREE: i64 = 6;
    pub(super) const FREE_AMOUNTS: i64 = 7;
    pub(super) const GET: i64 = 8;
    pub(super) const EXPIRE: i64 = 9;
    pub(super) const REVERSE: i64 = 10;
    pub(super) const INSTALL: i64 = 11;
    pub(super) const RAISE: i64 = 12;
    pub(super) const TRIM: i64 = 13;
    pub(super) const TIDY: i64 = 14;
    pub(super) const ADJUST: i64 = 15;
}

/// One call of the script: a batch of commands on one partition. `clock` is the time that decides; `None`: the server's.
pub fn encode(incarnation: u64, clock: Option<Timestamp>, caps: &Caps, commands: &[Command]) -> Vec<u8> {
    let plans = Plans::of(commands);
    let mut out = Writer::with_capacity(128 + ROOM * commands.len() + 160 * plans.all.len());
    out.array(6).int(FORMAT).uint(incarnation);
    match clock {
        Some(clock) => out.time(clock),
        None => out.int(-1),
    };
    out.array(3).count(caps.open_reservations).count(caps.counters).count(caps.unflushed);
    plans.write(&mut out);
    out.array(commands.len());
    for command in commands {
        write(&mut out, &plans, command);
    }
    out.finish()
}

/// What makes two plans of a batch one: the counter, its windows by their address, the top-up.
type PlanKey = (CounterKey, usize, Option<u64>);

/// Every plan of a batch once.
#[derive(Default)]
struct Plans<'a> {
    numbers: HashMap<PlanKey, usize, foldhash::fast::RandomState>,
    all: Vec<(CounterKey, Option<u64>, &'a [WindowPlan])>,
}

impl<'a> Plans<'a> {
    fn of(commands: &'a [Command]) -> Plans<'a> {
        let mut plans = Plans::default();
        for command in commands {
            match command {
                Command::Run(operation) => {
                    for counter in operation.plan.iter().flat_map(|plan| &plan.counters) {
                        plans.add(counter.bound.key, &counter.windows, counter.bound.quota.top_up);
                    }
                }
                Command::Install { refills, .. } => {
                    refills.iter().for_each(|refill| plans.add(refill.key, &refill.windows, None));
                }
                _ => {}
            }
        }
        plans
    }

    fn add(&mut self, key: CounterKey, windows: &'a Arc<[WindowPlan]>, top_up: Option<u64>) {
        let next = self.all.len();
        if *self.numbers.entry(name(key, windows, top_up)).or_insert(next) == next {
            self.all.push((key, top_up, windows));
        }
    }

    /// The number that the script knows it by.
    fn number(&self, key: CounterKey, windows: &Arc<[WindowPlan]>, top_up: Option<u64>) -> usize {
        self.numbers.get(&name(key, windows, top_up)).map_or(0, |number| number + 1)
    }

    fn write(&self, out: &mut Writer) {
        out.array(self.all.len());
        for (key, top_up, windows) in &self.all {
            out.array(3).bytes(&counter_key(*key)).maybe(*top_up);
            write_windows(out, windows);
        }
    }
}

/// Writes planned windows.
pub(super) fn write_windows(out: &mut Writer, windows: &[WindowPlan]) {
    out.array(windows.len());
    for window in windows {
        out.array(8).word(window.window.0).int(kind_code(window.kind));
        out.time(window.period.start).time(window.period.end).int(window.step);
        out.maybe(window.limit).flag(window.enforced).maybe(window.hold_cap);
    }
}

fn name(key: CounterKey, windows: &Arc<[WindowPlan]>, top_up: Option<u64>) -> PlanKey {
    (key, windows.as_ptr() as usize, top_up)
}

/// A counter's key as a field of a hash: account and meter.
pub fn counter_key(key: CounterKey) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[..16].copy_from_slice(&key.account.to_bytes());
    bytes[16..].copy_from_slice(&key.meter.0.to_be_bytes());
    bytes
}

/// The number of a window's kind: its place in [`WindowKind::ALL`].
fn kind_code(kind: WindowKind) -> i64 {
    WindowKind::ALL.iter().position(|known| *known == kind).map_or(-1, |place| place as i64)
}

fn write(out: &mut Writer, plans: &Plans<'_>, command: &Command) {
    match command {
        Command::Run(operation) => run(out, plans, operation),
        Command::Install { as_of, refills } => {
            own(out, verb::INSTALL, 2, None).uint(*as_of).array(refills.len());
            refills.iter().for_each(|refill| write_refill(out, plans, refill));
        }
        Command::Raise { tenant, version } => {
            own(out, verb::RAISE, 2, *tenant);
            write_tenant(out, *tenant).uint(*version);
        }
        Command::Trim { flushed, keep } => {
            own(out, verb::TRIM, 2, None).uint(*flushed).uint(*keep);
        }
        Command::Tidy { idle } => {
            own(out, verb::TIDY, 1, None).int(idle.millis());
        }
        Command::Expire { limit } => {
            own(out, verb::EXPIRE, 1, None).count(*limit);
        }
        Command::Reverse { reservation, as_of } => {
            own(out, verb::REVERSE, 2, Some(reservation.tenant));
            record::write(out, reservation);
            out.uint(*as_of);
        }
    }
}

/// The beginning of a command that no caller asked for.
fn own(out: &mut Writer, verb: i64, arguments: usize, tenant: Option<Uid>) -> &mut Writer {
    out.array(COMMON + arguments).int(verb);
    write_tenant(out, tenant).int(0).key(None).word(0).nothing().nothing()
}

fn write_tenant(out: &mut Writer, tenant: Option<Uid>) -> &mut Writer {
    match tenant {
        Some(tenant) => out.uid(tenant),
        None => out.bytes(b""),
    }
}

fn run(out: &mut Writer, plans: &Plans<'_>, operation: &Operation) {
    match &operation.verb {
        Verb::Check { charges } => {
            begin(out, plans, operation, (verb::LOOK, 0), charges);
        }
        Verb::Usage => {
            begin(out, plans, operation, (verb::LOOK, 0), &[]);
        }
        Verb::Reserve { template, ttl, consume, fresh, tentative, granted } => {
            begin(out, plans, operation, (verb::RESERVE, 8), &template.charges);
            record::write(out, template);
            out.int(ttl.millis()).flag(*consume).flag(*fresh).flag(wants_values(operation));
            out.bytes(&operation.plan.as_ref().map(|plan| barred::pack(&plan.barred)).unwrap_or_default());
            match granted {
                Some(at) => out.time(*at),
                None => out.int(-1),
            }
            .flag(*tentative);
        }
        Verb::Commit { key, listed, is_final, recover, .. } => {
            let charges = recover.as_deref().map_or(&[][..], |template| &template.charges);
            begin(out, plans, operation, (verb::COMMIT, 4), charges).key(Some(*key));
            write_listed(out, listed, false);
            out.flag(*is_final);
            match recover {
                Some(template) => record::write(out, template),
                None => {
                    out.nothing();
                }
            }
        }
        Verb::Release { key, listed } => {
            begin(out, plans, operation, (verb::RELEASE, 2), &[]).key(Some(*key));
            write_listed(out, listed, false);
        }
        Verb::Extend { key, ttl, listed } => {
            begin(out, plans, operation, (verb::EXTEND, 3), &[]).key(Some(*key)).int(ttl.millis());
            write_listed(out, listed, true);
        }
        Verb::FreeReservation { key } => {
            begin(out, plans, operation, (verb::FREE, 1), &[]).key(Some(*key));
        }
        Verb::FreeAmounts { charges } => {
            begin(out, plans, operation, (verb::FREE_AMOUNTS, 2), charges);
            record::write_charges(out, charges);
            out.bytes(&record::fixed_charges(charges));
        }
        Verb::Adjust { charges, moves, between, note } => {
            begin(out, plans, operation, (verb::ADJUST, 4), charges);
            record::write_charges(out, charges);
            out.bytes(&record::noted_charges(charges, note)).array(moves.len());
            moves.iter().for_each(|(change, effective)| write_move(out, *change, *effective));
            out.flag(*between);
        }
        Verb::Get { key } => {
            begin(out, plans, operation, (verb::GET, 1), &[]).key(Some(*key));
        }
    }
}

fn write_move(out: &mut Writer, change: Move, effective: Option<Timestamp>) {
    out.array(4);
    match effective {
        Some(at) => out.time(at),
        None => out.int(-1),
    };
    match change {
        Move::By(amount) => out.int(0).int(amount).int(-1),
        Move::To { measured, expected } => out.int(1).uint(measured).maybe(expected),
    };
}

/// What every operation begins with.
fn begin<'o>(
    out: &'o mut Writer,
    plans: &Plans<'_>,
    operation: &Operation,
    (verb, arguments): (i64, usize),
    charges: &[Held],
) -> &'o mut Writer {
    out.array(COMMON + arguments).int(verb).uid(operation.tenant).uint(operation.catalog_version);
    out.key(operation.request).word(operation.fingerprint);
    match &operation.plan {
        // What happened is recorded whatever it comes to.
        Some(plan) => write_plan(out, plans, plan, charges, records(&operation.verb)),
        None => {
            out.nothing();
        }
    }
    write_known(out, &operation.known);
    out
}

/// Whether it tells what has happened already, where others ask.
fn records(verb: &Verb) -> bool {
    matches!(verb, Verb::Commit { .. } | Verb::Reserve { granted: Some(_), .. })
}

fn write_plan(out: &mut Writer, plans: &Plans<'_>, plan: &Plan, charges: &[Held], is_forced: bool) {
    let valid = plan.valid.unwrap_or(Period::ALWAYS);
    out.array(5).time(valid.start).time(valid.end).array(plan.counters.len());
    for counter in &plan.counters {
        out.count(plans.number(counter.bound.key, &counter.windows, counter.bound.quota.top_up));
    }
    out.array(plan.paths.len());
    for path in &plan.paths {
        out.array(path.len());
        path.iter().for_each(|index| {
            out.count(usize::from(*index) + 1);
        });
    }
    let demands = verdict::demands(plan, charges);
    out.array(demands.len());
    for Demand { amount, positive } in demands {
        out.array(2);
        if is_forced { out.sum(amount) } else { out.asked(amount) }.flag(positive);
    }
}

/// Whether the answer must bring the counters' values: to count the limits in SHADOW that would have denied.
pub(super) fn wants_values(operation: &Operation) -> bool {
    let mut windows = operation.plan.iter().flat_map(|plan| &plan.counters).flat_map(|counter| &*counter.windows);
    windows.any(|window| !window.enforced && window.limit.is_some())
}

fn write_known(out: &mut Writer, known: &Known) {
    let Known { reservation, request, as_of } = known;
    if reservation.is_none() && request.is_none() {
        out.nothing();
        return;
    }
    out.array(3);
    match reservation {
        Some(Some(reservation)) => record::write(out, reservation),
        Some(None) => {
            out.bytes(b"");
        }
        None => {
            out.nothing();
        }
    }
    match request {
        Some(Some(request)) => {
            out.array(3).word(request.fingerprint).key(request.reservation).array(request.amounts.len());
            request.amounts.iter().for_each(|amount| {
                out.uint(*amount);
            });
        }
        Some(None) => {
            out.bytes(b"");
        }
        None => {
            out.nothing();
        }
    }
    out.uint(*as_of);
}

/// What stands in place of a price state where quantities are not priced yet: it is that of no charge.
const UNPRICED: &[u8] = b"?";

/// By what a listed charge is matched with a held one.
pub(super) fn match_of(item: &ListedCharge) -> u64 {
    record::match_key(&item.account, &item.meter, &item.item)
}

/// What a settlement lists. What happened is cut to its range; what is asked for is seen to be beyond it.
fn write_listed(out: &mut Writer, listed: &Charges, asks: bool) {
    out.array(listed.0.len());
    for item in &listed.0 {
        let items = if item.pricing == Pricing::Said { 2 } else { 4 };
        out.array(items).word(match_of(item));
        match item.amount {
            Some(amount) if asks => out.asked(amount),
            amount => out.maybe(amount),
        };
        match &item.pricing {
            Pricing::Said => {}
            Pricing::Open => {
                out.bytes(UNPRICED).bytes(UNPRICED);
            }
            Pricing::Priced { before, after } => {
                out.bytes(&record::price(before.as_deref())).bytes(&record::price(Some(after)));
            }
        }
    }
}

fn write_refill(out: &mut Writer, plans: &Plans<'_>, refill: &Refill) {
    let period = |used: crate::engine::ports::Used| used.total.saturating_sub(used.top_up);
    out.array(5);
    write_tenant(out, refill.tenant).count(plans.number(refill.key, &refill.windows, None));
    out.array(2).int(refill.lifetime.used.top_up).int(refill.lifetime.own);
    out.array(refill.lifetime.holds.len());
    for hold in &refill.lifetime.holds {
        out.array(3).time(hold.at).uint(hold.held.saturating_sub(hold.top_up)).uint(hold.top_up);
    }
    out.array(refill.answers.len());
    for (window, answer) in &refill.answers {
        out.array(3).count(window + 1).int(period(answer.used)).array(answer.steps.len());
        for (index, used) in &answer.steps {
            out.array(2).int((*index).clamp(-MAX, MAX)).int(period(*used));
        }
    }
}
