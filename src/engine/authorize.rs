//! The one door: from a caller and the tenant it names to the context that every verb needs.

use crate::domain::name::{AccountName, Uid};

/// Who calls. Credentials come with a later version; until then the server binds to loopback, or says in the open that
/// it lets everybody in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Caller {
    /// Nobody asked for a credential; the name it gives itself is recorded as unverified.
    Anonymous {
        /// The metadata `quotad-actor`.
        actor: Option<String>,
    },
}

/// A tenant that the caller may act in. Only [`authorize`] makes one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantCtx {
    name: AccountName,
    uid: Uid,
}

impl TenantCtx {
    /// The tenant's name.
    pub fn name(&self) -> &AccountName {
        &self.name
    }

    /// The tenant's uid.
    pub fn uid(&self) -> Uid {
        self.uid
    }
}

/// Lets a caller in, or not. An anonymous caller has every role.
pub fn authorize(caller: &Caller, tenant: &AccountName) -> TenantCtx {
    match caller {
        Caller::Anonymous { .. } => TenantCtx { uid: Uid::of(tenant.as_str()), name: tenant.clone() },
    }
}
