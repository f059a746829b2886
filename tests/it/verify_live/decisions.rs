//! What is decided after a repair, and what is not looked at at all.

use super::world::{TENANT, U1, USED, WINDOW, World, add, counter};
use crate::support::{Options, Server, cli};
use quotad::domain::time::Timestamp;
use quotad::proto::v1::{Charge, ConsumeRequest, consume_response};
use serde_json::Value;

/// A counter that lets too much in, or too little, decides rightly once it is mended; the period of yesterday's hold, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_repair_the_next_decision_is_right() {
    let world = World::new(1, true);
    let server = &world.servers[0];
    // Beyond the present, from which a store's time does not go back: noon of the first of January 2100.
    let noon = |hours: i64| Timestamp::from_millis(4_102_488_000_000 + hours * 3_600_000);
    server.set_clock(noon(0)).await;
    let fits = async |amount: i64| {
        let charges =
            vec![Charge { account: U1.into(), meter: "jobs".into(), amount: Some(amount), ..Charge::default() }];
        let request = ConsumeRequest { tenant: TENANT.into(), charges, ..ConsumeRequest::default() };
        let outcome = server.quota().consume(request).await.unwrap().into_inner().outcome.unwrap();
        matches!(outcome, consume_response::Outcome::Granted(_))
    };
    tokio::task::block_in_place(|| {
        world.call("reserve", &format!("--account {U1} --meter jobs --amount 100 --id open --ttl 24h"));
    });
    server.set_clock(noon(23)).await;
    assert!(fits(400_000).await);
    let field = counter(U1, "jobs");
    // Its periods are the lifetime, yesterday (something is held) and today; the last is today's.
    world.change("counters:0", &field, |value| {
        assert_eq!((value[WINDOW - 1], value.len()), (3, WINDOW + 3 * 41));
        for place in 0..3 {
            add(value, USED + 41 * place, 99_000.0);
        }
    });
    assert!(!fits(2_000).await, "the damage denies");
    let (status, report) = tokio::task::block_in_place(|| world.report(&["--repair"]));
    assert_eq!(
        (status, &report["drift"]["live_counter"], &report["repaired"]),
        (0, &3.into(), &3.into()),
        "{report:#}"
    );
    for place in ["lifetime", "from 2100-01-01", "from 2100-01-02"] {
        let listed = report["findings"].as_array().unwrap();
        let named = listed.iter().any(|finding| finding["place"].as_str().unwrap().contains(place));
        assert!(named, "{place}: {report:#}");
    }
    assert!(world.get("counters:0", &field).is_none() && world.get("counters:1", &field).is_none());
    assert!(!fits(100_001).await && fits(100_000).await && !fits(1).await, "what is true decides");
    tokio::task::block_in_place(|| {
        world.call("commit", "--tenant tenants/acme --id open");
        let (status, clean) = world.report(&[]);
        assert_eq!((status, &clean["clean"]), (0, &Value::from(true)), "{clean:#}");
    });
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let world = World::new(1, false);
    let (url, prefix) = world.options.redis_place().unwrap();
    let other = Server::start(world.shared.installation(Options::new()));
    let others = world.shared.postgres.as_ref().unwrap().fresh_database();
    let place = ["verify", "--redis-url", url, "--redis-prefix"];
    let refused = |prefix: &str, database: &str| {
        let output = cli(place.iter().chain(&[prefix, "--database-url", database, "--skip-ledger"]));
        assert_eq!(output.status, Some(2), "{output:?}");
        output.stderr
    };
    let wrong = refused("i1:", world.options.database_url().unwrap());
    assert!(wrong.contains("do not belong together"), "{wrong}");
    let nobody = refused(prefix, &others);
    assert!(nobody.contains("no server has started on this database"), "{nobody}");
    drop(other);
    let away = cli(["verify", "--redis-url", "redis://127.0.0.1:1", "--database-url", &others, "--skip-ledger"]);
    assert_eq!(away.status, Some(2), "{away:?}");
    assert_eq!(cli(["verify", "--skip-ledger"]).status, Some(2), "there is nothing else to look at");
}
