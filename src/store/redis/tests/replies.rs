//! Replies: what the embedded store would answer, made from what a script says.

use super::support::{NOW, bytes, charges, counter, denial, header, operation, reply, reservation};
use crate::domain::admission;
use crate::domain::counter::Counter;
use crate::domain::error::RuleError;
use crate::domain::name::IdKey;
use crate::domain::time::Span;
use crate::engine::call::{Denial, Freed};
use crate::engine::operation::{Caps, Charges, Done, Operation, Outcome, Reply, Verb};
use crate::engine::ports::StoreError;
use crate::engine::verdict;
use crate::store::redis::pack::Writer;
use crate::store::redis::reply::{Finished, RawReply, Server, Status, decode, finished, split};
use crate::store::redis::{record, samples};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;

fn decided(operation: &Operation, raw: &RawReply) -> Done {
    match decode(operation, raw, &header(), 6).unwrap() {
        Reply::Done(done) => {
            assert_eq!((done.partition, done.now), (6, NOW));
            *done
        }
        other => panic!("{other:?}"),
    }
}

fn values(rng: &mut StdRng, operation: &Operation) -> Vec<Counter> {
    operation.plan.as_ref().unwrap().counters.iter().map(|plan| counter(rng, plan)).collect()
}

/// By counter what is asked, and which of them deny by themselves.
fn judged(operation: &Operation, values: &[Counter]) -> (Vec<(u64, bool)>, Vec<usize>) {
    let plan = operation.plan.as_ref().unwrap();
    let demands = verdict::demands(plan, charges(operation));
    let denies = |index: &usize| {
        let counter = &plan.counters[*index];
        let top_up = counter.bound.quota.top_up;
        admission::decide(&values[*index], &counter.windows, top_up, demands[*index], NOW).is_err()
    };
    let denied = (0..values.len()).filter(denies).collect();
    (demands.iter().map(|demand| (demand.amount, demand.positive)).collect(), denied)
}

fn expected(operation: &Operation, values: &[Counter]) -> Result<(), Denial> {
    let plan = operation.plan.as_ref().unwrap();
    verdict::decide(plan, charges(operation), |index| values.get(index), NOW).map(|_| ())
}

#[test]
fn a_denial_is_explained_as_the_embedded_store_explains_it() {
    let mut rng = StdRng::seed_from_u64(21);
    let mut denials = 0;
    for _ in 0..3_000 {
        let operation = operation(&mut rng);
        let values = values(&mut rng, &operation);
        let Err(expected) = expected(&operation, &values) else { continue };
        let (demands, denied) = judged(&operation, &values);
        let packed = denial(&operation, &values, &demands, &denied);
        let replayed = rng.random();
        let raw = reply(|out| {
            out.array(3).int(3).flag(replayed).bytes(&packed);
        });
        let done = decided(&operation, &raw);
        assert_eq!(done.replayed, replayed);
        match done.outcome {
            Outcome::Denied(found) => assert_eq!(found, expected),
            other => panic!("{other:?}"),
        }
        denials += 1;
        // Without the plan, as after a change of the catalog, the names come from the charges.
        let without = Operation { plan: None, ..operation.clone() };
        let names = |denial: &Denial| -> Vec<(Arc<str>, Arc<str>)> {
            denial.violations.iter().map(|one| (one.account.clone(), one.meter.clone())).collect()
        };
        match decided(&without, &raw).outcome {
            Outcome::Denied(found) => assert_eq!(names(&found), names(&expected)),
            other => panic!("{other:?}"),
        }
    }
    assert!(denials > 1_000, "{denials}");
}

#[test]
fn a_denial_that_nothing_explains_is_a_fault() {
    let mut rng = StdRng::seed_from_u64(22);
    let mut seen = 0;
    while seen < 50 {
        let operation = operation(&mut rng);
        let values = values(&mut rng, &operation);
        if expected(&operation, &values).is_err() {
            continue;
        }
        let (demands, _) = judged(&operation, &values);
        let packed = denial(&operation, &values, &demands, &[0]);
        let raw = reply(|out| {
            out.array(3).int(3).flag(false).bytes(&packed);
        });
        assert!(matches!(decode(&operation, &raw, &header(), 0), Err(StoreError::Corrupt(_))));
        seen += 1;
    }
}

