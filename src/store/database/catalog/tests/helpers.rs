//! A catalog in a database of its own.

use crate::domain::time::Timestamp;
use crate::engine::manage::{Applied, Apply, ApplyError, Catalogs};
use crate::store::database::connection::{Product, Sql};
use crate::store::database::tests::support::Place;
use crate::store::database::{Database, DatabaseCatalog};
use std::sync::Arc;

/// The start of the tests' time, in milliseconds since 1970.
pub(super) const NOW: i64 = 1_700_000_000_000;

/// A catalog, its database and where it is.
pub(super) struct World {
    pub(super) catalogs: Catalogs,
    pub(super) store: DatabaseCatalog,
    pub(super) database: Database,
    place: Place,
}

impl World {
    pub(super) async fn new(product: Product) -> World {
        let place = Place::new(product).await;
        let database = place.database().await;
        let store = DatabaseCatalog::new(database.clone());
        World { catalogs: Catalogs::new(Arc::new(store.clone())), store, database, place }
    }

    /// The same catalog as another process has it.
    pub(super) async fn beside(&self) -> Catalogs {
        Catalogs::new(Arc::new(DatabaseCatalog::new(self.place.database().await)))
    }

    /// Applies a document of the installation.
    pub(super) async fn apply(&self, yaml: &str) -> Applied {
        self.catalogs.apply(request(None, yaml)).await.unwrap()
    }

    /// Applies a document of a tenant.
    pub(super) async fn apply_to(&self, tenant: &str, yaml: &str) -> Applied {
        self.catalogs.apply(request(Some(tenant), yaml)).await.unwrap()
    }

    pub(super) async fn refused(&self, request: Apply<'_>) -> ApplyError {
        self.catalogs.apply(request).await.unwrap_err()
    }

    /// All rows of a query of one text column.
    pub(super) async fn rows(&self, sql: &'static str) -> Vec<String> {
        let rows = self.database.read().await.unwrap().fetch(Sql::same(sql), |_| {}).await.unwrap();
        rows.iter().map(|row| row.text(0).unwrap()).collect()
    }
}

/// A plain request at [`NOW`].
pub(super) fn request<'a>(tenant: Option<&'a str>, yaml: &'a str) -> Apply<'a> {
    Apply {
        tenant,
        yaml: yaml.as_bytes(),
        dry_run: false,
        prune: false,
        etag: None,
        actor: "tester",
        now: Timestamp::from_millis(NOW),
    }
}
