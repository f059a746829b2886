//! One statement for many rows: the group after `VALUES` of a statement file, repeated.

use super::errors::store_error;
use crate::engine::ports::StoreError;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, SqliteConnection};

/// Rows in one statement, the most first: what is over is sent in the next smaller ones. Few sizes, so that each
/// statement stays prepared.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// A statement that takes any number of rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bulk {
    head: &'static str,
    tail: &'static str,
    columns: usize,
}

/// The values of the rows of one statement.
#[derive(Default)]
pub(super) struct Values {
    arguments: SqliteArguments,
    failed: Option<sqlx::Error>,
}

impl Values {
    /// A number.
    pub(super) fn int(&mut self, value: i64) -> &mut Values {
        self.add(value)
    }

    /// A number or nothing.
    pub(super) fn maybe_int(&mut self, value: Option<i64>) -> &mut Values {
        self.add(value)
    }

    /// A text.
    pub(super) fn text(&mut self, value: &str) -> &mut Values {
        self.add(value)
    }

    /// A text or nothing.
    pub(super) fn maybe_text(&mut self, value: Option<&str>) -> &mut Values {
        self.add(value)
    }

    /// Bytes.
    pub(super) fn bytes(&mut self, value: &[u8]) -> &mut Values {
        self.add(value)
    }

    /// Bytes or nothing.
    pub(super) fn maybe_bytes(&mut self, value: Option<&[u8]>) -> &mut Values {
        self.add(value)
    }

    fn add<'t, T: sqlx::Encode<'t, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>>(&mut self, value: T) -> &mut Values {
        if let Err(error) = self.arguments.add(value) {
            self.failed = Some(sqlx::Error::Encode(error));
        }
        self
    }
}

impl Bulk {
    /// From the text of a statement file with a group of `$n` after `VALUES`; the comment above is dropped.
    pub(super) fn new(text: &'static str) -> Bulk {
        let comment: usize = text.split_inclusive('\n').take_while(|line| line.starts_with("--")).map(str::len).sum();
        let text = &text[comment..];
        let (head, rest) = text.split_once("VALUES (").unwrap_or((text, ""));
        let (group, tail) = rest.split_once(')').unwrap_or((rest, ""));
        Bulk { head, tail, columns: group.split(',').count() }
    }

    /// Runs it for all rows; answers how many rows it changed.
    ///
    /// # Errors
    /// [`StoreError`] of the first statement that failed; those before it are done.
    pub(super) async fn execute<T>(
        &self,
        connection: &mut SqliteConnection,
        rows: &[T],
        bind: impl Fn(&mut Values, &T),
    ) -> Result<u64, StoreError> {
        let mut changed = 0;
        for part in parts(rows) {
            let query = sqlx::query_with(AssertSqlSafe(self.statement(part.len())), arguments(part, &bind)?);
            changed += query.execute(&mut *connection).await.map_err(store_error)?.rows_affected();
        }
        Ok(changed)
    }

    /// Runs it for all rows and gathers what it answers.
    ///
    /// # Errors
    /// [`StoreError`] of the first statement that failed.
    pub(super) async fn fetch<T, R>(
        &self,
        connection: &mut SqliteConnection,
        rows: &[T],
        bind: impl Fn(&mut Values, &T),
    ) -> Result<Vec<R>, StoreError>
    where
        R: for<'r> sqlx::FromRow<'r, SqliteRow> + Send + Unpin,
    {
        let mut found = Vec::new();
        for part in parts(rows) {
            let query = sqlx::query_as_with(AssertSqlSafe(self.statement(part.len())), arguments(part, &bind)?);
            found.extend(query.fetch_all(&mut *connection).await.map_err(store_error)?);
        }
        Ok(found)
    }

    /// The text for so many rows. The values have no numbers: SQLite would look up each one in a list of all.
    fn statement(&self, rows: usize) -> String {
        let group = format!("({}?)", "?, ".repeat(self.columns - 1));
        format!("{}VALUES {}{group}{}", self.head, format!("{group}, ").repeat(rows - 1), self.tail)
    }
}

fn arguments<T>(rows: &[T], bind: &impl Fn(&mut Values, &T)) -> Result<SqliteArguments, StoreError> {
    let mut values = Values::default();
    for row in rows {
        bind(&mut values, row);
    }
    match values.failed {
        Some(error) => Err(store_error(error)),
        None => Ok(values.arguments),
    }
}

/// The rows in parts, each as long as one of [`SIZES`].
fn parts<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        let (part, rest) = rows.split_at(size);
        rows = rest;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_repeated_and_the_rest_stays() {
        let bulk =
            Bulk::new("-- Purpose: VALUES (x)\nINSERT INTO t (a, b) VALUES ($1, $2)\nON CONFLICT (a) DO NOTHING\n");
        assert_eq!(bulk.statement(1), "INSERT INTO t (a, b) VALUES (?, ?)\nON CONFLICT (a) DO NOTHING\n");
        assert_eq!(bulk.statement(3).matches("(?, ?)").count(), 3);
        let bulk = Bulk::new("-- x\n-- y\nWITH w (a) AS (VALUES ($1))\nSELECT a FROM w\n");
        assert_eq!(bulk.statement(2), "WITH w (a) AS (VALUES (?), (?))\nSELECT a FROM w\n");
    }

    #[test]
    fn parts_hold_every_row_once() {
        for count in [0, 1, 3, 63, 255, 256, 257, 1000] {
            let rows: Vec<usize> = (0..count).collect();
            assert_eq!(parts(&rows).flatten().copied().collect::<Vec<_>>(), rows);
        }
    }
}
