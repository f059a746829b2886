//! A database of a test's own on either product, and short ways to entries and reservations.

use super::server;
use crate::domain::entry::{Effect, Entry, Kind, Line, LineLevel};
use crate::domain::meter::Rules;
use crate::domain::name::{AccountName, IdKey, IdSpace, MeterId, MeterName, Uid};
use crate::domain::reservation::{About, Flags, Held, Level, Reservation, State};
use crate::domain::time::Timestamp;
use crate::engine::ports::{CounterKey, StoreError};
use crate::store::database::connection::Product;
use crate::store::database::{Database, Sync};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A folder of its own, removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        let name = format!("quotad-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("the temporary directory can be written");
        Folder(path)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("ledger.db")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) async fn database(&self) -> Database {
        Database::open(&self.file(), Sync::Normal).await.expect("a new database opens")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A place for one database: a file, or a database on the server that all tests share.
pub(crate) enum Place {
    File(Folder),
    Server(String),
}

impl Place {
    /// A new one.
    pub(crate) async fn new(product: Product) -> Place {
        match product {
            Product::Sqlite => Place::File(Folder::new()),
            Product::Postgres => Place::Server(server::shared().fresh_database().await),
        }
    }

    /// Opens it, with connections of its own as another process would have them.
    pub(crate) async fn database(&self) -> Database {
        self.open().await.expect("a database of our own opens")
    }

    /// Tries to.
    pub(crate) async fn open(&self) -> Result<Database, StoreError> {
        match self {
            Place::File(folder) => Database::open(&folder.file(), Sync::Normal).await,
            Place::Server(url) => Database::open_url(url).await,
        }
    }
}

/// Runs each of these `async fn name(product: Product)` as a test on both databases.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::store::database::connection::Product::Sqlite).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::store::database::connection::Product::Postgres).await;
            })+
        }
    };
}
pub(crate) use on_both;

/// The tenant of all tests.
pub(crate) fn tenant() -> Uid {
    Uid::of("tenants/acme")
}

/// The meter of all tests.
pub(crate) fn meter() -> MeterId {
    "training.runs".parse::<MeterName>().expect("a meter's name").id()
}

/// A counter of an account on [`meter`].
pub(crate) fn counter(account: &str) -> CounterKey {
    CounterKey { account: Uid::of(account), meter: meter() }
}

/// A line on an account and everything above it.
pub(crate) fn line(account: &str, effective: i64, used: i64, top_up: i64) -> Line {
    let name: AccountName = account.parse().expect("an account's name");
    let level = |name| LineLevel { account: Uid::of(name), used_top_up: top_up, held_top_up: 0 };
    let levels: Vec<LineLevel> = name.chain().map(level).collect();
    Line {
        charge: 0,
        about: Arc::new(About::of(account, "training.runs", meter())),
        effective: Timestamp::from_millis(effective),
        used,
        held: 0,
        chain: levels.len() as u8,
        levels: levels.into(),
        price: None,
    }
}

/// An effect of some lines.
pub(crate) fn effect(kind: Kind, time: i64, lines: Vec<Line>) -> Effect {
    let time = Timestamp::from_millis(time);
    Effect { tenant: tenant(), time, catalog_version: 1, kind, request: None, reservation: None, lines, note: None }
}

/// An effect that made or changed a reservation.
pub(crate) fn of(reservation: &Reservation, kind: Kind, time: i64) -> Effect {
    Effect { reservation: Some(std::sync::Arc::new(reservation.clone())), ..effect(kind, time, Vec::new()) }
}

/// Entries of one effect each, numbered from `first`.
pub(crate) fn entries(first: u64, effects: Vec<Effect>) -> Vec<(u64, Arc<Entry>)> {
    let entry = |effect: Effect| Arc::new(Entry { time: effect.time, effects: vec![effect] });
    (first..).zip(effects.into_iter().map(entry)).collect()
}

/// A reservation of 5 on an account, held.
pub(crate) fn reservation(id: &str, account: &str, created: i64) -> Reservation {
    let name: AccountName = account.parse().expect("an account's name");
    let level = |name| Level { account: Uid::of(name), has_top_up: false, held_top_up: 0, used_top_up: 0 };
    let charge = Held {
        about: Arc::new(About::of(account, "training.runs", meter())),
        asked: Some(5),
        held: 5,
        committed: 0,
        unconfirmed: 0,
        lapsed: 0,
        freed: 0,
        final_amount: None,
        rules: Rules::default(),
        path: name.chain().map(level).collect(),
        price: None,
        estimate: None,
    };
    Reservation {
        tenant: tenant(),
        tenant_name: "tenants/acme".into(),
        id: id.into(),
        key: IdKey::of(tenant(), IdSpace::Reservation, id),
        fingerprint: 7,
        state: State::Held,
        flags: Flags::default(),
        create_time: Timestamp::from_millis(created),
        expire_time: Timestamp::from_millis(created + 60_000),
        charges: vec![charge],
        labels: vec![("job".into(), "j1".into())],
        requests: Vec::new(),
    }
}

/// The same reservation in another state.
pub(crate) fn in_state(reservation: &Reservation, state: State) -> Reservation {
    Reservation { state, ..reservation.clone() }
}
