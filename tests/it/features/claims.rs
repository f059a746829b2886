//! Every item that is promised is shown by a story or a test that names it, and no one claims what does not exist.

use crate::stories;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The items that must be shown, as ranges with both ends.
const NEEDED: &[(&str, &[(u32, u32)])] = &[
    ("X", &[(1, 11)]),
    ("S0", &[(1, 4), (6, 10), (12, 21), (28, 41), (43, 43), (45, 45)]),
    ("S3", &[(1, 10), (12, 25), (30, 30), (33, 34)]),
    ("S1", &[(2, 2), (13, 16), (32, 37), (39, 39)]),
    ("S2", &[(2, 2), (5, 15), (18, 21)]),
    ("S4", &[(4, 14), (16, 26), (28, 28)]),
];

/// How many items each part of the list has.
const ITEMS: &[(&str, u32)] = &[("X", 12), ("S0", 45), ("S1", 49), ("S2", 21), ("S3", 34), ("S4", 29)];

#[test]
fn every_item_is_shown_and_every_claim_is_an_item() {
    let claimed = claimed();
    let unknown: Vec<String> = claimed
        .iter()
        .filter(|(item, _)| !is_item(item))
        .map(|(item, place)| format!("{place}: there is no item {item}"))
        .collect();
    let missing: Vec<String> = needed().into_iter().filter(|item| !claimed.contains_key(item)).collect();
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
    assert!(missing.is_empty(), "shown by no story or test: {}", missing.join(", "));
}

fn needed() -> Vec<String> {
    let of = |(part, ranges): &(&str, &[(u32, u32)])| {
        ranges.iter().flat_map(|(from, to)| *from..=*to).map(|n| format!("{part}.{n:02}")).collect::<Vec<_>>()
    };
    NEEDED.iter().flat_map(of).collect()
}

fn is_item(item: &str) -> bool {
    item.split_once('.').is_some_and(|(part, number)| {
        let known = ITEMS.iter().find(|(name, _)| *name == part);
        known.zip(number.parse().ok()).is_some_and(|((_, last), number): (_, u32)| (1..=*last).contains(&number))
    })
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
fn items_are_counted() {
    assert_eq!(needed().len(), 11 + 35 + 27 + 12 + 16 + 23);
    assert!(is_item("S0.45") && !is_item("S0.46") && !is_item("S9.01") && !is_item("X.00"));
}
