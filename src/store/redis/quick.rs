//! A batch in its quick form (`src/lua/README.md`, "The quick way"): what is asked most, on limits of the usual kinds, in plain
//! fields at known places, with the bytes of what is to be written made before they are needed.

use super::blob::Blob;
use super::command::Command;
use super::granted::Granted;
use super::pack::Writer;
use super::record;
use super::request::{counter_key, match_of, wants_values, write_windows};
use crate::domain::counter::WindowPlan;
use crate::domain::entry::Kind;
use crate::domain::name::{IdKey, Uid};
use crate::domain::reservation::{Held, State};
use crate::domain::settlement::{Change, Pricing};
use crate::domain::time::{Period, Timestamp};
use crate::domain::window::WindowKind;
use crate::engine::operation::{Caps, Charges, Operation, Plan, Verb};
use crate::engine::ports::CounterKey;
use crate::engine::verdict;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// The verbs of the quick form.
mod verb {
    pub(super) const LOOK: u8 = 1;
    pub(super) const RESERVE: u8 = 2;
    /// A Commit or Release, which stands among what is settled, in the same order.
    pub(super) const SETTLE: u8 = 3;
    pub(super) const CONSUME: u8 = 5;
    pub(super) const TRIM: u8 = 13;
}

/// Counters of an operation, windows of a counter, charges listed: denials name them in arrays that one byte begins.
const MOST: usize = 15;
/// What the kind of a window is in a counter's value: a period that is planned.
const PLANNED_PERIOD: u8 = 128;
/// What eight packed bytes begin with.
const WORD: u8 = 0xa8;
/// A time as the script packs it; it gives up on one that takes less.
const TIME_BYTES: usize = 9;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// `ARGV[1]` of the quick script; `None` if a command has no quick form.
pub fn encode(incarnation: u64, clock: Option<Timestamp>, caps: &Caps, commands: &[Command]) -> Option<Vec<u8>> {
    let mut names = Names::default();
    let mut operations = Blob::with_capacity(640 * commands.len());
    for command in commands {
        operations.sized(|out| write(out, &mut names, command))?;
    }
    let mut out = Blob::with_capacity(640 * commands.len() + 1024);
    out.number(incarnation).integer(clock.map_or(-1, Timestamp::millis));
    out.number(caps.open_reservations as u64).number(caps.counters as u64).number(caps.unflushed as u64);
    names.write(&mut out, u8::try_from(commands.len()).ok()?)?;
    out.append(&names.settlements.finish());
    out.append(&operations.finish());
    Some(out.finish())
}

/// What the operations of a batch name, each once.
#[derive(Default)]
struct Names<'a> {
    tenants: Vec<Uid>,
    /// Lists of windows by what is in them: accounts under one quota share one.
    lists: Map<&'a [WindowPlan], u8>,
    windows: Vec<&'a [WindowPlan]>,
    counters: Map<CounterKey, (u16, u8)>,
    keys: Vec<(CounterKey, u8)>,
    ids: Map<IdKey, ()>,
    new: Vec<IdKey>,
    requests: Vec<IdKey>,
    outcomes: Vec<(u8, IdKey)>,
    settled: Vec<IdKey>,
    /// What becomes of each of these.
    settlements: Blob,
}

impl<'a> Names<'a> {
    fn tenant(&mut self, uid: Uid) -> Option<u8> {
        let known = self.tenants.iter().position(|known| *known == uid);
        let place = known.unwrap_or_else(|| {
            self.tenants.push(uid);
            self.tenants.len() - 1
        });
        u8::try_from(place + 1).ok()
    }

