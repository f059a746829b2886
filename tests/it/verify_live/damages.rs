//! Changes made by hand: each is found, named, and mended where it is a counter.

use super::world::{BUCKET_USED, HELD, OWN, TENANT, TOP_UP_HELD, TOP_UP_USED, U1, USED, World, add, counter};
use crate::support::{Server, cli};
use quotad::domain::name::{IdKey, IdSpace, Uid};
use quotad::domain::reservation::Reservation;
use quotad::domain::time::Timestamp;
use quotad::store::redis::pack::Reader;
use quotad::store::redis::record;
use serde_json::Value;

/// A change made by hand, what it is found as, and whether it can be repaired.
struct Damage {
    name: &'static str,
    make: fn(&World),
    drift: &'static str,
    /// Place and figure of the finding, and how much is kept beyond what must be.
    told: (&'static str, &'static str, Option<i64>),
    repaired: bool,
}

const DAMAGES: &[Damage] = &[
    Damage {
        name: "used of a period",
        make: |world| world.change("counters:0", &counter(U1, "jobs"), |value| add(value, USED, 7.0)),
        drift: "live_counter",
        told: ("tenants/acme/users/u1, jobs, ", "used", Some(7)),
        repaired: true,
    },
    Damage {
        name: "held of a period",
        make: |world| world.change("counters:0", &counter(U1, "jobs"), |value| add(value, HELD, -3.0)),
        drift: "live_counter",
        told: ("tenants/acme/users/u1, jobs, ", "held", Some(-3)),
        repaired: true,
    },
    Damage {
        name: "a lifetime without a quota",
        make: |world| world.change("counters:0", &counter(TENANT, "mails"), |value| add(value, USED, -1.0)),
        drift: "live_counter",
        told: ("tenants/acme, mails, lifetime", "used", Some(-1)),
        repaired: true,
    },
    Damage {
        name: "used of a top-up",
        make: |world| world.change("counters:0", &counter(U1, "runs"), |value| add(value, TOP_UP_USED, 1.0)),
        drift: "live_counter",
        told: ("tenants/acme/users/u1, runs", "top-up used", Some(1)),
        repaired: true,
    },
    Damage {
        name: "held of a top-up",
        make: |world| world.change("counters:0", &counter(U1, "runs"), |value| add(value, TOP_UP_HELD, 2.0)),
        drift: "live_counter",
        told: ("tenants/acme/users/u1, runs", "top-up held", Some(2)),
        repaired: true,
    },
    Damage {
        name: "own",
        make: |world| world.change("counters:0", &counter(U1, "mails"), |value| add(value, OWN, 4.0)),
        drift: "live_counter",
        told: ("tenants/acme/users/u1, mails", "own", Some(4)),
        repaired: true,
    },
    Damage {
        name: "a step of a sliding window",
        make: |world| world.change("counters:0", &counter(U1, "mails"), |value| add(value, BUCKET_USED, 1.0)),
        drift: "live_counter",
        told: ("tenants/acme/users/u1, mails, the step from ", "used", Some(1)),
        repaired: true,
    },
    Damage {
        name: "a counter of the old generation",
        make: |world| {
            let field = counter(U1, "jobs");
            let mut value = world.get("counters:0", &field).unwrap();
            world.remove("counters:0", &field);
            add(&mut value, USED, 1.0);
            world.set("counters:1", &field, &value);
        },
        drift: "live_counter",
        told: ("tenants/acme/users/u1, jobs, ", "used", Some(1)),
        repaired: true,
    },
    Damage {
        name: "a counter that breaks off",
        make: |world| world.change("counters:0", &counter(U1, "mails"), |value| value.truncate(30)),
        drift: "live_counter",
        told: ("tenants/acme/users/u1, mails", "unreadable bytes", None),
        repaired: true,
    },
    Damage {
        name: "a counter that is gone although something is held",
        make: |world| world.remove("counters:0", &counter(U1, "jobs")),
        drift: "live_counter",
        told: ("tenants/acme/users/u1, jobs", "held", None),
        repaired: true,
    },
    Damage {
        name: "a reservation that is gone",
        make: |world| world.remove("reservations", &open().to_bytes()),
        drift: "live_reservation",
        told: ("tenants/acme, reservation open", "held in all", None),
        repaired: false,
    },
    Damage {
        name: "a reservation that nobody made",
        make: |world| {
            let mut other = record_of(world);
            (other.id, other.key) = ("other".into(), IdKey(7));
            world.set("reservations", &other.key.to_bytes(), &record::pack(&other));
        },
        drift: "live_reservation",
        told: ("tenants/acme, reservation other", "held in all", None),
        repaired: false,
    },
    Damage {
        name: "what a reservation holds",
        make: |world| {
            let mut other = record_of(world);
            other.charges[0].held += 5;
            world.set("reservations", &other.key.to_bytes(), &record::pack(&other));
        },
        drift: "live_reservation",
        told: ("tenants/acme, reservation open, charge 0", "held", Some(5)),
        repaired: false,
    },
    Damage {
        name: "a deadline",
        make: |world| {
            let mut other = record_of(world);
            other.expire_time = Timestamp::from_millis(other.expire_time.millis() + 1000);
            world.set("reservations", &other.key.to_bytes(), &record::pack(&other));
        },
        drift: "live_reservation",
        told: ("tenants/acme, reservation open", "deadline", Some(1000)),
        repaired: false,
    },
    Damage {
        name: "the number of open reservations",
        make: |world| {
            let meta: Vec<u8> =
                redis::cmd("GET").arg(world.key("meta")).query(&mut world.redis().connection()).unwrap();
            let mut reader = Reader::new(&meta);
            let items = reader.array().unwrap();
            assert_eq!(items, 20);
            for _ in 0..18 {
                reader.skip().unwrap();
            }
            let place = meta.len() - reader.rest().len();
            let one_more = reader.count().unwrap() as f64 + 1.0;
            let number = [&[203][..], &one_more.to_be_bytes()].concat();
            let changed = [&meta[..place], &number, reader.rest()].concat();
            redis::cmd("SET").arg(world.key("meta")).arg(changed).exec(&mut world.redis().connection()).unwrap();
        },
        drift: "live_partition",
        told: ("partition 0", "open reservations", Some(1)),
        repaired: false,
    },
];

