//! Requests: the contract's positions, each plan once, numbers cut to their range.

use super::support::{NOW, operation, reservation, write_bound};
use crate::domain::amount;
use crate::domain::decision::Cause;
use crate::domain::name::{IdKey, Uid};
use crate::domain::price::Quantities;
use crate::domain::settlement::Pricing;
use crate::domain::time::{Span, Timestamp};
use crate::engine::operation::{Barred, Caps, Charges, Known, ListedCharge, Operation, Refill, Verb};
use crate::engine::ports::{KnownRequest, LedgerHold, UsageAnswer, Used};
use crate::store::redis::command::Command;
use crate::store::redis::pack::{MAX, Reader, Writer};
use crate::store::redis::request::encode;
use crate::store::redis::{barred, record, samples};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::sync::Arc;

const CAPS: Caps = Caps { open_reservations: 1, counters: 2, unflushed: 3 };

/// The plans and operations of a request, each as bytes.
fn parts(request: &[u8], clock: i64) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut reader = Reader::new(request);
    assert_eq!(reader.array().unwrap(), 6);
    assert_eq!((reader.int().unwrap(), reader.int().unwrap(), reader.int().unwrap()), (1, 9, clock));
    assert_eq!(reader.array().unwrap(), 3);
    assert_eq!((reader.int().unwrap(), reader.int().unwrap(), reader.int().unwrap()), (1, 2, 3));
    let mut list = || -> Vec<Vec<u8>> {
        let count = reader.array().unwrap();
        (0..count).map(|_| reader.skip().unwrap().to_vec()).collect()
    };
    let all = (list(), list());
    reader.end().unwrap();
    all
}

fn one(command: Command) -> Vec<u8> {
    parts(&encode(9, None, &CAPS, &[command]), -1).1.remove(0)
}

/// The reader of an operation after its common part, whose verb and tenant it checks.
fn own<'a>(bytes: &'a [u8], verb: i64, arguments: usize) -> Reader<'a> {
    let mut reader = Reader::new(bytes);
    assert_eq!(reader.array().unwrap(), 7 + arguments);
    assert_eq!(reader.int().unwrap(), verb);
    reader.skip_many(6).unwrap();
    reader
}

fn run(operation: Operation) -> Vec<u8> {
    one(Command::Run(Box::new(operation)))
}

#[test]
fn a_plan_stands_once_in_a_batch() {
    let mut rng = StdRng::seed_from_u64(31);
    let (a, b) = (operation(&mut rng), operation(&mut rng));
    let commands: Vec<Command> = [&a, &b, &a].map(|operation| Command::Run(Box::new(operation.clone()))).into();
    let (plans, operations) = parts(&encode(9, Some(NOW), &CAPS, &commands), NOW.millis());
    assert_eq!(operations.len(), 3);
    assert_eq!(operations[0], operations[2]);
    let all: Vec<_> = [&a, &b].iter().flat_map(|one| &one.plan.as_ref().unwrap().counters).collect();
    assert_eq!(plans.len(), all.len());
    for (found, planned) in plans.iter().zip(all) {
        let mut expected = Writer::default();
        write_bound(&mut expected, planned);
        assert_eq!(*found, expected.finish());
    }
    // The second operation names its own plans, after those of the first.
    let mut reader = Reader::new(&operations[1]);
    reader.tuple(6).unwrap();
    reader.skip_many(5).unwrap();
    assert_eq!(reader.array().unwrap(), 5);
    let valid = b.plan.as_ref().unwrap().valid.unwrap();
    assert_eq!((reader.time().unwrap(), reader.time().unwrap()), (valid.start, valid.end));
    let count = reader.array().unwrap();
    let numbers: Vec<usize> = (0..count).map(|_| reader.count().unwrap()).collect();
    let first = a.plan.as_ref().unwrap().counters.len() + 1;
    assert_eq!(numbers, (first..first + count).collect::<Vec<_>>());
    let paths = b.plan.as_ref().unwrap().paths.clone();
    assert_eq!(reader.array().unwrap(), paths.len());
    for path in paths {
        assert_eq!(reader.array().unwrap(), path.len());
        path.iter().for_each(|index| assert_eq!(reader.index().unwrap(), usize::from(*index)));
    }
}

