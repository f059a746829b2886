//! The statements of the catalog, by noun.

/// The four statements that meters, plans and accounts have each.
pub(super) struct Noun {
    /// The scope's rows that are not deleted.
    pub list: &'static str,
    /// One of them.
    pub get: &'static str,
    /// Makes one be so.
    pub put: &'static str,
    /// Marks one deleted.
    pub delete: &'static str,
}

/// Meters.
pub(super) const METER: Noun = Noun {
    list: include_str!("../../../sql/queries/catalog_meter_list.sql"),
    get: include_str!("../../../sql/queries/catalog_meter_get.sql"),
    put: include_str!("../../../sql/queries/catalog_meter_put.sql"),
    delete: include_str!("../../../sql/queries/catalog_meter_delete.sql"),
};

/// Plans.
pub(super) const PLAN: Noun = Noun {
    list: include_str!("../../../sql/queries/catalog_plan_list.sql"),
    get: include_str!("../../../sql/queries/catalog_plan_get.sql"),
    put: include_str!("../../../sql/queries/catalog_plan_put.sql"),
    delete: include_str!("../../../sql/queries/catalog_plan_delete.sql"),
};

/// Records of accounts.
pub(super) const ACCOUNT: Noun = Noun {
    list: include_str!("../../../sql/queries/catalog_account_list.sql"),
    get: include_str!("../../../sql/queries/catalog_account_get.sql"),
    put: include_str!("../../../sql/queries/catalog_account_put.sql"),
    delete: include_str!("../../../sql/queries/catalog_account_delete.sql"),
};

/// The current quotas of a scope.
pub(super) const QUOTA_LIST: &str = include_str!("../../../sql/queries/catalog_quota_list.sql");
/// One current quota.
pub(super) const QUOTA_GET: &str = include_str!("../../../sql/queries/catalog_quota_get.sql");
/// Ends a current quota.
pub(super) const QUOTA_CLOSE: &str = include_str!("../../../sql/queries/catalog_quota_close.sql");
/// A new version.
pub(super) const QUOTA_INSERT: &str = include_str!("../../../sql/queries/catalog_quota_insert.sql");
/// The version of what a scope sees.
pub(super) const VERSION_GET: &str = include_str!("../../../sql/queries/catalog_version_get.sql");
/// The versions of all scopes.
pub(super) const VERSIONS: &str = include_str!("../../../sql/queries/catalog_versions.sql");
/// Sets a scope's version.
pub(super) const VERSION_PUT: &str = include_str!("../../../sql/queries/catalog_version_put.sql");
/// The version drawn last.
pub(super) const SEQUENCE_GET: &str = include_str!("../../../sql/queries/catalog_sequence_get.sql");
/// Draws a version.
pub(super) const SEQUENCE_NEXT: &str = include_str!("../../../sql/queries/catalog_sequence_next.sql");
/// Tenants with anything configured.
pub(super) const TENANTS: &str = include_str!("../../../sql/queries/catalog_tenants.sql");
/// An audit entry.
pub(super) const AUDIT_INSERT: &str = include_str!("../../../sql/queries/catalog_audit_insert.sql");
