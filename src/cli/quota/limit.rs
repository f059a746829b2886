//! Limits in one word: `day=5`, `month=unlimited`, `week=100,zone=Asia/Shanghai,anchor=FRI 01:00`, `rate=10,length=1s`.

use crate::cli::args::value;
use crate::cli::render::words;
use crate::proto::v1::limit::Value;
use crate::proto::v1::{Limit, Window, WindowKind};

const KEYS: &str = "zone=, anchor=, length= and cron=";

/// Reads `KIND=AMOUNT[,zone=ZONE][,anchor=ANCHOR][,length=TIME][,cron=EXPRESSION]`. A cron expression may have commas, so
/// it comes last.
pub(in crate::cli) fn parse(text: &str) -> Result<Limit, String> {
    let (shape, cron) = match text.split_once(",cron=") {
        Some((shape, cron)) => (shape, cron.to_owned()),
        None => (text, String::new()),
    };
    let mut parts = shape.split(',');
    let (name, amount) =
        parts.next().and_then(|first| first.split_once('=')).ok_or("a limit is KIND=AMOUNT, like day=5")?;
    let kind = kinds().find(|kind| name_of(*kind) == name);
    let kind =
        kind.ok_or_else(|| format!("{name:?} is no window: {}", kinds().map(name_of).collect::<Vec<_>>().join(", ")))?;
    let amount = match amount {
        "unlimited" => Value::Unlimited(true),
        amount => Value::Amount(value::amount(amount)?),
    };
    let mut window = Window { kind: kind.into(), cron, ..Default::default() };
    for part in parts {
        match part.split_once('=') {
            Some(("zone", zone)) => window.time_zone = zone.to_owned(),
            Some(("anchor", anchor)) => window.anchor = anchor.to_owned(),
            Some(("length", length)) => window.length = Some(value::duration(length)?.into()),
            _ => return Err(format!("{part:?} is out of place: after the amount come {KEYS}")),
        }
    }
    Ok(Limit { window: Some(window), value: Some(amount) })
}

/// Every kind of window.
fn kinds() -> impl Iterator<Item = WindowKind> {
    (1..).map_while(|number| WindowKind::try_from(number).ok())
}

/// A kind's name on the command line and in tables: `lifetime`.
fn name_of(kind: WindowKind) -> String {
    words(kind.as_str_name(), "WINDOW_KIND_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read() {
        let limit = parse("week=100,zone=Asia/Shanghai,anchor=FRI 01:00").unwrap();
        let window = limit.window.unwrap();
        assert_eq!((window.kind(), window.time_zone.as_str()), (WindowKind::Week, "Asia/Shanghai"));
        assert_eq!((window.anchor.as_str(), limit.value), ("FRI 01:00", Some(Value::Amount(100))));
        assert_eq!(parse("month=unlimited").unwrap().value, Some(Value::Unlimited(true)));
        assert_eq!(parse("cron=7,zone=UTC,cron=0 1,13 * * *").unwrap().window.unwrap().cron, "0 1,13 * * *");
        assert_eq!(parse("rate=10,length=1500ms").unwrap().window.unwrap().length.unwrap().nanos, 500_000_000);
    }

    #[test]
    fn a_bad_one_says_what_to_write() {
        for (text, part) in [
            ("day", "KIND=AMOUNT"),
            ("decade=5", "lifetime, minute"),
            ("day=-5", "negative"),
            ("day=1.5", "whole number"),
            ("day=", "digits only"),
            ("day=5,tz=UTC", "out of place"),
            ("rate=5,length=1", "needs a unit"),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }
}
