//! The command line: what is read, what is refused and how, and what people and programs get to see.

use super::args::value;
use super::output::{Answer, Fault, canonical, error_json, error_text};
use super::render::{self, Aside, View};
use super::{Cli, TenantArgs};
use crate::client::{Error, FieldViolation, StatusError};
use crate::proto::v1::*;
use clap::{CommandFactory, Parser};
use pbjson_types::Timestamp;
use std::time::Duration;

const VIEW: View = View { unicode: false, now: 1_792_000_000 };

fn parse(line: &str) -> Result<Cli, String> {
    Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string())
}

fn charges(line: &str) -> Vec<Charge> {
    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        charges: super::ChargeArgs,
    }
    Only::parse_from(line.split_whitespace()).charges.charges()
}

fn charge(meter: &str, amount: Option<i64>) -> Charge {
    Charge { account: "tenants/acme/users/u1".into(), meter: meter.into(), amount, ..Default::default() }
}

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 250_000_000 })
}

#[test]
fn the_commands_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn charges_in_one_word_and_by_options() {
    let full =
        "x --charge tenants/acme/users/u1,llm.cost,500,item=gpt,also=tenants/acme/projects/p,also=tenants/acme/pools/q";
    let expected = Charge {
        item: "gpt".into(),
        also: vec!["tenants/acme/projects/p".into(), "tenants/acme/pools/q".into()],
        ..charge("llm.cost", Some(500))
    };
    assert_eq!(charges(full), std::slice::from_ref(&expected));
    let options = "x --account tenants/acme/users/u1 --meter llm.cost --amount 500 --item gpt \
                   --also tenants/acme/projects/p --also tenants/acme/pools/q";
    assert_eq!(charges(options), [expected]);
    let priced = Charge {
        item: "gpt".into(),
        service: "chat".into(),
        quantities: [("input".into(), 1200), ("output".into(), 300)].into(),
        ..charge("llm.cost", None)
    };
    for line in [
        "x --charge tenants/acme/users/u1,llm.cost,item=gpt,service=chat,input=1200,output=300",
        "x --account tenants/acme/users/u1 --meter llm.cost --item gpt --service chat --quantity input=1200 --quantity output=300",
    ] {
        assert_eq!(charges(line), std::slice::from_ref(&priced));
    }
    let two = "x --charge tenants/acme/users/u1,a --charge tenants/acme/users/u1,b,0";
    assert_eq!(charges(two), [charge("a", None), charge("b", Some(0))]);
}