#[test]
fn a_reserve_says_what_it_asks() {
    let mut rng = StdRng::seed_from_u64(32);
    let mut operation = operation(&mut rng);
    let bar = |charge, cause| Barred { charge, cause, account: "tenants/acme/pools/p".into() };
    let bars = vec![bar(0, Cause::NotAMember), bar(2, Cause::NoQuota)];
    Arc::make_mut(operation.plan.as_mut().unwrap()).barred = bars.clone();
    let Verb::Reserve { template, .. } = &mut operation.verb else { panic!("a reserve") };
    for charge in &mut Arc::make_mut(template).charges {
        charge.asked = Some(u64::MAX);
    }
    let template = template.clone();
    let bytes = run(operation.clone());
    let mut reader = own(&bytes, 2, 8);
    assert_eq!(record::read(&mut reader).unwrap(), *template);
    assert_eq!(reader.int().unwrap(), 60_000);
    assert_eq!((reader.flag().unwrap(), reader.flag().unwrap()), (false, false));
    let shadow = operation.plan.iter().flat_map(|plan| &plan.counters).flat_map(|counter| counter.windows.iter());
    let wanted = shadow.filter(|window| !window.enforced && window.limit.is_some()).count() > 0;
    assert_eq!(reader.flag().unwrap(), wanted);
    assert_eq!(barred::read(reader.bytes().unwrap()).unwrap(), bars);
    assert_eq!((reader.int().unwrap(), reader.flag().unwrap()), (-1, false), "decided now, and for good");
    reader.end().unwrap();
    // What is beyond the range is seen to be, and no more than that.
    let mut reader = Reader::new(&bytes);
    reader.tuple(6).unwrap();
    reader.skip_many(5).unwrap();
    reader.tuple(5).unwrap();
    reader.skip_many(4).unwrap();
    let demands = reader.array().unwrap();
    for _ in 0..demands {
        reader.tuple(2).unwrap();
        assert_eq!(reader.uint().unwrap(), amount::MAX + 1);
        reader.skip().unwrap();
    }
}

#[test]
fn settlements_list_by_match_and_cut_what_happened() {
    let mut rng = StdRng::seed_from_u64(33);
    let mut operation = operation(&mut rng);
    operation.plan = None;
    let key = IdKey(77);
    let charge = |amount| ListedCharge {
        account: "a".into(),
        meter: "m".into(),
        item: "i".into(),
        amount,
        quantities: Quantities::default(),
        service: "".into(),
        pricing: Pricing::Said,
    };
    let listed = Charges(vec![charge(None), charge(Some(u64::MAX))]);
    let amounts = |reader: &mut Reader<'_>| {
        let count = reader.array().unwrap();
        let item = |_| {
            assert_eq!(reader.array().unwrap(), 2);
            assert_eq!(reader.word().unwrap(), record::match_key("a", "m", "i"));
            reader.int().unwrap()
        };
        (0..count).map(item).collect::<Vec<_>>()
    };
    let recovered = Arc::new(reservation(vec![samples::charge(&mut rng)]));
    let recover = Some(recovered.clone());
    operation.verb = Verb::Commit { key, listed: listed.clone(), is_final: true, recover, forced: false };
    let bytes = run(operation.clone());
    let mut reader = own(&bytes, 3, 4);
    assert_eq!(reader.key().unwrap(), key);
    assert_eq!(amounts(&mut reader), [-1, MAX]);
    assert!(reader.flag().unwrap());
    assert_eq!(record::read(&mut reader).unwrap(), *recovered);

    operation.verb = Verb::Release { key, listed: listed.clone() };
    let bytes = run(operation.clone());
    let mut reader = own(&bytes, 4, 2);
    assert_eq!((reader.key().unwrap(), amounts(&mut reader)), (key, vec![-1, MAX]));

    operation.verb = Verb::Extend { key, ttl: Span::from_secs(5), listed };
    let bytes = run(operation.clone());
    let mut reader = own(&bytes, 5, 3);
    assert_eq!((reader.key().unwrap(), reader.int().unwrap()), (key, 5_000));
    assert_eq!(amounts(&mut reader), [-1, MAX + 1], "a raise is asked for");

    for (verb, code) in [(Verb::FreeReservation { key }, 6), (Verb::Get { key }, 8)] {
        operation.verb = verb;
        let bytes = run(operation.clone());
        assert_eq!(own(&bytes, code, 1).key().unwrap(), key);
    }
    let charges = vec![samples::charge(&mut rng), samples::charge(&mut rng)];
    operation.verb = Verb::FreeAmounts { charges: charges.clone() };
    let bytes = run(operation.clone());
    let mut reader = own(&bytes, 7, 2);
    let sent = reader.skip().unwrap();
    let fixed = reader.bytes().unwrap();
    assert_eq!(record::read_charges(&mut Reader::new(sent), fixed).unwrap(), charges);
    for verb in [Verb::Usage, Verb::Check { charges }] {
        operation.verb = verb;
        own(&run(operation.clone()), 1, 0).end().unwrap();
    }
}