    /// The numbers of a counter and of its list, from 1; `None` if another operation sees other windows of it.
    fn counter(&mut self, key: CounterKey, windows: &'a Arc<[WindowPlan]>) -> Option<(u16, u8)> {
        let next = u8::try_from(self.windows.len() + 1).ok()?;
        let list = *self.lists.entry(&**windows).or_insert(next);
        if list == next {
            self.windows.push(windows);
        }
        match self.counters.entry(key) {
            Entry::Occupied(known) => Some(*known.get()).filter(|(_, own)| *own == list),
            Entry::Vacant(free) => {
                self.keys.push((key, list));
                let number = u16::try_from(self.keys.len()).ok()?;
                Some(*free.insert((number, list)))
            }
        }
    }

    /// Notes an id; `None` if it comes twice: then one of the two is a repeat of the other.
    fn id(&mut self, id: IdKey) -> Option<()> {
        self.ids.insert(id, ()).is_none().then_some(())
    }

    /// The number of a request id that must be new, 0 for none.
    fn request(&mut self, request: Option<IdKey>) -> Option<u8> {
        let Some(request) = request else { return Some(0) };
        self.id(request)?;
        self.requests.push(request);
        self.outcomes.extend([(b'q', request), (b'd', request)]);
        u8::try_from(self.requests.len()).ok()
    }

    fn write(&self, out: &mut Blob, operations: u8) -> Option<()> {
        let small = |count: usize| u8::try_from(count).ok();
        out.byte(small(self.tenants.len())?)
            .byte(small(self.windows.len())?)
            .short(u16::try_from(self.keys.len()).ok()?);
        out.byte(small(self.new.len())?).byte(small(self.requests.len())?);
        out.short(u16::try_from(self.outcomes.len()).ok()?).byte(small(self.settled.len())?).byte(operations);
        self.tenants.iter().for_each(|uid| out.append(&uid.to_bytes()));
        self.windows.iter().try_for_each(|windows| write_list(out, windows))?;
        self.keys.iter().for_each(|(key, _)| out.append(&counter_key(*key)));
        self.keys.iter().for_each(|(_, list)| {
            out.byte(*list);
        });
        self.new.iter().chain(&self.requests).for_each(|id| out.append(&id.to_bytes()));
        for (letter, id) in &self.outcomes {
            out.byte(*letter).append(&id.to_bytes());
        }
        self.settled.iter().for_each(|id| out.append(&id.to_bytes()));
        Some(())
    }
}

/// A list of windows: when all of them are of now, each as it begins in a counter's value, with its bounds, and the list packed.
fn write_list(out: &mut Blob, windows: &[WindowPlan]) -> Option<()> {
    let mut packed = Writer::with_capacity(64 * windows.len());
    write_windows(&mut packed, windows);
    let packed = packed.finish();
    let start = windows.iter().map(|window| window.period.start).max().unwrap_or(Timestamp::MIN);
    let end = windows.iter().map(|window| window.period.end).min().unwrap_or(Timestamp::MAX);
    out.byte(u8::try_from(windows.len()).ok()?).short(u16::try_from(packed.len()).ok()?);
    out.integer(start.millis()).integer(end.millis());
    for window in windows {
        out.append(&window.window.0.to_be_bytes());
        out.byte(PLANNED_PERIOD).integer(window.period.start.millis()).integer(window.period.end.millis());
        // What is not enforced is in nobody's way.
        let limit = window.limit.filter(|_| window.enforced);
        out.bound(limit).bound(window.hold_cap.filter(|_| limit.is_some()));
    }
    out.append(&packed);
    Some(())
}

/// Writes one command; answers its verb, or `None` if it has no quick form.
fn write<'a>(out: &mut Blob, names: &mut Names<'a>, command: &'a Command) -> Option<u8> {
    let operation = match command {
        Command::Run(operation) => operation,
        Command::Trim { flushed, keep } => {
            out.number(*flushed).number(*keep);
            return Some(verb::TRIM);
        }
        _ => return None,
    };
    if operation.known.reservation.is_some() || operation.known.request.is_some() {
        return None;
    }
    match &operation.verb {
        Verb::Check { .. } | Verb::Usage => look(out, names, operation),
        Verb::Reserve { granted: None, .. } => reserve(out, names, operation),
        Verb::Commit { key, listed, is_final: true, recover, .. } if operation.plan.is_none() || recover.is_some() => {
            settle(names, operation, *key, listed, true)
        }
        Verb::Release { key, listed } if listed.0.is_empty() => settle(names, operation, *key, listed, false),
        _ => None,
    }
}

