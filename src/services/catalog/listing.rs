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

    /// The items of the page, and the token of the next one; empty on the last.
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