#[test]
fn what_the_ledger_said_is_told_apart() {
    let mut rng = StdRng::seed_from_u64(34);
    let mut operation = operation(&mut rng);
    (operation.plan, operation.verb) = (None, Verb::Get { key: IdKey(1) });
    let one = samples::reservation(&mut rng);
    let request = KnownRequest { fingerprint: 8, kind: 2, reservation: None, amounts: vec![4, u64::MAX] };
    operation.known = Known { reservation: Some(Some(Arc::new(one.clone()))), request: Some(Some(request)), as_of: 12 };
    let known = |operation: &Operation| {
        let bytes = run(operation.clone());
        let mut reader = Reader::new(&bytes);
        reader.tuple(7).unwrap();
        reader.skip_many(6).unwrap();
        reader.skip().unwrap().to_vec()
    };
    let bytes = known(&operation);
    let mut reader = Reader::new(&bytes);
    assert_eq!(reader.array().unwrap(), 3);
    assert_eq!(record::read(&mut reader).unwrap(), one);
    assert_eq!(reader.array().unwrap(), 3);
    assert_eq!((reader.word().unwrap(), reader.maybe_key().unwrap()), (8, None));
    assert_eq!(reader.array().unwrap(), 2);
    assert_eq!((reader.int().unwrap(), reader.int().unwrap(), reader.int().unwrap()), (4, MAX, 12));
    operation.known = Known { reservation: Some(None), request: None, as_of: 0 };
    let bytes = known(&operation);
    let mut reader = Reader::new(&bytes);
    assert_eq!(reader.array().unwrap(), 3);
    assert_eq!(reader.bytes().unwrap(), b"");
    assert!(reader.is_nothing());
    operation.known = Known::default();
    assert!(Reader::new(&known(&operation)).is_nothing());
}

#[test]
fn the_stores_own_commands_have_their_arguments() {
    let mut rng = StdRng::seed_from_u64(35);
    let numbers = |bytes: &[u8], verb, arguments: usize| -> Vec<i64> {
        let mut reader = own(bytes, verb, arguments);
        (0..arguments).map(|_| reader.int().unwrap()).collect()
    };
    assert_eq!(numbers(&one(Command::Expire { limit: 5 }), 9, 1), [5]);
    assert_eq!(numbers(&one(Command::Trim { flushed: 7, keep: 3 }), 13, 2), [7, 3]);
    assert_eq!(numbers(&one(Command::Tidy { idle: Span::from_secs(2) }), 14, 1), [2_000]);
    let bytes = one(Command::Raise { tenant: Some(Uid(5)), version: 8 });
    let mut reader = own(&bytes, 12, 2);
    assert_eq!((reader.uid().unwrap(), reader.int().unwrap()), (Uid(5), 8));
    let bytes = one(Command::Raise { tenant: None, version: 8 });
    assert_eq!(own(&bytes, 12, 2).bytes().unwrap(), b"");
    let repeat = samples::reservation(&mut rng);
    let bytes = one(Command::Reverse { reservation: Box::new(repeat.clone()), as_of: 6 });
    let mut reader = own(&bytes, 10, 2);
    assert_eq!((record::read(&mut reader).unwrap(), reader.int().unwrap()), (repeat, 6));
}

#[test]
fn a_refill_brings_periods_top_ups_and_holds_apart() {
    let mut rng = StdRng::seed_from_u64(36);
    let planned = operation(&mut rng).plan.unwrap().counters[1].clone();
    let used = |total, top_up| Used { total, top_up };
    let hold = LedgerHold { at: Timestamp::from_millis(4), held: 9, top_up: 2 };
    let lifetime = UsageAnswer { used: used(50, 20), own: 30, steps: Vec::new(), holds: vec![hold] };
    let answer = UsageAnswer { used: used(17, 7), steps: vec![(-3, used(5, 1))], ..UsageAnswer::default() };
    let refill = Refill {
        tenant: Some(Uid(5)),
        key: planned.bound.key,
        windows: planned.windows.clone(),
        answers: vec![(0, answer)],
        lifetime,
    };
    let (plans, operations) =
        parts(&encode(9, None, &CAPS, &[Command::Install { as_of: 41, refills: vec![refill] }]), -1);
    assert_eq!(plans.len(), 1);
    let mut reader = own(&operations[0], 11, 2);
    assert_eq!((reader.int().unwrap(), reader.array().unwrap(), reader.array().unwrap()), (41, 1, 5));
    assert_eq!((reader.uid().unwrap(), reader.int().unwrap()), (Uid(5), 1));
    let mut expected = Writer::default();
    expected.array(2).int(20).int(30).array(1).array(3).int(4).int(7).int(2);
    expected.array(1).array(3).int(1).int(10).array(1).array(2).int(-3).int(4);
    assert_eq!(reader.rest(), expected.finish());
}
