//! The statements of the catalog, by noun.

use super::super::connection::{Sql, sql};

/// The statements that meters, plans, accounts, pools, choices, names and rate cards have each.
pub(super) struct Noun {
    /// One of a scope's that is not deleted.
    pub get: Sql,
    /// Makes one be so.
    pub put: Sql,
    /// Marks one deleted.
    pub delete: Sql,
}

/// Meters.
pub(super) const METER: Noun =
    Noun { get: sql!("catalog_meter_get"), put: sql!("catalog_meter_put"), delete: sql!("catalog_meter_delete") };

/// Plans.
pub(super) const PLAN: Noun =
    Noun { get: sql!("catalog_plan_get"), put: sql!("catalog_plan_put"), delete: sql!("catalog_plan_delete") };

/// Records of accounts.
pub(super) const ACCOUNT: Noun =
    Noun { get: sql!("catalog_account_get"), put: sql!("catalog_account_put"), delete: sql!("catalog_account_delete") };

/// Rate cards.
pub(super) const RATE_CARD: Noun = Noun {
    get: sql!("catalog_rate_card_get"),
    put: sql!("catalog_rate_card_put"),
    delete: sql!("catalog_rate_card_delete"),
};
/// Pools.
pub(super) const POOL: Noun =
    Noun { get: sql!("catalog_pool_get"), put: sql!("catalog_pool_put"), delete: sql!("catalog_pool_delete") };

/// Which pool an account chose.
pub(super) const CHOICE: Noun =
    Noun { get: sql!("catalog_choice_get"), put: sql!("catalog_choice_put"), delete: sql!("catalog_choice_delete") };

/// What stands behind names since accounts were moved.
pub(super) const NAME: Noun =
    Noun { get: sql!("catalog_name_get"), put: sql!("catalog_name_put"), delete: sql!("catalog_name_delete") };
/// A page of these names of a scope.
pub(super) const NAME_PAGE: Sql = sql!("catalog_name_page");
/// Those that changed.
pub(super) const NAME_CHANGED: Sql = sql!("catalog_name_changed");
/// Those of accounts that are being moved.
pub(super) const NAME_MOVING: Sql = sql!("catalog_name_moving");

/// The meters of a scope.
pub(super) const METER_LIST: Sql = sql!("catalog_meter_list");
/// The plans of a scope.
pub(super) const PLAN_LIST: Sql = sql!("catalog_plan_list");
/// The rate cards of a scope.
pub(super) const RATE_CARD_LIST: Sql = sql!("catalog_rate_card_list");
/// Those whose names are in a range.
pub(super) const RATE_CARD_BETWEEN: Sql = sql!("catalog_rate_card_between");
/// A page of the accounts of a scope.
pub(super) const ACCOUNT_PAGE: Sql = sql!("catalog_account_page");
/// The accounts that changed.
pub(super) const ACCOUNT_CHANGED: Sql = sql!("catalog_account_changed");
/// How much changed of what is neither account nor quota.
pub(super) const FRAME_CHANGED: Sql = sql!("catalog_frame_changed");
/// A page of the pools of a scope.
pub(super) const POOL_PAGE: Sql = sql!("catalog_pool_page");
/// A page of the choices of pools of a scope.
pub(super) const CHOICE_PAGE: Sql = sql!("catalog_choice_page");
/// The pools that changed.
pub(super) const POOL_CHANGED: Sql = sql!("catalog_pool_changed");
/// The choices of pools that changed.
pub(super) const CHOICE_CHANGED: Sql = sql!("catalog_choice_changed");
/// The meters that a scope had.
pub(super) const METER_REMOVED: Sql = sql!("catalog_meter_removed");
/// A page of the current quotas of a scope.
pub(super) const QUOTA_PAGE: Sql = sql!("catalog_quota_page");
/// The quotas that changed.
pub(super) const QUOTA_CHANGED: Sql = sql!("catalog_quota_changed");
/// The installation's quotas on a meter that are locked without a feature.
pub(super) const QUOTA_LOCKED: Sql = sql!("catalog_quota_locked");
/// One current quota.
pub(super) const QUOTA_GET: Sql = sql!("catalog_quota_get");
/// Ends a current quota.
pub(super) const QUOTA_CLOSE: Sql = sql!("catalog_quota_close");
/// A new version.
pub(super) const QUOTA_INSERT: Sql = sql!("catalog_quota_insert");
/// Changes a current quota in place.
pub(super) const QUOTA_EDIT: Sql = sql!("catalog_quota_edit");
/// The newest closed quota is in force again.
pub(super) const QUOTA_REOPEN: Sql = sql!("catalog_quota_reopen");
/// Every version of a quota.
pub(super) const QUOTA_VERSIONS: Sql = sql!("catalog_quota_versions");
/// The version of what a scope sees.
pub(super) const VERSION_GET: Sql = sql!("catalog_version_get");
/// Sets a scope's version.
pub(super) const VERSION_PUT: Sql = sql!("catalog_version_put");
/// The version drawn last.
pub(super) const SEQUENCE_GET: Sql = sql!("catalog_sequence_get");
/// The version drawn last; nobody else draws one until the transaction ends.
pub(super) const SEQUENCE_LOCK: Sql = sql!(each "catalog_sequence_lock");
/// Draws a version.
pub(super) const SEQUENCE_NEXT: Sql = sql!("catalog_sequence_next");
/// Tells who listens.
pub(in super::super) const NOTIFY: Sql = sql!("postgres/catalog_notify");
/// Names the channel on which that is told.
pub(in super::super) const CHANNEL: Sql = sql!("postgres/catalog_channel");
/// Tenants with anything configured.
pub(super) const TENANTS: Sql = sql!("catalog_tenants");
/// An audit entry.
pub(super) const AUDIT_INSERT: Sql = sql!("catalog_audit_insert");
/// The versions of all scopes.
pub(super) const VERSIONS: Sql = sql!("catalog_versions");
