//! Opening, closing and opening again, many at once; URLs; a schema from the future; settings.

use super::server;
use super::support::{Folder, Place, on_both};
use crate::engine::ports::StoreError;
use crate::store::database::connection::{Product, Sql};
use crate::store::database::{Database, Sync};

on_both!(
    many_open_a_new_database_at_once,
    a_newer_schema_is_refused,
    a_setting_that_all_want_to_set_is_set_once,
    a_connection_in_a_broken_transaction_is_not_used_again,
);

async fn many_open_a_new_database_at_once(product: Product) {
    let place = Place::new(product).await;
    let all = futures(8, || place.database()).await;
    for (number, database) in all.iter().enumerate() {
        database.set_setting("a", &number.to_string()).await.unwrap();
        assert_eq!(all[0].setting("a").await.unwrap(), Some(number.to_string()));
    }
}

/// Runs so many at once.
async fn futures<T, F: Future<Output = T>>(count: usize, make: impl Fn() -> F) -> Vec<T> {
    let mut left: Vec<_> = (0..count).map(|_| Box::pin(make())).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        left.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(value) => {
                done.push(value);
                false
            }
            std::task::Poll::Pending => true,
        });
        if left.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

async fn a_setting_that_all_want_to_set_is_set_once(product: Product) {
    let place = Place::new(product).await;
    let (one, two) = (place.database().await, place.database().await);
    let (first, second) = tokio::join!(one.setting_or("partitions", "8"), two.setting_or("partitions", "16"));
    let kept = one.setting("partitions").await.unwrap();
    assert_eq!((Some(first.unwrap()), Some(second.unwrap())), (kept.clone(), kept));
}

async fn a_connection_in_a_broken_transaction_is_not_used_again(product: Product) {
    let place = Place::new(product).await;
    let database = place.database().await;
    for _ in 0..20 {
        let mut broken = database.write().await.unwrap();
        let add = Sql::same("INSERT INTO setting (name, value) VALUES ('a', 'b')");
        broken.execute(add, |_| {}).await.unwrap();
        assert!(broken.execute(add, |_| {}).await.is_err());
    }
    assert_eq!(database.setting("a").await.unwrap(), None);
    database.set_setting("a", "c").await.unwrap();
    assert_eq!(database.setting("a").await.unwrap().as_deref(), Some("c"));
}

#[tokio::test]
async fn urls_are_understood_or_refused_without_telling_passwords() {
    let folder = Folder::new();
    for form in ["", "sqlite:", "sqlite://"] {
        let database = Database::open_url(&format!("{form}{}", folder.file().display())).await.unwrap();
        assert!(!database.is_shared());
        database.set_setting("form", form).await.unwrap();
        database.close().await;
    }
    for url in ["", "mysql://root:secret@localhost/x", "postgres://root:secret@localhost:no/x"] {
        match Database::open_url(url).await {
            Err(StoreError::Corrupt(text)) => assert!(!text.contains("secret"), "{text}"),
            other => panic!("{url}: {other:?}"),
        }
    }
    // Nobody listens there.
    let refused = Database::open_url("postgres://root:secret@127.0.0.1:1/x").await;
    assert!(matches!(&refused, Err(StoreError::Unavailable(text)) if !text.contains("secret")), "{refused:?}");
    let missing = server::shared().url("no_such_database");
    match Database::open_url(&missing).await {
        Err(StoreError::Unavailable(text)) => {
            assert!(text.contains("create it, empty and with encoding UTF8"), "{text}")
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused() {
    let url = server::shared().fresh_database_with("ENCODING 'LATIN1' LOCALE 'C'").await;
    match Database::open_url(&url).await {
        Err(StoreError::Corrupt(text)) => assert!(text.contains("encoding LATIN1"), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_user_who_may_not_change_tables_opens_what_the_owner_has_migrated() {
    use sqlx::{Connection, PgConnection};
    let url = server::shared().fresh_database().await;
    let mut owner = PgConnection::connect(&url).await.unwrap();
    let role = "REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE ROLE server LOGIN";
    sqlx::raw_sql(role).execute(&mut owner).await.unwrap();
    let of_server = url.replace("//quotad@", "//server@");
    match Database::open_url(&of_server).await {
        Err(StoreError::Unavailable(text)) => assert!(text.contains("that `quotad migrate` made"), "{text}"),
        other => panic!("{other:?}"),
    }

    Database::open_url(&url).await.unwrap().close().await;
    let grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO server";
    sqlx::raw_sql(grant).execute(&mut owner).await.unwrap();
    let database = Database::open_url(&of_server).await.unwrap();
    database.set_setting("a", "b").await.unwrap();
    database.close().await;

    // Its right to write does not make a version that was changed pass for one that is known.
    let change = "UPDATE _sqlx_migrations SET checksum = '' WHERE version = 1";
    sqlx::raw_sql(change).execute(&mut owner).await.unwrap();
    match Database::open_url(&url).await {
        Err(StoreError::Corrupt(text)) => assert!(text.contains("has another schema than this quotad"), "{text}"),
        other => panic!("{other:?}"),
    }
    owner.close().await.unwrap();
}

#[tokio::test]
async fn settings_survive_a_close() {
    let folder = Folder::new();
    let database = folder.database().await;
    assert_eq!(database.setting("partitions").await.unwrap(), None);
    database.set_setting("partitions", "8").await.unwrap();
    database.set_setting("partitions", "16").await.unwrap();
    database.checkpoint().await.unwrap();
    database.close().await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the log is gone after a clean close");
    let again = Database::open(&folder.file(), Sync::Full).await.unwrap();
    assert_eq!(again.setting("partitions").await.unwrap().as_deref(), Some("16"));
    again.close().await;
}

async fn a_newer_schema_is_refused(product: Product) {
    let place = Place::new(product).await;
    let database = place.database().await;
    let empty = match product {
        Product::Sqlite => "x''",
        Product::Postgres => "''",
    };
    let newer = format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'later', true, {empty}, 0)"
    );
    let mut transaction = database.write().await.unwrap();
    transaction.execute(Sql::same(newer.leak()), |_| {}).await.unwrap();
    transaction.commit().await.unwrap();
    database.close().await;
    match place.open().await {
        Err(StoreError::Corrupt(text)) => {
            assert!(text.contains(" has schema 9999") && text.contains("use a newer quotad"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = Folder::new();
    std::fs::write(folder.file(), "this is not a database, but some text that is long enough to be one".repeat(100))
        .unwrap();
    match Database::open(&folder.file(), Sync::Normal).await {
        Err(StoreError::Corrupt(text)) => {
            assert!(text.contains("ledger.db is damaged") && text.contains("put a backup back"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}