/// The plan of an operation, if its counters are of the usual kinds.
fn usual(operation: &Operation) -> Option<&Plan> {
    let is_period = |window: &WindowPlan| !matches!(window.kind, WindowKind::Sliding | WindowKind::Rate);
    let plan = operation.plan.as_ref().filter(|plan| plan.barred.is_empty() && operation.catalog_version > 0)?;
    let usual = plan.counters.len() <= MOST
        && plan.counters.iter().all(|counter| {
            let (top_up, windows) = (counter.bound.quota.top_up, &counter.windows);
            top_up.is_none() && windows.len() <= MOST && windows.iter().all(is_period)
        });
    usual.then_some(plan)
}

fn begin(out: &mut Blob, names: &mut Names<'_>, operation: &Operation, plan: &Plan) -> Option<()> {
    let valid = plan.valid.unwrap_or(Period::ALWAYS);
    out.byte(names.tenant(operation.tenant)?).number(operation.catalog_version);
    out.integer(valid.start.millis()).integer(valid.end.millis());
    Some(())
}

fn look<'a>(out: &mut Blob, names: &mut Names<'a>, operation: &'a Operation) -> Option<u8> {
    let plan = usual(operation).filter(|_| operation.request.is_none())?;
    begin(out, names, operation, plan)?;
    out.byte(u8::try_from(plan.counters.len()).ok()?);
    for counter in &plan.counters {
        let (number, list) = names.counter(counter.bound.key, &counter.windows)?;
        out.short(number).byte(list);
    }
    Some(verb::LOOK)
}

fn settle(names: &mut Names<'_>, operation: &Operation, key: IdKey, listed: &Charges, commits: bool) -> Option<u8> {
    if listed.0.len() > MOST || listed.0.iter().any(|item| item.pricing != Pricing::Said) {
        return None;
    }
    names.id(key)?;
    names.settled.push(key);
    let (tenant, request) = (names.tenant(operation.tenant)?, names.request(operation.request)?);
    let out = &mut names.settlements;
    out.byte(u8::from(commits)).byte(tenant).number(operation.catalog_version).byte(request);
    out.append(&operation.fingerprint.to_be_bytes());
    out.byte(u8::try_from(listed.0.len()).ok()?);
    for item in &listed.0 {
        out.append(&match_of(item).to_be_bytes());
        out.maybe(item.amount);
    }
    Some(verb::SETTLE)
}

fn reserve<'a>(out: &mut Blob, names: &mut Names<'a>, operation: &'a Operation) -> Option<u8> {
    let plan = usual(operation)?;
    let Verb::Reserve { template, ttl, consume, fresh, tentative, .. } = &operation.verb else { return None };
    let granted = Granted::of(operation)?;
    let (sums, demands) = (granted.sums(plan)?, verdict::demands(plan, &template.charges));
    if !fresh {
        names.id(template.key)?;
        names.new.push(template.key);
        names.outcomes.push((b'r', template.key));
    }
    begin(out, names, operation, plan)?;
    out.byte(u8::from(wants_values(operation))).byte(u8::from(*tentative)).integer(ttl.millis());
    out.byte(names.request(operation.request)?).append(&template.key.to_bytes());
    let lines: Vec<&Change> = granted.changes.iter().filter(|change| !change.is_empty()).collect();
    write_granted(out, operation, &granted, lines.len())?;
    out.byte(u8::try_from(demands.len()).ok()?);
    for ((counter, demand), sum) in plan.counters.iter().zip(demands).zip(sums) {
        let (number, list) = names.counter(counter.bound.key, &counter.windows)?;
        out.short(number).byte(list).asked(demand.amount).byte(u8::from(demand.positive));
        out.number(sum.used).number(sum.held).number(sum.own);
    }
    out.byte(u8::try_from(lines.len() + 1).ok()?);
    write_lines(out, &lines, &granted.reservation.charges)?;
    if *consume {
        out.byte(WORD).append(&template.fingerprint.to_be_bytes());
        return Some(verb::CONSUME);
    }
    Some(verb::RESERVE)
}

