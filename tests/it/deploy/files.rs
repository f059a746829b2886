//! The files of `deploy/` as values.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};
use std::fs;
use std::path::PathBuf;

/// The repository's root.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file's text, by its path from the root.
#[track_caller]
pub(super) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The files in a folder and below, as paths from the root, in order.
pub(super) fn files_below(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let path = format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap());
        if root().join(&path).is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A list of words.
pub(super) fn words(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// The documents of a YAML file without anchors and tags, as JSON. Scalars stay text.
pub(super) fn yaml(path: &str) -> Vec<Value> {
    let text = read(path);
    let mut parser = Parser::new_from_str(&text);
    let mut open: Vec<(Value, Option<String>)> = Vec::new();
    let mut documents = Vec::new();
    while let Some(event) = parser.next_event() {
        let value = match event.unwrap_or_else(|e| panic!("{path}: {e}")).0 {
            Event::Scalar(text, style, ..) if style == ScalarStyle::Plain && text.is_empty() => Value::Null,
            Event::Scalar(text, ..) => Value::String(text.into_owned()),
            Event::SequenceStart(..) => {
                open.push((Value::Array(Vec::new()), None));
                continue;
            }
            Event::MappingStart(..) => {
                open.push((Value::Object(Map::new()), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().unwrap().0,
            Event::Alias(_) => panic!("{path}: an alias"),
            _ => continue,
        };
        match open.last_mut() {
            None => documents.push(value),
            Some((Value::Array(items), _)) => items.push(value),
            Some((Value::Object(entries), key)) => match key.take() {
                None => *key = Some(value.as_str().unwrap().to_owned()),
                Some(key) => assert!(entries.insert(key.clone(), value).is_none(), "{key} stands twice"),
            },
            Some(_) => unreachable!("only containers are open"),
        }
    }
    documents
}
