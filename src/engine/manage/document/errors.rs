//! What is wrong with a catalog document, all of it at once, each with its line and its path.

use std::fmt;

/// Problems kept; what is beyond is only counted, so that a hopeless document gives no endless answer.
const MAX_PROBLEMS: usize = 500;
const MAX_QUOTED: usize = 80;

/// Where in a document, or in a request, something stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The line, from 1; 0 in a request, which has none.
    pub line: usize,
    /// The way there, `quotas[3].limits.day`; empty for the whole document.
    pub path: String,
}

impl Place {
    /// The whole document.
    pub fn root() -> Place {
        Place { line: 1, path: String::new() }
    }

    /// The value of a key.
    pub fn key(&self, key: &str, line: usize) -> Place {
        let dot = if self.path.is_empty() { "" } else { "." };
        Place { line, path: format!("{}{dot}{key}", self.path) }
    }

    /// A field of a request.
    pub fn field(path: impl Into<String>) -> Place {
        Place { line: 0, path: path.into() }
    }

    /// The place in words: `on line 3`, or `at quotas[3]` in a request.
    pub fn words(&self) -> String {
        if self.line == 0 { format!("at {}", self.path) } else { format!("on line {}", self.line) }
    }

    /// An item of a list.
    pub fn item(&self, index: usize, line: usize) -> Place {
        Place { line, path: format!("{}[{index}]", self.path) }
    }
}

/// One fault of a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where.
    pub at: Place,
    /// What, as a sentence without its subject: `must not be negative`.
    pub message: String,
}

/// `line 12: quotas[3].limits.day.zone: must be ...`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.at.line)?;
        if !self.at.path.is_empty() {
            write!(f, "{}: ", self.at.path)?;
        }
        f.write_str(&self.message)
    }
}

/// All faults of a document, by line, one a line when shown.
#[derive(Clone, PartialEq, Eq, Debug, Default, thiserror::Error)]
pub struct Problems {
    list: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// Adds one.
    pub fn add(&mut self, at: &Place, message: impl Into<String>) {
        if self.list.len() < MAX_PROBLEMS {
            self.list.push(Problem { at: at.clone(), message: message.into() });
        } else {
            self.more += 1;
        }
    }

    /// Adds those of another.
    pub fn append(&mut self, other: Problems) {
        other.list.iter().for_each(|problem| self.add(&problem.at, problem.message.as_str()));
        self.more += other.more;
    }

    /// Adds those of another, but for places of which something is said already.
    pub fn append_elsewhere(&mut self, mut other: Problems) {
        other.list.retain(|problem| self.list.iter().all(|known| known.at != problem.at));
        self.append(other);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The problems by line; at most 500 are kept.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// Nothing if there is none, else all of them as the error.
    ///
    /// # Errors
    /// Itself, sorted by line, if it holds a problem.
    pub fn into_result(mut self) -> Result<(), Problems> {
        if self.list.is_empty() {
            return Ok(());
        }
        self.list.sort_by_key(|problem| problem.at.line);
        Err(self)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{problem}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

/// A text of the document as it is shown in a message: quoted, escaped, cut.
pub fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(MAX_QUOTED).collect();
    let dots = if cut.len() < text.len() { "..." } else { "" };
    format!("{cut:?}{dots}")
}
