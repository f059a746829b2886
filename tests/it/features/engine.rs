//! The same stories on both engines: a server by itself, and two replicas on Redis and PostgreSQL.

use crate::api::helpers::*;
use crate::support::{Options, Shared};

/// Servers with the tests' catalog.
pub(super) struct Engine {
    /// The one that is asked.
    pub(super) one: Api,
    replica: Option<Api>,
}

impl Engine {
    /// A server by itself.
    pub(super) async fn alone() -> Engine {
        Engine { one: Api::with(Options::new().catalog(catalog())).await, replica: None }
    }

    /// Two replicas of an installation of their own.
    pub(super) async fn replicas(shared: &Shared) -> Engine {
        let options = shared.installation(Options::new().catalog(catalog()));
        Engine { one: Api::with(options.clone()).await, replica: Some(Api::with(options).await) }
    }

    /// Another replica, where there is one.
    pub(super) fn other(&self) -> &Api {
        self.replica.as_ref().unwrap_or(&self.one)
    }
}

/// A test for each story on a server by itself, and one of all of them on replicas.
macro_rules! stories {
    ($($name:ident)+) => {
        mod alone {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&super::Engine::alone().await).await;
            })+
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn on_replicas() {
            let shared = crate::support::Shared::with_postgres();
            $($name(&Engine::replicas(&shared).await).await;)+
        }
    };
}
pub(super) use stories;