#[test]
fn wrong_charges_say_what_to_write() {
    for (text, part) in [
        ("--charge a", "a charge is ACCOUNT,METER"),
        ("--charge ,m", "neither may be empty"),
        ("--charge a,m,1.5", "without decimals"),
        ("--charge a,m,item=x,5", "out of place"),
        ("--charge a,m,1,unit=x", "unit= needs a whole number"),
        ("--charge a,m,input=1,input=2", "input= stands there twice"),
        ("--charge a,m,service=x,service=y", "one service"),
        ("--account a --meter m --quantity input", "COMPONENT=N"),
        ("--charge a,m,item=x,item=y", "one item"),
        ("--account a --meter m --amount -1", "can't be negative"),
        ("--account a --meter m --amount 1.5", "without decimals"),
        ("--account a --meter m --amount 1e3", "digits only"),
        ("--account a --meter m --amount 9223372036854775808", "greatest amount"),
        ("--account a --amount 1", "--meter"),
        ("--account a --meter m --charge a,m", "cannot be used with"),
        ("--account a --meter m --ttl 60", "needs a unit"),
        ("--account a --meter m --ttl 0s", "above zero"),
        ("--account a --meter m --ttl soon", "60s, 5m"),
        ("--account a --meter m --label x", "key=value"),
    ] {
        let error = parse(&format!("quotad reserve {text}")).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn lengths_of_time() {
    let millis = |text: &str| value::duration(text).map(|time| time.as_millis());
    assert_eq!(millis("60s"), Ok(60_000));
    assert_eq!(millis("5m"), Ok(300_000));
    assert_eq!(millis("1h30m"), Ok(5_400_000));
    assert_eq!(millis("500ms"), Ok(500));
    assert!(millis("-5s").is_err() && millis("").is_err());
    assert_eq!(value::amount("9007199254740991"), Ok(9_007_199_254_740_991));
    assert!(parse("quotad usage --account tenants/a --timeout 250ms --json --addr localhost:1").is_ok());
}

#[test]
fn the_tenant_is_named_or_taken_from_the_account_or_the_environment() {
    let none = TenantArgs::default();
    let named = TenantArgs { tenant: Some("tenants/x".into()) };
    let variable = || Some("tenants/env".to_owned());
    assert_eq!(named.choose(Some("tenants/acme/users/u1"), variable()).unwrap(), "tenants/x");
    assert_eq!(none.choose(Some("tenants/acme/users/u1"), variable()).unwrap(), "tenants/acme");
    assert_eq!(none.choose(None, variable()).unwrap(), "tenants/env");
    assert!(none.choose(None, None).unwrap_err().to_string().contains("QUOTAD_TENANT"));
    assert!(none.choose(Some("acme"), None).unwrap_err().to_string().contains("tenants/acme/users/u1"));
}

fn status(result: Result<Cli, std::process::ExitCode>) -> String {
    format!("{:?}", result.map_or_else(|status| status, super::run))
}

#[test]
fn exit_status_of_wrong_command_lines_and_of_a_server_that_is_not_there() {
    let (ok, failed) =
        (format!("{:?}", std::process::ExitCode::SUCCESS), format!("{:?}", std::process::ExitCode::from(1)));
    assert_eq!(status(super::parse(["quotad", "--version"])), ok);
    assert_eq!(status(super::parse(["quotad", "reserve", "--help"])), ok);
    assert_eq!(status(super::parse(["quotad", "reserv"])), failed);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    assert_eq!(status(super::parse(["quotad", "usage", "--account", "tenants/a", "--addr", &address])), failed);
    assert_eq!(
        status(super::parse(["quotad", "release", "--id", "r", "--tenant", "tenants/a", "--addr", "x"])),
        failed
    );
}

#[test]
fn a_denial_is_an_exit_status_of_its_own() {
    let response = CheckResponse { outcome: Some(check_response::Outcome::Denied(Denial::default())) };
    let answer = Answer::new(&response, "denied: it does not fit".into()).unwrap();
    let status = |denied: bool, json: bool| {
        let note = denied.then(|| "request id q".to_owned());
        let answer = Answer { denied, note, text: answer.text.clone(), json: answer.json.clone() };
        format!("{:?}", super::output::print(&answer, json))
    };
    let (done, denied) = (std::process::ExitCode::SUCCESS, std::process::ExitCode::from(2));
    assert_eq!([status(false, false), status(false, true)], [format!("{done:?}"), format!("{done:?}")]);
    assert_eq!([status(true, false), status(true, true)], [format!("{denied:?}"), format!("{denied:?}")]);
}

fn reservation(state: ReservationState, held: i64, committed: i64) -> Reservation {
    let charge = charge("training.runs", Some(3));
    Reservation {
        tenant: "tenants/acme".into(),
        reservation_id: "r1".into(),
        state: state.into(),
        create_time: at(VIEW.now),
        expire_time: if held > 0 { at(VIEW.now + 60) } else { None },
        committed: vec![ChargeState {
            account: charge.account.clone(),
            meter: charge.meter.clone(),
            held,
            committed,
            ..Default::default()
        }],
        charges: vec![charge],
        labels: [("job".to_owned(), "j1".to_owned())].into(),
        ..Default::default()
    }
}

#[test]
fn a_reservation_in_a_sentence() {
    let say = |reservation: &Reservation, replayed| {
        render::outcome(&VIEW, reservation, &Aside::new(Durability::Journaled, replayed))
    };
    use ReservationState::{Committed, Held, PartiallyCommitted, Released};
    assert_eq!(
        say(&reservation(Held, 3, 0), false),
        "held 3 training.runs on tenants/acme/users/u1 (reservation r1, expires in 60 s at 2026-10-14T17:47:40Z, journaled)"
    );
    assert_eq!(
        say(&reservation(PartiallyCommitted, 2, 1), false),
        "committed 1 training.runs on tenants/acme/users/u1, 2 still held (reservation r1, expires in 60 s at \
         2026-10-14T17:47:40Z, journaled)"
    );
    let late = Reservation { late: true, overrun: true, ..reservation(Committed, 0, 5) };
    assert_eq!(
        say(&late, true),
        "committed 5 training.runs on tenants/acme/users/u1 (reservation r1, journaled, replayed, overrun, late)"
    );
    assert_eq!(
        say(&reservation(Released, 0, 0), false),
        "released 3 training.runs on tenants/acme/users/u1 (reservation r1, journaled)"
    );
}

#[test]
fn a_reservation_in_full_and_many_in_a_table() {
    let held = reservation(ReservationState::Held, 3, 0);
    let text = render::reservation(&VIEW, &held);
    assert_eq!(
        text,
        "reservation r1 of tenants/acme: held
  created  2026-10-14T17:46:40Z
  expires  in 60 s at 2026-10-14T17:47:40Z
  labels   job=j1
+-----------------------+---------------+------+----------+------+-----------+-------+
| account               | meter         | item | reserved | held | committed | freed |
+====================================================================================+
| tenants/acme/users/u1 | training.runs |      |        3 |    3 |         0 |     0 |
+-----------------------+---------------+------+----------+------+-----------+-------+"
    );
    let page = ListReservationsResponse { reservations: vec![held; 2], next_page_token: "t".into() };
    let text = render::reservations(&VIEW, &page);
    assert_eq!(text.matches("| r1 ").count(), 2);
    assert!(text.ends_with("there are more: raise --limit"));
}

#[test]
fn a_denial_shows_every_limit_in_the_way() {
    let violation = |window: &str, reset_time| Violation {
        account: "tenants/acme".into(),
        meter: "training.runs".into(),
        window: window.into(),
        limit: Some(10),
        used: 8,
        held: 2,
        remaining: 0,
        requested: 1,
        reset_time,
        cause: Cause::HeldByOthers.into(),
        advice: "Wait, or ask for more.".into(),
    };
    let denial = Denial {
        message: "training.runs of tenants/acme is used up".into(),
        violations: vec![violation("day", at(VIEW.now)), violation("lifetime", None)],
        tried_pools: vec!["tenants/acme/pools/b".into()],
    };
    assert_eq!(
        render::denial(&VIEW, &denial),
        "denied: training.runs of tenants/acme is used up
+--------------+---------------+----------+-------+------+------+-----------+-----------+----------------------+----------------+
| account      | meter         | window   | limit | used | held | remaining | requested | resets               | cause          |
+===============================================================================================================================+
| tenants/acme | training.runs | day      |    10 |    8 |    2 |         0 |         1 | 2026-10-14T17:46:40Z | held by others |
| tenants/acme | training.runs | lifetime |    10 |    8 |    2 |         0 |         1 | -                    | held by others |
+--------------+---------------+----------+-------+------+------+-----------+-----------+----------------------+----------------+
no room either: tenants/acme/pools/b
advice: Wait, or ask for more."
    );
}

#[test]
fn usage_and_changes() {
    let window = |limit: Option<i64>, origin: LimitOrigin| WindowUsage {
        window: "month".into(),
        limit,
        origin: origin.into(),
        origin_subject: if limit.is_some() { "plans/vip".into() } else { String::new() },
        used: 1,
        remaining: limit.map(|limit| limit - 1),
        available: limit.map(|limit| limit - 1),
        percent: limit.map(|limit| 100.0 / limit as f64),
        state: UsageState::Normal.into(),
        ..Default::default()
    };
    let windows = vec![window(Some(3), LimitOrigin::Plan), window(None, LimitOrigin::Unspecified)];
    let meters = vec![MeterUsage { meter: "m".into(), windows, ..Default::default() }];
    let response = GetUsageResponse { account: "tenants/acme".into(), meters, as_of: at(VIEW.now) };
    assert_eq!(
        render::usage(&VIEW, &response),
        "usage of tenants/acme at 2026-10-14T17:46:40Z
+-------+--------+-----------+-----------+------+------+-----------+-----------+------+--------+--------+
| meter | window |     limit | origin    | used | held | remaining | available |    % | state  | resets |
+=======================================================================================================+
| m     | month  |         3 | plans/vip |    1 |    0 |         2 |         2 | 33.3 | normal | -      |
| m     | month  | unlimited | -         |    1 |    0 |         - |         - |    - | normal | -      |
+-------+--------+-----------+-----------+------+------+-----------+-----------+------+--------+--------+"
    );
    let change = CatalogChange {
        kind: ChangeKind::Update.into(),
        subject: "quota tenants/acme m".into(),
        before: "3".into(),
        after: "4".into(),
    };
    let response = ApplyResponse { changes: vec![change], etag: "e1".into() };
    assert_eq!(render::changes(&response, true), "~ quota tenants/acme m: 3 -> 4\n1 change would be made (etag e1)");
}

#[test]
fn json_is_canonical() {
    let mut held = reservation(ReservationState::Held, 3, 0);
    held.labels = [("createTime".to_owned(), "2026-01-01T00:00:00+00:00".to_owned())].into();
    let response = ReserveResponse {
        outcome: Some(reserve_response::Outcome::Granted(held)),
        durability: Durability::Journaled.into(),
        ..Default::default()
    };
    let text = canonical(&response).unwrap();
    assert!(text.contains(r#""createTime": "2026-10-14T17:46:40.250Z""#), "{text}");
    assert!(text.contains(r#""createTime": "2026-01-01T00:00:00+00:00""#), "labels stay: {text}");
    assert!(text.contains(r#""state": "RESERVATION_STATE_HELD""#) && text.contains(r#""amount": "3""#), "{text}");
    let entry = canonical(&AuditEntry { time: at(VIEW.now), ..Default::default() }).unwrap();
    assert!(entry.contains(r#""time": "2026-10-14T17:46:40.250Z""#), "{entry}");
    let back: ReserveResponse = serde_json::from_str(&text).unwrap();
    assert_eq!(back, response);
}

#[test]
fn errors_for_people_and_programs() {
    let field = |field: &str| FieldViolation { field: field.into(), description: "must not be empty".into() };
    let error = Error::Status(Box::new(StatusError {
        code: tonic::Code::InvalidArgument,
        message: "2 fields are wrong".into(),
        reason: "INVALID_FIELD".into(),
        metadata: Default::default(),
        violations: vec![field("tenant"), field("charges[0].account")],
        retry_after: Some(Duration::ZERO),
    }));
    let fault = Fault::of_write(error, "--request-id q".into());
    assert_eq!(
        error_text(&fault),
        "error: INVALID_ARGUMENT (INVALID_FIELD)\n  tenant: must not be empty\n  charges[0].account: must not be empty"
    );
    let json: serde_json::Value = serde_json::from_str(&error_json(&fault)).unwrap();
    assert_eq!(json["error"]["reason"], "INVALID_FIELD");
    assert_eq!(json["error"]["violations"][1]["field"], "charges[0].account");

    let away = Error::Connect { address: "h:1".into(), message: "Connection refused".into() };
    let fault = Fault::of_write(away, "--id r --request-id q".into());
    assert_eq!(
        error_text(&fault),
        "error: cannot reach the server at h:1: Connection refused\nto repeat it safely, add --id r --request-id q"
    );
    assert!(error_json(&fault).contains(r#""repeat": "--id r --request-id q""#));
}

#[test]
fn a_retention_is_not_shorter_than_ids_are_remembered() {
    assert!(parse("quotad serve --ledger-retention 35").is_ok() && parse("quotad serve").is_ok());
    for days in ["34", "0", "-1", "x"] {
        let error = parse(&format!("quotad serve --ledger-retention={days}")).unwrap_err();
        assert!(error.contains("--ledger-retention"), "{error}");
    }
}
