//! Small facts that a database keeps about itself: number of partitions, notes of the catalog.

use super::Database;
use super::connection::sql;
use crate::engine::ports::StoreError;

impl Database {
    /// The setting's value, if it was ever set.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let mut connection = self.read().await?;
        let row = connection.fetch_optional(sql!("setting_get"), |values| {
            values.text(name);
        });
        row.await?.map(|row| row.text(0)).transpose()
    }

    /// Sets a setting, or sets it anew.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be written.
    pub async fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        let put = transaction.execute(sql!("setting_put"), |values| {
            values.text(name).text(value);
        });
        put.await?;
        transaction.commit().await
    }

    /// Sets a setting unless it is set already, and answers what it is now: of several processes that start at once, all
    /// get the same answer.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read or written.
    pub async fn setting_or(&self, name: &str, value: &str) -> Result<String, StoreError> {
        let mut transaction = self.write().await?;
        let add = transaction.execute(sql!("setting_add"), |values| {
            values.text(name).text(value);
        });
        add.await?;
        let row = transaction.fetch_optional(sql!("setting_get"), |values| {
            values.text(name);
        });
        let kept = row.await?.map(|row| row.text(0)).transpose()?;
        transaction.commit().await?;
        Ok(kept.unwrap_or_else(|| String::from(value)))
    }
}
