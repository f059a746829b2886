//! `quotad debug key`: each of our keys, found by names and shown in readable form.

use crate::support::redis::RedisServer;
use crate::support::{Output, cli};
use quotad::domain::name::{IdKey, IdSpace, MeterName, Uid};
use quotad::domain::reservation::{Flags, Reservation, State};
use quotad::domain::time::Timestamp;
use quotad::store::redis::{pack::Writer, record};

const TENANT: &str = "tenants/acme";
const USER: &str = "tenants/acme/users/u1";
const NOW: i64 = 1_790_000_000_123;

fn debug(server: &RedisServer, args: &[&str]) -> Output {
    cli(["debug", "key"].iter().chain(args).chain(&["--redis-url", &server.url()]))
}

fn packed(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut out = Writer::default();
    write(&mut out);
    out.finish()
}

fn set(server: &RedisServer, words: &[&[u8]]) {
    let mut command = redis::cmd(std::str::from_utf8(words[0]).unwrap());
    for word in &words[1..] {
        command.arg(*word);
    }
    command.exec(&mut server.connection()).unwrap();
}

fn reservation() -> Reservation {
    Reservation {
        tenant: Uid::of(TENANT),
        tenant_name: TENANT.into(),
        id: "r1".into(),
        key: IdKey::of(Uid::of(TENANT), IdSpace::Reservation, "r1"),
        fingerprint: 0xabc,
        state: State::Held,
        flags: Flags::default(),
        create_time: Timestamp::from_millis(NOW),
        expire_time: Timestamp::from_millis(NOW + 60_000),
        charges: Vec::new(),
        labels: vec![("team".into(), "red".into())],
        requests: Vec::new(),
    }
}

#[test]
fn keys_are_shown_by_name() {
    let server = RedisServer::start();
    let held = reservation();
    let (key, record) = (held.key.0.to_be_bytes(), record::pack(&held));
    let time = Timestamp::from_millis(NOW);

    let meta = packed(|out| {
        out.array(20).int(1).uint(3).bytes(b"run").bytes(b"repl").flag(true).time(time).uint(42).uint(40);
        out.time(Timestamp::MIN).time(Timestamp::MIN).uint(7).uint(0).time(time).uint(1).time(time);
        for _ in 0..2 {
            out.array(3).uint(1).uint(2).uint(3);
        }
        out.int(NOW / 1000).uint(1).uint(2);
    });
    set(&server, &[b"SET", b"quotad:{p0}:meta", &meta]);
    set(&server, &[b"HSET", b"quotad:{p0}:reservations", &key, &record]);
    let outcome = packed(|out| {
        out.array(3).word(0xabc).uint(41).time(time);
    });
    set(&server, &[b"HSET", b"quotad:{p0}:outcomes:1", &[b"r", &key[..]].concat(), &outcome]);
    let mut value = vec![1, 1];
    let doubles = |value: &mut Vec<u8>, all: &[i64]| {
        all.iter().for_each(|number| value.extend((*number as f64).to_le_bytes()));
    };
    doubles(&mut value, &[5, 0, 17]);
    value.push(1);
    value.extend([0, 0, 0, 0, 0, 0, 0, 9, 0]);
    doubles(&mut value, &[NOW, NOW + 1000, 12, 4]);
    let meter = "training.runs".parse::<MeterName>().unwrap().id();
    let field = [Uid::of(USER).to_bytes().to_vec(), meter.0.to_be_bytes().to_vec()].concat();
    set(&server, &[b"HSET", b"quotad:{p0}:counters:0", &field, &value]);
    let entry = packed(|out| {
        out.array(3).int(1).time(time).array(1);
        out.array(7).uid(held.tenant).uint(7).int(1).nothing().bytes(&record).array(0).bytes(b"");
    });
    set(&server, &[b"XADD", b"quotad:{p0}:journal:3", b"42-0", b"e", &entry]);

    let json = |args: &[&str]| {
        let args: Vec<&str> = args.iter().chain(&["--json"]).copied().collect();
        let output = debug(&server, &args);
        assert_eq!(output.status, Some(0), "{args:?}: {output:?}");
        output.json()
    };
    let meta = json(&["p0:meta"]);
    assert_eq!((&meta["incarnation"], &meta["seq"], &meta["open"]), (&3.into(), &42.into(), &true.into()), "{meta}");
    let counter = json(&["p0:counters:0", "--account", USER, "--meter", "training.runs"]);
    assert_eq!((&counter["own"], &counter["windows"][0]["used"]), (&17.into(), &12.into()), "{counter}");
    let listed = json(&["{p0}:counters:0"]);
    let name = listed["some"].as_object().unwrap().keys().next().unwrap().clone();
    assert_eq!((&listed["fields"], json(&["p0:counters:0", "--field", &name])), (&1.into(), counter));
    let shown = json(&["quotad:{p0}:reservations", "--tenant", TENANT, "--id", "r1"]);
    assert_eq!((&shown["id"], &shown["state"], &shown["labels"][0][1]), (&"r1".into(), &"Held".into(), &"red".into()));
    let outcome = json(&["p0:outcomes:1", "--tenant", TENANT, "--id", "r1"]);
    assert_eq!((&outcome["seq"], &outcome["fingerprint"]), (&41.into(), &"0000000000000abc".into()));
    let entry = json(&["p0:journal:3", "--seq", "42"]);
    assert_eq!(
        (&entry["effects"][0]["kind"], &entry["effects"][0]["reservation"]["id"]),
        (&"Reserve".into(), &"r1".into())
    );

    let text = debug(&server, &["p0:meta"]);
    assert!(text.stdout.contains("incarnation: 3\n"), "{text:?}");
    assert_eq!(debug(&server, &["p0:journal:3", "--seq", "43"]).status, Some(1));
    assert_eq!(debug(&server, &["p1:meta"]).status, Some(1));
    let foreign = debug(&server, &["p0:nonsense"]);
    assert!(foreign.status == Some(2) && foreign.stderr.contains("none of quotad's keys"), "{foreign:?}");
    assert_eq!(cli(["debug", "key", "p0:meta"]).status, Some(2));
}
