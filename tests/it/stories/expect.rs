//! Whether an answer is what a story expects.

use super::parse::words;

/// Words whose next word is their value.
const KEYS: &[&str] = &[
    "advice",
    "available",
    "cost",
    "created",
    "decimals",
    "denied",
    "discount",
    "exchange",
    "expires",
    "freed",
    "from",
    "held",
    "label",
    "limit",
    "message",
    "origin",
    "original",
    "percent",
    "priced",
    "raised",
    "recorded",
    "remaining",
    "requested",
    "resets",
    "service",
    "starts",
    "state",
    "top_up",
    "tried",
    "unit",
    "used",
    "warning",
    "zone",
];
/// What is always true or not: each must be mentioned where it is true.
pub(super) const FLAGS: &[&str] = &["late", "overrun", "recovered", "unenforced", "saturated", "replayed"];
/// Values that need only be contained.
const CONTAINED: &[&str] = &["message", "advice", "warning"];

/// Words and values that belong together: of a limit, of a charge, of the whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Bare words: an account, a meter, a cause.
    pub(super) words: Vec<String>,
    /// Values by their keys; of one key there may be several.
    pub(super) values: Vec<(&'static str, String)>,
}

/// What an operation answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    /// `held`, `denied`, `error`; empty for a report.
    pub(super) outcome: &'static str,
    /// The numbers behind the outcome, one for each charge.
    pub(super) amounts: Vec<i64>,
    /// Those of [`FLAGS`] that are true.
    pub(super) flags: Vec<&'static str>,
    /// What is true of the whole.
    pub(super) head: Facts,
    /// Limits, charges, windows.
    pub(super) lines: Vec<Facts>,
    /// Every line must be expected.
    pub(super) complete: bool,
    /// The words of the head must be exactly those expected, in order.
    pub(super) exact: bool,
}

/// Compares. The error says the first difference.
pub(super) fn compare(expected: &str, answer: &Answer) -> Result<(), String> {
    let clauses: Vec<Vec<String>> =
        split_clauses(expected).iter().map(|clause| words(clause)).collect::<Result<_, _>>()?;
    if answer.complete && clauses.len() != answer.lines.len() {
        return Err(format!("{} limits are expected, there are {}", clauses.len(), answer.lines.len()));
    }
    for (index, clause) in clauses.iter().enumerate() {
        let mut rest = clause.as_slice();
        if index == 0 && !answer.outcome.is_empty() {
            rest = compare_outcome(rest, answer)?;
        }
        let (mut bare, mut at) = (Vec::new(), 0);
        while let Some(word) = rest.get(at) {
            at += 1;
            if let Some(key) = KEYS.iter().find(|key| *key == word) {
                let value = rest.get(at).ok_or_else(|| format!("{key} needs a value"))?;
                at += 1;
                compare_value(answer, index, key, value)?;
            } else if !(index == 0 && FLAGS.contains(&word.as_str())) {
                bare.push(word);
            }
        }
        compare_words(answer, index, &bare)?;
    }
    compare_flags(answer, clauses.first().map_or(&[], Vec::as_slice))
}

/// The outcome and its numbers; what follows them.
fn compare_outcome<'a>(clause: &'a [String], answer: &Answer) -> Result<&'a [String], String> {
    let (outcome, mut rest) = clause.split_first().ok_or("nothing is expected")?;
    if outcome != answer.outcome {
        return Err(format!("the outcome is {}", answer.outcome));
    }
    let mut amounts = Vec::new();
    while let Some(amount) = rest.first().and_then(|word| number(word)) {
        amounts.push(amount);
        rest = &rest[1..];
    }
    if !amounts.is_empty() && amounts != answer.amounts {
        return Err(format!("the amounts are {:?}", answer.amounts));
    }
    Ok(rest)
}

fn compare_value(answer: &Answer, index: usize, key: &str, value: &str) -> Result<(), String> {
    let head = answer.head.values.iter().filter(|_| index == 0);
    let line = answer.lines.get(index).map_or(&[][..], |line| &line.values);
    let found: Vec<&String> = head.chain(line).filter(|(name, _)| *name == key).map(|(_, value)| value).collect();
    let fits = |actual: &&String| same(actual, value, CONTAINED.contains(&key));
    match found.as_slice() {
        [] => Err(format!("{key} is not in the answer")),
        found if found.iter().any(fits) => Ok(()),
        found => Err(format!("{key} is {found:?}, not {value:?}")),
    }
}

fn compare_words(answer: &Answer, index: usize, bare: &[&String]) -> Result<(), String> {
    if answer.exact && index == 0 {
        let there: Vec<&String> = answer.head.words.iter().collect();
        return if there == bare { Ok(()) } else { Err(format!("it says {there:?}")) };
    }
    let head = answer.head.words.iter().filter(|_| index == 0);
    let there: Vec<&String> = head.chain(answer.lines.get(index).map_or(&[][..], |line| &line.words)).collect();
    match bare.iter().find(|word| !there.contains(word)) {
        None => Ok(()),
        Some(word) => Err(format!("{word:?} is not among {there:?}")),
    }
}

fn compare_flags(answer: &Answer, clause: &[String]) -> Result<(), String> {
    for flag in FLAGS {
        match (clause.iter().any(|word| word == flag), answer.flags.contains(flag)) {
            (true, false) => return Err(format!("it is not {flag}")),
            (false, true) => return Err(format!("it is {flag}")),
            _ => {}
        }
    }
    Ok(())
}

/// Numbers with or without underscores, times in any zone, or the same text.
fn same(actual: &str, expected: &str, contained: bool) -> bool {
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
    actual == expected
        || (contained && actual.contains(expected))
        || number(expected).is_some_and(|number| actual == number.to_string())
        || time(expected).is_some_and(|expected| time(actual) == Some(expected))
}

/// A whole number; underscores part its digits.
pub(super) fn number(text: &str) -> Option<i64> {
    text.replace('_', "").parse().ok()
}

/// Clauses are parted by `;`, but not within quotes. A comma at a word's end is only for the eye.
fn split_clauses(text: &str) -> Vec<String> {
    let (mut clauses, mut quoted) = (vec![String::new()], false);
    let chars: Vec<char> = text.chars().collect();
    for (i, c) in chars.iter().enumerate() {
        quoted ^= *c == '"';
        match c {
            ';' if !quoted => clauses.push(String::new()),
            ',' if !quoted && chars.get(i + 1).is_none_or(|next| *next == ' ') => {}
            c => clauses.last_mut().map(|clause| clause.push(*c)).unwrap_or_default(),
        }
    }
    clauses
}

#[test]
fn answers_are_compared() {
    let line = Facts {
        words: vec!["users/u".into(), "day".into()],
        values: vec![("limit", "5000".into()), ("used", "2".into())],
    };
    let answer = Answer {
        outcome: "denied",
        flags: vec!["replayed"],
        head: Facts { words: vec![], values: vec![("message", "no more; sorry".into())] },
        lines: vec![line.clone(), line],
        complete: true,
        ..Answer::default()
    };
    for good in ["denied replayed day limit 5_000; users/u used 2", "denied, replayed message \"more; s\"; day"] {
        assert_eq!(compare(good, &answer), Ok(()), "{good}");
    }
    for bad in [
        "held replayed; day",
        "denied; day",
        "denied replayed",
        "denied replayed limit 6; day",
        "denied replayed late; day",
        "denied replayed month; day",
        "denied replayed; day zone x",
        "denied replayed; day limit",
    ] {
        assert!(compare(bad, &answer).is_err(), "{bad}");
    }
}
