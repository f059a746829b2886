//! One statement for many rows. The group after `VALUES` of its file is repeated on SQLite; on PostgreSQL it becomes an
//! array for each column, so that one text and one round trip serve any number of rows.

use super::connection::{Connection, Product, Sql};
use super::row::Row;
use super::values::Values;
use crate::engine::ports::StoreError;
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// Rows in one statement on SQLite, the most first: what is over is sent in the next smaller ones. Few sizes, so that each
/// statement stays prepared.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];
/// Rows in one statement on PostgreSQL at most, because the whole message is put together in memory.
const AT_ONCE: usize = 4096;

/// A statement that takes any number of rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bulk(Sql);

/// The text of a statement around its group.
pub(super) struct Text {
    head: &'static str,
    tail: &'static str,
    columns: usize,
}

impl Bulk {
    /// From a statement with a group of `$n` after `VALUES`.
    pub(super) fn new(sql: Sql) -> Bulk {
        Bulk(sql)
    }

    /// Runs it for all rows; answers how many rows it changed.
    ///
    /// # Errors
    /// [`StoreError`] of the first statement that failed; those before it are done, and of that one a part may be: the transaction
    /// must not be committed.
    pub(super) async fn execute<T>(
        &self,
        connection: &mut Connection,
        rows: &[T],
        bind: impl Fn(&mut Values, &T),
    ) -> Result<u64, StoreError> {
        let (product, text) = self.text(connection);
        let mut changed = 0;
        for part in parts(product, rows) {
            let values = values(product, &text, part, &bind);
            changed += connection.execute_text(text.of(product, part.len()), values).await?;
        }
        Ok(changed)
    }

    /// Runs it for all rows and gathers what it answers.
    ///
    /// # Errors
    /// [`StoreError`] of the first statement that failed.
    pub(super) async fn fetch<T>(
        &self,
        connection: &mut Connection,
        rows: &[T],
        bind: impl Fn(&mut Values, &T),
    ) -> Result<Vec<Row>, StoreError> {
        let (product, text) = self.text(connection);
        let mut found = Vec::new();
        for part in parts(product, rows) {
            let values = values(product, &text, part, &bind);
            found.extend(connection.fetch_text(text.of(product, part.len()), values).await?);
        }
        Ok(found)
    }

    fn text(&self, connection: &Connection) -> (Product, Text) {
        let product = connection.product();
        (product, Text::parse(self.0.on(product)))
    }
}

impl Text {
    /// The comment above is dropped.
    pub(super) fn parse(text: &'static str) -> Text {
        let comment: usize = text.split_inclusive('\n').take_while(|line| line.starts_with("--")).map(str::len).sum();
        let text = &text[comment..];
        let (head, rest) = text.split_once("VALUES (").unwrap_or((text, ""));
        let (group, tail) = rest.split_once(')').unwrap_or((rest, ""));
        Text { head, tail, columns: group.split(',').count() }
    }

    /// The whole, for so many rows.
    pub(super) fn of(&self, product: Product, rows: usize) -> SqlStr {
        let Text { head, tail, columns } = self;
        let text = match product {
            // The values have no numbers: SQLite would look up each one in a list of all.
            Product::Sqlite => {
                let group = format!("({}?)", "?, ".repeat(columns - 1));
                // One that fails leaves its rows and takes the transaction with it anyway; to be able to take back its own rows alone,
                // SQLite would copy every page before it changes it.
                let head = head.replacen("INSERT INTO", "INSERT OR FAIL INTO", 1);
                format!("{head}VALUES {}{group}{tail}", format!("{group}, ").repeat(rows - 1))
            }
            Product::Postgres => {
                let arrays: Vec<String> = (1..=*columns).map(|n| format!("${n}")).collect();
                format!("{head}SELECT * FROM UNNEST({}){tail}", arrays.join(", "))
            }
        };
        AssertSqlSafe(text).into_sql_str()
    }
}

fn values<T>(product: Product, text: &Text, rows: &[T], bind: &impl Fn(&mut Values, &T)) -> Values {
    let mut values = Values::of_rows(product, rows.len(), text.columns);
    for row in rows {
        bind(&mut values, row);
    }
    values
}

/// The rows in parts, each as long as a statement may be.
fn parts<T>(product: Product, mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = match product {
            Product::Sqlite => SIZES.into_iter().find(|size| *size <= rows.len())?,
            Product::Postgres => Some(rows.len().min(AT_ONCE)).filter(|size| *size > 0)?,
        };
        let (part, rest) = rows.split_at(size);
        rows = rest;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(text: &'static str, product: Product, rows: usize) -> String {
        Text::parse(text).of(product, rows).as_str().to_owned()
    }

    #[test]
    fn the_group_is_repeated_and_the_rest_stays() {
        let text = "-- Purpose: VALUES (x)\nINSERT INTO t (a, b) VALUES ($1, $2)\nON CONFLICT (a) DO NOTHING\n";
        let one = statement(text, Product::Sqlite, 1);
        assert_eq!(one, "INSERT OR FAIL INTO t (a, b) VALUES (?, ?)\nON CONFLICT (a) DO NOTHING\n");
        assert_eq!(statement(text, Product::Sqlite, 3).matches("(?, ?)").count(), 3);
        let arrays = "INSERT INTO t (a, b) SELECT * FROM UNNEST($1, $2)\nON CONFLICT (a) DO NOTHING\n";
        assert_eq!(statement(text, Product::Postgres, 3), arrays);
        let text = "-- x\n-- y\nWITH w (a) AS (VALUES ($1))\nSELECT a FROM w\n";
        assert_eq!(statement(text, Product::Sqlite, 2), "WITH w (a) AS (VALUES (?), (?))\nSELECT a FROM w\n");
        let arrays = "WITH w (a) AS (SELECT * FROM UNNEST($1))\nSELECT a FROM w\n";
        assert_eq!(statement(text, Product::Postgres, 2), arrays);
    }

    #[test]
    fn parts_hold_every_row_once() {
        for product in [Product::Sqlite, Product::Postgres] {
            for count in [0, 1, 3, 63, 255, 256, 257, 1000, 4096, 4097] {
                let rows: Vec<usize> = (0..count).collect();
                assert_eq!(parts(product, &rows).flatten().copied().collect::<Vec<_>>(), rows);
            }
        }
    }
}