/// Makes the second of each pair of keys what the first is.
const COPY: &str = "for at = 1, #KEYS, 2 do
    if redis.call('EXISTS', KEYS[at]) == 1 then
        redis.call('COPY', KEYS[at], KEYS[at + 1], 'REPLACE')
    else
        redis.call('DEL', KEYS[at + 1])
    end
end
return 1";

fn open() -> IdKey {
    IdKey::of(Uid::of(TENANT), IdSpace::Reservation, "open")
}

fn record_of(world: &World) -> Reservation {
    record::unpack(&world.get("reservations", &open().to_bytes()).unwrap()).unwrap()
}

#[test]
fn every_damage_is_found_and_named_and_counters_are_mended() {
    let world = World::new(2, false);
    world.worked();
    world.call("reserve", &format!("--account {U1} --meter jobs --amount 70 --id open --ttl 1h"));
    let (status, clean) = world.report(&[]);
    assert_eq!((status, &clean["clean"]), (0, &Value::from(true)), "{clean:#}");
    // In one step: a server that found no `meta` in between would load the partition anew.
    let copy = |from: &str, to: &str| {
        let keys = ["meta", "reservations", "counters:0", "counters:1"];
        let pairs = keys.iter().flat_map(|key| [world.key(&format!("{from}{key}")), world.key(&format!("{to}{key}"))]);
        let pairs: Vec<String> = pairs.collect();
        let words = ["EVAL", COPY, "8"].into_iter().chain(pairs.iter().map(String::as_str));
        let _: i64 = world.redis().ask(&words.collect::<Vec<_>>());
    };
    for damage in DAMAGES {
        let name = damage.name;
        copy("", "kept:");
        (damage.make)(&world);

        let (status, report) = world.report(&["--skip-ledger"]);
        let kinds: Vec<&str> = report["drift"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!((status, kinds.as_slice()), (1, &[damage.drift][..]), "{name}: {report:#}");
        let (place, figure, by) = damage.told;
        let found = report["findings"].as_array().unwrap().iter().find(|finding| {
            let difference = finding["kept"].as_i64().zip(finding["expected"].as_i64());
            finding["place"].as_str().unwrap().starts_with(place)
                && finding["figure"] == figure
                && difference.map(|(kept, expected)| kept - expected) == by
        });
        assert!(found.is_some(), "{name}: {report:#}");

        let (status, repaired) = world.report(&["--skip-ledger", "--repair"]);
        assert_eq!(repaired["drift"], report["drift"], "{name}: {repaired:#}");
        assert_eq!(status, i32::from(!damage.repaired), "{name}: {repaired:#}");
        if damage.repaired {
            let (status, clean) = world.report(&[]);
            assert_eq!((status, &clean["clean"]), (0, &Value::from(true)), "after {name}: {clean:#}");
            // Whoever needs it next reads it from the ledger.
            let usage = |server: &Server| {
                let output = cli(["usage", "--addr", server.grpc_addr(), "--account", U1, "--json"]);
                output.json()["meters"].clone()
            };
            assert_eq!(usage(&world.servers[0]), usage(&world.servers[1]), "after {name}");
            let (status, clean) = world.report(&["--skip-ledger"]);
            assert_eq!((status, &clean["loading"]), (0, &Value::from(0)), "after {name}: {clean:#}");
        }
        copy("kept:", "");
        let (_, clean) = world.report(&["--skip-ledger"]);
        assert_eq!(clean["clean"], true, "put back after {name}: {clean:#}");
    }
    let text = {
        (DAMAGES[0].make)(&world);
        world.verify(&["--skip-ledger"]).stdout
    };
    for part in ["DRIFT: 1 things", "counters in Redis", "tenants/acme/users/u1, jobs"] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
}
