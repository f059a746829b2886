//! Reading and judging the file: every fault with its line, ids that stay, and use that would count in a wrong period.

use super::check::{AllLimits, Limits, misplaced};
use super::file::uses;
use super::row::{Since, Use};
use super::{csv, record, summary};
use crate::cli::render::View;
use crate::domain::window::WindowKind;
use crate::proto::v1::WindowUsage;

const HEAD: &str = "account,meter,amount";

fn one(text: &str) -> Use {
    uses(text, "opening").unwrap().remove(0)
}

fn faults(text: &str) -> Vec<(usize, String)> {
    uses(text, "opening").unwrap_err()
}

#[test]
fn commas_quotes_and_line_endings() {
    let text = "a,b\r\n\"x,\"\"y\"\"\n z\", p \r\n\n,\"\"\nlast,";
    let found = csv::records(text).unwrap();
    let fields = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>();
    let expected = [(1, ["a", "b"]), (2, ["x,\"y\"\n z", "p"]), (5, ["", ""]), (6, ["last", ""])];
    assert_eq!(found, expected.map(|(line, record)| (line, fields(&record))));
    assert_eq!(csv::records("a\n\"b").unwrap_err(), (2, "a quote is not closed".to_owned()));
    assert_eq!(csv::records("a,\"b\"c").unwrap_err().0, 1);
    assert_eq!(csv::records("").unwrap(), []);
}

#[test]
fn both_forms_say_the_same() {
    let head = "tenant,account,meter,amount,item,also,time,period,request_id";
    let comma = format!(
        "\u{feff}{head}\ntenants/t,tenants/t/users/u,llm.cost,9007199254740991,gpt,\
         tenants/t/projects/p tenants/t/pools/q,,month,q1\n"
    );
    let json = r#"
        {"account":"tenants/t/users/u","meter":"llm.cost","amount":"9007199254740991","item":"gpt",
         "also":["tenants/t/projects/p","tenants/t/pools/q"],"period":"month","request_id":"q1","tenant":"tenants/t"}"#;
    let json = json.replace("\n         ", "").trim().to_owned();
    let (left, right) = (one(&comma), one(&json));
    assert_eq!((left.line, right.line), (2, 1));
    assert_eq!(left, Use { line: 2, ..right });
    assert_eq!(left.amount(), 9_007_199_254_740_991);
    assert_eq!(left.since, Since::Period(WindowKind::Month));
    assert_eq!(left.path, ["tenants/t", "tenants/t/pools/q", "tenants/t/projects/p", "tenants/t/users/u"]);
    let number = one(r#"{"account":"tenants/t/users/u","meter":"m","amount":7,"time":"2026-11-01T01:00:00+01:00"}"#);
    assert_eq!((number.amount(), number.since), (7, Since::Time(1_793_491_200_000)));
    assert_eq!(number.tenant, "tenants/t");
}

#[test]
fn every_fault_is_named_with_its_line() {
    let head = "tenant,account,meter,amount,item,also,time,period,request_id";
    let cases = [
        (format!("{head}\n,tenants/t/users,m,1,,,,,"), 2, "account must be pairs"),
        (format!("{head}\ntenants/x,tenants/t/users/u,m,1,,,,,"), 2, "account must begin with the tenant"),
        (format!("{head}\ntenants,tenants/t,m,1,,,,,"), 2, "tenant must be pairs"),
        (format!("{head}\n,tenants/t,m,1,,tenants/x,,,"), 2, "also must begin with the tenant"),
        (format!("{head}\n,tenants/t,M,1,,,,,"), 2, "meter a meter is lower-case"),
        (format!("{head}\n,tenants/t,m,-1,,,,,"), 2, "can't be negative"),
        (format!("{head}\n,tenants/t,m,1.5,,,,,"), 2, "without decimals"),
        (format!("{head}\n,tenants/t,m,,,,,,"), 2, "amount \"\""),
        (format!("{head}\n,tenants/t,m,9007199254740992,,,,,"), 2, "greatest amount, 9007199254740991"),
        (format!("{head}\n,tenants/t,m,1,a b,,,,"), 2, "item must be"),
        (format!("{head}\n,tenants/t,m,1,,,yesterday,,"), 2, "is not like 2026-"),
        (format!("{head}\n,tenants/t,m,1,,,,fortnight,"), 2, "is no kind of window"),
        (format!("{head}\n,tenants/t,m,1,,,,rate,"), 2, "has no beginning"),
        (format!("{head}\n,tenants/t,m,1,,,2026-11-01T00:00:00Z,day,"), 2, "exclude each other"),
        (format!("{head}\n,tenants/t,m,1"), 2, "has 4 fields, the first line 9"),
        (format!("{head}\n,tenants/t,m,1,,,,,q\n,tenants/t,m,2,,,,,q"), 3, "has the request_id of line 2"),
        ("account,meter,sum\n".to_owned(), 1, "\"sum\" is no column"),
        ("account,meter\n".to_owned(), 1, "amount is missing"),
        (format!("{HEAD},meter\n"), 1, "stands twice"),
        ("{\"account\":\"tenants/t\"\n".to_owned(), 1, "EOF"),
        ("\n{\"acount\":\"tenants/t\"}\n".to_owned(), 2, "unknown field `acount`"),
        ("{\"account\":\"tenants/t\",\"meter\":\"m\",\"amount\":1.0}\n".to_owned(), 1, "without decimals"),
        ("{\"account\":\"tenants/t\",\"meter\":\"m\",\"amount\":true}\n".to_owned(), 1, "must be a number"),
    ];
    for (text, line, part) in cases {
        let found = faults(&text);
        assert!(found.iter().any(|(at, what)| *at == line && what.contains(part)), "{part:?}: {text:?}: {found:?}");
    }
    let several = faults(&format!("{HEAD}\ntenants/t,M,x\ntenants/t,m,1\ntenants,m,1\n"));
    assert_eq!(several.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 2, 4], "{several:?}");
}

