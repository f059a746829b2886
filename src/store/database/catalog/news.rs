//! What was heard of writes to the catalog and nobody has asked for yet: many of them are one answer.

use super::read::INSTALLATION;
use crate::engine::ports::{CatalogNews, ScopeVersion};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Writes that are kept apart; beyond that it is not said which they were.
const MOST: usize = 1024;

/// A letter box of news, for one who asks.
#[derive(Debug, Default)]
pub(in super::super) struct News {
    heard: Mutex<Option<CatalogNews>>,
    bell: Notify,
}

impl News {
    /// Puts news in.
    pub(in super::super) fn add(&self, news: CatalogNews) {
        let mut heard = self.heard();
        *heard = Some(match (heard.take(), news) {
            (None, news) => news,
            (Some(CatalogNews::Written(mut before)), CatalogNews::Written(more))
                if before.len() + more.len() <= MOST =>
            {
                before.extend(more);
                CatalogNews::Written(before)
            }
            _ => CatalogNews::Anything,
        });
        drop(heard);
        self.bell.notify_one();
    }

    /// Takes all that is in, and waits until there is something. Who stops waiting takes nothing with him.
    pub(super) async fn next(&self) -> CatalogNews {
        loop {
            // The lock is given back before the wait.
            let heard = self.heard().take();
            match heard {
                Some(news) => return news,
                None => self.bell.notified().await,
            }
        }
    }

    fn heard(&self) -> MutexGuard<'_, Option<CatalogNews>> {
        // Whoever panicked with it had written all or nothing.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a write is told: its version, and its scope if it had one alone.
pub(super) fn to_text(version: u64, scopes: &[&str]) -> String {
    match scopes {
        [scope] => format!("{version} {scope}"),
        _ => version.to_string(),
    }
}

/// What such a text says.
pub(in super::super) fn from_text(text: &str) -> CatalogNews {
    let written = |(version, scope): (&str, &str)| -> Option<ScopeVersion> {
        let scope = if scope == INSTALLATION { None } else { Some(scope.to_owned()) };
        Some((scope, version.parse().ok()?))
    };
    match text.split_once(' ').and_then(written) {
        Some(one) => CatalogNews::Written(vec![one]),
        None => CatalogNews::Anything,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(version: u64) -> CatalogNews {
        CatalogNews::Written(vec![(Some(String::from("tenants/a")), version)])
    }

    #[test]
    fn what_is_told_is_what_was_written() {
        assert_eq!(from_text(&to_text(7, &["tenants/a"])), written(7));
        assert_eq!(from_text(&to_text(8, &[INSTALLATION])), CatalogNews::Written(vec![(None, 8)]));
        assert_eq!(from_text(&to_text(9, &[INSTALLATION, "tenants/a"])), CatalogNews::Anything);
        assert_eq!(from_text("of a later version"), CatalogNews::Anything);
    }

    #[tokio::test]
    async fn many_are_one_answer_in_order_and_too_many_are_anything() {
        let news = News::default();
        for version in 1..=MOST as u64 {
            news.add(written(version));
        }
        let CatalogNews::Written(all) = news.next().await else { panic!("not told apart") };
        assert!(all.iter().map(|(_, version)| *version).eq(1..=MOST as u64));
        for version in 0..=MOST as u64 {
            news.add(written(version));
        }
        assert_eq!(news.next().await, CatalogNews::Anything);
        news.add(CatalogNews::Anything);
        news.add(written(1));
        assert_eq!(news.next().await, CatalogNews::Anything);
        // Nothing is left, and who waits is woken.
        let waiting = async { tokio::join!(biased; news.next(), async { news.add(written(2)) }).0 };
        assert_eq!(waiting.await, written(2));
    }
}
