//! The values of a statement, whichever database gets them.

use super::connection::Product;
use super::errors::postgres_error;
use crate::engine::ports::StoreError;
use sqlx::Arguments;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;

/// The values of one statement, or of many rows of one statement.
pub(super) struct Values {
    to: To,
    failed: Option<sqlx::Error>,
}

enum To {
    Sqlite(SqliteArguments),
    Postgres(PgArguments),
    /// Many rows on PostgreSQL: an array for each column. The next value belongs to column `next`.
    Columns {
        columns: Vec<Column>,
        width: usize,
        next: usize,
    },
}

enum Column {
    Ints(Vec<Option<i64>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Texts(Vec<Option<String>>),
}

impl Values {
    /// Of one statement.
    pub(super) fn of(product: Product) -> Values {
        let to = match product {
            Product::Sqlite => To::Sqlite(SqliteArguments::default()),
            Product::Postgres => To::Postgres(PgArguments::default()),
        };
        Values { to, failed: None }
    }

    /// Of so many rows, each with `width` values: one value after the other on SQLite, an array for each column on PostgreSQL.
    pub(super) fn of_rows(product: Product, rows: usize, width: usize) -> Values {
        let to = match product {
            Product::Sqlite => {
                let mut arguments = SqliteArguments::default();
                // The second is of no use to SQLite.
                Arguments::reserve(&mut arguments, rows * width, 0);
                To::Sqlite(arguments)
            }
            Product::Postgres => To::Columns { columns: Vec::with_capacity(width), width, next: 0 },
        };
        Values { to, failed: None }
    }

    /// A number.
    pub(super) fn int(&mut self, value: i64) -> &mut Values {
        self.maybe_int(Some(value))
    }

    /// A number or nothing.
    pub(super) fn maybe_int(&mut self, value: Option<i64>) -> &mut Values {
        let added = match &mut self.to {
            To::Sqlite(arguments) => arguments.add(value),
            To::Postgres(arguments) => Arguments::add(arguments, value),
            To::Columns { .. } => {
                match self.column(|| Column::Ints(Vec::new())) {
                    Some(Column::Ints(column)) => column.push(value),
                    _ => self.mixed(),
                }
                Ok(())
            }
        };
        self.added(added)
    }

    /// A text.
    pub(super) fn text(&mut self, value: &str) -> &mut Values {
        self.maybe_text(Some(value))
    }

    /// A text or nothing.
    pub(super) fn maybe_text(&mut self, value: Option<&str>) -> &mut Values {
        let added = match &mut self.to {
            To::Sqlite(arguments) => arguments.add(value),
            To::Postgres(arguments) => Arguments::add(arguments, value.map(storable)),
            To::Columns { .. } => {
                match self.column(|| Column::Texts(Vec::new())) {
                    Some(Column::Texts(column)) => column.push(value.map(storable)),
                    _ => self.mixed(),
                }
                Ok(())
            }
        };
        self.added(added)
    }

    /// Bytes.
    pub(super) fn bytes(&mut self, value: &[u8]) -> &mut Values {
        self.maybe_bytes(Some(value))
    }

    /// Bytes or nothing.
    pub(super) fn maybe_bytes(&mut self, value: Option<&[u8]>) -> &mut Values {
        let added = match &mut self.to {
            To::Sqlite(arguments) => arguments.add(value),
            To::Postgres(arguments) => Arguments::add(arguments, value),
            To::Columns { .. } => {
                match self.column(|| Column::Bytes(Vec::new())) {
                    Some(Column::Bytes(column)) => column.push(value.map(<[u8]>::to_vec)),
                    _ => self.mixed(),
                }
                Ok(())
            }
        };
        self.added(added)
    }

    /// For SQLite.
    pub(super) fn into_sqlite(self) -> Result<SqliteArguments, sqlx::Error> {
        match (self.failed, self.to) {
            (None, To::Sqlite(arguments)) => Ok(arguments),
            (failed, _) => Err(failed.unwrap_or_else(|| encode("values of another database"))),
        }
    }

    /// For PostgreSQL.
    pub(super) fn into_postgres(self) -> Result<PgArguments, StoreError> {
        let mut all = PgArguments::default();
        match (self.failed, self.to) {
            (None, To::Postgres(arguments)) => return Ok(arguments),
            (None, To::Columns { columns, .. }) => {
                for column in columns {
                    let added = match column {
                        Column::Ints(values) => Arguments::add(&mut all, values),
                        Column::Bytes(values) => Arguments::add(&mut all, values),
                        Column::Texts(values) => Arguments::add(&mut all, values),
                    };
                    added.map_err(|error| postgres_error(sqlx::Error::Encode(error)))?;
                }
            }
            (failed, _) => return Err(postgres_error(failed.unwrap_or_else(|| encode("values of another database")))),
        }
        Ok(all)
    }

    /// The column of the next value, made with the first row.
    fn column(&mut self, new: impl FnOnce() -> Column) -> Option<&mut Column> {
        let To::Columns { columns, width, next } = &mut self.to else { return None };
        let at = *next;
        *next = (at + 1) % *width;
        if at == columns.len() {
            columns.push(new());
        }
        columns.get_mut(at)
    }

    fn mixed(&mut self) {
        self.failed = Some(encode("rows whose columns are not of the same kind"));
    }

    fn added(&mut self, added: Result<(), sqlx::error::BoxDynError>) -> &mut Values {
        if let Err(error) = added {
            self.failed = Some(sqlx::Error::Encode(error));
        }
        self
    }
}

fn encode(what: &str) -> sqlx::Error {
    sqlx::Error::Encode(what.into())
}

/// A text as PostgreSQL can keep it: it has no character 0, and one entry that it refused would hold up all after it.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}
