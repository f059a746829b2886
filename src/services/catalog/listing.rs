//! Cuts a list that is sorted by a key into pages.

use crate::services::page;
use crate::services::violations::Violations;
use std::collections::BTreeMap;

/// Which page is asked for.
pub struct Page {
    size: usize,
    after: Option<String>,
    scope: [u8; 8],
}

impl Page {
    /// Reads the size and the token; `question` is what a token must have been given for: the list's name and its filters.
    pub fn read(size: i32, token: &str, question: &[&str], bad: &mut Violations) -> Page {
        let scope = page::scope(question);
        Page { size: page::size(size, bad) as usize, after: page::decode(token, &scope, bad), scope }
    }

    /// The key after which it begins.
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// How many items to read, to know whether there is a page after it.
    pub fn with_one_more(&self) -> usize {
        self.size + 1
    }

    /// The page of items that were read for it, and the token of the next one; empty on the last.
    pub fn end<T>(&self, mut found: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, String) {
        let more = found.len() > self.size;
        found.truncate(self.size);
        let last = found.last().filter(|_| more);
        let next = last.map_or_else(String::new, |last| page::encode(&key(last), &self.scope));
        (found, next)
    }

    /// The items of the page of all that there are, and the token of the next one; empty on the last.
    pub fn cut<T>(&self, items: BTreeMap<String, T>) -> (Vec<T>, String) {
        let mut rest = items.into_iter().filter(|(key, _)| self.after.as_ref().is_none_or(|after| key > after));
        let mut found = Vec::new();
        let mut last = String::new();
        for (key, item) in rest.by_ref().take(self.size) {
            found.push(item);
            last = key;
        }
        let next = if rest.next().is_some() { page::encode(&last, &self.scope) } else { String::new() };
        (found, next)
    }
}