#[test]
fn a_line_keeps_its_id_and_no_two_lines_share_one() {
    let text = format!("{HEAD}\ntenants/t,m,1\ntenants/t,m,1\ntenants/t,m,11\ntenants/t/u/m,m,1\n");
    let ids = |text: &str, name: &str| uses(text, name).unwrap().into_iter().map(|used| used.id).collect::<Vec<_>>();
    let first = ids(&text, "opening");
    assert_eq!(first, ids(&text, "opening"));
    let mut all = first.clone();
    all.extend(ids(&text, "again"));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 8, "{all:?}");
    // In another order, and beside other lines, each is still the same.
    let moved = format!("{HEAD}\ntenants/t/u/m,m,1\ntenants/t,m,1\n");
    assert_eq!(ids(&moved, "opening"), [first[3].clone(), first[0].clone()]);
    // Its own id stands for all that it says.
    let own = |amount: u32| one(&format!("{HEAD},request_id\ntenants/t,m,{amount},q\n")).id;
    assert_eq!(own(1), own(2));
    assert!(crate::domain::name::is_caller_id(&own(1)));
}

fn window(kind: &str, start: Option<i64>) -> WindowUsage {
    let start_time = start.map(|seconds| pbjson_types::Timestamp { seconds, nanos: 0 });
    WindowUsage { window: kind.to_owned(), limit: Some(10), start_time, ..Default::default() }
}

fn limits(of: &[(&str, Vec<WindowUsage>)]) -> AllLimits {
    let entry = |(account, windows): &(&str, Vec<WindowUsage>)| {
        (((*account).to_owned(), "m".to_owned()), Limits { as_of: 5_000_000, windows: windows.clone() })
    };
    of.iter().map(entry).collect()
}

#[test]
fn use_is_refused_where_it_would_count_in_a_later_period() {
    let line = |since: &str| one(&format!("{HEAD},time,period\ntenants/t/users/u,m,1,{since}\n"));
    let user = "tenants/t/users/u";
    let open = limits(&[("tenants/t", vec![]), (user, vec![window("lifetime", None)])]);
    let month = limits(&[("tenants/t", vec![window("month", Some(1000))]), (user, vec![window("lifetime", None)])]);
    let both = limits(&[("tenants/t", vec![window("month", Some(1000)), window("day", Some(4000))]), (user, vec![])]);
    let rate = limits(&[("tenants/t", vec![]), (user, vec![window("rate", Some(0))])]);
    let cases = [
        (",", &both, None),
        (",", &rate, None),
        (",lifetime", &open, None),
        (",lifetime", &month, Some("the month of tenants/t that began at 1970-01-01T00:16:40Z")),
        (",month", &month, None),
        (",month", &both, Some("the day of tenants/t that began at 1970-01-01T01:06:40Z")),
        (",month", &open, Some("no month limit counts it")),
        (",day", &both, None),
        (",lifetime", &rate, Some("would count in the rate limit of tenants/t/users/u as of now")),
        ("1970-01-01T00:16:39Z,", &month, Some("the month of tenants/t")),
        ("1970-01-01T00:16:40Z,", &month, None),
        ("1970-01-01T01:06:40Z,", &both, None),
        ("1970-01-01T01:23:21Z,", &open, Some("lies in the future")),
        ("1970-01-01T00:00:00Z,", &open, None),
    ];
    for (since, limits, expected) in cases {
        let found = misplaced(&line(since), limits);
        match expected {
            None => assert_eq!(found, None, "{since} {limits:?}"),
            Some(part) => assert!(found.as_ref().is_some_and(|why| why.contains(part)), "{since}: {found:?}"),
        }
    }
}

#[test]
fn the_summary_adds_up() {
    let text = format!("{HEAD}\ntenants/a,m,9007199254740991\ntenants/a,m,9007199254740991\ntenants/b,n,0\n");
    let uses = uses(&text, "opening").unwrap();
    let view = View { unicode: false, now: 0 };
    let outcome = record::Outcome { recorded: 1, repeated: 2, ..Default::default() };
    let done = summary::answer(view, "f", &uses, Some(&outcome)).unwrap();
    assert!(done.text.contains("recorded 1 lines; 2 had been recorded before"), "{}", done.text);
    assert!(done.text.contains("18014398509481982"), "{}", done.text);
    let json: serde_json::Value = serde_json::from_str(&done.json).unwrap();
    assert_eq!((&json["recorded"], &json["recordedBefore"], &json["dryRun"]), (&1.into(), &2.into(), &false.into()));
    assert_eq!(json["meters"][0]["amount"], "18014398509481982");
    let dry = summary::answer(view, "f", &uses, None).unwrap();
    assert!(dry.text.starts_with("3 lines are well; nothing was recorded (dry run)"), "{}", dry.text);
}