#[test]
fn checks_usage_and_shadows_are_read_off_the_values() {
    let mut rng = StdRng::seed_from_u64(23);
    for _ in 0..1_000 {
        let mut operation = operation(&mut rng);
        let values = values(&mut rng, &operation);
        let plan = operation.plan.clone().unwrap();
        let value = |index: usize| values.get(index);
        let list = |out: &mut Writer| {
            out.array(values.len());
            values.iter().for_each(|value| {
                out.bytes(&bytes(value));
            });
        };
        let packed = record::pack(&reservation(charges(&operation).to_vec()));
        let raw = reply(|out| {
            out.array(5).int(1).flag(false).int(41).bytes(&packed);
            list(out);
        });
        let done = decided(&operation, &raw);
        assert_eq!(done.shadowed, verdict::shadowed(&plan, charges(&operation), value, NOW));
        assert_eq!(done.seq, 41);

        let raw = reply(|out| {
            out.array(2).int(2);
            list(out);
        });
        let expected = expected(&operation, &values);
        operation.verb = Verb::Check { charges: charges(&operation).to_vec() };
        match (decided(&operation, &raw).outcome, expected) {
            (Outcome::Denied(found), Err(expected)) => assert_eq!(found, expected),
            (Outcome::Allowed(lines), Ok(())) => assert_eq!(lines, verdict::allowance(&plan, value, NOW)),
            other => panic!("{other:?}"),
        }
        operation.verb = Verb::Usage;
        match decided(&operation, &raw).outcome {
            Outcome::Usage(report) => assert_eq!(report, verdict::report(&plan, value)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn reservations_are_answered_in_the_words_of_the_call() {
    let mut rng = StdRng::seed_from_u64(24);
    let one = samples::reservation(&mut rng);
    let packed = record::pack(&one);
    let raw = reply(|out| {
        out.array(5).int(1).flag(true).int(41).bytes(&packed).nothing();
    });
    let mut operation = operation(&mut rng);
    operation.plan = None;
    let mut answer = |verb: Verb| {
        operation.verb = verb;
        let done = decided(&operation, &raw);
        assert!(done.replayed && done.seq == 41 && done.shadowed == 0);
        done.outcome
    };
    let key = IdKey(1);
    assert!(matches!(answer(Verb::Get { key }), Outcome::Reservation(found) if *found == one));
    let extend = Verb::Extend { key, ttl: Span::from_secs(1), listed: Charges::default() };
    match answer(extend.clone()) {
        Outcome::Extended(extended) => assert!(extended.reservation == one && extended.denied.is_none()),
        other => panic!("{other:?}"),
    }
    let freed: Vec<u64> = one.charges.iter().map(|charge| charge.freed).collect();
    match answer(Verb::FreeReservation { key }) {
        Outcome::Freed(Freed { reservation, amounts }) => {
            assert_eq!((reservation, amounts), (Some(one.clone()), freed))
        }
        other => panic!("{other:?}"),
    }
    let raw = reply(|out| {
        out.array(5).int(4).flag(false).int(40).bytes(&packed).nothing();
    });
    operation.verb = extend;
    assert!(matches!(decided(&operation, &raw).outcome, Outcome::Extended(found) if found.reservation == one));
    let raw = reply(|out| {
        out.array(5).int(5).flag(false).int(40).bytes(b"").array(2).int(3).int(0);
    });
    assert!(
        matches!(decided(&operation, &raw).outcome, Outcome::Freed(Freed { reservation: None, amounts }) if amounts == [3, 0])
    );
}

#[test]
fn refusals_are_those_of_the_rules() {
    let mut rng = StdRng::seed_from_u64(25);
    let operation = operation(&mut rng);
    let one = samples::reservation(&mut rng);
    let packed = record::pack(&one);
    let all = [
        RuleError::IdReused,
        RuleError::NotFound,
        RuleError::Committed(Box::new(one)),
        RuleError::Released,
        RuleError::Expired,
        RuleError::Parked,
        RuleError::Open,
        RuleError::ChargeNotHeld(3),
        RuleError::OverageRefused(3),
        RuleError::NotFreeable(3),
        RuleError::CapReached(Caps::OPEN_RESERVATIONS),
        RuleError::CapReached(Caps::COUNTERS),
    ];
    for (rule, expected) in (1..).zip(all) {
        let raw = reply(|out| {
            out.array(4).int(6).int(rule).int(3).bytes(&packed);
        });
        match decided(&operation, &raw).outcome {
            Outcome::Refused(found) => assert_eq!(found, expected),
            other => panic!("{other:?}"),
        }
    }
    let raw = reply(|out| {
        out.array(4).int(6).int(13).int(-1).bytes(b"");
    });
    assert!(decode(&operation, &raw, &header(), 0).is_err(), "an unknown rule");
    let raw = reply(|out| {
        out.array(4).int(6).int(3).int(-1).bytes(b"");
    });
    assert!(decode(&operation, &raw, &header(), 0).is_err(), "committed, but no record");
}

#[test]
fn what_is_sent_back_says_what_to_mend() {
    let mut rng = StdRng::seed_from_u64(26);
    let operation = operation(&mut rng);
    let code = |code: i64| {
        reply(|out| {
            out.array(1).int(code);
        })
    };
    let mend = |raw: &RawReply| decode(&operation, raw, &header(), 6);
    assert!(matches!(mend(&code(7)), Ok(Reply::Again)));
    assert!(matches!(mend(&code(8)), Ok(Reply::Replan(NOW))));
    assert!(matches!(
        mend(&reply(|out| {
            out.array(2).int(9).int(12);
        })),
        Ok(Reply::Stale(12))
    ));
    assert!(matches!(mend(&code(12)), Err(StoreError::Busy(why)) if why == Caps::UNFLUSHED));
    let one = samples::reservation(&mut rng);
    let raw = reply(|out| {
        out.array(2).int(11).bytes(&record::pack(&one));
    });
    assert!(matches!(mend(&raw), Ok(Reply::NeedPlan(found)) if *found == one));
    let raw = reply(|out| {
        out.array(5).int(10).key(Some(IdKey(3))).key(None).int(38);
        out.array(1).array(2).int(2).array(1).int(1);
    });
    match mend(&raw) {
        Ok(Reply::Miss(miss)) => {
            let plan = &operation.plan.as_ref().unwrap().counters[1];
            assert_eq!((miss.partition, miss.flushed_to, miss.now, miss.holds), (6, 38, NOW, true));
            assert_eq!((miss.reservation, miss.request), (Some(IdKey(3)), None));
            assert_eq!(miss.counters, [(plan.bound.key, plan.windows.clone(), vec![0])]);
        }
        other => panic!("{other:?}"),
    }
    for (counter, window) in [(9, 1), (1, 9), (0, 1), (1, 0)] {
        let raw = reply(|out| {
            out.array(5).int(10).key(None).key(None).int(38);
            out.array(1).array(2).int(counter).array(1).int(window);
        });
        assert!(mend(&raw).is_err(), "counter {counter}, window {window}");
    }
    assert!(matches!(
        finished(&reply(|out| {
            out.array(2).int(13).int(5);
        })),
        Ok(Finished::Done(5))
    ));
    let raw = reply(|out| {
        out.array(5).int(10).key(Some(IdKey(3))).key(None).int(38).array(0);
    });
    assert!(matches!(finished(&raw), Ok(Finished::Changed(38))));
    assert!(finished(&code(11)).is_err());
}

#[test]
fn a_call_to_be_verified_names_the_server() {
    let mut out = Writer::default();
    out.array(9).int(1).int(1).time(NOW).int(42).int(40).int(3).int(4).int(2);
    out.array(2).bytes(b"abc").bytes(b"def");
    let (header, replies) = split(out.finish()).unwrap();
    assert_eq!((header.status, header.incarnation, replies.len()), (Status::Verify, 2, 0));
    assert_eq!(header.server, Some(Server { run_id: "abc".into(), replication_id: "def".into() }));
}

#[test]
fn damaged_replies_never_panic() {
    let mut rng = StdRng::seed_from_u64(27);
    let operation = operation(&mut rng);
    let values = values(&mut rng, &operation);
    let (demands, _) = judged(&operation, &values);
    for _ in 0..3_000 {
        let mut out = Writer::default();
        out.array(9).int(1).int(0).time(NOW).int(42).int(40).int(3).int(4).int(2).array(4);
        out.array(3).int(3).flag(false).bytes(&denial(&operation, &values, &demands, &[0, 1]));
        out.array(5).int(1).flag(false).int(41).bytes(&record::pack(&samples::reservation(&mut rng))).array(1);
        out.bytes(&bytes(&values[0]));
        out.array(5).int(10).key(None).key(None).int(38).array(1).array(2).int(1).array(1).int(1);
        out.array(4).int(6).int(8).int(1).bytes(b"");
        let mut bytes = out.finish();
        for _ in 0..3 {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random();
        }
        if rng.random() {
            bytes.truncate(rng.random_range(0..bytes.len()));
        }
        let Ok((header, replies)) = split(bytes) else { continue };
        for raw in replies {
            let _ = (decode(&operation, &raw, &header, 0), finished(&raw));
        }
    }
}
