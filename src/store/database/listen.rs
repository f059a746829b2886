//! Hears of writes to the catalog from PostgreSQL: a connection that listens, asks from time to time whether it still hears,
//! and is made anew when it does not.

use super::Database;
use super::catalog::news::{self, News};
use super::catalog::statements::{CHANNEL, NOTIFY};
use super::errors::postgres_error;
use crate::engine::ports::{CatalogNews, StoreError};
use crate::telemetry::metrics;
use sqlx::postgres::{PgListener, PgPool};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// What is told only to see whether it is heard begins with this; a write begins with its version.
const HAIL: &str = "hail ";
/// How long a new connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// The first pause before it is tried again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));

/// How patient a listener is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// How long it may hear nothing until it is tried whether it would.
    pub silence: Duration,
    /// How long the trial may take.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { silence: Duration::from_secs(30), answer: Duration::from_secs(10) }
    }
}

/// Listens for who writes to a catalog.
#[derive(Debug)]
pub struct CatalogListener {
    database: Database,
    news: Arc<News>,
    patience: Patience,
}

impl CatalogListener {
    /// Puts what it hears in there.
    pub(super) fn new(database: Database, news: Arc<News>, patience: Patience) -> CatalogListener {
        CatalogListener { database, news, patience }
    }

    /// Listens for ever; drop it to end it. Without a server that others write to there is nothing to hear. What is told while
    /// the connection is lost is lost too: each new one is news that anything may have changed.
    pub async fn run(self) {
        if !self.database.is_shared() {
            return;
        }
        let (mut pause, mut told) = (PAUSES.0, false);
        loop {
            let error = match self.open().await {
                Ok(listener) => {
                    if std::mem::take(&mut told) {
                        tracing::info!("changes of the catalog are heard of again");
                    }
                    pause = PAUSES.0;
                    metrics::engine().listener_up.set(1.0);
                    self.news.add(CatalogNews::Anything);
                    self.listen(listener).await
                }
                Err(error) => error,
            };
            metrics::engine().listener_up.set(0.0);
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(%error, "changes of the catalog are not heard of; they are looked for, and listening is tried again");
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// A connection that hears.
    async fn open(&self) -> Result<PgListener, StoreError> {
        let channel = self.database.read().await?.fetch_optional(CHANNEL, |_| {}).await?;
        let channel = channel.map_or_else(|| Ok(String::new()), |row| row.text(0))?;
        let Some(pool) = self.database.listening() else {
            return Err(StoreError::Unavailable(String::from("the database is this process's alone")));
        };
        let mut listener = in_time(CONNECT, listen_on(pool, &channel)).await?;
        self.try_out(&mut listener).await?;
        Ok(listener)
    }

    /// Hears what is told until the connection is lost; answers why it is.
    async fn listen(&self, mut listener: PgListener) -> StoreError {
        loop {
            let heard = match timeout(self.patience.silence, next(&mut listener)).await {
                Ok(heard) => heard.map(|text| self.note(&text)),
                Err(_) => self.try_out(&mut listener).await,
            };
            if let Err(error) = heard {
                return error;
            }
        }
    }

    /// Tells something on another connection and waits until it is heard: the way there may be lost without a word, and a
    /// pooler may have taken the LISTEN for a session that it gave to somebody else.
    async fn try_out(&self, listener: &mut PgListener) -> Result<(), StoreError> {
        let hail = format!("{HAIL}{}", uuid::Uuid::now_v7());
        self.database
            .read()
            .await?
            .execute(NOTIFY, |values| {
                values.text(&hail);
            })
            .await?;
        let heard = async {
            loop {
                let text = next(listener).await?;
                if text == hail {
                    return Ok(());
                }
                self.note(&text);
            }
        };
        timeout(self.patience.answer, heard).await.unwrap_or_else(|_| {
            Err(StoreError::Unavailable(String::from(
                "PostgreSQL: LISTEN hears nothing: the connection is lost, or a pooler between does not carry notifications",
            )))
        })
    }

    fn note(&self, text: &str) {
        if !text.starts_with(HAIL) {
            self.news.add(news::from_text(text));
        }
    }
}

async fn listen_on(pool: PgPool, channel: &str) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen(channel).await?;
    Ok(listener)
}

async fn in_time<T>(limit: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    let done = timeout(limit, work).await;
    done.unwrap_or_else(|_| Err(super::errors::no_answer(limit))).map_err(postgres_error)
}

/// What is told next.
async fn next(listener: &mut PgListener) -> Result<String, StoreError> {
    match listener.try_recv().await {
        Ok(Some(notification)) => Ok(notification.payload().to_owned()),
        Ok(None) => Err(StoreError::Unavailable(String::from("PostgreSQL: the connection that listens was closed"))),
        Err(error) => Err(postgres_error(error)),
    }
}
