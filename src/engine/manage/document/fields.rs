//! Reads the keys of one map, and says what is unknown, doubled, missing or of the wrong shape.

use super::errors::{Place, Problems, quoted};
use super::yaml::{Node, Value};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

const MAX_TEXTS: usize = 64;

/// A map whose keys are known.
pub struct Fields<'n, 'a> {
    /// Where the map stands.
    pub at: Place,
    entries: Vec<(&'static str, usize, &'n Node<'a>)>,
}

impl<'n, 'a> Fields<'n, 'a> {
    /// Takes a map apart. Unknown keys and repeated ones are problems; a value that is no map is one and gives `None`.
    pub fn open(node: &'n Node<'a>, at: &Place, known: &[&'static str], problems: &mut Problems) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            problems.add(at, format!("must be a map with keys like {}, not {}", known[0], node.kind()));
            return None;
        };
        let mut fields = Fields { at: at.clone(), entries: Vec::new() };
        for (key, value) in entries {
            match known.iter().find(|name| **name == key.text) {
                None => problems.add(&at.key(&clip(&key.text), key.line), unknown_key(&key.text, known)),
                Some(name) if fields.entries.iter().any(|entry| entry.0 == *name) => {
                    problems.add(&at.key(name, key.line), "stands here twice");
                }
                Some(name) => fields.entries.push((name, key.line, value)),
            }
        }
        Some(fields)
    }

    /// The value of a key, with its place; nothing if it is absent or null.
    pub fn get(&self, key: &str) -> Option<(&'n Node<'a>, Place)> {
        let (name, line, node) = self.entries.iter().find(|entry| entry.0 == key && !entry.2.is_null())?;
        Some((node, self.at.key(name, *line)))
    }

    /// The place of a key that stands there with nothing behind it.
    pub fn empty(&self, key: &str) -> Option<Place> {
        let (name, line, _) = self.entries.iter().find(|entry| entry.0 == key && entry.2.is_null())?;
        Some(self.at.key(name, *line))
    }

    /// The place of a key: its own, or the map's if it is absent.
    pub fn place(&self, key: &str) -> Place {
        let line = self.entries.iter().find(|entry| entry.0 == key).map_or(self.at.line, |entry| entry.1);
        self.at.key(key, line)
    }

    /// A single value as text of at most so many bytes.
    pub fn text(&self, key: &str, max: usize, problems: &mut Problems) -> Option<String> {
        let (node, at) = self.get(key)?;
        scalar(node, &at, max, problems)
    }

    /// A single value that must be there, read by a rule of its own.
    pub fn needed<T, E: std::fmt::Display>(
        &self,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
        problems: &mut Problems,
    ) -> Option<T> {
        let Some((node, at)) = self.get(key) else {
            problems.add(&self.at, format!("{key} is needed"));
            return None;
        };
        let text = scalar(node, &at, usize::MAX, problems)?;
        read(&text).map_err(|error| problems.add(&at, format!("{error}; it is {}", quoted(&text)))).ok()
    }

    /// One word of a few, in any case, with `-` or `_`; the first one if absent.
    pub fn choice<T: Copy>(&self, key: &str, words: &[(&str, T)], problems: &mut Problems) -> T {
        let default = words[0].1;
        let Some((node, at)) = self.get(key) else { return default };
        let Some(text) = scalar(node, &at, usize::MAX, problems) else { return default };
        let word = text.to_ascii_lowercase().replace('-', "_");
        words.iter().find(|(name, _)| *name == word).map_or_else(
            || {
                let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
                problems.add(&at, format!("must be one of {}; it is {}", names.join(", "), quoted(&text)));
                default
            },
            |(_, value)| *value,
        )
    }

    /// A small whole number.
    pub fn number(&self, key: &str, range: RangeInclusive<u8>, problems: &mut Problems) -> Option<u8> {
        let (node, at) = self.get(key)?;
        let text = scalar(node, &at, usize::MAX, problems)?;
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = range.into_inner();
            problems.add(&at, format!("must be a whole number from {least} to {most}; it is {}", quoted(&text)));
        }
        number
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &str, default: bool, problems: &mut Problems) -> bool {
        let words = [("true", true), ("false", false)];
        if self.get(key).is_none() { default } else { self.choice(key, &words, problems) }
    }

    /// A map of texts with free keys.
    pub fn texts(&self, key: &str, max: usize, problems: &mut Problems) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        let Some((node, at)) = self.get(key) else { return texts };
        let Value::Map(entries) = &node.value else {
            problems.add(&at, format!("must be a map of texts, not {}", node.kind()));
            return texts;
        };
        if entries.len() > MAX_TEXTS {
            problems.add(&at, format!("must have at most {MAX_TEXTS} keys; it has {}", entries.len()));
            return texts;
        }
        for (name, value) in entries {
            let at = at.key(&clip(&name.text), name.line);
            if name.text.is_empty() || name.text.len() > 63 {
                problems.add(&at, "a key must have 1 to 63 bytes");
            }
            let Some(text) = scalar(value, &at, max, problems) else { continue };
            if texts.insert(name.text.clone().into_owned(), text).is_some() {
                problems.add(&at, "stands here twice");
            }
        }
        texts
    }

    /// The items of a list, each with its place.
    pub fn list(&self, key: &str, problems: &mut Problems) -> Vec<(&'n Node<'a>, Place)> {
        let Some((node, at)) = self.get(key) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            problems.add(&at, format!("must be a list, not {}", node.kind()));
            return Vec::new();
        };
        items.iter().enumerate().map(|(index, item)| (item, at.item(index, item.line))).collect()
    }
}

/// A single value as text of at most so many bytes; anything else is a problem.
pub fn scalar(node: &Node<'_>, at: &Place, max: usize, problems: &mut Problems) -> Option<String> {
    match &node.value {
        Value::Scalar { text, .. } if text.len() <= max => Some(text.clone().into_owned()),
        Value::Scalar { .. } => {
            problems.add(at, format!("must have at most {max} bytes"));
            None
        }
        Value::List(_) | Value::Map(_) => {
            problems.add(at, format!("must be a single value, not {}", node.kind()));
            None
        }
    }
}

fn clip(key: &str) -> String {
    key.chars().take(40).map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn unknown_key(key: &str, known: &[&str]) -> String {
    let close = (key.len() <= 64)
        .then(|| known.iter().map(|name| (distance(key, name), name)).min())
        .flatten()
        .filter(|(distance, name)| *distance <= name.len().div_ceil(3));
    match close {
        Some((_, name)) => format!("unknown key; did you mean {name}?"),
        None => format!("unknown key; known here: {}", known.join(", ")),
    }
}

/// How many letters must be put, taken or changed to make one word the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
