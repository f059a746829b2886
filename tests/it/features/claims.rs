//! Every item of the features is shown by a story or a test that names it, or stands in the list of what comes later; none does both,
//! and no one claims what does not exist.

use crate::stories;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Items of one part of the list, as ranges with both ends, and what they come with.
type Later = (&'static str, &'static [(u32, u32)], &'static str);

/// What comes later.
const LATER: &[Later] = &[
    ("X", &[(12, 12)], "the HTTP facades"),
    ("S0", &[(5, 5), (11, 11)], "screens"),
    ("S0", &[(22, 27), (42, 42)], "reports"),
    ("S0", &[(44, 44)], "roles"),
    ("S1", &[(1, 1), (3, 12), (17, 31), (38, 38), (40, 40), (43, 49)], "the HTTP facade of the storage hub"),
    ("S2", &[(1, 1), (3, 4), (16, 17)], "the HTTP facade of the workspaces"),
    ("S3", &[(11, 11)], "alerts"),
    ("S3", &[(26, 29)], "reports"),
    ("S3", &[(31, 31)], "an administrator's screens over many pools"),
    ("S4", &[(1, 3)], "roles"),
    ("S4", &[(15, 15)], "reports"),
    ("K", &[(8, 11)], "the HTTP facade of the storage hub"),
    ("K", &[(22, 22)], "roles"),
    ("K", &[(24, 24)], "reports"),
];

/// How many items each part of the list has; `K` are the contradictions.
const ITEMS: &[(&str, u32)] = &[("X", 12), ("S0", 45), ("S1", 49), ("S2", 21), ("S3", 34), ("S4", 29), ("K", 24)];

/// An item's name: `S0.07`, `K7`.
fn item(part: &str, number: u32) -> String {
    if part == "K" { format!("K{number}") } else { format!("{part}.{number:02}") }
}

#[test]
fn every_item_is_shown_or_comes_later() {
    let (claimed, later) = (claimed(), later());
    let every = ITEMS.iter().flat_map(|(part, last)| (1..=*last).map(move |number| item(part, number)));
    let missing: Vec<String> = every.filter(|item| !claimed.contains_key(item) && !later.contains_key(item)).collect();
    assert!(missing.is_empty(), "shown by no story or test, and not said to come later: {}", missing.join(", "));
    let both =
        later.iter().filter_map(|(item, with)| Some(format!("{item} comes with {with}, and {}", claimed.get(item)?)));
    assert_eq!(both.collect::<Vec<_>>(), [""; 0], "shown already");
    let unknown = claimed.iter().filter(|(item, _)| !is_item(item));
    let unknown: Vec<String> = unknown.map(|(item, place)| format!("{place}: there is no item {item}")).collect();
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

/// What comes later, with what.
fn later() -> BTreeMap<String, &'static str> {
    let of = |(part, ranges, with): &Later| {
        let numbers = ranges.iter().flat_map(|(first, last)| *first..=*last);
        numbers.map(|number| (item(part, number), *with)).collect::<Vec<_>>()
    };
    LATER.iter().flat_map(of).collect()
}

fn is_item(name: &str) -> bool {
    ITEMS.iter().any(|(part, last)| (1..=*last).any(|number| item(part, number) == name))
}

/// Every claimed item, with one place that claims it: headings of stories, and comments above tests of this folder that
/// begin with the item (`/// X.09: ...`).
fn claimed() -> BTreeMap<String, String> {
    let mut claimed = BTreeMap::new();
    for (file, stories) in stories::all() {
        for story in stories {
            let place = format!("tests/it/stories/{file}.story:{}", story.line);
            claimed.extend(story.claims.into_iter().map(|item| (item, place.clone())));
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/features");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (i, line) in lines.iter().enumerate() {
            let Some(comment) = line.strip_prefix("/// ") else { continue };
            let above_a_test = lines[i..]
                .iter()
                .find(|line| !line.starts_with("///"))
                .is_some_and(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
            if above_a_test {
                let place = format!("{}:{}", path.display(), i + 1);
                claimed.extend(stories::claims(comment).into_iter().map(|item| (item, place.clone())));
            }
        }
    }
    claimed
}

#[test]
fn items_are_told_from_other_words() {
    assert!(
        is_item("S0.45")
            && is_item("K24")
            && !is_item("K25")
            && !is_item("S0.46")
            && !is_item("S9.01")
            && !is_item("X.00")
    );
    assert!(later().keys().all(|item| is_item(item)));
}
