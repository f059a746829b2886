//! A row of an answer, column by column, whichever database gave it.

use super::errors::store_error;
use crate::engine::ports::StoreError;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

/// A row. Columns are counted from 0; one of another kind than asked for is [`StoreError::Corrupt`].
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// Reads a column as a type that both drivers know.
macro_rules! column {
    ($row:expr, $at:expr) => {
        match $row {
            Row::Sqlite(row) => row.try_get($at),
            Row::Postgres(row) => row.try_get($at),
        }
        .map_err(store_error)
    };
}

impl Row {
    /// A number.
    pub(super) fn int(&self, at: usize) -> Result<i64, StoreError> {
        column!(self, at)
    }

    /// A number or nothing.
    pub(super) fn maybe_int(&self, at: usize) -> Result<Option<i64>, StoreError> {
        column!(self, at)
    }

    /// Bytes.
    pub(super) fn bytes(&self, at: usize) -> Result<&[u8], StoreError> {
        column!(self, at)
    }

    /// Bytes or nothing.
    pub(super) fn maybe_bytes(&self, at: usize) -> Result<Option<&[u8]>, StoreError> {
        column!(self, at)
    }

    /// A text.
    pub(super) fn text(&self, at: usize) -> Result<String, StoreError> {
        column!(self, at)
    }

    /// A text or nothing.
    pub(super) fn maybe_text(&self, at: usize) -> Result<Option<String>, StoreError> {
        column!(self, at)
    }
}
