//! Takes over a journal that an earlier version kept in SQLite, `journal.db`.

use super::{Journal, JournalRow};
use crate::domain::entry::Entry;
use crate::engine::ports::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use std::path::Path;
use std::sync::Arc;

const INSTALLATION: &str = include_str!("../../../sql/journal/installation_get.sql");
const NEWEST: &str = include_str!("../../../sql/journal/newest_all.sql");
const READ: &str = include_str!("../../../sql/journal/read.sql");

/// Entries that are moved at a time.
const AT_ONCE: usize = 256;

/// An earlier version's journal.
pub(in crate::store::embedded) struct Legacy(SqliteConnection);

impl Legacy {
    /// Opens the file; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it is damaged, [`StoreError::Unavailable`] if it can't be read.
    pub(in crate::store::embedded) async fn open(file: &Path) -> Result<Option<Legacy>, StoreError> {
        if !file.is_file() {
            return Ok(None);
        }
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(false).disable_statement_logging();
        options.connect().await.map(|connection| Some(Legacy(connection))).map_err(unreadable)
    }

    /// The number of each partition's newest entry.
    ///
    /// # Errors
    /// As [`Legacy::open`].
    pub(in crate::store::embedded) async fn newest(&mut self) -> Result<Vec<(u32, u64)>, StoreError> {
        let rows: Vec<(u32, i64)> = sqlx::query_as(NEWEST).fetch_all(&mut self.0).await.map_err(unreadable)?;
        Ok(rows.into_iter().map(|(partition, seq)| (partition, seq.cast_unsigned())).collect())
    }

    /// Which installation the entries are of.
    ///
    /// # Errors
    /// As [`Legacy::open`].
    async fn installation(&mut self) -> Result<Option<String>, StoreError> {
        let row: Option<(String,)> =
            sqlx::query_as(INSTALLATION).fetch_optional(&mut self.0).await.map_err(unreadable)?;
        Ok(row.map(|(id,)| id))
    }

    async fn read(&mut self, partition: u32, seq: u64) -> Result<Vec<JournalRow>, StoreError> {
        let query = sqlx::query_as(READ).bind(i64::from(partition)).bind(seq.cast_signed());
        let rows: Vec<(i64, Vec<u8>)> = query.fetch_all(&mut self.0).await.map_err(unreadable)?;
        let row = |(seq, bytes): (i64, Vec<u8>)| {
            let entry = Entry::decode(&bytes)
                .map_err(|error| StoreError::Corrupt(format!("partition {partition}, entry {seq}: {error}")))?;
            Ok(JournalRow { partition, seq: seq.cast_unsigned(), entry: Arc::new(entry) })
        };
        rows.into_iter().map(row).collect()
    }

    /// Closes the file.
    pub(in crate::store::embedded) async fn close(self) {
        // Nothing was written.
        let _ = self.0.close().await;
    }
}

/// Moves what the file has into the journal, and then removes it. Who dies in between does so again.
///
/// # Errors
/// [`StoreError::Corrupt`] if it is damaged or of another installation, [`StoreError::Unavailable`] if it can't be read, or the
/// journal can't be written.
pub(in crate::store::embedded) async fn import(
    file: &Path,
    installation: &str,
    journal: &mut Journal,
) -> Result<(), StoreError> {
    let Some(mut legacy) = Legacy::open(file).await? else { return Ok(()) };
    let newest = legacy.newest().await?;
    let own = legacy.installation().await?;
    if !newest.is_empty() && own.as_deref().is_some_and(|id| id != installation) {
        return Err(StoreError::Corrupt(
            "ledger.db and journal.db belong to different installations: put back the one that belongs to the other; \
             to go on with ledger.db alone, move journal.db away"
                .into(),
        ));
    }
    let mut left = Vec::new();
    for (partition, newest) in newest {
        let rows = legacy.read(partition, 0).await?;
        refuse_another_history(&rows, (partition, newest), journal)?;
        left.extend(rows.into_iter().filter(|row| row.seq > journal.newest(partition)));
    }
    journal.set_installation(installation)?;
    left.chunks(AT_ONCE).try_for_each(|rows| journal.append(rows).map(drop))?;
    legacy.close().await;
    journal.sync()?;
    for suffix in ["", "-wal", "-shm"] {
        let left = format!("{}{suffix}", file.display());
        if Path::new(&left).exists() {
            std::fs::remove_file(&left).map_err(super::segment::unreadable)?;
        }
    }
    tracing::info!("the journal of an earlier version, journal.db, was taken over");
    Ok(())
}

/// Refuses to join what an earlier version wrote after this one, whose own entries it did not know: a number would stand for two.
/// What an import that died half-way left is the same as what the file has.
fn refuse_another_history(
    rows: &[JournalRow],
    (partition, newest): (u32, u64),
    journal: &Journal,
) -> Result<(), StoreError> {
    let before = rows.first().map_or(0, |row| row.seq - 1);
    let known = if journal.newest(partition) > before { journal.read(partition, before) } else { Ok(Vec::new()) };
    let same = known.is_ok_and(|known| known.iter().zip(rows).all(|((_, known), row)| *known == row.entry));
    if same && journal.newest(partition) <= newest {
        return Ok(());
    }
    Err(StoreError::Corrupt(
        "journal.db was written by an earlier version after this one had written the folder journal, and both have other \
         entries: to go on with what the earlier version did, move the folder journal away"
            .into(),
    ))
}

fn unreadable(error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<i32>().ok());
    match code.unwrap_or(0) & 0xff {
        // A damaged file, and one that is not a database.
        11 | 26 => StoreError::Corrupt(format!(
            "journal.db is damaged ({error}): put it back from a copy; to go on with what ledger.db has and lose what \
             had not reached it, move journal.db away"
        )),
        _ => StoreError::Unavailable(format!("journal.db can't be read: {error}")),
    }
}
