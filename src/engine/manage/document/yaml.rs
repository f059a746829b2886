//! Reads YAML text into a plain tree with line numbers. Scalars stay text: what they mean depends on where they stand,
//! and an amount must never pass through a float. Aliases, tags and second documents are refused, depth and size bounded.

use super::errors::{Place, Problem};
use saphyr_parser::{Event, Parser, ScalarStyle};
use std::borrow::Cow;

/// Deepest nesting of lists and maps; the format itself needs 8.
const MAX_DEPTH: usize = 32;
/// Most values in a document, so that 64 MiB of commas can't fill the memory.
const MAX_NODES: usize = 8_000_000;

/// A value with the line that it begins on.
#[derive(Debug)]
pub struct Node<'a> {
    /// The line, from 1.
    pub line: usize,
    /// The value.
    pub value: Value<'a>,
}

/// What a value is.
#[derive(Debug)]
pub enum Value<'a> {
    /// Anything that is neither a list nor a map.
    Scalar {
        /// As written, escapes resolved.
        text: Cow<'a, str>,
        /// Whether it stood there without quotes: only then an empty one is nothing and `null` is null.
        plain: bool,
    },
    /// A list.
    List(Vec<Node<'a>>),
    /// A map, in order; keys may repeat here.
    Map(Vec<(Key<'a>, Node<'a>)>),
}

/// A key of a map.
#[derive(Debug)]
pub struct Key<'a> {
    /// Its line.
    pub line: usize,
    /// Its text.
    pub text: Cow<'a, str>,
}

impl Node<'_> {
    /// Whether nothing is there: an empty value, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self.value {
            _ if self.is_null() => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// Reads the one document of a text; nothing if it is empty.
///
/// # Errors
/// The first thing that is not YAML, or not of the part of YAML that catalogs use.
pub fn read(text: &str) -> Result<Option<Node<'_>>, Problem> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| problem(error.marker().line(), error.info()))?;
        builder.take(event, span.start.line())?;
    }
    Ok(builder.root)
}

/// Containers that are still open.
enum Open<'a> {
    List(usize, Vec<Node<'a>>),
    Map(usize, Vec<(Key<'a>, Node<'a>)>, Option<Key<'a>>),
}

#[derive(Default)]
struct Builder<'a> {
    open: Vec<Open<'a>>,
    root: Option<Node<'a>>,
    nodes: usize,
}

impl<'a> Builder<'a> {
    fn take(&mut self, event: Event<'a>, line: usize) -> Result<(), Problem> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err(problem(line, "must be one document, not several")),
            Event::Alias(_) => Err(problem(line, "aliases are not used in catalogs: write the value itself")),
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                Err(problem(line, "tags are not used in catalogs"))
            }
            Event::Scalar(text, style, _, None) => {
                self.put(Node { line, value: Value::Scalar { text, plain: style == ScalarStyle::Plain } })
            }
            Event::SequenceStart(..) => self.push(Open::List(line, Vec::new()), line),
            Event::MappingStart(..) => self.push(Open::Map(line, Vec::new(), None), line),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => Ok(()),
        }
    }

    fn push(&mut self, open: Open<'a>, line: usize) -> Result<(), Problem> {
        if self.open.len() >= MAX_DEPTH {
            return Err(problem(line, "is nested too deeply"));
        }
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        match self.open.pop() {
            Some(Open::List(line, items)) => self.put(Node { line, value: Value::List(items) }),
            Some(Open::Map(line, entries, _)) => self.put(Node { line, value: Value::Map(entries) }),
            None => Ok(()),
        }
    }

    fn put(&mut self, node: Node<'a>) -> Result<(), Problem> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(problem(node.line, "holds too many values"));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, entries, key)) => match (key.take(), node) {
                (Some(key), node) => entries.push((key, node)),
                (None, Node { line, value: Value::Scalar { text, .. } }) => *key = Some(Key { line, text }),
                (None, node) => return Err(problem(node.line, "a key must be a single word")),
            },
        }
        Ok(())
    }
}

fn problem(line: usize, message: &str) -> Problem {
    Problem { at: Place { line, path: String::new() }, message: message.to_owned() }
}
