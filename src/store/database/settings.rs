//! Small facts that a database keeps about itself: number of partitions, notes of the catalog.

use super::Database;
use super::errors::store_error;
use crate::engine::ports::StoreError;

impl Database {
    /// The setting's value, if it was ever set.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let query = sqlx::query_as(include_str!("../../sql/queries/setting_get.sql"));
        let row: Option<(String,)> = query.bind(name).fetch_optional(self.reader()).await.map_err(store_error)?;
        Ok(row.map(|(value,)| value))
    }

    /// Sets a setting, or sets it anew.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be written.
    pub async fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let query = sqlx::query(include_str!("../../sql/queries/setting_put.sql"));
        query.bind(name).bind(value).execute(self.writer()).await.map_err(store_error)?;
        Ok(())
    }
}