/// The effect up to the record, the record in two halves, between which its times stand, and what is remembered of a request.
fn write_granted(out: &mut Blob, operation: &Operation, granted: &Granted, lines: usize) -> Option<()> {
    let reservation = &granted.reservation;
    let (mut head, mut tail) = (Writer::with_capacity(256), Writer::with_capacity(256));
    record::write_head(&mut head, reservation);
    record::write_tail(&mut tail, reservation);
    let (head, tail) = (head.finish(), tail.finish());
    let mut stamp = Writer::with_capacity(32);
    stamp.word(operation.fingerprint).key(Some(reservation.key)).array(0);
    let stamp = stamp.finish();

    let kind = if reservation.state == State::Committed { Kind::Consume } else { Kind::Reserve };
    let mut effect = Writer::with_capacity(96);
    effect.array(8).uid(operation.tenant).uint(operation.catalog_version).int(kind as i64);
    match operation.request {
        Some(request) => effect.array(4).key(Some(request)).packed(&stamp),
        None => effect.nothing(),
    };
    effect.bytes_of(head.len() + 2 * TIME_BYTES + tail.len());
    out.text(&effect.finish())?.text(&head)?.text(&tail)?;
    let stamp = if operation.request.is_some() { stamp } else { Vec::new() };
    out.byte(u8::try_from(stamp.len()).ok()?).append(&stamp);
    (lines <= MOST).then_some(())
}

/// The lines in pieces, between which the time of the call stands; the effect ends with what only other kinds have.
fn write_lines(out: &mut Blob, lines: &[&Change], charges: &[Held]) -> Option<()> {
    let mut piece = Writer::with_capacity(64);
    piece.array(lines.len());
    for line in lines {
        piece.array(5).count(line.charge);
        out.text(&std::mem::take(&mut piece).finish())?;
        let levels = charges.get(line.charge)?.path.len();
        piece.int(line.used).int(line.held).array(levels);
        for (used, held) in (0..levels).map(|level| line.top_up_on(level)) {
            piece.array(2).int(used).int(held);
        }
    }
    piece.bytes(b"").nothing();
    out.text(&piece.finish())?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::domain::reservation::Level;

    #[test]
    fn a_line_has_a_part_for_each_level_of_its_charge_also_where_nothing_stands_in_a_top_up() {
        let level = |account| Level { account: Uid(account), has_top_up: false, held_top_up: 0, used_top_up: 0 };
        let charges = [Held { path: (1..=3).map(level).collect(), ..samples::empty_charge() }];
        for (top_up, parts) in [(vec![], [(0, 0); 3]), (vec![(0, 0), (4, 0)], [(0, 0), (4, 0), (0, 0)])] {
            let change = Change { used: 7, held: 2, top_up, ..Change::default() };
            let (mut written, mut expected) = (Blob::default(), Blob::default());
            write_lines(&mut written, &[&change], &charges).unwrap();
            let (mut before, mut after) = (Writer::with_capacity(64), Writer::with_capacity(64));
            before.array(1).array(5).count(0);
            after.int(7).int(2).array(3);
            for (used, held) in parts {
                after.array(2).int(used).int(held);
            }
            after.bytes(b"").nothing();
            expected.text(&before.finish()).unwrap().text(&after.finish()).unwrap();
            assert_eq!(written.finish(), expected.finish());
        }
    }
}
